"""Body-surface activity for resin: a bigger person, or a liver with more tumour, gets more.

``A = (BSA − 0.2 + V_T / V_liver) · f(L)`` in GBq with BSA in m² after Du Bois, V_liver the whole liver with its tumours, f the steps of
:mod:`~opensirt.radioembolisation.dosimetry.models.resin_shunt` (van Roekel thesis p. 30). It knows no dose: doses of its activity come
through partition or, where that lacks an input, through MIRD.
"""

from __future__ import annotations

from dataclasses import dataclass

from opensirt.outcomes.body_surface import DU_BOIS_FORMULA, DU_BOIS_SOURCE, du_bois_m2
from opensirt.radioembolisation.dosimetry.models import resin_shunt
from opensirt.radioembolisation.dosimetry.models.checks import require_not_negative, require_positive
from opensirt.radioembolisation.dosimetry.models.facts import InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import Goal
from opensirt.radioembolisation.dosimetry.models.linear import missing_of, silence
from opensirt.radioembolisation.dosimetry.models.mono import Mono
from opensirt.radioembolisation.dosimetry.models.partition import Partition
from opensirt.radioembolisation.dosimetry.models.protocol import Missing, ModelDoses, Prescription
from opensirt.radioembolisation.dosimetry.models.validity import product_findings, shunt_findings
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.provenance import Constant

KEY = "bsa"
NAME = "body surface (resin)"
VERSION = "1"
FORMULA = f"A = (BSA − 0.2 + V_T / V_liver) · f(L);  f: {resin_shunt.FORMULA};  {DU_BOIS_FORMULA}"
SOURCES = ("van Roekel thesis p. 30", DU_BOIS_SOURCE)
OFFSET = Constant("bsa.offset", 0.2, "m²", "van Roekel thesis p. 30")
ADULT_RANGE_M2 = (1.40, 2.52)
"""Body surfaces of 283 patients under this rule: BSA − 0.2 from 1.20 to 2.32 (Grosser et al. 2015)."""
ADULT_SOURCE = "Grosser et al. 2015 (n = 283)"


@dataclass(frozen=True)
class SurfaceInputs:
    """Body surface (m²), tumour and whole liver with tumour (mL), lung shunt fraction (0 to below 1)."""

    body_surface_m2: float
    tumour_ml: float
    liver_ml: float
    lung_shunt_fraction: float

    def __post_init__(self) -> None:
        require_positive(self.body_surface_m2, "body surface", "m²")
        require_not_negative(self.tumour_ml, "tumour volume", "mL")
        require_positive(self.liver_ml, "liver volume", "mL")
        require_part(self.tumour_ml, self.liver_ml)


def require_part(tumour_ml: float, whole_ml: float) -> None:
    """A tumour volume that fits into the liver it lies in.

    Raises
    ------
    InvalidValue
        If the tumour is larger than the liver with its tumours.
    """
    if tumour_ml > whole_ml:
        raise InvalidValue(
            f"{tumour_ml:g} mL tumour in {whole_ml:g} mL liver",
            "the liver's volume is meant with its tumours",
            "add tumour and normal liver, or check the contours",
        )


def unreduced_gbq(inputs: SurfaceInputs) -> float:
    """Activity before lung shunt is looked at, GBq.

    Raises
    ------
    InvalidValue
        If the formula gives nothing: a body surface below 0.2 m².
    """
    activity = inputs.body_surface_m2 - OFFSET.value + inputs.tumour_ml / inputs.liver_ml
    return require_positive(activity, "activity by body surface", "GBq")


def activity_gbq(inputs: SurfaceInputs) -> float | Unknown:
    """Activity, GBq, or why none is given (lung shunt above 20 %)."""
    factor = resin_shunt.reduction_factor(inputs.lung_shunt_fraction)
    return factor if isinstance(factor, Unknown) else unreduced_gbq(inputs) * factor


