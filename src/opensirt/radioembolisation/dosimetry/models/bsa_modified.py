"""Body-surface activity for one lobe: the rule of the whole liver with the lobe's involvement, scaled to the lobe's share.

``A = (BSA − 0.2 + V_T,lobe / V_lobe) · V_lobe / V_liver · f(L)``. The formula was not read in a source by us: it is marked unverified and is
for comparison. V_lobe and V_liver are volumes with their tumours.
"""

from __future__ import annotations

from dataclasses import dataclass

from opensirt.outcomes.body_surface import DU_BOIS_FORMULA, DU_BOIS_SOURCE
from opensirt.radioembolisation.dosimetry.models import resin_shunt
from opensirt.radioembolisation.dosimetry.models.bsa import (
    OFFSET,
    SurfaceInputs,
    body_surface,
    doses_through,
    goal_ignored,
    require_part,
    surface_findings,
    unreduced_gbq,
)
from opensirt.radioembolisation.dosimetry.models.checks import require_positive
from opensirt.radioembolisation.dosimetry.models.facts import InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import Goal
from opensirt.radioembolisation.dosimetry.models.linear import missing_of, silence
from opensirt.radioembolisation.dosimetry.models.protocol import Missing, ModelDoses, Prescription
from opensirt.radioembolisation.dosimetry.models.validity import product_findings, shunt_findings
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.provenance import Constant

KEY = "bsa-modified"
NAME = "body surface by lobe (resin)"
VERSION = "1"
FORMULA = f"A = (BSA − 0.2 + V_T,lobe / V_lobe) · V_lobe / V_liver · f(L);  f: {resin_shunt.FORMULA};  {DU_BOIS_FORMULA}"
SOURCES = ("lobar form: not read in a source", "van Roekel thesis p. 30", DU_BOIS_SOURCE)
UNVERIFIED = Finding(
    "bsa_modified.unverified",
    Severity.WARNING,
    "the lobar form of the body-surface rule was not read in a source · use it for comparison; a person checks the formula before it is used for more",
    KEY,
)


@dataclass(frozen=True)
class LobeInputs:
    """Body surface (m²), tumour in the lobe, lobe and whole liver with their tumours (mL), lung shunt fraction (0 to below 1)."""

    body_surface_m2: float
    lobe_tumour_ml: float
    lobe_ml: float
    liver_ml: float
    lung_shunt_fraction: float

    def __post_init__(self) -> None:
        require_positive(self.lobe_ml, "lobe volume", "mL")
        require_positive(self.liver_ml, "liver volume", "mL")
        require_part(self.lobe_tumour_ml, self.lobe_ml)
        if self.lobe_ml > self.liver_ml * (1.0 + _SAME):
            raise InvalidValue(
                f"a lobe of {self.lobe_ml:g} mL in {self.liver_ml:g} mL liver", "a part exceeds the whole", "check both volumes"
            )


_SAME = 1e-9
"""A lobe that is the whole liver may exceed it by rounding."""


def unreduced_lobe_gbq(inputs: LobeInputs) -> float:
    """Activity before lung shunt is looked at, GBq."""
    lobe = SurfaceInputs(inputs.body_surface_m2, inputs.lobe_tumour_ml, inputs.lobe_ml, inputs.lung_shunt_fraction)
    return unreduced_gbq(lobe) * inputs.lobe_ml / inputs.liver_ml


def activity_gbq(inputs: LobeInputs) -> float | Unknown:
    """Activity, GBq, or why none is given (lung shunt above 20 %)."""
    factor = resin_shunt.reduction_factor(inputs.lung_shunt_fraction)
    return factor if isinstance(factor, Unknown) else unreduced_lobe_gbq(inputs) * factor


@dataclass(frozen=True)
class LobarBodySurface:
    """Lobar rule; see :class:`~opensirt.radioembolisation.dosimetry.models.protocol.ActivityModel`."""

    key: str = KEY
    name: str = NAME
    version: str = VERSION
    formula: str = FORMULA
    sources: tuple[str, ...] = SOURCES
    needs: tuple[str, ...] = (
        *("height_cm", "weight_kg", "perfused_tumour_ml", "perfused_normal_ml"),
        *("liver_tumour_ml", "liver_normal_ml", "lung_shunt_fraction"),
    )

    def missing(self, facts: InjectionFacts) -> tuple[Missing, ...]:
        """Needs of which nothing is known."""
        return missing_of(facts, self.needs)

    def validity(self, facts: InjectionFacts) -> tuple[Finding, ...]:
        """Unverified; product, body surface outside the adult range, lung shunt steps, resin above 20 %."""
        found = [UNVERIFIED, *product_findings(facts, self.key, ("resin",)), *shunt_findings(facts)]
        if facts.knows("height_cm", "weight_kg"):
            found += surface_findings(body_surface(facts))
        if isinstance(facts.lung_shunt_fraction, Measured):
            found += resin_shunt.reduction_findings(facts.lung_shunt_fraction)
        return tuple(found)

    def constants(self, facts: InjectionFacts) -> tuple[Constant, ...]:
        """Offset and steps; the rule knows no dose constant."""
        return (OFFSET, *resin_shunt.CONSTANTS)

    def activity(self, facts: InjectionFacts, goal: Goal) -> Prescription | Unknown:
        """Activity of the perfused part of the liver; no goal is read."""
        if self.missing(facts):
            return silence(self.missing(facts))
        shunt = facts.known("lung_shunt_fraction")
        factor = resin_shunt.reduction_factor(shunt.value)
        if isinstance(factor, Unknown):
            return factor
        step = factor

        def _rule(surface: float, tumour: float, normal: float, liver_tumour: float, liver_normal: float) -> float:
            inputs = LobeInputs(surface, tumour, tumour + normal, liver_tumour + liver_normal, shunt.value)
            return step * unreduced_lobe_gbq(inputs)

        found = propagate(
            _rule,
            surface=body_surface(facts),
            tumour=facts.known("perfused_tumour_ml"),
            normal=facts.known("perfused_normal_ml"),
            liver_tumour=facts.known("liver_tumour_ml"),
            liver_normal=facts.known("liver_normal_ml"),
        )
        return Prescription(found, found, findings=goal_ignored(goal, self.key))

    def doses(self, facts: InjectionFacts, delivered_gbq: Measured) -> ModelDoses | Unknown:
        """Through partition or MIRD: the rule itself knows no dose."""
        return doses_through(facts, delivered_gbq)
