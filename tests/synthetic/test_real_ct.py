"""A virtual patient in a real body, and in a small made-up one whose labels are exact."""

from __future__ import annotations

import numpy as np
import pytest

from opensirt.dicom.read import read_study
from opensirt.synthetic.camera import ImagingOptions
from opensirt.synthetic.patient import PatientOptions
from opensirt.synthetic.real_ct import density_of, upright, virtual_patient_on_ct
from opensirt.synthetic.uptake import UptakeOptions
from opensirt.synthetic.write import run_virtual_patient
from opensirt.vocabulary.anatomy import structure_from_key
from opensirt.vocabulary.errors import GeometryError, GridMismatch, MissingInput
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import HounsfieldMap, Mask

pytestmark = pytest.mark.slow

OPTIONS = PatientOptions(seed=4, uptake=UptakeOptions(lesions=3), imaging=ImagingOptions(), truth_decays=5_000)


def _body(*, signs=(1, 1, 1), lungs=True) -> tuple[HounsfieldMap, list[Mask]]:
    """An elliptic trunk with a box of liver on the right, stored in any direction of its axes."""
    shape, spacing = (60, 70, 90), np.array([4.0, 3.7, 3.9])
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0]]) * (spacing * np.array(signs))
    centre = affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    affine[:3, 3] = -centre
    grid = Grid(shape, affine, "unstated")
    x, y, z = np.moveaxis(grid.lps_mm(np.moveaxis(np.indices(shape), 0, -1)), -1, 0)
    hu = np.where((x / 160) ** 2 + (y / 110) ** 2 < 1, 40, -1000)
    liver = (np.abs(x + 60) < 60) & (np.abs(y) < 60) & (np.abs(z + 30) < 50)
    lung = ((np.abs(x) - 70) ** 2 / 45**2 + y**2 / 70**2 < 1) & (z > 30) & (z < 105)
    if lungs:
        hu[lung] = -740
    ct = HounsfieldMap(hu.astype(np.int16), grid)
    return ct, [Mask(liver, grid, structure_from_key("liver"))]


@pytest.mark.parametrize("signs", [(1, 1, 1), (1, -1, -1), (-1, 1, -1)])
def test_storage_direction_does_not_move_anything(signs):
    ct, masks = _body(signs=signs)
    turned, (liver,) = upright(ct, masks, "F")
    assert np.all(np.diag(turned.grid.directions[::-1]) > 0.99)
    centre = liver.grid.lps_mm(np.argwhere(liver.inside)).mean(axis=0)
    assert np.abs(centre - masks[0].grid.lps_mm(np.argwhere(masks[0].inside)).mean(axis=0)).max() < 1e-6
    corner = turned.grid.lps_mm((0, 0, 0))
    assert turned.hu[0, 0, 0] == ct.hu[tuple(np.rint(ct.grid.index_kji(corner)).astype(int))]


def test_lesions_lie_in_the_liver_and_the_rest_of_the_ct_is_untouched():
    ct, masks = _body()
    patient = virtual_patient_on_ct(ct, masks, OPTIONS, lambda _: None)
    changed = patient.images.ct.hu != ct.hu
    assert changed.any()
    assert not (changed & ~masks[0].inside).any()
    found = {mask.structure.key for mask in patient.images.structures}
    assert {"liver", "left_lung", "right_lung", "tumour.T1", "territory.right", "territory.left"} <= found
    truth = patient.truth
    assert truth.lungs_seen_fraction == 1.0
    assert truth.structures["liver"].mass_g == pytest.approx(1.05 * truth.structures["liver"].volume_ml, rel=1e-6)
    box_ml = 120 * 120 * 100 / 1000
    assert truth.structures["liver"].volume_ml == pytest.approx(box_ml, rel=0.06)  # edges of the box are rounded off
    assert truth.structures["lungs"].mass_g == pytest.approx(2 * np.pi * 45 * 70 * 75 / 1000 * 0.26, rel=0.08)


def test_without_lungs_the_shunt_leaves_the_field():
    ct, masks = _body(lungs=False)
    patient = virtual_patient_on_ct(ct, masks, OPTIONS, lambda _: None)
    assert patient.truth.lungs_seen_fraction == 0.0
    assert "lungs" not in patient.truth.structures
    total = patient.uptake.concentration.sum(dtype=np.float64)
    assert total == pytest.approx(1.0 - patient.truth.lung_shunt_fraction, abs=1e-5)


def test_a_label_map_without_liver_on_another_grid_or_across_is_refused():
    ct, masks = _body()
    with pytest.raises(MissingInput, match="no liver"):
        virtual_patient_on_ct(ct, [], OPTIONS, lambda _: None)
    other = Mask(np.ones((4, 5, 6), bool), Grid((4, 5, 6), np.eye(4), "unstated"), structure_from_key("liver"))
    with pytest.raises(GridMismatch):
        virtual_patient_on_ct(ct, [other], OPTIONS, lambda _: None)
    sagittal = HounsfieldMap(ct.hu.copy(), Grid(ct.grid.shape, ct.grid.affine_mm[[2, 0, 1, 3]], "unstated"))
    with pytest.raises(GeometryError, match="not axial"):
        upright(sagittal, [], "F")


def test_density_of_known_materials():
    """Air, lung, water, and Schneider 2000 for liver (60 HU: 1.06) and cortical bone (1000 HU: 1.58)."""
    hu = np.array([-1000.0, -740.0, 0.0, 60.0, 1000.0], dtype=np.float32)
    assert density_of(hu) == pytest.approx([0.00121, 0.26, 1.0, 1.06, 1.58], abs=0.02)


@pytest.mark.slow
def test_the_real_abdomen(shared_data, tmp_path):
    """The liver is cut at the top of the field, the lungs are a sliver: both come out as what they are."""
    folder = shared_data / "totalsegmentator"
    run_virtual_patient(
        tmp_path, OPTIONS, lambda _: None, ct=folder / "example_ct.nii.gz", labels=folder / "example_seg_fast_force_split.nii.gz"
    )
    study = read_study(tmp_path, lambda _: None)
    assert {fault.code for fault in study.faults} <= {"structure.cut"}
    (ct,) = [volume for volume in study.volumes if volume.kind == "ct"]
    assert ct.facts.synthetic
    assert ct.map.grid.shape == (112, 101, 122)
    liver = next(item.mask for item in study.structures if item.mask.structure.key == "liver")
    assert liver.volume_ml == pytest.approx(1125.7, rel=0.08)  # stated with the data; a contour error of 1 mm is 5 %
    assert liver.inside[-1].any()
    assert (
        liver.grid.lps_mm(np.argwhere(liver.inside)).mean(axis=0)[0] < ct.map.grid.lps_mm((np.array(ct.map.grid.shape) - 1) / 2)[0]
    )