def surface_findings(body_surface_m2: Measured) -> tuple[Finding, ...]:
    """A body surface outside of what the rule was used on."""
    low, high = ADULT_RANGE_M2
    if low <= body_surface_m2.value <= high:
        return ()
    message = f"body surface {body_surface_m2.value:.2f} m² lies outside {low:g} to {high:g} m², where the rule was used on patients · height and weight may have slipped a unit; for such a person use a dose model"
    return (Finding("bsa.outside_adult_range", Severity.WARNING, message, "body surface", ADULT_SOURCE),)


def body_surface(facts: InjectionFacts) -> Measured:
    """Du Bois body surface of the patient, m²."""
    return propagate(
        lambda height, weight: du_bois_m2(height, weight), height=facts.known("height_cm"), weight=facts.known("weight_kg")
    )


def goal_ignored(goal: Goal, key: str) -> tuple[Finding, ...]:
    """That a rule of activity reads no dose."""
    aims = goal.for_model(key)
    if not aims:
        return ()
    message = (
        f"{key} is a rule of activity and reads none of: {'; '.join(aim.name for aim in aims)} · look at the doses of its activity"
    )
    return (Finding("model.goal_not_read", Severity.NOTE, message, key),)


def doses_through(facts: InjectionFacts, delivered_gbq: Measured) -> ModelDoses | Unknown:
    """Doses of an activity that came from a rule: by partition, or by MIRD where partition lacks an input."""
    found = Partition().doses(facts, delivered_gbq)
    if not isinstance(found, Unknown):
        return found
    mean = Mono().doses(facts, delivered_gbq)
    if not isinstance(mean, Unknown):
        return mean
    return Unknown(f"this rule is no dose model; partition: {found.reason}; MIRD: {mean.reason}")


@dataclass(frozen=True)
class BodySurface:
    """Whole-liver rule; see :class:`~opensirt.radioembolisation.dosimetry.models.protocol.ActivityModel`."""

    key: str = KEY
    name: str = NAME
    version: str = VERSION
    formula: str = FORMULA
    sources: tuple[str, ...] = SOURCES
    needs: tuple[str, ...] = ("height_cm", "weight_kg", "liver_tumour_ml", "liver_normal_ml", "lung_shunt_fraction")

    def missing(self, facts: InjectionFacts) -> tuple[Missing, ...]:
        """Needs of which nothing is known."""
        return missing_of(facts, self.needs)

    def validity(self, facts: InjectionFacts) -> tuple[Finding, ...]:
        """Product, body surface outside the adult range, lung shunt steps, resin above 20 %."""
        found = [*product_findings(facts, self.key, ("resin",)), *shunt_findings(facts)]
        if facts.knows("height_cm", "weight_kg"):
            found += surface_findings(body_surface(facts))
        if isinstance(facts.lung_shunt_fraction, Measured):
            found += resin_shunt.reduction_findings(facts.lung_shunt_fraction)
        return tuple(found)

    def constants(self, facts: InjectionFacts) -> tuple[Constant, ...]:
        """Offset and steps; the rule knows no dose constant."""
        return (OFFSET, *resin_shunt.CONSTANTS)

    def activity(self, facts: InjectionFacts, goal: Goal) -> Prescription | Unknown:
        """Activity of the whole liver; no goal is read."""
        if self.missing(facts):
            return silence(self.missing(facts))
        shunt = facts.known("lung_shunt_fraction")
        factor = resin_shunt.reduction_factor(shunt.value)
        if isinstance(factor, Unknown):
            return factor
        step = factor

        def _rule(surface: float, tumour: float, normal: float) -> float:
            return step * unreduced_gbq(SurfaceInputs(surface, tumour, tumour + normal, shunt.value))

        volumes = {"tumour": facts.known("liver_tumour_ml"), "normal": facts.known("liver_normal_ml")}
        found = propagate(_rule, surface=body_surface(facts), **volumes)
        return Prescription(found, found, findings=goal_ignored(goal, self.key))

    def doses(self, facts: InjectionFacts, delivered_gbq: Measured) -> ModelDoses | Unknown:
        """Through partition or MIRD: the rule itself knows no dose."""
        return doses_through(facts, delivered_gbq)
