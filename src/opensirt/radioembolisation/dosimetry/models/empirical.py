"""Empirical activity for resin: three steps by tumour involvement, for retrospective comparison only.

2.0 GBq up to 25 % involvement, 2.5 up to 50 %, 3.0 above. The steps were not read in a source by us: every constant is marked unverified.
Personalised dosimetry has superseded the rule; it is kept to compare with what was once given.
"""

from __future__ import annotations

from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.models.bsa import doses_through, goal_ignored, require_part
from opensirt.radioembolisation.dosimetry.models.checks import require_not_negative, require_positive
from opensirt.radioembolisation.dosimetry.models.facts import InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import Goal
from opensirt.radioembolisation.dosimetry.models.linear import missing_of, silence
from opensirt.radioembolisation.dosimetry.models.protocol import Missing, ModelDoses, Prescription
from opensirt.radioembolisation.dosimetry.models.validity import product_findings, shunt_findings, step_findings
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.provenance import Constant, Mark

KEY = "empirical"
NAME = "empirical (resin)"
VERSION = "1"
FORMULA = "A = 2.0 GBq up to V_T/V_liver = 25 %, 2.5 GBq up to 50 %, 3.0 GBq above"
SOURCE = "not read in a source: general knowledge of the resin rules"
SOURCES = (SOURCE,)
LOW_GBQ = Constant("empirical.low_gbq", 2.0, "GBq", SOURCE, mark=Mark.UNVERIFIED)
MIDDLE_GBQ = Constant("empirical.middle_gbq", 2.5, "GBq", SOURCE, mark=Mark.UNVERIFIED)
HIGH_GBQ = Constant("empirical.high_gbq", 3.0, "GBq", SOURCE, mark=Mark.UNVERIFIED)
MIDDLE_ABOVE = Constant("empirical.middle_above", 0.25, "1", SOURCE, mark=Mark.UNVERIFIED)
HIGH_ABOVE = Constant("empirical.high_above", 0.50, "1", SOURCE, mark=Mark.UNVERIFIED)
CONSTANTS = (LOW_GBQ, MIDDLE_GBQ, HIGH_GBQ, MIDDLE_ABOVE, HIGH_ABOVE)
RETROSPECTIVE = Finding(
    "empirical.retrospective_only",
    Severity.WARNING,
    "the empirical steps are unverified and superseded by personalised dosimetry · use them only to compare with what was once given, never to prescribe",
    KEY,
)


def involvement(tumour_ml: float, liver_ml: float) -> float:
    """Tumour over whole liver with tumour, a fraction, from volumes in mL.

    Raises
    ------
    InvalidValue
        If the tumour is larger than the liver, or the liver has no volume.
    """
    require_not_negative(tumour_ml, "tumour volume", "mL")
    require_positive(liver_ml, "liver volume", "mL")
    require_part(tumour_ml, liver_ml)
    return tumour_ml / liver_ml


def activity_gbq(involvement_fraction: float) -> float:
    """Activity by tumour involvement, GBq; an edge belongs to the step below it.

    Raises
    ------
    InvalidValue
        If it is no fraction of the liver.
    """
    if not 0.0 <= involvement_fraction <= 1.0:
        raise InvalidValue(f"tumour involvement of {involvement_fraction}", "it is a fraction from 0 to 1", "give 0.3 for 30 %")
    if involvement_fraction > HIGH_ABOVE.value:
        return HIGH_GBQ.value
    return MIDDLE_GBQ.value if involvement_fraction > MIDDLE_ABOVE.value else LOW_GBQ.value


def involvement_findings(involvement_fraction: Measured) -> tuple[Finding, ...]:
    """For comparison only; an involvement whose interval crosses a step."""
    steps = (MIDDLE_ABOVE.value, HIGH_ABOVE.value)
    return (RETROSPECTIVE, *step_findings(involvement_fraction, steps, "tumour involvement", SOURCE))


@dataclass(frozen=True)
class Empirical:
    """Steps by involvement; see :class:`~opensirt.radioembolisation.dosimetry.models.protocol.ActivityModel`."""

    key: str = KEY
    name: str = NAME
    version: str = VERSION
    formula: str = FORMULA
    sources: tuple[str, ...] = SOURCES
    needs: tuple[str, ...] = ("liver_tumour_ml", "liver_normal_ml")

    def missing(self, facts: InjectionFacts) -> tuple[Missing, ...]:
        """Needs of which nothing is known."""
        return missing_of(facts, self.needs)

    def validity(self, facts: InjectionFacts) -> tuple[Finding, ...]:
        """Comparison only; product; an involvement near a step; resin above a shunt of 20 %."""
        near = () if self.missing(facts) else involvement_findings(self._involvement(facts))
        return (*(near or (RETROSPECTIVE,)), *product_findings(facts, self.key, ("resin",)), *shunt_findings(facts))

    def constants(self, facts: InjectionFacts) -> tuple[Constant, ...]:
        """The steps, all unverified; the rule knows no dose constant."""
        return CONSTANTS

    def activity(self, facts: InjectionFacts, goal: Goal) -> Prescription | Unknown:
        """Activity by involvement of the whole liver; no goal is read."""
        if self.missing(facts):
            return silence(self.missing(facts))
        if shunt_findings(facts):
            return Unknown("the lung shunt lies above 20 %: no resin is given (van Roekel thesis p. 21, 30)")
        found = Measured(activity_gbq(self._involvement(facts).value))
        return Prescription(found, found, findings=goal_ignored(goal, self.key))

    def doses(self, facts: InjectionFacts, delivered_gbq: Measured) -> ModelDoses | Unknown:
        """Through partition or MIRD: the rule itself knows no dose."""
        return doses_through(facts, delivered_gbq)

    def _involvement(self, facts: InjectionFacts) -> Measured:
        volumes = {"tumour": facts.known("liver_tumour_ml"), "normal": facts.known("liver_normal_ml")}
        return propagate(lambda tumour, normal: involvement(tumour, tumour + normal), **volumes)
