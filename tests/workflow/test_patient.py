"""Facts about the patient: read strictly, never doubled, and unknown is not absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opensirt.radioembolisation.workup.eligibility import EligibilityFacts
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput, OpensirtError, UnitError
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.reserve import PatientReserve
from opensirt.workflow.patient import PatientFacts, read_patient


def _written(folder: Path, **facts: object) -> Path:
    path = folder / "patient.json"
    path.write_text(json.dumps({"schema": "opensirt.patient", "version": 1, **facts}))
    return path


def test_what_is_left_out_is_not_known(tmp_path: Path) -> None:
    assert read_patient(_written(tmp_path)) == PatientFacts()
    assert PatientFacts().bsa_m2 is None
    assert PatientFacts(height_cm=170.0).bsa_m2 is None


def test_body_surface_is_du_bois() -> None:
    # 0.007184 · 170^0.725 · 70^0.425 by hand
    surface = PatientFacts(height_cm=170.0, weight_kg=70.0).bsa_m2
    assert surface is not None
    assert surface.value == pytest.approx(1.8097, abs=1e-4)


def test_bilirubin_stands_in_either_place() -> None:
    stated = PatientFacts(eligibility=EligibilityFacts(bilirubin_umol_per_l=34.2))
    assert stated.known_reserve.bilirubin_mg_per_dl == pytest.approx(2.0)
    other = PatientFacts(reserve=PatientReserve(bilirubin_mg_per_dl=1.0))
    assert other.known_eligibility.bilirubin_umol_per_l == pytest.approx(17.1)


def test_two_values_of_bilirubin_must_agree() -> None:
    with pytest.raises(InconsistentInput, match="differ"):
        PatientFacts(reserve=PatientReserve(bilirubin_mg_per_dl=1.0), eligibility=EligibilityFacts(bilirubin_umol_per_l=10.0))
    PatientFacts(reserve=PatientReserve(bilirubin_mg_per_dl=1.0), eligibility=EligibilityFacts(bilirubin_umol_per_l=17.0))


def test_lung_dose_is_the_plans() -> None:
    with pytest.raises(InvalidValue, match="comes from the plan"):
        PatientFacts(eligibility=EligibilityFacts(lung_gy=Measured(3.0)))


def test_all_faults_of_a_file_at_once(tmp_path: Path) -> None:
    path = _written(tmp_path, height_cm="tall", weight_kg=True, reserve={"bilirubin": 1.0}, eligibility={"inr_ratio": "one"})
    with pytest.raises(OpensirtError) as caught:
        read_patient(path)
    for word in ("height_cm", "weight_kg", "bilirubin", "inr_ratio"):
        assert word in str(caught.value)


@pytest.mark.parametrize("height", [0.0, -3.0])
def test_a_height_that_cannot_be_is_refused(height: float) -> None:
    with pytest.raises(InvalidValue, match="height"):
        PatientFacts(height_cm=height)


def test_a_missing_file_and_a_foreign_document(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no file"):
        read_patient(tmp_path / "absent.json")
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidValue, match="UTF-8"):
        read_patient(binary)
    path = tmp_path / "other.json"
    path.write_text('{"schema": "opensirt.plan", "version": 1}')
    with pytest.raises(InconsistentInput):
        read_patient(path)


def test_a_bilirubin_in_the_other_unit_is_refused() -> None:
    with pytest.raises(UnitError, match="mg/dL"):
        PatientFacts(eligibility=EligibilityFacts(bilirubin_umol_per_l=2.5))
    with pytest.raises(UnitError, match="µmol/L"):
        PatientFacts(reserve=PatientReserve(bilirubin_mg_per_dl=43.0))
