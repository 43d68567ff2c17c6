"""NM out: planar views and SPECT, read back by our reader and by pydicom, judged by dicom3tools."""

from __future__ import annotations

from datetime import datetime

import attrs
import numpy as np
import pydicom
import pytest

from dicom.written import AT, FRAME, STUDY, complaints, oblique_grid, series
from opensirt.dicom.read import read_study
from opensirt.dicom.write_nm import EmissionContext, write_planar, write_spect
from opensirt.vocabulary.errors import GeometryError, GridMismatch, InvalidValue
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import CountsMap

POSITION_TOLERANCE_MM = 1e-6
"""What decimal strings of 16 characters lose."""
CONTEXT = EmissionContext(
    ("72454006", "SCT", "^99m^Technetium"), "Tc-99m MAA", 0.148, AT.replace(hour=8), (126.45, 154.55), 300_000
)


def _planar_grid() -> Grid:
    affine = np.array([[0, 0, 4.8, -101.5], [1.0, 0, 0, 12.0], [0, -4.4, 0, 301.25], [0, 0, 0, 1]])
    return Grid((1, 17, 21), affine, FRAME)


def _views() -> tuple[CountsMap, CountsMap]:
    rng = np.random.default_rng(3)
    grid = _planar_grid()
    return CountsMap(rng.poisson(40.0, grid.shape).astype(np.float32), grid), CountsMap(
        rng.poisson(25.0, grid.shape).astype(np.float32), grid
    )


def _spect(*, against: bool = False, high: float = 300.0) -> CountsMap:
    grid = oblique_grid((9, 12, 14), (4.42, 4.8, 4.7), against=against)
    return CountsMap(np.random.default_rng(4).poisson(high, grid.shape).astype(np.float32), grid)


def test_both_views_come_back_in_place(tmp_path):
    anterior, posterior = _views()
    write_planar((anterior, posterior), tmp_path / "planar.dcm", STUDY, series("planar"), CONTEXT)
    study = read_study(tmp_path, lambda _: None)
    assert study.faults == ()
    found = {view.view: view for view in study.planar}
    assert np.array_equal(found["anterior"].map.counts, anterior.counts)
    assert np.array_equal(found["posterior"].map.counts, posterior.counts)
    for view in found.values():
        assert view.map.grid.is_same_as(anterior.grid)
        assert (view.facts.radionuclide, view.facts.injected_gbq) == ("Tc-99m", pytest.approx(0.148))
        assert view.facts.administered_at == AT.replace(hour=8)
        assert view.facts.acquired_at == AT
        assert view.facts.synthetic


def test_the_posterior_frame_is_stored_as_its_detector_sees_it(tmp_path):
    """PS3.3 C.7.6.2.1.1 applied by hand to the stored pixels: a marked pixel lies where it lies in the body, in both frames."""
    grid = _planar_grid()
    counts = np.zeros(grid.shape, dtype=np.float32)
    counts[0, 4, 2] = 9.0
    view = CountsMap(counts, grid)
    write_planar((view, view), tmp_path / "planar.dcm", STUDY, series("planar"), CONTEXT)
    data = pydicom.dcmread(tmp_path / "planar.dcm")
    columns = []
    for frame, detector in zip(data.pixel_array, data.DetectorInformationSequence, strict=True):
        row, column = (int(n) for n in np.argwhere(frame == 9)[0])
        cosines = np.array([float(x) for x in detector.ImageOrientationPatient])
        position = np.array([float(x) for x in detector.ImagePositionPatient])
        place = position + cosines[:3] * float(data.PixelSpacing[1]) * column + cosines[3:] * float(data.PixelSpacing[0]) * row
        assert np.abs(place - grid.lps_mm((0, 4, 2))).max() < POSITION_TOLERANCE_MM
        columns.append(column)
    assert columns == [2, 18]  # 21 columns: the posterior detector sees the patient's left on its left


