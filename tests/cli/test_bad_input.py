"""Every command with every kind of bad input: one clear error, the documented status, no traceback, nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import strategies
from dicom.builders import affine, write_ct
from opensirt.cli.exit_codes import ExitCode
from opensirt.cli.main import app
from opensirt.files.images import write_image

GRID = strategies.grid_about((10.0, 20.0, -30.0), (5, 6, 7), (4.4, 3.1, 2.3), (12, -7, 30))
RUNNER = CliRunner()
USAGE, REFUSED = ExitCode.USAGE, ExitCode.REFUSED

DOSE = "dose --activity {activity} --density den.nii.gz --nuclide Y-90 --engine local --out out.nii.gz"
DVH = "dvh --dose {dose} --mask {mask}"
PLAN = "plan {source} --product glass --out out"
LABELS = "virtual-patient --out out --ct {ct} --labels {labels}"

CASES: dict[str, tuple[str | list[str], ExitCode, str]] = {
    # missing path, empty folder, text file
    "dose: missing path": (DOSE.format(activity="no.nii.gz"), REFUSED, "no.nii.gz"),
    "dose: empty folder": (DOSE.format(activity="empty"), REFUSED, "empty holds no DICOM image"),
    "dose: text file": (DOSE.format(activity="text.txt"), REFUSED, "text.txt holds no DICOM image"),
    "dose: text called NIfTI": (DOSE.format(activity="text.nii.gz"), REFUSED, "cannot be read as NIfTI"),
    "dose: text called MetaImage": (DOSE.format(activity="text.mha"), REFUSED, "cannot be read as MetaImage"),
    "dose: text called DICOM": (DOSE.format(activity="text.dcm"), REFUSED, "text.dcm"),
    "dvh: missing path": (DVH.format(dose="no.nii.gz", mask="mask.nii.gz"), REFUSED, "no.nii.gz"),
    "dvh: missing mask": (DVH.format(dose="dose.nii.gz", mask="no.nii.gz"), REFUSED, "no.nii.gz"),
    "dvh: empty folder": (DVH.format(dose="empty", mask="mask.nii.gz"), REFUSED, "'empty' is a folder"),
    "dvh: text file": (DVH.format(dose="text.txt", mask="mask.nii.gz"), REFUSED, "text.txt is no RTDOSE"),
    "dvh: text mask": (DVH.format(dose="dose.nii.gz", mask="text.txt"), REFUSED, "neither NIfTI nor MetaImage"),
    "import: missing path": ("import no --case c", REFUSED, "'no' is not a folder"),
    "import: text file": ("import text.txt --case c", REFUSED, "'text.txt' is not a folder"),
    "import: case is a file": ("import ct --case text.txt", REFUSED, "text.txt"),
    "import: case in a file": ("import ct --case text.txt/c", REFUSED, "text.txt"),
    "import: case not empty": ("import ct --case textdir", REFUSED, "not empty"),
    "import: labels missing": ("import ct --case c --labels no.nii.gz", REFUSED, "no.nii.gz"),
    "import: labels text": ("import ct --case c --labels text.txt", REFUSED, "neither NIfTI nor MetaImage"),
    "import: numbers without labels": ("import ct --case c --labels-map text.txt", REFUSED, "--labels"),
    "import: numbers text": ("import ct --case c --labels mask.nii.gz --labels-map text.txt", REFUSED, "not JSON"),
    "workup: missing path": ("workup no", REFUSED, "case.json"),
    "workup: empty folder": ("workup empty", REFUSED, "case.json"),
    "workup: text file": ("workup text.txt", REFUSED, "case.json"),
    "workup: CT alone": ("workup case", REFUSED, "no usable emission image"),
    "status: missing path": ("status no", REFUSED, "case.json"),
    "status: empty folder": ("status empty", REFUSED, "case.json"),
    "status: text file": ("status text.txt", REFUSED, "case.json"),
    "plan: missing path": (PLAN.format(source="no"), REFUSED, "'no' is not a folder"),
    "plan: empty folder": (PLAN.format(source="empty"), REFUSED, "no volume could be read"),
    "plan: folder of text": (PLAN.format(source="textdir"), REFUSED, "no volume could be read"),
    "plan: text file": (PLAN.format(source="text.txt"), REFUSED, "'text.txt' is not a folder"),
    "plan: CT alone": (PLAN.format(source="case"), REFUSED, "no usable emission image"),
    "plan: out is a file": ("plan case --product glass --out text.txt", REFUSED, "'text.txt' is a file"),
    "plan: labels with a case": (PLAN.format(source="case") + " --labels mask.nii.gz", USAGE, "--labels"),
    "calc: missing path": ("calc decay --input no.json", REFUSED, "no.json"),
    "calc: empty folder": ("calc decay --input empty", REFUSED, "'empty' is a folder"),
    "calc: text file": ("calc decay --input text.txt", REFUSED, "not JSON"),
    "calc: binary file": ("calc decay --input den.nii.gz", REFUSED, "UTF-8"),
    "calc: explain text file": ("calc decay --explain --input text.txt", REFUSED, "not JSON"),
    "demo: out is a file": ("demo --out text.txt", REFUSED, "'text.txt' is a file"),
    "demo: out in a file": ("demo --out text.txt/x", REFUSED, "'text.txt' is a file"),
    "demo: out not empty": ("demo --out textdir", REFUSED, "no earlier demo"),
    "virtual-patient: out is a file": ("virtual-patient --out text.txt", REFUSED, "'text.txt' is a file"),
    "virtual-patient: CT missing": (LABELS.format(ct="no.nii.gz", labels="mask.nii.gz"), REFUSED, "no.nii.gz"),
    "virtual-patient: CT text": (LABELS.format(ct="text.txt", labels="mask.nii.gz"), REFUSED, "text.txt"),
    "virtual-patient: labels missing": (LABELS.format(ct="den.nii.gz", labels="no.nii.gz"), REFUSED, "no.nii.gz"),
    "virtual-patient: labels alone": ("virtual-patient --out out --labels mask.nii.gz", REFUSED, "--ct"),
    # wrong nuclide
    "dose: wrong nuclide": (DOSE.format(activity="act.nii.gz").replace("Y-90", "Y90"), USAGE, "did you mean Y-90?"),
    "dose: imaging nuclide": (DOSE.format(activity="act.nii.gz").replace("Y-90", "Tc-99m"), USAGE, "Tc-99m"),
    "import: wrong nuclide": ("import ct --case c --true-nuclide Y90", REFUSED, "did you mean Y-90?"),
    "virtual-patient: wrong nuclide": ("virtual-patient --out out --nuclide Ho166", USAGE, "did you mean Ho-166?"),
    # slips of unit
    "dose: density in kg/m³": (DOSE.format(activity="act.nii.gz").replace("den.", "kgm3."), REFUSED, "kg/m³"),
    "dose: CT for activity": (DOSE.format(activity="ct"), REFUSED, "'activity'"),
    "plan: residual in per cent": (PLAN.format(source="case") + " --residual 3", USAGE, "--residual"),
    "dvh: D of 120 %": (DVH.format(dose="dose.nii.gz", mask="mask.nii.gz") + " --d 120", REFUSED, "120"),
    "workup: spacing in m": ("workup case --spacing-mm 0.004", USAGE, "--spacing-mm"),
    # naive instants, unknown zones
    "dose: naive instant": (
        DOSE.format(activity="act.nii.gz") + " --administered-at 2026-03-04T10:00:00",
        USAGE,
        "has no offset",
    ),
    "plan: naive instant": (PLAN.format(source="case") + " --treatment-at 2026-03-04T10:00:00", USAGE, "has no offset"),
    "import: unknown zone": ("import ct --case c --time-zone Europe/Lodnon", REFUSED, "did you mean Europe/London?"),
    "plan: unknown zone": (PLAN.format(source="ct") + " --time-zone Mars", REFUSED, "Mars"),
    # negative numbers, NaN, infinity
    "dose: negative": (DOSE.format(activity="neg.nii.gz"), REFUSED, "negative"),
    "dose: NaN": (DOSE.format(activity="nan.nii.gz"), REFUSED, "NaN or infinite"),
    "dose: infinite": (DOSE.format(activity="inf.nii.gz"), REFUSED, "NaN or infinite"),
    "dose: nothing": (DOSE.format(activity="zero.nii.gz"), REFUSED, "no activity"),
    "dvh: negative": (DVH.format(dose="neg.nii.gz", mask="mask.nii.gz"), REFUSED, "negative"),
    "dvh: NaN": (DVH.format(dose="nan.nii.gz", mask="mask.nii.gz"), REFUSED, "NaN or infinite"),
    "dvh: V at NaN": (DVH.format(dose="dose.nii.gz", mask="mask.nii.gz") + " --v nan", REFUSED, "nan"),
    "plan: negative target": (PLAN.format(source="case") + " --target tumour=-5", USAGE, "above 0"),
    "plan: NaN limit": (PLAN.format(source="case") + " --limit lungs=nan", USAGE, "above 0"),
    "workup: NaN spacing": ("workup case --spacing-mm nan", USAGE, "--spacing-mm"),
    "workup: negative spacing": ("workup case --spacing-mm -4", USAGE, "--spacing-mm"),
    "demo: negative seed": ("demo --out out --seed -1", USAGE, "--seed"),
    # structures, labels, territories
    "dvh: no such label": (DVH.format(dose="dose.nii.gz", mask="mask.nii.gz") + " --label 7", REFUSED, "it holds [1]"),
    "dvh: empty structure": (DVH.format(dose="dose.nii.gz", mask="zero.nii.gz"), REFUSED, "empty"),
    "dvh: no label map": (DVH.format(dose="dose.nii.gz", mask="den.nii.gz"), REFUSED, "not whole numbers"),
    "import: no such labels": ("import ct --case c --labels mask.nii.gz", REFUSED, "it holds [1]"),
    "plan: no such structure": (PLAN.format(source="case") + " --limit normal_livre=40", REFUSED, "did you mean normal_liver?"),
    "plan: given without activity": (PLAN.format(source="case") + " --intent given", USAGE, "--activity"),
    "plan: activity without given": (PLAN.format(source="case") + " --activity right=2", USAGE, "--intent given"),
    "virtual-patient: no liver": (LABELS.format(ct="den.nii.gz", labels="mask.nii.gz"), REFUSED, "it holds [1]"),
    # wrong product, engine, constant, setting, formula
    "plan: wrong product": ("plan case --product galss --out out", USAGE, "did you mean glass?"),
    "plan: setting of another product": (PLAN.format(source="case") + " --setting bilobar-pretreated", REFUSED, "bilobar"),
    "plan: wrong constant": (PLAN.format(source="case") + " --dose-constant 15.87", REFUSED, "choose one of 49.67"),
    "dose: wrong engine": (DOSE.format(activity="act.nii.gz").replace("local", "kernal"), USAGE, "did you mean kernel?"),
    "dose: wrong constant": (DOSE.format(activity="act.nii.gz") + " --dose-constant 49.6", REFUSED, "did you mean 49.67?"),
    "calc: wrong formula": ("calc partition_dose --example", REFUSED, "did you mean partition-dose?"),
    "import: wrong origin": ("import ct --case c --structures-from rtstuct", USAGE, "did you mean rtstruct?"),
    "import: another pseudonym": ("import ct --case case --id OTHER", REFUSED, "called C-1"),
    "import: no pseudonym": (["import", "ct", "--case", "c", "--id", " "], REFUSED, "pseudonym"),
    # where results go
    "dose: no folder for it": (DOSE.format(activity="act.nii.gz").replace("out.nii.gz", "no/out.nii.gz"), REFUSED, "'no'"),
    "dose: out is a folder": (DOSE.format(activity="act.nii.gz").replace("out.nii.gz", "empty"), REFUSED, "is a folder"),
    "dose: out is no image": (DOSE.format(activity="act.nii.gz").replace("out.nii.gz", "out.png"), REFUSED, "out.png"),
    "dose: RTDOSE of nobody": (DOSE.format(activity="act.nii.gz").replace("out.nii.gz", "out.dcm"), REFUSED, "frame of reference"),
    "dose: density and CT": (DOSE.format(activity="act.nii.gz") + " --ct ct", REFUSED, "either"),
}
PAYLOADS = {
    "NaN": ("lung-dose", '{"nuclide": "Y-90", "delivered_gbq": NaN, "lung_shunt_fraction": 0.1}', "NaN"),
    "negative": ("lung-dose", '{"nuclide": "Y-90", "delivered_gbq": -2, "lung_shunt_fraction": 0.1}', "delivered_gbq"),
    "per cent": ("lung-dose", '{"nuclide": "Y-90", "delivered_gbq": 2, "lung_shunt_fraction": 10}', "give 0.1 for 10 %"),
    "wrong nuclide": ("lung-dose", '{"nuclide": "Y90", "delivered_gbq": 2, "lung_shunt_fraction": 0.1}', "did you mean Y-90?"),
    "imaging nuclide": ("lung-dose", '{"nuclide": "Tc-99m", "delivered_gbq": 2, "lung_shunt_fraction": 0.1}', "makes images"),
    "wrong key": ("lung-dose", '{"nuclide": "Y-90", "deliverd_gbq": 2, "lung_shunt_fraction": 0.1}', "did you mean delivered_gbq?"),
    "naive instant": ("decay", '{"nuclide": "Y-90", "amount_gbq": 3, "from_at": "2026-03-04T10:00:00", "to_at": "2026-03-05T10:00:00"}', "time zone"),
    "no product": ("spheres", '{"product": "galss", "activity_gbq": 3}', "did you mean glass?"),
    "a list": ("decay", "[]", "JSON object"),
    "nothing": ("decay", "", "not JSON"),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sound and unsound things; copied by nobody, so that what a command leaves behind shows."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty").mkdir()
    (folder / "textdir").mkdir()
    for name in ("text.txt", "text.nii.gz", "text.mha", "text.dcm", "textdir/a.txt"):
        (folder / name).write_text("hello")
    values = {"act": 1e6, "den": 1.05, "dose": 50.25, "neg": -1.0, "nan": np.nan, "inf": np.inf, "kgm3": 1050.0}
    for name, value in values.items():
        write_image(folder / f"{name}.nii.gz", np.full(GRID.shape, value, np.float32), GRID)
    for name, number in {"mask": 1, "zero": 0}.items():
        write_image(folder / f"{name}.nii.gz", np.full(GRID.shape, number, np.uint8), GRID)
    write_ct(folder / "ct", np.full((4, 8, 9), 1000, np.uint16), affine())
    done = RUNNER.invoke(app, ["import", str(folder / "ct"), "--case", str(folder / "case"), "--id", "C-1"])
    assert done.exit_code == 0, done.stderr
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every folder and file, the lock of a case apart."""
    found = sorted(path for path in folder.rglob("*") if path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in found}


