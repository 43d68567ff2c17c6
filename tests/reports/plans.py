"""A small plan made by hand, with everything that a report can hold, and small volumes to draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np

from opensirt.radioembolisation.treatment.proposal import (
    SCHEMA,
    VERSION,
    BudgetShare,
    Cell,
    ComparisonRow,
    DvhCurve,
    InjectionProposal,
    LedgerLine,
    LimitCheck,
    PlanProposal,
    PlanTable,
    StructureSummary,
    UncertaintyBudget,
    VialOption,
)
from opensirt.reports import document as d
from opensirt.reports.pictures import PlanPictures
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.findings import Fault, Finding, Severity
from opensirt.vocabulary.measured import Measured, exact
from opensirt.vocabulary.provenance import Constant, Input, Mark, ReportedNumber, Shape
from opensirt.vocabulary.volumes import CountsMap, DoseMap, HounsfieldMap, Mask
from strategies import grid_about

AT = datetime(2026, 3, 11, 10, 0, tzinfo=timezone(timedelta(hours=1)))
CREATED = datetime(2026, 3, 2, 17, 5, 9, tzinfo=UTC)
ENGINE = "recovered counts, kernel-density"
DOSE_CONSTANT = Constant("Y-90.dose_constant.49.67", 49.67, "Gy·kg/GBq", "EANM 2022", 0.17, Mark.FOUND)
GUESSED = Constant("vial.shelf_life_days", 12.0, "d", "package insert, edition not seen", 0.0, Mark.UNVERIFIED)
TABLE_KEYS = (
    "dvh_metrics",
    "models",
    "model_reasons",
    "radiobiology",
    "late_effects",
    "eligibility",
    "order",
    "schedule",
    "of_a_later_release",
)


def number(key: str, label: str, value: float, unit: str, **sources: float) -> ReportedNumber:
    return ReportedNumber(
        key, label, Measured(value, {name.replace("__", "."): u for name, u in sources.items()}), unit, "D = K · A / m", f"method of {label}", "3",
        (Input("A", "1.79", "GBq", "this plan"),), (DOSE_CONSTANT,), Shape.LOGNORMAL, ("A source, 2022",), ("ab" * 32,),
    )  # fmt: skip


def _tables() -> tuple[PlanTable, ...]:
    rows = ((Cell("tumour T1"), Cell(number_key="extra.T1"), Cell("1.25")), (Cell("normal liver"), Cell(), Cell("no α/β known")))
    return tuple(
        PlanTable(key, f"Title of {key}", ("Structure", "BED (Gy)", "Ratio"), rows, f"Note of {key}.", (f"Literature of {key}",))
        for key in TABLE_KEYS
    )


def small_plan(tumours: int = 2, findings: tuple[Finding, ...] | None = None, *, synthetic: bool = True) -> PlanProposal:
    """Two injections, ``tumours`` tumours, two limits, one target without a structure, every table and budget."""
    names = [f"T{n}" for n in range(1, tumours + 1)]
    numbers = [
        number("activity.right", "Activity to deliver, right", 1.79, "GBq", contour__liver=0.1, calibration=0.05),
        number("activity.left", "Activity to deliver, left", 1.04, "GBq", contour__liver=0.06, calibration=0.03),
        number("workup.perfused_volume.right", "Perfused volume, right", 1348.4, "mL", contour__liver=60.0),
        replace(number("workup.lung_shunt.spect", "Lung shunt", 6.27, "%", lung_quantification=0.4), shape=Shape.NORMAL),
        number("dose.normal_liver", "Mean dose, normal liver", 50.0, "Gy", contour__liver=2.8),
        number("dose.lungs", "Mean dose, lungs", 6.06, "Gy", lung_density=0.8),
        number("mass.normal_liver", "Mass of normal liver", 1971.0, "g", liver_density=20.0),
        number("extra.T1", "BED of tumour T1", 161.8, "Gy", alpha_over_beta=12.0),
        replace(number("never.shown", "A number that no page shows", 3.25, "1"), measured=exact(3.25)),
    ]
    numbers += [
        number(f"dose.tumour.{t}", f"Mean dose, tumour {t}", 100.0 + 7.0 * n, "Gy", psf_width=9.0) for n, t in enumerate(names)
    ]
    keys = ["normal_liver", *(f"tumour.{t}" for t in names), "lungs"]
    dose = tuple(float(d) for d in np.linspace(0.0, 200.0, 60))
    fraction = tuple(float(f) for f in np.clip(1.2 - np.array(dose) / 160.0, 0.0, 1.0))
    graver = (
        Finding(
            "plan.organ",
            Severity.CRITICAL,
            "208 Gy to the <duodenum> · it lies outside · close the vessel",
            "lungs",
            "Rule & source",
        ),
        Finding("plan.scout", Severity.WARNING, "a scout is not the treatment · verify after it", source="Smits et al. 2020"),
        Finding("plan.remark", Severity.NOTE, "the map differs from the table · read means from the table"),
    )
    vials = tuple(
        VialOption("right", size, datetime(2026, 3, 8, 12, tzinfo=timezone(timedelta(hours=-4))), held, held / 1.79 - 1.0, AT, 2.708, usable, "first week")
        for size, held, usable in ((3.0, 1.485, True), (5.0, 2.476, False), (20.0, 9.9, False))
    )  # fmt: skip
    return PlanProposal(
        SCHEMA, VERSION, "9.8.7", CREATED, "CASE-0042", synthetic, "glass microspheres", "Y-90", "NET", "setting not stated", "49.67 Gy·kg/GBq", ENGINE, AT,
        "(20, 30, 40) voxels of 4 × 4 × 4 mm", "The largest dose that every limit allows.", tuple(numbers),
        tuple(StructureSummary(key, key.replace(".", " ").replace("_", " "), "RTSTRUCT", f"volume.{key}", f"mass.{key}", "cd" * 32) for key in keys),
        (
            InjectionProposal("right", "activity.right", ("tumour T1",), "workup.perfused_volume.right", ""),
            InjectionProposal("left", "activity.left", (), "", ""),
        ),
        (
            *(ComparisonRow(key, ENGINE, f"dose.{key}") for key in keys),
            ComparisonRow("normal_liver", "partition", "", "not defined here"),
            ComparisonRow("tumour.T1", "partition", "dose.tumour.T1", "one compartment for all tumours"),
        ),
        (
            LimitCheck("whole normal liver", "limit", "normal_liver", 50.0, "dose.normal_liver", True, 0.5, "EANM 2022, Table 2", "found"),
            LimitCheck("lung, one treatment", "limit", "lungs", 30.0, "dose.lungs", False, 1e-30, "thesis p. 30", "found"),
            LimitCheck("gallbladder", "limit", "extrahepatic.gallbladder", 25.0, "", False, 0.0, "the centre", "assumed"),
        ),
        vials, tuple(DvhCurve(key, engine, dose, fraction, fraction, fraction) for engine in (ENGINE, "voxel local") for key in keys),
        (LedgerLine("emission to grid", 3005293.0, 3005290.0, 3.0, "counts", "beyond the grid"),),
        graver if findings is None else findings, (Fault("ct.slice_missing", "slice 17 is missing", "1.2.3", "4.5.6"),),
        (("ct", "ab" * 32), ("emission", "ef" * 32)), (("product", "glass"), ("residual_fraction", "0.0061")), _tables(),
        (UncertaintyBudget("activity.right", (BudgetShare("contour.liver", "contour of the liver", 0.8, 0.63, "a second reader"),)),),
    )  # fmt: skip


def small_pictures() -> PlanPictures:
    """An oblique block of tissue with a hot sphere in it, on three different grids."""
    ct_grid = grid_about((0.0, 0.0, 0.0), (24, 40, 50), (6.0, 4.0, 4.0), (4.0, -7.0, 3.0))
    grid = grid_about((0.0, 0.0, 0.0), (20, 25, 30), (6.0, 6.0, 6.0))
    distance = np.linalg.norm(grid.lps_mm(np.stack(np.indices(grid.shape), axis=-1)) - np.array([10.0, 5.0, -8.0]), axis=-1)
    dose = 180.0 * np.exp(-((distance / 30.0) ** 2))
    masks = (
        Mask(distance < 60.0, grid, Structure(StructureKind.LIVER)),
        Mask(distance < 14.0, grid, Structure(StructureKind.TUMOUR, "T1")),
        Mask(distance < 45.0, grid, Structure(StructureKind.TERRITORY, "right")),
    )
    hu = np.full(ct_grid.shape, 50, dtype=np.int16)
    return PlanPictures(
        HounsfieldMap(hu, ct_grid), CountsMap(dose.astype(np.float32), grid), DoseMap(dose, grid), masks, (10.0, 5.0, -8.0)
    )


def flat(blocks) -> Iterator[object]:
    for block in blocks:
        if isinstance(block, d.OnePage | d.Folded):
            yield from flat(block.blocks)
        else:
            yield block


def inlines(block) -> Iterator[d.Inline]:
    if isinstance(block, d.Paragraph):
        yield from block.words
    elif isinstance(block, d.Bullets):
        for item in block.items:
            yield from item
    elif isinstance(block, d.Figure | d.Chart):
        yield from block.caption
    elif isinstance(block, d.Table):
        yield from (*block.caption, *block.below)
        for column in block.columns:
            yield from column.title
        for row in block.rows:
            for cell in row:
                yield from cell


def shown(report) -> list[d.Shown]:
    return [i for block in flat(report.blocks) for i in inlines(block) if isinstance(i, d.Shown)]


def said(report) -> str:
    parts = []
    for block in flat(report.blocks):
        parts += [i.text for i in inlines(block) if isinstance(i, d.Run | d.Shown)]
        parts += [block.text] if isinstance(block, d.Heading) else []
    return "\n".join(parts)
