"""A virtual patient in a real body: lesions, territories, particles and emission images placed into a CT with labels.

Like the rest of the truth this code has its own resampling and its own density assignment. Organs that the field of view cuts stay cut:
the truth holds what is seen, and says which part of the lungs that is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from opensirt.synthetic.anatomy import AIR_G_PER_ML, FINE_MM, Anatomy, Field, fine_grid
from opensirt.synthetic.camera import fine_samples
from opensirt.synthetic.patient import PatientOptions, VirtualPatient, frame_of, make_patient
from opensirt.synthetic.uptake import Uptake
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import GeometryError, MissingInput
from opensirt.vocabulary.geometry import Grid, require_same_grid
from opensirt.vocabulary.volumes import HounsfieldMap, Mask

LIVER_G_PER_ML = 1.05
BONE_HU = 120.0
"""From here on up a voxel outside the liver is taken for mineral."""
LUNG_BELOW_HU = -400.0
LARGEST_TURN_DEG = 30.0
"""A CT turned by more than this against the patient's axes is not taken for an axial series."""
WHOLE_LUNGS_G = 1000.0
"""Conventional mass of both lungs (1 kg, EANM 2022); cut lungs hold the shunt in proportion."""


def upright(ct: HounsfieldMap, masks: Sequence[Mask], frame: str) -> tuple[HounsfieldMap, tuple[Mask, ...]]:
    """CT and masks with slices running to the head, rows to the back, columns to the left, in a frame of their own.

    Raises
    ------
    GridMismatch
        If a mask lies on another grid.
    GeometryError
        If the slices are not axial.
    """
    for mask in masks:
        require_same_grid(mask.grid, ct.grid, f"the label {mask.structure.key} and the CT")
    along = np.array([ct.grid.directions[2, 0], ct.grid.directions[1, 1], ct.grid.directions[0, 2]])
    if np.abs(along).min() < np.cos(np.deg2rad(LARGEST_TURN_DEG)):
        raise GeometryError(
            f"the slices of the CT are not axial (cosines {np.round(along, 3).tolist()})", ct.grid.describe(), "reformat it axially"
        )
    turn = tuple(slice(None, None, -1 if a < 0 else 1) for a in along)
    affine = ct.grid.affine_mm.copy()
    affine[:3, 3] = ct.grid.lps_mm([(n - 1) if a < 0 else 0 for a, n in zip(along, ct.grid.shape, strict=True)])
    affine[:3, :3] *= np.where(along < 0, -1.0, 1.0)
    grid = Grid(ct.grid.shape, affine, frame)
    turned = HounsfieldMap(ct.hu[turn], grid, ct.padding_hu)
    return turned, tuple(Mask(mask.inside[turn], grid, mask.structure) for mask in masks)


def _distance(mask: npt.NDArray[np.bool_], coarse: Grid, fine: Grid) -> Field:
    """Signed distance in mm on the fine grid to a mask of the CT, its steps rounded off."""
    spacing = coarse.spacing_mm
    signed = ndimage.distance_transform_edt(~mask, sampling=spacing) - ndimage.distance_transform_edt(mask, sampling=spacing)
    smooth = ndimage.gaussian_filter(signed.astype(np.float32), 1.5 / spacing)
    return fine_samples(smooth, coarse, fine, outside=None)


def density_of(hu: Field) -> Field:
    """The truth's own density in g/mL: air to water linear, soft tissue 1 + 0.9 HU/1000, mineral with half of that slope.

    Three straight lines near the published curve (Schneider 2000), on purpose not the table that is under test.
    """
    low = np.maximum(1.0 + hu / 1000.0, AIR_G_PER_ML)
    soft = 1.0 + 0.0009 * hu
    bone = 1.0 + 0.0009 * BONE_HU + 0.00055 * (hu - BONE_HU)
    return np.asarray(np.where(hu < 0.0, low, np.where(hu < BONE_HU, soft, bone)), dtype=np.float32)


def _body(hu: Field) -> npt.NDArray[np.bool_]:
    """The largest connected part above fat's lower edge, opened by 6 mm against the couch, filled slice by slice."""
    tissue = ndimage.binary_opening(hu > -250.0, iterations=int(6.0 / FINE_MM))
    labels, count = ndimage.label(tissue)
    if count == 0:
        raise MissingInput("no body is seen in the CT", "no voxel is above -250 HU", "give a CT in HU")
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    filled = [ndimage.binary_fill_holes(layer) for layer in largest]
    return np.stack(filled)


