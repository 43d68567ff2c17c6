"""Facts of a series: what the header says, in one vocabulary; who the patient is stays out of it."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom.builders import TC99M, affine, codes, planar, radiopharmaceutical, read, save, write_ct
from opensirt.dicom.facts import SYNTHETIC_MARK
from opensirt.dicom.faults import Refused
from opensirt.dicom.instants import acquisition_start, offset_zone, seconds_between, stamp
from opensirt.dicom.radionuclides import nuclide_in
from opensirt.dicom.study import NOT_STATED

ZONE = timezone(timedelta(hours=1))


def whole_body(**more):
    data = planar(np.ones((2, 6, 5), np.uint16))
    data.SeriesDescription = "MAA whole body"
    data.RadiopharmaceuticalInformationSequence = [
        radiopharmaceutical(
            TC99M, RadionuclideTotalDose="185", Radiopharmaceutical="MAA", RadiopharmaceuticalStartTime="091000", **more
        )
    ]
    return data


def test_what_a_scintigram_says(tmp_path):
    save(whole_body(), tmp_path / "wb.dcm")
    study = read(tmp_path)
    assert study.faults == ()
    (facts,) = study.facts
    assert facts.radionuclide == "Tc-99m"
    assert facts.radiopharmaceutical == "MAA"
    assert facts.injected_gbq == pytest.approx(0.185)
    assert facts.acquired_at == datetime(2026, 3, 4, 10, 15, tzinfo=ZONE)
    assert facts.administered_at == datetime(2026, 3, 4, 9, 10, tzinfo=ZONE)
    assert (facts.modality, facts.description, facts.manufacturer, facts.model) == ("NM", "MAA whole body", "Tests", "builder")
    assert facts.synthetic is False


def test_instants_without_a_zone_are_not_stated_and_said_for_emission_images_only(tmp_path):
    data = whole_body()
    del data.TimezoneOffsetFromUTC
    save(data, tmp_path / "wb.dcm")
    write_ct(tmp_path / "ct", np.ones((3, 4, 5), np.uint16), affine(), lambda d, k: delattr(d, "TimezoneOffsetFromUTC"))
    study = read(tmp_path)
    assert codes(study) == ["time.zone_missing"]
    assert len(study.planar) == 2
    assert study.planar[0].facts.acquired_at is NOT_STATED
    assert read(tmp_path, time_zone=ZONE).faults == ()


@pytest.mark.parametrize(
    "mark",
    [
        ("ImageComments", f"{SYNTHETIC_MARK}, seed 7"),
        ("PatientName", "SYNTHETIC^Case 7"),
        ("ManufacturerModelName", "opensirt synthetic"),
    ],
)
def test_the_mark_of_a_virtual_patient_is_seen(tmp_path, mark):
    write_ct(tmp_path, np.ones((3, 4, 5), np.uint16), affine(), lambda data, k: setattr(data, *mark))
    study = read(tmp_path)
    assert study.synthetic
    assert study.volumes[0].context.synthetic


def test_a_context_survives_pickling_and_hides_the_patient(tmp_path):
    write_ct(tmp_path, np.ones((3, 4, 5), np.uint16), affine())
    context = read(tmp_path).volumes[0].context
    assert context.attributes["PatientName"] == "Test^Patient"
    assert "Test" not in repr(context)
    assert pickle.loads(pickle.dumps(context)) == context


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ("^99m^Technetium", "Tc-99m"),
        ("Technetium Tc^99m^ aggregated albumin", "Tc-99m"),
        ("99mTc-MAA", "Tc-99m"),
        ("Tc-99m", "Tc-99m"),
        ("Y-90 microspheres", "Y-90"),
        ("^90^Yttrium", "Y-90"),
        ("Yttrium^90^ microspheres", "Y-90"),
        ("90Y", "Y-90"),
        ("Holmium-166", "Ho-166"),
        ("Ho-166 QuiremScout", "Ho-166"),
        ("Fluorodeoxyglucose F^18^", "F-18"),
        ("FDG", NOT_STATED),
        ("", NOT_STATED),
    ],
)
def test_nuclides_in_words(phrase, name):
    assert nuclide_in(phrase) == name


def stamped(value):
    return stamp(Dataset(), value, "it", None)


def test_stamps_with_offsets():
    assert stamped("20260304101500.5+0130") == datetime(2026, 3, 4, 8, 45, 0, 500000, UTC)
    assert stamped("20260304101500-0500") == datetime(2026, 3, 4, 15, 15, tzinfo=UTC)


@pytest.mark.parametrize("value", ["2026", "20261304101500+0100", "20260304251500+0100", "20260304101500+2500", "yesterday"])
def test_stamps_that_are_none(value):
    with pytest.raises(Refused) as caught:
        stamped(value)
    assert caught.value.code == "time.invalid"


def test_a_stamp_without_offset_is_naive():
    with pytest.raises(Refused) as caught:
        stamped("20260304101500")
    assert caught.value.code == "time.zone_missing"


def test_times_of_ancient_form_and_leap_seconds():
    data = Dataset()
    data.TimezoneOffsetFromUTC = "+0100"
    data.add_new("AcquisitionDate", "LO", "2026.03.04")
    data.add_new("AcquisitionTime", "LO", "10:15:60")
    assert acquisition_start(data, None) == datetime(2026, 3, 4, 10, 15, 59, tzinfo=ZONE)


def test_elapsed_time_over_a_change_of_clocks():
    from zoneinfo import ZoneInfo

    berlin = ZoneInfo("Europe/Berlin")
    assert seconds_between(datetime(2026, 3, 29, 1, 30, tzinfo=berlin), datetime(2026, 3, 29, 3, 30, tzinfo=berlin)) == 3600.0


def test_offsets():
    assert offset_zone("-0330").utcoffset(None) == -timedelta(hours=3, minutes=30)
