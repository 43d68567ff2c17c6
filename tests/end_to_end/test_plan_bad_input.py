"""What must not be planned: each fault is one clear error or finding, nothing is clamped, nothing half-written is left behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import attrs
import numpy as np
import pytest
from typer.testing import CliRunner

from opensirt.cli.exit_codes import ExitCode
from opensirt.cli.main import app
from opensirt.dicom.write_common import SeriesIdentity
from opensirt.synthetic.camera import ImagingOptions
from opensirt.synthetic.patient import PatientOptions, VirtualPatient, virtual_patient
from opensirt.synthetic.write import write_virtual_patient
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput, OpensirtError
from opensirt.vocabulary.findings import Severity
from opensirt.vocabulary.volumes import Mask
from opensirt.workflow.calc import calc, calc_example
from opensirt.workflow.import_study import run_import
from opensirt.workflow.options import ImportOptions, PlanOptions, StatedRule
from opensirt.workflow.plan import run_plan

pytestmark = pytest.mark.slow

OPTIONS = PatientOptions(seed=31, imaging=ImagingOptions(ct_matrix=96, ct_slice_mm=6.0), truth_decays=2_000)
AT = datetime(2026, 3, 11, 9, 0, tzinfo=UTC)
PLAN = PlanOptions(treatment_at=AT)
LUNG_KINDS = (StructureKind.LUNGS, StructureKind.LEFT_LUNG, StructureKind.RIGHT_LUNG)


@pytest.fixture(scope="module")
def patient() -> VirtualPatient:
    return virtual_patient(OPTIONS, lambda _: None)


@pytest.fixture(scope="module")
def case(patient, tmp_path_factory) -> Path:
    """A sound case."""
    folder = tmp_path_factory.mktemp("sound")
    written = write_virtual_patient(patient, folder / "patient", lambda _: None)
    run_import(written.dicom_folder, folder / "case", ImportOptions(), lambda _: None)
    return folder / "case"


def _written(patient: VirtualPatient, folder: Path, change: Callable[[tuple[Mask, ...]], tuple[Mask, ...]]) -> Path:
    images = attrs.evolve(patient.images, structures=change(patient.images.structures))
    return write_virtual_patient(attrs.evolve(patient, images=images), folder / "patient", lambda _: None).dicom_folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _one_clear_error(raised: BaseException) -> None:
    """What, where or why, and what to do; no trace of a patient's name."""
    assert isinstance(raised, OpensirtError)
    assert raised.what and raised.remedy
    assert "SYNTHETIC^" not in str(raised)


def _plan(folder: Path, tmp_path: Path, options: PlanOptions = PLAN):
    return run_plan(folder, options, tmp_path / "plan", lambda _: None)


@pytest.mark.parametrize(
    "options",
    [
        PlanOptions(treatment_at=datetime(2026, 3, 11, 9, 0)),
        PlanOptions(treatment_at=AT, product="ceramic"),
        PlanOptions(treatment_at=AT, indication="HCCC"),
        PlanOptions(treatment_at=AT, intent="as-much-as-possible"),
        PlanOptions(treatment_at=AT, engine="monte-carlo"),
        PlanOptions(treatment_at=AT, rules=(StatedRule("limit", "spleen", 30.0, "a slip"),)),
        PlanOptions(treatment_at=AT, rules=(StatedRule("limit", "lungs", float("nan"), "a slip"),)),
        PlanOptions(treatment_at=AT, rules=(StatedRule("target", "tumour", -120.0, "a slip"),)),
        PlanOptions(treatment_at=AT, intent="given", activities_gbq={"right": -1.0, "left": 1.0}),
        PlanOptions(treatment_at=AT, intent="given", activities_gbq={"rihgt": 1.0}),
        PlanOptions(treatment_at=AT, residual_fraction=1.0),
    ],
    ids=["naive-instant", "product", "indication", "intent", "engine", "structure", "nan-limit", "negative-target", "negative-activity",
         "unknown-territory", "residual-of-1"],
)  # fmt: skip
def test_a_wrong_wish_is_refused_and_an_earlier_plan_stays(case, tmp_path, options):
    out = tmp_path / "plan"
    out.mkdir()
    (out / "plan.json").write_text("an earlier plan")
    before, case_before = _files(out), _files(case)
    with pytest.raises(OpensirtError) as raised:
        run_plan(case, options, out, lambda _: None)
    _one_clear_error(raised.value)
    assert _files(out) == before
    assert _files(case) == case_before


