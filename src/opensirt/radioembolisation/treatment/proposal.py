"""The plan as it is put before a person: every number with its interval and reasons, every finding, nothing decided.

A :class:`PlanProposal` is what ``plan.json`` holds and what the report shows. It carries no volume; volumes are named by hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Fault, Finding
from opensirt.vocabulary.provenance import ReportedNumber

SCHEMA = "opensirt.plan"
VERSION = 1


@dataclass(frozen=True)
class LedgerLine:
    """One step of the count ledger: what went in, what was kept, what was left outside, in ``unit``."""

    step: str
    before: float
    kept: float
    lost: float
    unit: str
    note: str = ""


@dataclass(frozen=True)
class DvhCurve:
    """A cumulative dose-volume histogram with its 90 % band.

    ``volume_fraction[n]`` of the structure receives at least ``dose_gy[n]``; ``lower`` and ``upper`` bound it.
    """

    structure: str
    engine: str
    dose_gy: tuple[float, ...]
    volume_fraction: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True)
class ComparisonRow:
    """Mean dose of one structure by one model: a cell of the side-by-side table.

    ``number_key`` points into :attr:`PlanProposal.numbers`; ``note`` says why the model does not apply where it is empty.
    """

    structure: str
    model: str
    number_key: str
    note: str = ""


@dataclass(frozen=True)
class LimitCheck:
    """How the plan stands against one limit or target.

    ``role`` is ``"limit"`` or ``"target"``; ``binding`` tells that it fixed the activity; ``probability_exceeded`` comes from the
    number's uncertainty.
    """

    name: str
    role: str
    structure: str
    value_gy: float
    number_key: str
    binding: bool
    probability_exceeded: float
    source: str
    mark: str


@dataclass(frozen=True)
class InjectionProposal:
    """Activity proposed for one injection position, at the treatment instant."""

    territory: str
    activity_key: str
    """Key of the activity to deliver, in GBq, in :attr:`PlanProposal.numbers`."""
    tumours: tuple[str, ...]
    perfused_volume_key: str
    tumour_to_normal_key: str


@dataclass(frozen=True)
class VialOption:
    """One vial that could serve one injection: size at calibration, when, and what is in it at the treatment instant."""

    territory: str
    size_gbq: float
    calibrated_at: datetime
    activity_at_treatment_gbq: float
    relative_excess: float
    """(activity at treatment · (1 − residual) − planned) / planned."""
    equals_plan_at: datetime
    """Instant at which the vial holds exactly what the plan needs."""
    days_after_calibration: float
    usable: bool
    note: str = ""


@dataclass(frozen=True)
class StructureSummary:
    """One structure of the plan: what it is, where its contour came from, and the keys of its volume and mass."""

    key: str
    label: str
    origin: str
    volume_key: str
    mass_key: str
    mask_sha256: str


@dataclass(frozen=True)
class Cell:
    """One cell of a table: plain text, or the key of a number of the plan (then the text is empty)."""

    text: str = ""
    number_key: str = ""


@dataclass(frozen=True)
class PlanTable:
    """A table of the plan: models against each other, metrics with intervals, radiobiology, orders, late effects, eligibility.

    Attributes
    ----------
    key : str
        Stable name: ``"models"``, ``"model_reasons"``, ``"dvh_metrics"``, ``"radiobiology"``, ``"order"``, ``"schedule"``,
        ``"late_effects"``, ``"eligibility"``.
    title : str
        Heading for people.
    columns : tuple of str
        Column heads, with units.
    rows : tuple of tuple of Cell
        Each as long as ``columns``.
    note : str
        What a reader must know to read it rightly.
    sources : tuple of str
        Literature.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wrong = [n for n, row in enumerate(self.rows, start=1) if len(row) != len(self.columns)]
        if wrong:
            raise InvalidValue(
                f"table {self.key!r} has rows {wrong} that are not {len(self.columns)} cells long", "", "give one cell per column"
            )


@dataclass(frozen=True)
class BudgetShare:
    """One source of uncertainty of a number: its share of the variance, and what would make it smaller.

    ``halved_interval_fraction`` is the width of the 90 % interval, relative to the present one, if this source were halved.
    """

    source: str
    label: str
    variance_fraction: float
    halved_interval_fraction: float
    remedy: str


@dataclass(frozen=True)
class UncertaintyBudget:
    """Budget of one number, largest share first."""

    number_key: str
    shares: tuple[BudgetShare, ...]


@dataclass(frozen=True)
class PlanProposal:
    """Everything a person needs to check a plan line by line."""

    schema: str
    version: int
    program_version: str
    created_at: datetime
    case_id: str
    synthetic: bool
    product: str
    nuclide: str
    indication: str
    setting: str
    dose_constant: str
    engine: str
    treatment_at: datetime
    working_grid: str
    intent: str
    numbers: tuple[ReportedNumber, ...]
    structures: tuple[StructureSummary, ...]
    injections: tuple[InjectionProposal, ...]
    comparison: tuple[ComparisonRow, ...]
    limits: tuple[LimitCheck, ...]
    vials: tuple[VialOption, ...]
    dvh: tuple[DvhCurve, ...]
    ledger: tuple[LedgerLine, ...]
    findings: tuple[Finding, ...]
    faults: tuple[Fault, ...]
    input_sha256: tuple[tuple[str, str], ...]
    """(role, hash) of every volume and structure that went in."""
    parameters: tuple[tuple[str, str], ...]
    """(name, value) of every setting that was in force."""
    tables: tuple[PlanTable, ...] = ()
    budgets: tuple[UncertaintyBudget, ...] = ()

    def number(self, key: str) -> ReportedNumber:
        """The number of that key.

        Raises
        ------
        KeyError
            If the plan holds no such number.
        """
        for number in self.numbers:
            if number.key == key:
                return number
        raise KeyError(key)
