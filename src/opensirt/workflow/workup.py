"""Use case: the work-up of a case: shunt, perfusion, extrahepatic uptake, lung mass, each number with its reasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import attrs
import numpy as np

from opensirt.clock import now
from opensirt.encoding import to_json
from opensirt.imaging.ledger import CountLedger
from opensirt.imaging.recovery import RECOVERY_VERSION
from opensirt.imaging.tissue import SOFT_TISSUE
from opensirt.radioembolisation.treatment.proposal import LedgerLine
from opensirt.radioembolisation.workup import compartments as model
from opensirt.radioembolisation.workup import lung_shunt as shunt
from opensirt.radioembolisation.workup.compartments import CompartmentUptake, ErrorModel, compartment_uptake
from opensirt.radioembolisation.workup.extrahepatic import EXTRAHEPATIC_VERSION, extrahepatic_findings
from opensirt.radioembolisation.workup.lung_mass import LUNG_MASS_VERSION, with_contour
from opensirt.radioembolisation.workup.perfusion import PERFUSION_VERSION, Perfusion, perfusion_findings, perfusions
from opensirt.record.events import EventKind
from opensirt.store.case_folder import open_case
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.provenance import Input, ReportedNumber, Shape
from opensirt.vocabulary.units import PERCENT
from opensirt.vocabulary.volumes import Mask
from opensirt.workflow.options import WorkupOptions
from opensirt.workflow.scene import Scene, build_scene
from opensirt.workflow.study import LoadedStudy, input_hashes, load_study

SCHEMA = "opensirt.workup"
VERSION = 1


@attrs.frozen(eq=False)
class Workup:
    """Everything the work-up found, in memory."""

    scene: Scene
    uptake: CompartmentUptake
    lung_shunt: Measured
    perfusions: tuple[Perfusion, ...]
    numbers: tuple[ReportedNumber, ...]
    findings: tuple[Finding, ...]
    ledger: CountLedger


@dataclass(frozen=True)
class WorkupReport:
    """The work-up as a document."""

    case_id: str
    synthetic: bool
    working_grid: str
    numbers: tuple[ReportedNumber, ...]
    ledger: tuple[LedgerLine, ...]
    findings: tuple[Finding, ...]
    parameters: tuple[tuple[str, str], ...]
    input_sha256: tuple[tuple[str, str], ...]


def _times(measured: Measured, factor: float) -> Measured:
    return Measured(measured.value * factor, {source: u * factor for source, u in measured.contributions.items()})


def compute_workup(study: LoadedStudy, options: WorkupOptions, report: Callable[[float], None]) -> Workup:
    """The work-up of a study, without writing anything.

    Parameters
    ----------
    study : LoadedStudy
        CT, emission image, planar views, structures.
    options : WorkupOptions
        How it is computed.
    report : callable
        Takes progress from 0 to 1.
    """
    scene = build_scene(study, options, lambda x: report(0.45 * x))
    errors = ErrorModel(options.contour_mm, options.registration_mm, options.lung_quantification, options.noise_factor)
    uptake = compartment_uptake(scene.image, errors, lambda x: report(0.45 + 0.45 * x), lung_margin_mm=options.lung_margin_mm)
    lungs = uptake.of_kind(StructureKind.LUNGS)
    if lungs:
        scene = attrs.evolve(scene, lungs_mass=with_contour(scene.lungs_mass, lungs[0].volume_ml))
    fed = perfusions(uptake)
    known = {c.key for c in uptake.compartments}
    small = [t for t in scene.image.tumours if t.structure.key not in known]
    findings = [*scene.findings, *uptake.findings, *extrahepatic_findings(scene.image, uptake), *perfusion_findings(uptake)]
    for tumour in small:
        message = (
            f"{tumour.structure.key} holds {tumour.volume_ml:.2f} mL on the working grid, too little to tell its counts from its surroundings · it has no "
            "dose in this plan and is taken out of normal liver · judge it on the images"
        )
        findings.append(Finding("tumour.too_small", Severity.WARNING, message, tumour.structure.key))
    numbers: list[ReportedNumber] = []
    lsf = Measured(0.0)
    if uptake.of_kind(StructureKind.LUNGS):
        lsf = shunt.recovered_lung_shunt(uptake)
        numbers += _spect_shunts(uptake, lsf)
        findings += _cut_lungs(scene, lsf)
    else:
        message = "no lungs in the field: lung shunt cannot be measured by SPECT/CT and is taken as 0 in the liver's doses · lung dose is not known · image the chest"
        findings.append(Finding("lung_shunt.unknown", Severity.CRITICAL, message, "lungs"))
    planar, planar_findings = _planar_shunt(study, scene, lsf)
    numbers += planar
    findings += planar_findings
    numbers += [*_mass_and_blur(scene, uptake), *_perfusion_numbers(fed), *_share_numbers(uptake), *_volume_numbers(scene, uptake)]
    report(1.0)
    return Workup(scene, uptake, lsf, fed, tuple(numbers), tuple(dict.fromkeys(findings)), _ledger(scene, uptake))


def _cut_lungs(scene: Scene, lsf: Measured) -> list[Finding]:
    """Lungs that the field cuts hold only a part of the shunt: shunt and lung dose are lower limits, and a limit they keep is not kept."""
    if all(finding.code != "lung_mass.cut" for finding in scene.lungs_mass.findings):
        return []
    message = (
        f"the lungs are cut by the field of view; the {PERCENT * lsf.value:.1f} % in what is seen of them are a lower limit of the lung shunt, and so is every "
        "lung dose; that a lung limit is kept is not shown · take the shunt from planar views or from a SPECT/CT of the whole chest"
    )
    return [Finding("lung_shunt.lower_limit", Severity.CRITICAL, message, "lungs")]


def _ledger(scene: Scene, uptake: CompartmentUptake) -> CountLedger:
    image = scene.image
    total = image.counts.total
    liver = float(np.sum(image.counts.counts * image.liver.fraction, dtype=np.float64))
    ledger = scene.ledger.entry(
        "counts inside the liver contour", total, liver, total - liver, note="a branch: the rest is lung, other organs and blur"
    )
    kept = float(uptake.recovered_counts.sum(dtype=np.float64))
    return ledger.entry(
        "partial-volume recovery",
        total,
        kept,
        total - kept,
        note="counts moved back to where they came from; the difference lies at the edge of the field",
    )


def _spect_shunts(uptake: CompartmentUptake, lsf: Measured) -> list[ReportedNumber]:
    inputs = tuple(
        Input(c.key, f"{PERCENT * c.share.value:.2f}", "% of counts", "recovered compartment")
        for c in uptake.compartments
        if c.kind is not StructureKind.OTHER
    )
    version = f"{shunt.LUNG_SHUNT_VERSION}; compartments {model.COMPARTMENTS_VERSION}"
    seen = shunt.seen_lung_shunt(uptake)
    recovered = ReportedNumber(
        "workup.lung_shunt.spect", "Lung shunt fraction, SPECT/CT, blur recovered", _times(lsf, PERCENT), "%", shunt.SPECT_FORMULA,
        "SPECT/CT with recovered compartments", version, inputs, sources=("Rousset 1998 (transfer matrix)", "Allred 2018 (13 % against truth)"),
    )  # fmt: skip
    plain = ReportedNumber(
        "workup.lung_shunt.spect_seen", "Lung shunt fraction, SPECT/CT as seen", _times(seen, PERCENT), "%", shunt.SPECT_FORMULA,
        "SPECT/CT counts in CT masks, shared voxels to the liver", shunt.LUNG_SHUNT_VERSION, shape=Shape.NORMAL,
    )  # fmt: skip
    return [recovered, plain]


def _planar_shunt(study: LoadedStudy, scene: Scene, spect: Measured) -> tuple[list[ReportedNumber], list[Finding]]:
    if len(study.planar) < 2 or not scene.image.lungs:
        return [], []
    anterior, posterior = study.planar[:2]
    liver = Mask(scene.image.liver.fraction >= 0.5, scene.grid, Structure(StructureKind.LIVER))
    lungs = Mask(scene.image.lungs[0].fraction >= 0.5, scene.grid, Structure(StructureKind.LUNGS))
    try:
        counts = shunt.planar_counts(anterior, posterior, liver, lungs)
    except GridMismatch as error:
        message = f"planar views cannot be laid over the CT ({error.what}) · no planar lung shunt · give planar views with position in the CT's frame"
        return [], [Finding("lung_shunt.planar_not_placed", Severity.NOTE, message, "lungs")]
    value = shunt.planar_lung_shunt(counts)
    inputs = (
        Input("lung, anterior", f"{counts.lung_anterior_counts:.0f}", "counts"),
        Input("lung, posterior", f"{counts.lung_posterior_counts:.0f}", "counts"),
        Input("liver, anterior", f"{counts.liver_anterior_counts:.0f}", "counts"),
        Input("liver, posterior", f"{counts.liver_posterior_counts:.0f}", "counts"),
    )
    number = ReportedNumber(
        "workup.lung_shunt.planar", "Lung shunt fraction, planar geometric mean", _times(value, PERCENT), "%", shunt.PLANAR_FORMULA,
        "planar geometric mean; regions are the projected CT contours, no background subtracted", shunt.LUNG_SHUNT_VERSION, inputs,
        sources=("van Roekel thesis p. 30",),
    )  # fmt: skip
    return [number], [*shunt.compared(value, spect), *shunt.background_findings(counts, None)]


def _mass_and_blur(scene: Scene, uptake: CompartmentUptake) -> list[ReportedNumber]:
    mass = ReportedNumber(
        "workup.lung_mass", "Lung mass", scene.lungs_mass.kg, "kg", "m = V · mean ρ(HU) inside the rim", scene.lungs_mass.origin, LUNG_MASS_VERSION,
        constants=scene.lungs_mass.constants, sources=("Kao et al. 2013",),
    )  # fmt: skip
    blur = ReportedNumber(
        "workup.blur_fwhm", "Blur of the emission image (FWHM)", uptake.fwhm_mm, "mm", "width of the Gaussian that explains the liver's edge best",
        "estimated from the image", RECOVERY_VERSION, shape=Shape.NORMAL,
    )  # fmt: skip
    return [mass, blur]


def _perfusion_numbers(fed: tuple[Perfusion, ...]) -> list[ReportedNumber]:
    numbers = []
    for p in fed:
        numbers.append(
            ReportedNumber(
                f"workup.perfused_volume.{p.territory}",
                f"Perfused volume, {p.territory}",
                p.volume_ml,
                "mL",
                "V = Σ occupancy · V_voxel",
                "territory contour",
                PERFUSION_VERSION,
            )  # fmt: skip
        )
        if p.tumour_to_normal is not None:
            numbers.append(
                ReportedNumber(
                    f"workup.tumour_to_normal.{p.territory}",
                    f"Tumour-to-normal ratio, {p.territory}",
                    p.tumour_to_normal,
                    "1",
                    "TN = (A_T / m_T) / (A_N / m_N)",
                    "ratio of recovered concentrations",
                    PERFUSION_VERSION,
                )  # fmt: skip
            )
    return numbers


def _share_numbers(uptake: CompartmentUptake) -> list[ReportedNumber]:
    numbers = []
    for c in uptake.compartments:
        if c.kind is StructureKind.EXTRAHEPATIC:
            numbers.append(
                ReportedNumber(
                    f"workup.extrahepatic.{c.label}",
                    f"Share of counts in {c.label}",
                    _times(c.share, PERCENT),
                    "%",
                    "c_organ / (c_liver + c_lung + c_organs)",
                    "recovered compartments",
                    EXTRAHEPATIC_VERSION,
                    shape=Shape.NORMAL,
                )  # fmt: skip
            )
        if c.kind is StructureKind.TUMOUR and np.isfinite(c.recovery):  # a lesion without uptake has none
            recovery = Measured(c.recovery, {"psf_width": c.recovery * uptake.fwhm_mm.relative_uncertainty})
            numbers.append(
                ReportedNumber(
                    f"workup.recovery.{c.label}",
                    f"Apparent recovery, {c.label} (spill-in included)",
                    recovery,
                    "1",
                    "RC = concentration seen / concentration recovered",
                    "geometric transfer matrix",
                    RECOVERY_VERSION,
                    shape=Shape.NORMAL,
                    sources=("Rousset, Ma and Evans, J Nucl Med 1998;39:904",),
                )  # fmt: skip
            )
    return numbers


def _volume_numbers(scene: Scene, uptake: CompartmentUptake) -> list[ReportedNumber]:
    """Volume and mass of every structure that doses are reported for."""
    numbers = []
    shown = (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER, StructureKind.EXTRAHEPATIC)
    rows = [(c.key, c.volume_ml) for c in uptake.compartments if c.kind in shown]
    normal = [c for c in uptake.compartments if c.kind is StructureKind.NORMAL_LIVER]
    if normal:
        rows.append(
            ("normal_liver", propagate(lambda **v: sum(v.values()), **{f"x{n}": c.volume_ml for n, c in enumerate(normal)}))
        )
    whole = [c for c in uptake.compartments if c.kind in (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER)]
    rows.append(("liver", propagate(lambda **v: sum(v.values()), **{f"x{n}": c.volume_ml for n, c in enumerate(whole)})))
    density = Measured(SOFT_TISSUE.value, {"liver_density": SOFT_TISSUE.standard_uncertainty})
    for key, volume in rows:
        numbers.append(
            ReportedNumber(
                f"volume.{key}",
                f"Volume of {key}",
                volume,
                "mL",
                "V = Σ occupancy · V_voxel",
                "contour on the working grid",
                "1",
                sources=("Gear et al. 2018",),
            )
        )
        mass = propagate(lambda v, rho: v * rho, v=volume, rho=density)
        numbers.append(
            ReportedNumber(
                f"mass.{key}", f"Mass of {key}", mass, "g", "m = ρ · V", "soft tissue density", "1", constants=(SOFT_TISSUE,)
            )
        )
    lungs = uptake.of_kind(StructureKind.LUNGS)
    if lungs:
        numbers.append(
            ReportedNumber(
                "volume.lungs",
                "Volume of lungs",
                lungs[0].volume_ml,
                "mL",
                "V = Σ occupancy · V_voxel",
                "contour on the working grid",
                "1",
            )
        )
        numbers.append(
            ReportedNumber(
                "mass.lungs",
                "Mass of lungs",
                _times(scene.lungs_mass.kg, 1000.0),
                "g",
                "m = Σ ρ(HU) · V",
                scene.lungs_mass.origin,
                LUNG_MASS_VERSION,
            )
        )
    return numbers


def ledger_lines(ledger: CountLedger) -> tuple[LedgerLine, ...]:
    """The ledger as it stands in documents."""
    return tuple(LedgerLine(e.step, e.before, e.kept, e.lost, e.unit, e.note) for e in ledger.entries)


def parameters_of(options: object) -> tuple[tuple[str, str], ...]:
    """Every setting with its value, nested ones with their path."""
    from opensirt.encoding import unstructure

    def walk(prefix: str, value: object) -> list[tuple[str, str]]:
        if isinstance(value, dict):
            return [pair for key, item in value.items() for pair in walk(f"{prefix}.{key}" if prefix else str(key), item)]
        return [(prefix, "default" if value is None or value == "" else str(value))]

    return tuple(walk("", unstructure(options)))


def describe_grid(grid: Grid) -> str:
    """The working grid in words."""
    return grid.describe()


def run_workup(case_path: Path, options: WorkupOptions, report: Callable[[float], None]) -> WorkupReport:
    """Compute the work-up of a case and keep it as an artefact.

    Parameters
    ----------
    case_path : Path
        Case folder with an imported study.
    options : WorkupOptions
        How it is computed.
    report : callable
        Takes progress from 0 to 1.
    """
    case = open_case(case_path)
    study = load_study(case)
    workup = compute_workup(study, options, report)
    document = WorkupReport(
        case.case_id,
        case.synthetic or study.index.synthetic,
        describe_grid(workup.scene.grid),
        workup.numbers,
        ledger_lines(workup.ledger),
        workup.findings,
        parameters_of(options),
        input_hashes(study.index),
    )
    with case.writing():
        artefact = case.save_artefact(to_json(document, SCHEMA, VERSION), SCHEMA, VERSION)
        case.append(
            EventKind.WORKUP_COMPUTED,
            "operator",
            now(),
            artefacts=[artefact],
            numbers={"lung_shunt_percent": PERCENT * workup.lung_shunt.value},
        )
    return document
