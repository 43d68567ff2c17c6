"""PET in Bq/mL: the header's decay correction is proven, undone and replaced by the true nuclide's, or the series is refused.

The oracle is a scanner simulated here: it counts the decays of a known Y-90 concentration by numerical integration and writes what a
scanner set to some nuclide would write.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dicom.builders import F18, GA68, SHAPE, Y90, ZR89, affine, codes, ds, radiopharmaceutical, read, write_pet
from opensirt.vocabulary.nuclides import HO166
from opensirt.vocabulary.nuclides import Y90 as YTTRIUM
from opensirt.vocabulary.volumes import ActivityMap

ACCURACY = 1e-3
"""The tenth of a percent that the issue asks for; what is left are 16-figure decimal strings and 16-bit pixels."""

HALF_LIFE_S = 64.1 * 3600.0
POSITRONS = 3.186e-5
ZONE = timezone(timedelta(hours=1))
START = datetime(2026, 3, 4, 10, 15, tzinfo=ZONE)
BED_S = 1200.0
TRUE_BQ_PER_ML = 50_000.0
"""At START."""

HEADERS = {
    "Y-90": (Y90, 230760.0, 3.186e-5),
    "Ga-68": (GA68, 4062.6, 0.891),
    "Zr-89": (ZR89, 282276.0, 0.2274),
    "F-18": (F18, 6586.2, 0.967),
}


def mean_of_frame(start_s: float, duration_s: float, half_life_s: float) -> float:
    """Mean of 2^(−t/T½) over a frame, by Gauss–Legendre integration rather than by the formula under test."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    times = start_s + duration_s * (nodes + 1.0) / 2.0
    return float((weights * 2.0 ** (-times / half_life_s)).sum() / 2.0)


def stored_shape() -> np.ndarray:
    """A pattern of 16-bit values whose top is full scale."""
    pattern = np.random.default_rng(8).random(SHAPE)
    pattern[0, 0, 0] = 1.0
    return np.rint(pattern * 65535).astype(np.uint16)


