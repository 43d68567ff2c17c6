"""What is known of one injection, or of a treatment taken as one: the common input of every activity model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from opensirt.imaging.tissue import SOFT_TISSUE
from opensirt.radioembolisation.dosimetry.models.checks import require_fraction, require_not_negative, require_positive
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.products import Product

_SAME_VOLUME_RELATIVE = 0.01
"""A perfused volume stated beside its parts may differ by this from their sum (partial voxels); beyond, the statements contradict."""


@dataclass(frozen=True)
class Unknown:
    """What is not known, or what a model cannot say, and why."""

    reason: str


@dataclass(frozen=True)
class AsPublished:
    """Stands for a constant that every model takes as its own publication has it, instead of one common value."""


NOT_STATED = Unknown("it was not stated")
AS_PUBLISHED = AsPublished()
Quantity = Measured | Unknown


_APART = (
    StructureKind.TUMOUR,
    StructureKind.PERFUSED_NORMAL_LIVER,
    StructureKind.NORMAL_LIVER,
    StructureKind.EXTRAHEPATIC,
    StructureKind.OTHER,
)


@dataclass(frozen=True)
class CompartmentFacts:
    """One compartment of the injection: what it is, its counts in the scout image (any unit), its volume."""

    kind: StructureKind
    counts: Measured
    volume_ml: Measured

    def __post_init__(self) -> None:
        if self.kind not in _APART:
            raise InvalidValue(
                f"a compartment of kind {self.kind.value}",
                "compartments lie side by side; it would count twice, or comes through the shunt",
                f"use {', '.join(kind.value for kind in _APART)}",
            )
        require_not_negative(self.counts.value, f"counts of {self.kind.value}", "counts")
        require_positive(self.volume_ml.value, f"volume of {self.kind.value}", "mL")


@dataclass(frozen=True, kw_only=True)
class InjectionFacts:
    """What is known of one injection, or of the whole treatment; every number with its uncertainty.

    Attributes
    ----------
    product : Product
        The microspheres, hence the nuclide.
    constant : DoseConstant or AsPublished
        One dose constant for all models, or each model's own.
    density_g_per_ml : Measured or AsPublished
        Turns volumes inside the liver into masses, g/mL; one for all models, or each model's own.
    perfused_tumour_ml, perfused_normal_ml : Measured or Unknown
        Tumour, and liver without tumour, that this injection reaches, mL. A normal volume of 0 is a segmentectomy without normal
        liver, where the tumour-to-normal ratio is infinite.
    perfused_ml : Measured or Unknown
        Both together, mL; needed only where the parts are not known.
    liver_tumour_ml, liver_normal_ml : Measured or Unknown
        Tumour, and liver without tumour, of the whole organ, mL.
    tumour_to_normal : Measured or Unknown
        Ratio of concentrations, (A_T/m_T)/(A_N/m_N).
    activity_ratio : Measured or Unknown
        Ratio of activities A_T/A_N (Kao's R), where it was measured as such.
    lung_shunt_fraction : Measured or Unknown
        A_L/(A_L + A_T + A_N).
    artery_shunt_fraction : Measured or Unknown
        A_L/(A_L + A_T) of the artery (Kao's TLSF), where it was measured as such.
    lung_mass_kg : Measured or Unknown
        kg.
    compartments : mapping of str to CompartmentFacts, or Unknown
        Counts and volumes by name, lungs not among them.
    height_cm, weight_kg : Measured or Unknown
        Of the patient.
    residual_fraction : Measured
        Share of what is dispensed that stays behind.
    scout_gbq : Measured
        Activity of a therapeutic scout at its administration, GBq; 0 for MAA.

    Raises
    ------
    InvalidValue
        If a volume, mass or ratio cannot be.
    InconsistentInput
        If the perfused volume contradicts its parts.
    """

    product: Product
    constant: DoseConstant | AsPublished = AS_PUBLISHED
    density_g_per_ml: Measured | AsPublished = AS_PUBLISHED
    perfused_tumour_ml: Quantity = NOT_STATED
    perfused_normal_ml: Quantity = NOT_STATED
    perfused_ml: Quantity = NOT_STATED
    liver_tumour_ml: Quantity = NOT_STATED
    liver_normal_ml: Quantity = NOT_STATED
    tumour_to_normal: Quantity = NOT_STATED
    activity_ratio: Quantity = NOT_STATED
    lung_shunt_fraction: Quantity = NOT_STATED
    artery_shunt_fraction: Quantity = NOT_STATED
    lung_mass_kg: Quantity = NOT_STATED
    compartments: Mapping[str, CompartmentFacts] | Unknown = NOT_STATED
    height_cm: Quantity = NOT_STATED
    weight_kg: Quantity = NOT_STATED
    residual_fraction: Measured = Measured(0.0)
    scout_gbq: Measured = Measured(0.0)

    def __post_init__(self) -> None:
        for name, unit in _NOT_NEGATIVE.items():
            _check(getattr(self, name), name, unit, require_not_negative)
        for name, unit in _POSITIVE.items():
            _check(getattr(self, name), name, unit, require_positive)
        for name in ("lung_shunt_fraction", "artery_shunt_fraction", "residual_fraction"):
            value = getattr(self, name)
            if isinstance(value, Measured):
                require_fraction(value.value, name.replace("_", " "))
        if isinstance(self.compartments, Mapping):
            object.__setattr__(self, "compartments", MappingProxyType(dict(self.compartments)))
        self._require_consistent_parts()

    def _require_consistent_parts(self) -> None:
        whole, tumour, normal = self.perfused_ml, self.perfused_tumour_ml, self.perfused_normal_ml
        if not (isinstance(whole, Measured) and isinstance(tumour, Measured) and isinstance(normal, Measured)):
            return
        parts = tumour.value + normal.value
        if not math.isclose(whole.value, parts, rel_tol=_SAME_VOLUME_RELATIVE):
            raise InconsistentInput(
                f"a perfused volume of {whole.value:g} mL, and {tumour.value:g} mL tumour + {normal.value:g} mL normal liver = {parts:g} mL",
                "one of them is wrong",
                "leave the perfused volume out, or correct the contours",
            )

    def known(self, name: str) -> Measured:
        """The quantity of that name.

        Raises
        ------
        MissingInput
            If it is not known, with the reason.
        """
        value = getattr(self, name)
        if isinstance(value, Measured):
            return value
        raise MissingInput(f"{name} is not known: {value.reason}", "", "state it, or use a model that does not need it")

    def knows(self, *names: str) -> bool:
        """Whether all of these quantities are known."""
        return not any(isinstance(getattr(self, name), Unknown) for name in names)

    def density(self, published: Measured) -> Measured:
        """Density in g/mL: the common one, or what a model's publication has."""
        return published if isinstance(self.density_g_per_ml, AsPublished) else self.density_g_per_ml

    def dose_constant(self, published: Mapping[str, str]) -> DoseConstant:
        """The dose constant: the common one, or what a model's publication has for this nuclide (name by nuclide)."""
        if isinstance(self.constant, DoseConstant):
            return self.constant
        return self.product.nuclide.dose_constant(published.get(self.product.nuclide.name, ""))


_NOT_NEGATIVE = {
    "perfused_tumour_ml": "mL",
    "perfused_normal_ml": "mL",
    "liver_tumour_ml": "mL",
    "liver_normal_ml": "mL",
    "scout_gbq": "GBq",
}
_POSITIVE = {
    "perfused_ml": "mL",
    "density_g_per_ml": "g/mL",
    "tumour_to_normal": "",
    "activity_ratio": "",
    "lung_mass_kg": "kg",
    "height_cm": "cm",
    "weight_kg": "kg",
}
QUANTITIES = tuple(field.name for field in fields(InjectionFacts) if field.name not in {"product", "constant"})
"""Names of everything a model may need."""
LIVER_DENSITY = Measured(SOFT_TISSUE.value, {"liver_density": SOFT_TISSUE.standard_uncertainty})
"""Density of soft tissue, g/mL, where a model's publication has none of its own."""


def _check(value: object, name: str, unit: str, require: object) -> None:
    if isinstance(value, Measured) and callable(require):
        require(value.value, name.rsplit("_", 1)[0].replace("_", " "), unit)