def _lungs(
    masks: Sequence[Mask], hu: Field, body: npt.NDArray[np.bool_], fine: Grid, liver: Field
) -> dict[str, npt.NDArray[np.bool_]]:
    """Lungs from labels or, where there are none, from the threshold; parted at the body's middle."""
    wanted = (StructureKind.LUNGS, StructureKind.LEFT_LUNG, StructureKind.RIGHT_LUNG)
    drawn = [mask for mask in masks if mask.structure.kind in wanted]
    if drawn:
        inside = np.zeros(fine.shape, dtype=bool)
        for mask in drawn:
            inside |= fine_samples(mask.inside.astype(np.float32), mask.grid, fine, outside=None) > 0.5
    else:
        labels, _ = ndimage.label(body & (hu < LUNG_BELOW_HU))
        volume_ml = np.bincount(labels.ravel()) * fine.voxel_volume_ml
        volume_ml[0] = 0.0
        inside = np.isin(labels, np.flatnonzero(volume_ml > 100.0))
    inside &= liver >= 0.0
    x_mm = fine.affine_mm[0, 3] + FINE_MM * np.arange(fine.shape[2])
    middle = float(np.average(x_mm, weights=body.sum(axis=(0, 1)) + 1e-9))
    left = np.broadcast_to(x_mm > middle, fine.shape)
    return {"lung_left": inside & left, "lung_right": inside & ~left}


def _as_distance(inside: npt.NDArray[np.bool_]) -> Field:
    if not inside.any():
        return np.full(inside.shape, 60.0, dtype=np.float32)
    signed = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    return np.asarray(signed * FINE_MM, dtype=np.float32)


def anatomy_of(ct: HounsfieldMap, masks: Sequence[Mask]) -> Anatomy:
    """The body of an upright CT on the fine grid.

    Parameters
    ----------
    ct : HounsfieldMap
        As :func:`upright` gives it.
    masks : sequence of Mask
        On the CT's grid; the liver is needed, lungs and stomach are used where they are there.

    Raises
    ------
    MissingInput
        If there is no liver.
    """
    livers = [mask for mask in masks if mask.structure.kind is StructureKind.LIVER and mask.voxels]
    if not livers:
        raise MissingInput("the labels hold no liver", "lesions and territories are placed in it", "give a label map with a liver")
    corners = ct.grid.corners_mm()
    low, high = corners.min(axis=0), corners.max(axis=0) + FINE_MM  # the last slice lies inside
    fine = fine_grid((low[0], low[1], low[2]), (high[0], high[1], high[2]), ct.grid.frame)
    hu = fine_samples(ct.hu.astype(np.float32), ct.grid, fine, outside=None)
    liver = _distance(livers[0].inside, ct.grid, fine)
    body = _body(hu)
    distance = {"liver": liver, "body": _as_distance(body)}
    stomachs = [mask for mask in masks if mask.structure.label == "stomach"]
    distance["stomach"] = _distance(stomachs[0].inside, ct.grid, fine) if stomachs else np.full(fine.shape, 60.0, dtype=np.float32)
    lungs = _lungs(masks, hu, body, fine, liver)
    density = density_of(hu)
    density[liver < 0] = LIVER_G_PER_ML
    mass_g = sum(float(density[inside].sum(dtype=np.float64)) for inside in lungs.values()) * fine.voxel_volume_ml
    cut = any(inside[0].any() or inside[-1].any() for inside in lungs.values())
    seen = min(1.0, mass_g / WHOLE_LUNGS_G) if cut or mass_g == 0.0 else 1.0
    distance |= {name: _as_distance(inside) for name, inside in lungs.items()}
    return Anatomy(fine, density, hu, distance, 1.0, lungs_seen_fraction=seen)


def _painted(ct: HounsfieldMap, anatomy: Anatomy, uptake: Uptake) -> HounsfieldMap:
    """The real CT with lesions that enhance by 45 to 69 HU above the tissue they lie in, whose noise stays."""
    hu = ct.hu.astype(np.float32)
    for number, lesion in enumerate(uptake.lesions):
        inside = fine_samples(uptake.distance[f"tumour.{lesion.label}"], anatomy.grid, ct.grid, outside=60.0) < 0
        hu[inside] += 45.0 + 12.0 * (number % 3)
    return HounsfieldMap(np.clip(np.rint(hu), -32768, 32767).astype(np.int16), ct.grid, ct.padding_hu)


def virtual_patient_on_ct(
    ct: HounsfieldMap, masks: Sequence[Mask], options: PatientOptions, report: Callable[[float], None]
) -> VirtualPatient:
    """A virtual patient in the body of a real CT; the same CT and options give the same patient.

    Parameters
    ----------
    ct : HounsfieldMap
        Axial; any spacing and direction of storage.
    masks : sequence of Mask
        Labels on the CT's grid; the liver is needed.
    options : PatientOptions
        Seed, nuclide, what is fixed in advance.
    report : callable
        Takes progress from 0 to 1.

    Raises
    ------
    GridMismatch
        If a label lies on another grid.
    GeometryError
        If the slices are not axial.
    MissingInput
        If there is no liver.
    """
    rng = np.random.default_rng(options.seed)
    turned, labels = upright(ct, masks, frame_of(options.seed))
    anatomy = anatomy_of(turned, labels)
    report(0.3)
    return make_patient(
        options, anatomy, rng, lambda x: report(0.3 + 0.7 * x), acquire=lambda body, uptake, _: _painted(turned, body, uptake)
    )
