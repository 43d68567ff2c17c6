"""The command line. Commands load what they need when they run, so that help and completion stay instant."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opensirt._version import __version__
from opensirt.cli import words
from opensirt.cli.read_words import instant, pairs, require_folder, rules
from opensirt.cli.talk import Manner, Report, answer
from opensirt.cli.usage import Commands
from opensirt.workflow.options import FEWEST_SAMPLES, ImportOptions, PlanOptions, WorkupOptions

if TYPE_CHECKING:
    from opensirt.radioembolisation.treatment.proposal import PlanProposal
    from opensirt.synthetic.write import WrittenPatient
    from opensirt.workflow.doctor import Health
    from opensirt.workflow.dose import DoseSummary
    from opensirt.workflow.dvh import DvhSummary
    from opensirt.workflow.import_study import ImportSummary
    from opensirt.workflow.status import CaseStatus
    from opensirt.workflow.workup import WorkupReport

app = typer.Typer(
    name="opensirt",
    cls=Commands,
    help="Selective internal radiation therapy: from a DICOM study to an explained, personalised plan. Research use; not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class StructureOrigin(StrEnum):
    """Kinds of objects that hold structures."""

    RTSTRUCT = "rtstruct"
    SEG = "seg"
    LABEL_MAP = "label-map"


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 4 if a critical finding or an import fault came back.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error arose.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed makes the same patient.")]
Labels = Annotated[
    Path | None, typer.Option("--labels", help="Label map on the CT (NIfTI or MetaImage, TotalSegmentator numbers).")
]
LabelsMap = Annotated[
    Path | None, typer.Option("--labels-map", help='JSON for other numbers: {"liver": [1], "tumour.T1": [2, 3]}.')
]
StructuresFrom = Annotated[
    StructureOrigin | None,
    typer.Option(
        "--structures-from", help="Where several objects hold a structure, take it from this kind; RTSTRUCT first where left out."
    ),
]
TimeZone = Annotated[
    str, typer.Option("--time-zone", help="Zone of the department's clocks, e.g. Europe/London, for files without offset.")
]
TrueNuclide = Annotated[str, typer.Option("--true-nuclide", help="What was injected, where PET headers name another nuclide.")]
CaseId = Annotated[str, typer.Option("--id", help="Pseudonym of a new case; never a name or hospital number.")]
Spacing = Annotated[float | None, typer.Option("--spacing-mm", min=1.0, max=10.0, help="Spacing of the working grid.")]
Density = Annotated[str, typer.Option("--density-model", help="'Schneider 2000' or '(HU + 1000)/1000'.")]


class TherapyNuclide(StrEnum):
    """Nuclides that a treatment can be made with."""

    Y90 = "Y-90"
    HO166 = "Ho-166"


class DoseNuclide(StrEnum):
    """Nuclides that a dose can be computed for."""

    Y90 = "Y-90"
    HO166 = "Ho-166"
    LU177 = "Lu-177"
    I131 = "I-131"


class Engine(StrEnum):
    """Dose engines."""

    LOCAL = "local"
    KERNEL = "kernel"
    KERNEL_DENSITY = "kernel-density"


class ProductName(StrEnum):
    """Microsphere products."""

    GLASS = "glass"
    RESIN = "resin"
    HO166 = "ho166"


class Intent(StrEnum):
    """What the activity is chosen for."""

    UP_TO_LIMITS = "up-to-limits"
    REACH_TARGET = "reach-target"
    GIVEN = "given"


class Indication(StrEnum):
    """Tumour types with limits or targets of their own."""

    NET = "NET"
    HCC = "HCC"
    ICC = "ICC"
    MCRC = "mCRC"


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"opensirt {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")] = False,
) -> None:
    pass


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of DICOM files, at any depth.")],
    case: Annotated[Path, typer.Option("--case", metavar="FOLDER", help="Case folder; made if it does not exist.")],
    case_id: CaseId = "",
    time_zone: TimeZone = "",
    true_nuclide: TrueNuclide = "",
    labels: Labels = None,
    labels_map: LabelsMap = None,
    structures_from: StructuresFrom = None,
    json: AsJson = False,
    strict: Strict = False,
    debug: Debug = False,
) -> None:
    """Read a folder of DICOM into a case.

    One bad file never stops the others; every fault is named.
    """

    def work(report: Report) -> ImportSummary:
        from opensirt.workflow.import_study import run_import

        origin = structures_from.value if structures_from else ""
        return run_import(folder, case, ImportOptions(case_id, time_zone, true_nuclide, labels, labels_map, origin), report)

    answer(work, words.import_lines, Manner("import", json, strict, debug), refused=lambda summary: not summary.volumes)


@app.command()
def workup(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder with an imported study.")],
    spacing_mm: Spacing = None,
    density_model: Density = "Schneider 2000",
    json: AsJson = False,
    strict: Strict = False,
    debug: Debug = False,
) -> None:
    """Lung shunt, lung mass and perfusion of a case."""

    def work(report: Report) -> WorkupReport:
        from opensirt.workflow.workup import run_workup

        return run_workup(case, WorkupOptions(spacing_mm=spacing_mm, density=density_model), report)

    answer(work, words.number_lines, Manner("workup", json, strict, debug))


@app.command()
def status(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")],
    verify: Annotated[bool, typer.Option("--verify", help="Also read every volume and artefact against its hash.")] = False,
    json: AsJson = False,
    strict: Strict = False,
    debug: Debug = False,
) -> None:
    """What a case holds, and what in it is out of date."""

    def work(report: Report) -> CaseStatus:
        from opensirt.workflow.status import run_status

        return run_status(case, report, verify=verify)

    answer(work, words.status_lines, Manner("status", json, strict, debug))


@app.command()
def plan(
    source: Annotated[Path, typer.Argument(metavar="CASE|DIR", help="Case folder, or a folder of DICOM.")],
    product: Annotated[ProductName, typer.Option(help="Microspheres.")],
    out: Out,
    treatment_at: Annotated[
        str, typer.Option(help="Planned instant of administration with offset: 2026-03-04T10:00:00+01:00.")
    ] = "",
    indication: Annotated[Indication, typer.Option(help="Tumour type.")] = Indication.NET,
    setting: Annotated[
        str,
        typer.Option(help="Setting of the product's limits; bilobar is assumed where left out. Names: docs/methods/limits.md."),
    ] = "",
    intent: Annotated[Intent, typer.Option(help="What the activity is chosen for.")] = Intent.UP_TO_LIMITS,
    target: Annotated[
        list[str] | None, typer.Option(metavar="STRUCTURE=GY", help="Mean dose to reach, e.g. tumour=120; repeatable.")
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="STRUCTURE=GY", help="Mean dose not to exceed, e.g. normal_liver=40; repeatable.")
    ] = None,
    activity: Annotated[
        list[str] | None, typer.Option(metavar="TERRITORY=GBQ", help="With --intent given: one for each territory.")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="Engine for voxel dose and DVH.")] = Engine.KERNEL_DENSITY,
    dose_constant: Annotated[str, typer.Option(help="Name of the dose constant; the nuclide's default where left out.")] = "",
    residual: Annotated[float | None, typer.Option(min=0.0, max=0.5, help="Share that stays in vial and tubing, 0 to 0.5.")] = None,
    calibration: Annotated[
        float | None,
        typer.Option(min=0.0, max=0.5, help="Relative standard uncertainty of the activity meter, 0 to 0.5; 0.05 is assumed."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why --target and --limit are what they are.")] = "stated on the command line",
    patient: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON with facts about the patient: height, weight, liver reserve, eligibility, earlier treatments.",
        ),
    ] = None,
    site_limits: Annotated[Path | None, typer.Option(metavar="FILE", help="JSON with the site's own limits and targets.")] = None,
    calendar: Annotated[Path | None, typer.Option(metavar="FILE", help="JSON with the site's delivery calendar.")] = None,
    samples: Annotated[
        int,
        typer.Option(
            min=0, max=10_000, help="Draws behind the intervals of dose-volume metrics; 0 leaves them out, else 20 or more."
        ),
    ] = 200,
    spacing_mm: Spacing = None,
    density_model: Density = "Schneider 2000",
    time_zone: TimeZone = "",
    true_nuclide: TrueNuclide = "",
    labels: Labels = None,
    labels_map: LabelsMap = None,
    structures_from: StructuresFrom = None,
    json: AsJson = False,
    strict: Strict = False,
    debug: Debug = False,
) -> None:
    """Plan a case, or a folder of DICOM.

    Writes plan.json, report.html, report.pdf and dose.dcm.
    """
    if 0 < samples < FEWEST_SAMPLES:
        raise typer.BadParameter(f"--samples {samples}: an interval needs {FEWEST_SAMPLES} draws at least; 0 leaves them out")
    options = PlanOptions(
        product=product.value,
        treatment_at=instant(treatment_at),
        indication=indication.value,
        setting=setting,
        intent=intent.value,
        activities_gbq=pairs(activity or (), "--activity"),
        rules=(*rules("target", target or (), reason), *rules("limit", limit or (), reason)),
        engine=engine.value,
        dose_constant=dose_constant,
        residual_fraction=residual,
        calibration_fraction=calibration,
        workup=WorkupOptions(spacing_mm=spacing_mm, density=density_model),
        samples=samples,
    )
    origin = structures_from.value if structures_from else ""
    reading = ImportOptions("", time_zone, true_nuclide, labels, labels_map, origin)

    if bool(activity) != (intent is Intent.GIVEN):
        raise typer.BadParameter("--activity goes with --intent given, one for each territory, and --intent given with --activity")
    is_case = (source / "case.json").exists()
    if is_case and reading != ImportOptions():
        raise typer.BadParameter(
            "--time-zone, --true-nuclide, --labels, --labels-map and --structures-from say how DICOM is read, and the case was read already; "
            "import again with them, or give the folder of DICOM"
        )

    def work(report: Report) -> PlanProposal:
        from opensirt.workflow.import_study import require_volumes, run_import
        from opensirt.workflow.plan import run_plan, with_files

        require_folder(out)
        asked = with_files(options, patient, site_limits, calendar)
        if reading == ImportOptions() or is_case:
            return run_plan(source, asked, out, report)
        require_volumes(run_import(source, out / "case", reading, lambda done: report(0.2 * done)))
        return run_plan(out / "case", asked, out, lambda done: report(0.2 + 0.8 * done))

    answer(work, words.plan_lines_in(out), Manner("plan", json, strict, debug))


@app.command()
def dose(
    activity: Annotated[Path, typer.Option(metavar="FILE", help="Bq/mL at administration: NIfTI, MetaImage or DICOM.")],
    nuclide: Annotated[DoseNuclide, typer.Option(help="What decays.")],
    engine: Annotated[Engine, typer.Option(help="Dose engine.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help=".nii.gz, .mha, or .dcm (RTDOSE) where the input is DICOM; Gy.")],
    density: Annotated[Path | None, typer.Option(metavar="FILE", help="Mass density in g/mL.")] = None,
    ct: Annotated[Path | None, typer.Option(metavar="FILE", help="CT in HU: NIfTI, MetaImage or DICOM.")] = None,
    soft_tissue: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="With --ct: mask of liver or tumour; repeatable.")
    ] = None,
    density_model: Density = "Schneider 2000",
    dose_constant: Annotated[str, typer.Option(help="Name of the dose constant; the nuclide's default where left out.")] = "",
    administered_at: Annotated[
        str, typer.Option(help="Instant of administration with offset, where DICOM does not state it.")
    ] = "",
    effective_half_life_h: Annotated[
        float | None, typer.Option(help="Decay and clearance together, h: required for Lu-177 and I-131, which do not stay.")
    ] = None,
    json: AsJson = False,
    strict: Strict = False,
    debug: Debug = False,
) -> None:
    """Absorbed dose from an activity map.

    Bq/mL at administration in, Gy after full decay out.
    """
    at = instant(administered_at)

    def work(report: Report) -> DoseSummary:
        from opensirt.workflow.dose import DoseOptions, run_dose

        masks = tuple(soft_tissue or ())
        options = DoseOptions(
            activity, nuclide.value, engine.value, density, ct, masks, density_model, dose_constant, at, effective_half_life_h
        )
        return run_dose(options, out, report)

    answer(work, words.dose_lines, Manner("dose", json, strict, debug))


@app.command()
def dvh(
    dose: Annotated[Path, typer.Option(metavar="FILE", help="Dose in Gy: NIfTI, MetaImage or RTDOSE.")],
    mask: Annotated[Path, typer.Option(metavar="FILE", help="Label map: NIfTI or MetaImage.")],
    label: Annotated[int | None, typer.Option(help="Number in the label map; every voxel that is not 0 where left out.")] = None,
    d: Annotated[list[float] | None, typer.Option(metavar="PERCENT", help="D at this share of the volume; repeatable.")] = None,
    v: Annotated[list[float] | None, typer.Option(metavar="GY", help="V at this dose; repeatable.")] = None,
    json: AsJson = False,
    strict: Strict = False,
    debug: Debug = False,
) -> None:
    """Exact dose-volume histogram of a structure."""

    def work(report: Report) -> DvhSummary:
        from opensirt.workflow.dvh import D_PERCENT, DvhOptions, run_dvh

        return run_dvh(dose, mask, DvhOptions(label, tuple(d or D_PERCENT), tuple(v or ())), report)

    answer(work, words.dvh_lines, Manner("dvh", json, strict, debug))


@app.command()
def calc(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the formula; see --list.")] = "",
    list_: Annotated[bool, typer.Option("--list", help="Name every formula.")] = False,
    example: Annotated[bool, typer.Option("--example", help="Print an input to start from.")] = False,
    input_: Annotated[str, typer.Option("--input", metavar="FILE|-", help="JSON file, or - for stdin.")] = "",
    explain: Annotated[
        bool, typer.Option("--explain", help="Say it in words: equation, symbols, budget; of --input, or of the example.")
    ] = False,
    json: AsJson = False,
    strict: Strict = False,
    debug: Debug = False,
) -> None:
    """One formula on its own, JSON in, JSON out.

    Every number comes with interval, formula, constants and sources.
    """
    ways = (example, bool(input_))
    if list_ == bool(model) or all(ways) or bool(model) != (any(ways) or explain):
        raise typer.BadParameter(
            "write: calc --list, calc MODEL --example, or calc MODEL --input FILE (or - for stdin); --explain says it in words"
        )

    def work(_: Report) -> Any:
        from opensirt.cli.calc import answer_calc, example_of, explained, listed

        if list_:
            return listed()
        if explain and not json:
            return explained(model, input_)
        return example_of(model) if example and not explain else answer_calc(model, input_)

    lines = words.model_lines if list_ and not json else words.explanation_lines if explain and not json else words.plain_lines
    bare, whole = example and not list_ and not explain, explain and not json
    answer(work, lines, Manner("calc", json, strict, debug, bare=bare, whole=whole))


@app.command("virtual-patient")
def virtual_patient(
    out: Out,
    seed: Seed = 1,
    nuclide: Annotated[TherapyNuclide, typer.Option(help="Y-90: Tc-99m-MAA scout; Ho-166: Ho-166 scout.")] = TherapyNuclide.Y90,
    ct: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Real CT (NIfTI, MetaImage or DICOM) to place the uptake in.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="Its label map, TotalSegmentator numbers.")] = None,
    segmentation: Annotated[bool, typer.Option("--seg", help="Also write a DICOM segmentation.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an earlier virtual patient in DIR.")] = False,
    json: AsJson = False,
    strict: Strict = False,
    debug: Debug = False,
) -> None:
    """A study of known truth as genuine DICOM.

    Every object is marked synthetic for good.
    """

    def work(report: Report) -> WrittenPatient:
        from opensirt.synthetic.patient import PatientOptions
        from opensirt.synthetic.write import run_virtual_patient

        options = PatientOptions(seed=seed, nuclide=nuclide.value)
        return run_virtual_patient(out, options, report, ct=ct, labels=labels, segmentation=segmentation, replace=replace)

    answer(work, words.patient_lines, Manner("virtual-patient", json, strict, debug))


@app.command()
def demo(
    out: Out,
    seed: Seed = 7,
    json: AsJson = False,
    strict: Strict = False,
    debug: Debug = False,
) -> None:
    """A virtual patient from DICOM to report."""

    def work(report: Report) -> PlanProposal:
        from opensirt.synthetic.demo import run_demo

        require_folder(out)
        return run_demo(out, seed, report)

    answer(work, words.plan_lines_in(out / "plan"), Manner("demo", json, strict, debug))


@app.command()
def doctor(
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where results would be written.")] = Path(),
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Whether this installation can do its work."""

    def work(report: Report) -> Health:
        from opensirt.workflow.doctor import run_doctor

        return run_doctor(folder, report)

    answer(work, words.doctor_lines, Manner("doctor", json, strict=True, debug=debug))


def run() -> Any:
    """Entry point of the program."""
    return app()