@pytest.mark.parametrize("against", [False, True])
def test_spect_comes_back(tmp_path, against):
    spect = _spect(against=against)
    write_spect(spect, tmp_path / "spect.dcm", STUDY, series("spect"), CONTEXT)
    study = read_study(tmp_path, lambda _: None)
    assert study.faults == ()
    (volume,) = study.volumes
    assert np.array_equal(volume.map.counts, spect.counts)
    assert volume.map.grid.is_same_as(spect.grid)


def test_spect_geometry_by_the_standard(tmp_path):
    """PS3.3 C.8.4.15 by hand with pydicom: frame n lies at position + n × spacing × (row × column)."""
    spect = _spect(against=True)
    write_spect(spect, tmp_path / "spect.dcm", STUDY, series("spect"), CONTEXT)
    data = pydicom.dcmread(tmp_path / "spect.dcm")
    detector = data.DetectorInformationSequence[0]
    cosines = np.array([float(x) for x in detector.ImageOrientationPatient])
    position = np.array([float(x) for x in detector.ImagePositionPatient])
    normal = np.cross(cosines[:3], cosines[3:])
    place = position + 5 * float(data.SpacingBetweenSlices) * normal + 3 * float(data.PixelSpacing[0]) * cosines[3:]
    place += 7 * float(data.PixelSpacing[1]) * cosines[:3]
    assert np.abs(place - spect.grid.lps_mm((5, 3, 7))).max() < POSITION_TOLERANCE_MM
    assert data.pixel_array[5, 3, 7] == spect.counts[5, 3, 7]


def test_the_verifier_has_nothing_to_say(tmp_path, dciodvfy):
    write_planar(_views(), tmp_path / "planar.dcm", STUDY, series("planar"), CONTEXT)
    write_spect(_spect(), tmp_path / "spect.dcm", STUDY, series("spect"), CONTEXT)
    holmium = attrs.evolve(
        CONTEXT, radionuclide=("C1943", "NCIt", "^166^Holmium"), radiopharmaceutical="Ho-166", window_kev=(74.5, 86.6)
    )
    write_spect(_spect(), tmp_path / "holmium.dcm", STUDY, series("holmium"), holmium)
    assert {path.name: complaints(dciodvfy, path) for path in tmp_path.iterdir()} == {
        "planar.dcm": [],
        "spect.dcm": [],
        "holmium.dcm": [],
    }


def test_bytes_repeat(tmp_path):
    for name in ("a", "b"):
        write_spect(_spect(), tmp_path / name, STUDY, series("spect"), CONTEXT)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("counts", [0.5, 70000.0])
def test_counts_that_do_not_fit_are_refused_not_scaled(tmp_path, counts):
    grid = oblique_grid()
    with pytest.raises(InvalidValue, match="16-bit counts"):
        write_spect(CountsMap(np.full(grid.shape, counts, np.float32), grid), tmp_path / "x.dcm", STUDY, series("spect"), CONTEXT)
    assert list(tmp_path.iterdir()) == []


def test_views_of_different_grids_are_refused(tmp_path):
    anterior, posterior = _views()
    affine = posterior.grid.affine_mm.copy()
    affine[0, 3] += 2.0
    moved = CountsMap(posterior.counts.copy(), Grid(posterior.grid.shape, affine, FRAME))
    with pytest.raises(GridMismatch):
        write_planar((anterior, moved), tmp_path / "x.dcm", STUDY, series("planar"), CONTEXT)


def test_a_view_lying_on_its_side_is_refused(tmp_path):
    grid = oblique_grid((1, 8, 9))
    view = CountsMap(np.ones(grid.shape, np.float32), grid)
    with pytest.raises(GeometryError, match="upright"):
        write_planar((view, view), tmp_path / "x.dcm", STUDY, series("planar"), CONTEXT)


def test_naive_instants_are_refused():
    with pytest.raises(InvalidValue, match="time zone"):
        attrs.evolve(CONTEXT, administered_at=datetime(2026, 3, 2, 8))
    with pytest.raises(InvalidValue, match="time zone"):
        attrs.evolve(STUDY, at=datetime(2026, 3, 2, 8))