@pytest.mark.parametrize(("line", "status", "said"), CASES.values(), ids=CASES)
def test_one_clear_error(line: str | list[str], status: ExitCode, said: str, made: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(made)
    before = contents(made)
    arguments = line.split() if isinstance(line, str) else line
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"opensirt {arguments[0]}: ")
    assert said in done.stderr
    assert " · " in done.stderr  # more than what: where, or what to do
    assert "Traceback" not in done.stderr and str(made) not in done.stderr
    assert contents(made) == before


@pytest.mark.parametrize(("line", "status", "said"), CASES.values(), ids=CASES)
def test_one_document_under_json(line: str | list[str], status: ExitCode, said: str, made: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(made)
    arguments = line.split() if isinstance(line, str) else line
    document = json.loads(RUNNER.invoke(app, [*arguments, "--json"]).stdout)
    assert document["schema"] == "opensirt.error"
    assert document["exit_code"] == status
    assert document["what"] and document["remedy"]
    assert said in f"{document['what']} · {document['where']} · {document['remedy']}"


@pytest.mark.parametrize(("model", "text", "said"), PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("more", [(), ("--explain",)], ids=["answer", "explain"])
def test_one_clear_error_of_calc(model: str, text: str, said: str, more: tuple[str, ...]):
    done = RUNNER.invoke(app, ["calc", model, "--input", "-", *more], input=text)
    assert done.exit_code == REFUSED
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


@pytest.mark.parametrize("folder", ["empty", "textdir"])
def test_an_import_of_nothing_says_so_and_writes_nothing(folder: str, made: Path, monkeypatch: pytest.MonkeyPatch):
    """It tells all faults, so it answers with its own document; see the page on exit status."""
    monkeypatch.chdir(made)
    before = contents(made)
    done = RUNNER.invoke(app, ["import", folder, "--case", "c", "--json"])
    assert done.exit_code == REFUSED
    document = json.loads(done.stdout)
    assert (document["schema"], document["volumes"]) == ("opensirt.import", 0)
    assert "import.no_volume" in [finding["code"] for finding in document["findings"]]
    assert contents(made) == before


@pytest.mark.parametrize("folder", ["no", "text.txt"])
def test_a_doctor_of_a_folder_that_cannot_be_written_to(folder: str, made: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(made)
    done = RUNNER.invoke(app, ["doctor", "--folder", folder])
    assert done.exit_code == ExitCode.LOOK
    assert done.stderr.count("\n") == 1
    assert "write access" in done.stderr


def test_a_slip_of_unit_that_can_be_computed_is_a_finding():
    payload = '{"nuclide": "Y-90", "delivered_gbq": 2000, "lung_shunt_fraction": 0.1, "lung_mass_kg": 1}'
    done = RUNNER.invoke(app, ["calc", "lung-dose", "--input", "-"], input=payload)
    assert done.exit_code == 0
    assert "calc.unusual_value" in done.stderr