def test_a_naive_instant_on_the_command_line(case, tmp_path):
    words = ["plan", str(case), "--product", "glass", "--treatment-at", "2026-03-11T10:00:00", "--out", str(tmp_path / "plan")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code in (ExitCode.USAGE, ExitCode.REFUSED)
    assert "offset" in result.output or "zone" in result.output
    assert not (tmp_path / "plan").exists()


def test_without_a_liver_nothing_is_planned(patient, tmp_path):
    folder = _written(patient, tmp_path, lambda masks: tuple(m for m in masks if m.structure.kind is not StructureKind.LIVER))
    with pytest.raises(MissingInput, match="no liver contour") as raised:
        _plan(folder, tmp_path)
    _one_clear_error(raised.value)
    assert not (tmp_path / "plan" / "plan.json").exists()


def test_without_lung_contours_they_are_found_by_threshold(patient, tmp_path):
    folder = _written(patient, tmp_path, lambda masks: tuple(m for m in masks if m.structure.kind not in LUNG_KINDS))
    plan = _plan(folder, tmp_path)
    assert "lungs.by_threshold" in {finding.code for finding in plan.findings}


def test_without_lungs_in_the_ct_the_mass_is_declared_and_the_shunt_is_unknown(patient, tmp_path):
    ct = patient.images.ct
    solid = attrs.evolve(ct, hu=np.where(ct.hu < -300, np.int16(20), ct.hu))
    images = attrs.evolve(
        patient.images, ct=solid, structures=tuple(m for m in patient.images.structures if m.structure.kind not in LUNG_KINDS)
    )
    written = write_virtual_patient(attrs.evolve(patient, images=images), tmp_path / "patient", lambda _: None)
    plan = _plan(written.dicom_folder, tmp_path)
    codes = {finding.code: finding.severity for finding in plan.findings}
    assert codes["lung_shunt.unknown"] is Severity.CRITICAL
    assert "lung_mass.no_lungs" in codes
    assert plan.number("workup.lung_mass").measured.value == 1.0


def test_a_liver_without_normal_tissue(patient, tmp_path):
    """The lesion fills the liver: no normal liver, so its limit cannot bind; an error or a finding says so, never a division by zero."""

    def all_tumour(masks: tuple[Mask, ...]) -> tuple[Mask, ...]:
        liver = next(m for m in masks if m.structure.kind is StructureKind.LIVER)
        rest = tuple(m for m in masks if m.structure.kind not in (StructureKind.TUMOUR, StructureKind.TERRITORY))
        return (*rest, Mask(liver.inside, liver.grid, Structure(StructureKind.TUMOUR, "T1")))

    folder = _written(patient, tmp_path, all_tumour)
    try:
        plan = _plan(folder, tmp_path)
    except OpensirtError as raised:
        _one_clear_error(raised)
        assert not (tmp_path / "plan" / "plan.json").exists()
    else:
        assert any("normal" in finding.message for finding in plan.findings)
        assert all(np.isfinite(number.measured.value) for number in plan.numbers)


def test_an_empty_structure_is_a_finding(case, patient, tmp_path):
    from opensirt.store.case_folder import open_case
    from opensirt.workflow.study import load_study
    from opensirt.workflow.workup import compute_workup

    study = load_study(open_case(case))
    mask, stored = next((m, s) for m, s in study.structures if m.structure.kind is StructureKind.TUMOUR)
    empty = Mask(np.zeros(mask.grid.shape, dtype=bool), mask.grid, mask.structure)
    changed = attrs.evolve(study, structures=tuple((empty if m is mask else m, s) for m, s in study.structures))
    workup = compute_workup(changed, PLAN.workup, lambda _: None)
    assert [f.about for f in workup.findings if f.code == "structure.empty"] == [mask.structure.key]
    assert all(c.key != mask.structure.key for c in workup.uptake.compartments)


def test_structures_of_another_frame_are_not_used(patient, tmp_path):
    """The whole structure set lies in another frame of reference: every structure is a fault, and without a liver there is no plan."""
    from opensirt.dicom.write_structures import DrawnOn, write_rtstruct
    from opensirt.synthetic.write import _DAY, study_of

    folder = _written(patient, tmp_path, lambda masks: masks)
    (path,) = [p for p in folder.rglob("*.dcm") if p.name == "structures.dcm"]
    path.unlink()
    stranger = "2.25.1234567"
    series = SeriesIdentity("structures", 4, "structures of another frame", _DAY, stranger)
    ct = SeriesIdentity("another ct", 1, "another CT", _DAY, stranger)
    grid = patient.images.ct.grid.in_frame(stranger)
    moved = tuple(Mask(m.inside, grid, m.structure) for m in patient.images.structures)
    write_rtstruct(moved, path, study_of(patient), series, DrawnOn(attrs.evolve(patient.images.ct, grid=grid), ct), lambda _: None)
    summary = run_import(folder, tmp_path / "case", ImportOptions(), lambda _: None)
    assert summary.structures == ()
    assert summary.faults
    with pytest.raises(MissingInput, match="no liver contour"):
        _plan(tmp_path / "case", tmp_path)
    assert not (tmp_path / "plan" / "plan.json").exists()


def test_a_folder_that_holds_no_study(tmp_path):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "notes.txt").write_text("no DICOM here")
    with pytest.raises(MissingInput) as raised:
        _plan(tmp_path / "nothing", tmp_path)
    _one_clear_error(raised.value)
    assert not (tmp_path / "plan" / "case").exists()
    with pytest.raises(InvalidValue):
        _plan(tmp_path / "missing", tmp_path)


