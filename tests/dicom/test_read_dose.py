"""RTDOSE in: what was written comes back, whatever the orientation; doses without a scale are refused."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread

from dicom.builders import FRAME, ORIENTATIONS, affine, read, write_ct
from opensirt.dicom.faults import Refused
from opensirt.dicom.read_dose import read_rtdose
from opensirt.dicom.write_dose import write_rtdose
from opensirt.vocabulary.errors import MissingInput, UnitError
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import DoseMap

SHAPE = (5, 9, 7)
SPACING = (3.9, 4.4, 3.1)


def written(tmp_path, axes=ORIENTATIONS["oblique"], bits=16):
    write_ct(tmp_path / "ct", np.full((3, 8, 6), 1024, np.uint16), affine())
    dose = DoseMap(np.random.default_rng(3).gamma(0.5, 90.0, SHAPE).astype(np.float32), Grid(SHAPE, affine(axes, SPACING), FRAME))
    write_rtdose(dose, tmp_path / "dose.dcm", read(tmp_path / "ct").volumes[0].context, bits)
    return dose, tmp_path / "dose.dcm"


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_what_was_written_comes_back(tmp_path, name, bits):
    dose, path = written(tmp_path, ORIENTATIONS[name], bits)
    back = read_rtdose(path)
    assert back.grid.is_same_as(dose.grid)
    lsb = float(dose.dose_gy.max()) / (2**bits - 1)
    assert np.abs(back.dose_gy.astype(float) - dose.dose_gy).max() <= 0.51 * lsb + np.spacing(dose.dose_gy.max())


def test_offsets_given_as_positions(tmp_path):
    dose, path = written(tmp_path, ORIENTATIONS["head first supine"])
    data = dcmread(path)
    z = float(data.ImagePositionPatient[2])
    data.GridFrameOffsetVector = [float(offset) + z for offset in data.GridFrameOffsetVector]
    data.save_as(path)
    assert read_rtdose(path).grid.is_same_as(dose.grid)


def test_frames_that_run_downwards(tmp_path):
    dose, path = written(tmp_path, ORIENTATIONS["head first supine"])
    data = dcmread(path)
    data.GridFrameOffsetVector = [-float(offset) for offset in data.GridFrameOffsetVector]
    data.save_as(path)
    back = read_rtdose(path)
    assert back.grid.lps_mm((1, 0, 0))[2] == pytest.approx(dose.grid.lps_mm((0, 0, 0))[2] - SPACING[0])


@pytest.mark.parametrize("units", ["RELATIVE", "", "Gy/mCi"])
def test_doses_without_a_scale_are_refused(tmp_path, units):
    _, path = written(tmp_path)
    data = dcmread(path)
    data.DoseUnits = units
    data.save_as(path)
    with pytest.raises(UnitError):
        read_rtdose(path)


@pytest.mark.parametrize("offsets", [[0.0, 1.0], [0.0, 3.9, 7.8, 13.0, 15.6], [5.0, 8.9, 12.8, 16.7, 20.6], [0.0] * 5])
def test_impossible_offsets_are_refused(tmp_path, offsets):
    _, path = written(tmp_path)
    data = dcmread(path)
    data.GridFrameOffsetVector = offsets
    data.save_as(path)
    with pytest.raises(Refused):
        read_rtdose(path)


def test_a_ct_is_no_dose(tmp_path):
    written(tmp_path)
    with pytest.raises(MissingInput):
        read_rtdose(next((tmp_path / "ct").iterdir()))