def scanner(
    name: str, correction: str, *, factor: bool = True, beds: int = 2, reference_s: float = 0.0, administered_s: float = -68400.0
):
    """An ``edit`` that writes what a scanner told ``name`` writes about Y-90; slices of bed b are acquired b · BED_S after START."""
    nuclide, half_life_s, fraction = HEADERS[name]
    per_bed = -(-SHAPE[0] // beds)

    def edit(data, k):
        begin_s = (k // per_bed) * BED_S
        measured = TRUE_BQ_PER_ML * mean_of_frame(begin_s, BED_S, HALF_LIFE_S) * POSITRONS / fraction
        to = {"NONE": None, "START": reference_s, "ADMIN": administered_s}[correction]
        # a scanner corrects the mean of the frame as if its own nuclide had decayed
        applied = 1.0 if to is None else 1.0 / mean_of_frame(begin_s - to, BED_S, half_life_s)
        data.RescaleSlope = f"{measured * applied / 65535.0:.10g}"
        begin = START + timedelta(seconds=begin_s)
        data.AcquisitionDate, data.AcquisitionTime = begin.strftime("%Y%m%d"), begin.strftime("%H%M%S.%f")
        data.ActualFrameDuration = str(int(BED_S * 1000))
        data.FrameReferenceTime = ds([(begin_s + BED_S / 2.0) * 1000.0])[0]
        data.DecayCorrection = correction
        data.CorrectedImage = ["ATTN", "SCAT", "NORM"] + ([] if correction == "NONE" else ["DECY"])
        if correction != "NONE" and factor:
            data.DecayFactor = f"{applied:.10g}"
        administered = (START + timedelta(seconds=administered_s)).strftime("%Y%m%d%H%M%S")
        data.RadiopharmaceuticalInformationSequence = [
            radiopharmaceutical(
                nuclide,
                RadionuclideHalfLife=ds([half_life_s])[0],
                RadionuclidePositronFraction=ds([fraction])[0],
                RadionuclideTotalDose="2000000000",
                RadiopharmaceuticalStartDateTime=administered,
            )
        ]

    return edit


def dose_like(volume) -> np.ndarray:
    """Decays per mL after full decay from START: proportional to dose, whatever instant the map is stated at."""
    elapsed_h = (volume.map.at - START).total_seconds() / 3600.0
    return volume.map.bq_per_ml * 2.0 ** (elapsed_h / 64.1)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("correction", ["NONE", "START", "ADMIN"])
@pytest.mark.parametrize("factor", [True, False], ids=["decay factor", "times only"])
def test_the_same_counts_give_the_same_dose_under_every_header(tmp_path, name, correction, factor):
    stored = stored_shape()
    write_pet(tmp_path, stored, affine(), scanner(name, correction, factor=factor))
    study = read(tmp_path, true_nuclide=YTTRIUM)
    assert study.faults == ()
    (volume,) = study.volumes
    assert isinstance(volume.map, ActivityMap)
    assert volume.map.nuclide is YTTRIUM
    assert volume.map.at == START
    expected = TRUE_BQ_PER_ML * stored / 65535.0
    assert dose_like(volume) == pytest.approx(expected, rel=ACCURACY, abs=1.0)


def test_an_yttrium_header_needs_no_statement_by_the_caller(tmp_path):
    write_pet(tmp_path, stored_shape(), affine(), scanner("Y-90", "START"))
    (volume,) = read(tmp_path).volumes
    assert volume.map.bq_per_ml.max() == pytest.approx(TRUE_BQ_PER_ML, rel=ACCURACY)
    assert any("undone" in note for note in volume.facts.notes)
    assert volume.facts.injected_gbq == pytest.approx(2.0)


@pytest.mark.parametrize(("stated", "agrees"), [("3.2e-05", True), ("3.4e-05", True), ("0.891", False), ("1", False)])
def test_the_positron_fraction_of_an_yttrium_header(tmp_path, stated, agrees):
    base = scanner("Y-90", "NONE")

    def edit(data, k):
        base(data, k)
        data.RadiopharmaceuticalInformationSequence[0].RadionuclidePositronFraction = stated

    write_pet(tmp_path, stored_shape(), affine(), edit)
    study = read(tmp_path)
    if agrees:
        assert study.volumes[0].map.bq_per_ml.max() == pytest.approx(TRUE_BQ_PER_ML * float(stated) / POSITRONS, rel=ACCURACY)
    else:
        assert codes(study) == ["pet.nuclide_inconsistent"]


def with_change(name: str, correction: str, change):
    base = scanner(name, correction)

    def edit(data, k):
        base(data, k)
        change(data, data.RadiopharmaceuticalInformationSequence[0])

    return edit


CONTRADICTIONS = {
    "half-life of Ga-68 under Y-90": (
        "pet.nuclide_inconsistent",
        "Y-90",
        "START",
        lambda d, r: setattr(r, "RadionuclideHalfLife", "4062.6"),
    ),
    "half-life in minutes": (
        "pet.nuclide_inconsistent",
        "Ga-68",
        "START",
        lambda d, r: setattr(r, "RadionuclideHalfLife", "67.71"),
    ),
    "no half-life to undo with": ("pet.nuclide_missing", "Ga-68", "START", lambda d, r: delattr(r, "RadionuclideHalfLife")),
    "no nuclide, strange half-life": (
        "pet.nuclide_unknown",
        "Ga-68",
        "START",
        lambda d, r: (delattr(r, "RadionuclideCodeSequence"), setattr(r, "RadionuclideHalfLife", "5000")),
    ),
    "no positron fraction": (
        "pet.positron_fraction_missing",
        "Ga-68",
        "START",
        lambda d, r: delattr(r, "RadionuclidePositronFraction"),
    ),
    "decay factor of another nuclide": (
        "pet.decay_inconsistent",
        "Ga-68",
        "START",
        lambda d, r: setattr(d, "DecayFactor", "1.0018"),
    ),
    "decay factor left at one for the second bed": (
        "pet.decay_inconsistent",
        "Ga-68",
        "ADMIN",
        lambda d, r: setattr(d, "DecayFactor", "1"),
    ),
    "decay factor without correction": ("pet.decay_inconsistent", "Ga-68", "NONE", lambda d, r: setattr(d, "DecayFactor", "1.1")),
    "corrected image without DECY": (
        "pet.decay_inconsistent",
        "Ga-68",
        "START",
        lambda d, r: setattr(d, "CorrectedImage", ["ATTN"]),
    ),
    "corrected image with DECY": (
        "pet.decay_inconsistent",
        "Ga-68",
        "NONE",
        lambda d, r: setattr(d, "CorrectedImage", ["ATTN", "DECY"]),
    ),
    "decay correction not stated": ("pet.decay_reference_missing", "Ga-68", "START", lambda d, r: delattr(d, "DecayCorrection")),
    "no acquisition time": ("pet.time_missing", "Ga-68", "START", lambda d, r: delattr(d, "AcquisitionTime")),
    "no frame duration": ("pet.time_missing", "Ga-68", "NONE", lambda d, r: delattr(d, "ActualFrameDuration")),
    "administration after the scan": (
        "pet.administration_time",
        "Ga-68",
        "START",
        lambda d, r: setattr(r, "RadiopharmaceuticalStartDateTime", "20260305150000"),
    ),
    "administration needed and missing": (
        "pet.administration_time",
        "Ga-68",
        "ADMIN",
        lambda d, r: delattr(r, "RadiopharmaceuticalStartDateTime"),
    ),
    "two administration times": (
        "pet.administration_time",
        "Ga-68",
        "START",
        lambda d, r: setattr(r, "RadiopharmaceuticalStartTime", "090000"),
    ),
    "proportional to counts per second": ("pet.units", "Y-90", "NONE", lambda d, r: setattr(d, "Units", "PROPCPS")),
    "counts": ("pet.units", "Y-90", "NONE", lambda d, r: setattr(d, "Units", "CNTS")),
    "SUV": ("pet.units", "Y-90", "NONE", lambda d, r: setattr(d, "Units", "GML")),
    "units missing": ("pet.units", "Y-90", "NONE", lambda d, r: delattr(d, "Units")),
    "an intercept": ("pet.intercept", "Y-90", "NONE", lambda d, r: setattr(d, "RescaleIntercept", "-5")),
    "dynamic": ("pet.kind", "Y-90", "NONE", lambda d, r: setattr(d, "SeriesType", ["DYNAMIC", "IMAGE"])),
    "gated": ("pet.kind", "Y-90", "NONE", lambda d, r: setattr(d, "SeriesType", ["GATED", "IMAGE"])),
    "no time zone": ("time.zone_missing", "Y-90", "NONE", lambda d, r: delattr(d, "TimezoneOffsetFromUTC")),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictions_are_refused(tmp_path, case):
    code, name, correction, change = CONTRADICTIONS[case]
    write_pet(tmp_path, stored_shape(), affine(), with_change(name, correction, change))
    study = read(tmp_path, true_nuclide=YTTRIUM)
    assert study.volumes == ()
    assert code in codes(study)


def test_another_nuclide_than_the_records_needs_the_callers_word(tmp_path):
    write_pet(tmp_path, stored_shape(), affine(), scanner("Ga-68", "START"))
    assert codes(read(tmp_path)) == ["pet.nuclide_unknown"]
    assert codes(read(tmp_path, true_nuclide=HO166)) == ["pet.nuclide_unknown"]


@pytest.mark.parametrize(
    ("make", "code"), [(lambda s: s.astype(np.int16) - 500, "counts.negative"), (lambda s: s * 0, "counts.empty")]
)
def test_negative_and_empty_images_are_refused(tmp_path, make, code):
    stored = make(stored_shape() // 4)
    write_pet(tmp_path, stored, affine(), scanner("Y-90", "NONE"))
    study = read(tmp_path)
    assert study.volumes == ()
    assert code in codes(study)


def test_a_caller_who_knows_the_clocks_gives_the_zone(tmp_path):
    def no_zone(data, r):
        del data.TimezoneOffsetFromUTC

    write_pet(tmp_path, stored_shape(), affine(), with_change("Y-90", "START", no_zone))
    (volume,) = read(tmp_path, time_zone=ZoneInfo("Europe/Berlin")).volumes
    assert volume.map.at == START
    assert volume.map.bq_per_ml.max() == pytest.approx(TRUE_BQ_PER_ML, rel=ACCURACY)


def test_the_hour_that_comes_twice_is_not_guessed(tmp_path):
    def autumn(data, r):
        del data.TimezoneOffsetFromUTC, r.RadiopharmaceuticalStartDateTime
        data.AcquisitionDate, data.AcquisitionTime = "20261025", "023000"

    write_pet(tmp_path, stored_shape(), affine(), with_change("Y-90", "NONE", autumn))
    assert "time.ambiguous" in codes(read(tmp_path, time_zone=ZoneInfo("Europe/Berlin")))


def test_a_scan_over_midnight(tmp_path):
    """The second bed begins on the next day; START refers to the first."""
    base = scanner("Ga-68", "START")
    shift = timedelta(hours=13, minutes=40)

    def edit(data, k):
        base(data, k)
        begin = datetime.strptime(data.AcquisitionDate + data.AcquisitionTime, "%Y%m%d%H%M%S.%f") + shift
        data.AcquisitionDate, data.AcquisitionTime = begin.strftime("%Y%m%d"), begin.strftime("%H%M%S.%f")
        data.SeriesTime = "235500"

    paths = write_pet(tmp_path, stored_shape(), affine(), edit)
    (volume,) = read(tmp_path, true_nuclide=YTTRIUM).volumes
    assert len(paths) == SHAPE[0]
    assert volume.map.at == START + shift
    assert volume.map.bq_per_ml.max() == pytest.approx(TRUE_BQ_PER_ML, rel=ACCURACY)


def test_an_administration_time_without_date_is_the_last_one_before_the_scan(tmp_path):
    def clock_only(data, r):
        del r.RadiopharmaceuticalStartDateTime
        r.RadiopharmaceuticalStartTime = "150000"

    write_pet(tmp_path, stored_shape(), affine(), with_change("Y-90", "START", clock_only))
    (volume,) = read(tmp_path).volumes
    assert volume.facts.administered_at == datetime(2026, 3, 3, 15, 0, tzinfo=ZONE)


@pytest.mark.parametrize(("dose", "plausible"), [("2000000000", True), ("2000", False), ("2e12", False)])
def test_an_injected_activity_in_the_wrong_unit_is_not_believed(tmp_path, dose, plausible):
    def typed(data, r):
        r.RadionuclideTotalDose = dose

    write_pet(tmp_path, stored_shape(), affine(), with_change("Y-90", "START", typed))
    study = read(tmp_path)
    assert ("facts.injected_implausible" in codes(study)) is not plausible
    assert isinstance(study.volumes[0].facts.injected_gbq, float) is plausible


def test_a_pet_without_attenuation_correction_says_so(tmp_path):
    write_pet(tmp_path, stored_shape(), affine(), with_change("Y-90", "NONE", lambda d, r: setattr(d, "CorrectedImage", ["NORM"])))
    assert codes(read(tmp_path)) == ["pet.not_corrected"]


VENDORS = {
    "SIEMENS": None,
    "GE_MEDICAL_AND_BQML": None,
    "BQML_AC_DT_lessThan_S_DT_SIEMENS": None,
    "RADIOPHARM_DATETIME_UNDEFINED": None,
    "PHILIPS_BQML": "pet.decay_reference_unproven",
    "CPS_AND_BQML_AC_DT_-_S_DT": "pet.decay_reference_unproven",
    "PHILIPS_CNTS_AND_BQML_SUV": "pet.units",
    "PHILIPS_CNTS_AND_SUV": "pet.units",
}
"""Header sets of eight scanners, and why two of them prove nothing: Philips writes the series' start as acquisition time of every bed
(Frame Reference Time says 22 min later); CPS writes a series time 45 min after the acquisition."""


def vendor_edit(instances, with_factor_s=None):
    def edit(data, k):
        header = dict(instances[min(k, len(instances) - 1)])
        for keyword in (
            "SeriesDate",
            "SeriesTime",
            "AcquisitionDate",
            "AcquisitionTime",
            "DecayCorrection",
            "Units",
            "CorrectedImage",
        ):
            setattr(data, keyword, header[keyword])
        data.FrameReferenceTime, data.ActualFrameDuration = (
            ds([header["FrameReferenceTime"]])[0],
            str(header["ActualFrameDuration"]),
        )
        more = {"RadiopharmaceuticalStartTime": header["RadiopharmaceuticalStartTime"]}
        if "RadiopharmaceuticalStartDateTime" in header:
            more["RadiopharmaceuticalStartDateTime"] = header["RadiopharmaceuticalStartDateTime"]
        half_life_s = header["RadionuclideHalfLife"]
        item = radiopharmaceutical(
            F18,
            RadionuclideHalfLife=ds([half_life_s])[0],
            RadionuclidePositronFraction="0.967",
            RadionuclideTotalDose=str(header["RadionuclideTotalDose"]),
            **more,
        )
        data.RadiopharmaceuticalInformationSequence = [item]
        data.RescaleSlope = "1"
        if with_factor_s is not None:
            duration_s = header["ActualFrameDuration"] / 1000.0
            data.DecayFactor = f"{1.0 / mean_of_frame(with_factor_s, duration_s, half_life_s):.10g}"

    return edit


@pytest.mark.parametrize("vendor", VENDORS)
def test_headers_of_eight_scanners(tmp_path, shared_data, vendor):
    """Recorded as F-18; what is asked is only whether the header proves its decay reference."""
    instances = json.loads((shared_data / "calculate-suv" / f"{vendor}-instances.json").read_text("utf-8"))
    write_pet(tmp_path, np.full(SHAPE, 1000, np.uint16), affine(), vendor_edit(instances))
    study = read(tmp_path, true_nuclide=YTTRIUM)
    if VENDORS[vendor] is None:
        assert study.faults == ()
        (volume,) = study.volumes
        header = instances[0]
        begin = datetime.strptime(f"{header['AcquisitionDate']}{float(header['AcquisitionTime']):013.6f}", "%Y%m%d%H%M%S.%f")
        start_s = (
            begin - datetime.strptime(f"{header['SeriesDate']}{float(header['SeriesTime']):013.6f}", "%Y%m%d%H%M%S.%f")
        ).total_seconds()
        undone = mean_of_frame(start_s, header["ActualFrameDuration"] / 1000.0, header["RadionuclideHalfLife"])
        again = mean_of_frame(0.0, header["ActualFrameDuration"] / 1000.0, HALF_LIFE_S)
        first = volume.map.bq_per_ml.reshape(SHAPE[0], -1)[0, 0]
        assert first == pytest.approx(1000.0 * undone / again * 0.967 / POSITRONS, rel=ACCURACY)
    else:
        assert study.volumes == ()
        assert VENDORS[vendor] in codes(study)


@pytest.mark.parametrize(("vendor", "begin_s"), [("PHILIPS_BQML", 1328.7), ("CPS_AND_BQML_AC_DT_-_S_DT", 0.0)])
def test_the_decay_factor_settles_what_the_times_leave_open(tmp_path, shared_data, vendor, begin_s):
    """With a decay factor for the bed's true time the Philips header is proven through Frame Reference Time; the CPS header through the
    first acquisition."""
    instances = json.loads((shared_data / "calculate-suv" / f"{vendor}-instances.json").read_text("utf-8"))
    write_pet(tmp_path, np.full(SHAPE, 1000, np.uint16), affine(), vendor_edit(instances, with_factor_s=begin_s))
    study = read(tmp_path, true_nuclide=YTTRIUM)
    assert study.faults == ()
    (volume,) = study.volumes
    duration_s = instances[0]["ActualFrameDuration"] / 1000.0
    undone = mean_of_frame(begin_s, duration_s, instances[0]["RadionuclideHalfLife"]) / mean_of_frame(0.0, duration_s, HALF_LIFE_S)
    assert volume.map.bq_per_ml.max() == pytest.approx(1000.0 * undone * 0.967 / POSITRONS, rel=ACCURACY)


def test_half_lives_of_the_table_against_a_second_source():
    """NUBASE and DDEP as commonly rounded; a slip of units or digits is off by far more than the half percent asked for."""
    from opensirt.dicom.radionuclides import POSITRON_EMITTERS

    minutes = {"F-18": 109.77, "Ga-68": 67.71, "C-11": 20.36, "N-13": 9.965, "O-15": 2.037, "Rb-82": 1.2575}
    hours = {"Zr-89": 78.41, "Cu-64": 12.70, "I-124": 100.2, "Y-86": 14.74, "Y-90": 64.05}
    for name, value in {**{n: m * 60.0 for n, m in minutes.items()}, **{n: h * 3600.0 for n, h in hours.items()}}.items():
        known = POSITRON_EMITTERS[name].half_life_s.value
        assert known == pytest.approx(value, rel=0.005 if name != "Rb-82" else 0.02)
    assert set(POSITRON_EMITTERS) == {*minutes, *hours}