def test_another_patient_is_not_added_to_a_case(case, tmp_path):
    other = virtual_patient(attrs.evolve(OPTIONS, seed=32), lambda _: None)
    written = write_virtual_patient(other, tmp_path / "patient", lambda _: None)
    before = _files(case)
    with pytest.raises(InconsistentInput, match="another patient"):
        run_import(written.dicom_folder, case, ImportOptions(), lambda _: None)
    assert _files(case) == before


@pytest.mark.parametrize("product", ["glass", "resin", "ho166"])
def test_every_product_is_ordered(case, tmp_path, product):
    plan = _plan(case, tmp_path, PlanOptions(treatment_at=AT, product=product, samples=0))
    tables = {table.key: table for table in plan.tables}
    assert {row[0].text for row in tables["order_injections"].rows} == {injection.territory for injection in plan.injections}
    assert len(tables["order"].rows) >= 1
    assert {"schedule", "models", "radiobiology"} <= tables.keys()
    assert "dvh_metrics" not in tables  # no draws were asked for


@pytest.mark.parametrize("shunt", [1.0, 1.3, -0.02])
def test_a_lung_shunt_of_one_or_more_is_refused(shunt):
    given = calc_example("mird-activity")
    name = next(key for key in given if "shunt" in key)
    given[name] = {"value": shunt} if isinstance(given[name], dict) else shunt
    with pytest.raises(OpensirtError, match="shunt") as raised:
        calc("mird-activity", given)
    assert "shunt" in str(raised.value)


def test_megabecquerel_for_gigabecquerel_is_not_taken(case, tmp_path):
    """1990 "GBq" of microspheres: nobody gives that; an error or a critical finding, and no vial."""
    try:
        plan = _plan(case, tmp_path, PlanOptions(treatment_at=AT, intent="given", activities_gbq={"right": 1990.0, "left": 670.0}))
    except OpensirtError as raised:
        _one_clear_error(raised)
    else:
        assert Severity.CRITICAL in {f.severity for f in plan.findings if f.code == "plan.limit_exceeded"}
        assert not any(vial.usable for vial in plan.vials)
