"""A formula that ``calc`` offers, what it answers, and the pieces that several formulas share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opensirt.imaging.tissue import SOFT_TISSUE
from opensirt.radioembolisation.workup.lung_mass import DECLARED
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.limits import LUNG_SINGLE
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.nuclides import DoseConstant, Nuclide, nuclide_named
from opensirt.vocabulary.provenance import Constant, Input, Mark, ReportedNumber
from opensirt.vocabulary.units import G_PER_KG
from opensirt.workflow.calc_fields import Field, Kind, Values


@dataclass(frozen=True)
class Outcome:
    """What a formula answers: explained numbers, other facts by name, findings."""

    numbers: tuple[ReportedNumber, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class CalcModel:
    """One formula by name.

    Attributes
    ----------
    name, about : str
        For the list.
    fields : tuple of Field
        What it asks for.
    run : callable
        From values that were found right to its outcome.
    """

    name: str
    about: str
    fields: tuple[Field, ...]
    run: Callable[[Values], Outcome]


@dataclass(frozen=True)
class Method:
    """Name, version, formula and literature of a method, as every number of it carries them."""

    name: str
    version: str
    formula: str
    sources: tuple[str, ...] = ()
    constants: tuple[Constant, ...] = ()
    inputs: tuple[Input, ...] = ()

    def number(self, key: str, label: str, measured: Measured, unit: str) -> ReportedNumber:
        """An explained number."""
        return ReportedNumber(
            key, label, measured, unit, self.formula, self.name, self.version, self.inputs, self.constants, sources=self.sources
        )


NUCLIDE = Field("nuclide", Kind.TEXT, "radionuclide", "Y-90")
DOSE_CONSTANT = Field(
    "dose_constant", Kind.CONSTANT, "dose constant, Gy·kg/GBq; the first published one where not stated", "49.67", None
)
LUNG_SHUNT = Field("lung_shunt_fraction", Kind.FRACTION, "lung shunt fraction", 0.1, plausible=(0.0, 0.4))
LUNG_MASS = Field("lung_mass_kg", Kind.POSITIVE, "lung mass; the conventional 1 kg where not stated", 1.0, None, (0.3, 2.0))
RESIDUAL = Field("residual_fraction", Kind.FRACTION, "share of the dispensed activity that stays behind", 0.0, 0.0, (0.0, 0.25))
ACTIVITY_RANGE_GBQ = (0.01, 20.0)
MASS_RANGE_KG = (0.001, 5.0)


def dose_constant(values: Values) -> DoseConstant:
    """The dose constant that a payload names; a number that no source carries is one the user answers for.

    Raises
    ------
    UnsupportedInput
        For an unknown nuclide or constant.
    """
    nuclide = nuclide_named(values.text("nuclide"))
    if not nuclide.trapped:
        raise InvalidValue(f"a dose of {nuclide.name}", "this formula is for what stays with its microsphere", "use Y-90 or Ho-166")
    if not nuclide.published_constants:
        raise InvalidValue(f"a dose of {nuclide.name}", "it makes images and is no therapy", "use Y-90 or Ho-166")
    return dose_constant_of(nuclide, values.raw("dose_constant"))


def dose_constant_of(nuclide: Nuclide, stated: str | float | None) -> DoseConstant:
    """A dose constant by name or number; the first published one where nothing is stated.

    Raises
    ------
    UnsupportedInput
        For an unknown name.
    """
    if stated is None or isinstance(stated, str):
        return nuclide.dose_constant(stated or "")
    for constant in nuclide.dose_constants:
        if constant.value == stated:
            return constant
    key = f"{nuclide.name}.dose_constant.stated"
    return DoseConstant("stated", Constant(key, float(stated), "Gy·kg/GBq", "stated by the user", 0.0, Mark.ASSUMED))


def constant_measured(constant: DoseConstant) -> Measured:
    """A dose constant with its spread."""
    return Measured(constant.value, {"dose_constant": constant.gy_kg_per_gbq.standard_uncertainty})


def lung_mass(values: Values) -> tuple[Measured, tuple[Constant, ...], tuple[Finding, ...]]:
    """Lung mass in kg: what was stated, or the declared convention with its source and a finding."""
    if values.has("lung_mass_kg"):
        return values.measured("lung_mass_kg"), (), ()
    message = (
        f"no lung mass was stated; the conventional {DECLARED.value:g} kg stands · lung dose rests on it · state the mass from CT"
    )
    finding = Finding("lung_mass.declared", Severity.NOTE, message, "lungs", DECLARED.source)
    return Measured(DECLARED.value, {"declared_lung_mass": DECLARED.standard_uncertainty}), (DECLARED,), (finding,)


def mass_from(values: Values, mass_key: str, volume_key: str) -> tuple[Measured, tuple[Constant, ...]]:
    """A mass in kg, stated as such or as a volume in mL times a density in g/mL.

    Raises
    ------
    InvalidValue
        If both or neither are stated.
    """
    if values.has(mass_key) == values.has(volume_key):
        raise InvalidValue(f"{mass_key} and {volume_key}", "exactly one of them is needed", "state one and leave out the other")
    if values.has(mass_key):
        return values.measured(mass_key), ()
    volume = values.measured(volume_key)
    if values.has("density_g_per_ml"):
        return propagate(lambda v, rho: v * rho / G_PER_KG, v=volume, rho=values.measured("density_g_per_ml")), ()
    density = Measured(SOFT_TISSUE.value, {"liver_density": SOFT_TISSUE.standard_uncertainty})
    return propagate(lambda v, rho: v * rho / G_PER_KG, v=volume, rho=density), (SOFT_TISSUE,)


def one_of(values: Values, first: str, second: str) -> str:
    """Which of two keys is stated.

    Raises
    ------
    InvalidValue
        If both or neither are.
    """
    if values.has(first) == values.has(second):
        raise InvalidValue(f"{first} and {second}", "exactly one of them is needed", "state one and leave out the other")
    return first if values.has(first) else second


def own_source(measured: Measured, key: str, injection: str) -> Measured:
    """An uncertainty stated for one injection belongs to it alone; named sources stay shared."""
    renamed = {(f"{key}.{injection}" if source == key else source): u for source, u in measured.contributions.items()}
    return Measured(measured.value, renamed)


def require_density_used(values: Values, *volume_keys: str) -> None:
    """Refuse a density beside masses alone: it would change nothing, unseen.

    Raises
    ------
    InvalidValue
        If a density is stated and no volume.
    """
    if values.stated("density_g_per_ml") and not any(values.has(key) for key in volume_keys):
        raise InvalidValue(
            "density_g_per_ml is stated", "a stated mass needs no density", "leave it out, or state volumes instead of masses"
        )


def lung_findings(lung_gy: Measured) -> tuple[Finding, ...]:
    """A finding if the lungs receive more than the limit of one treatment."""
    if lung_gy.value <= LUNG_SINGLE.value_gy:
        return ()
    message = f"lung dose {lung_gy.value:.3f} Gy exceeds {LUNG_SINGLE.value_gy:g} Gy for one treatment · radiation pneumonitis · lower the activity"
    return (Finding("dose.lung_above_limit", Severity.CRITICAL, message, "lungs", LUNG_SINGLE.source),)


def inputs_of(values: Values, fields: Sequence[Field]) -> tuple[Input, ...]:
    """The inputs of a payload as they are shown to a person; defaults say that they are."""
    shown = []
    for each in fields:
        if not values.has(each.key):
            continue
        value = values.raw(each.key)
        text = f"{value.value:g}" if isinstance(value, Measured) else str(value)
        shown.append(Input(each.key, text, "", "stated" if values.stated(each.key) else "default"))
    return tuple(shown)
