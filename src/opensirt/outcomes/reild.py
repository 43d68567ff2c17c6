"""Liver disease after radioembolisation: who meets which definition, and how severe it is.

Several definitions are in use and are never merged: each answers on its own. A person adjudicates; nothing here diagnoses. Grades 0 to 5 after
Braat et al. (van Roekel thesis p. 38–39).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from opensirt.outcomes.checks import require_not_negative
from opensirt.outcomes.judgement import Basis, Judgement, Rule, exactly
from opensirt.outcomes.liver_function import UMOL_L_PER_MG_DL, require_bilirubin_in_umol_l
from opensirt.outcomes.toxicity import Grade
from opensirt.vocabulary.errors import InconsistentInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.provenance import Mark

REILD_VERSION = "1"
BRAAT_SOURCE = "Braat et al., in van Roekel thesis p. 38–39"
SANGRO_SOURCE = "Sangro et al. 2008, Gil-Alzugaray et al. 2013 (wording not verified)"
EANM_SOURCE = "EANM handbook on radioembolisation"
REILD_BASIS = Basis("REILD grade after Braat", REILD_VERSION, (BRAAT_SOURCE,))
DAYS_PER_MONTH = 365.25 / 12.0
"""Months of the definitions in days: a convention."""
DECOMPENSATION_MG_DL = 3.0
SANGRO_WINDOW_D = (14.0, 90.0)
BRAAT_WINDOW_D = (14.0, 4.0 * DAYS_PER_MONTH)
EANM_WINDOW_D = (2.0 * DAYS_PER_MONTH, 6.0 * DAYS_PER_MONTH)
LATE_FROM_D = 6.0 * DAYS_PER_MONTH


class Answer(Enum):
    """Yes, no, or not known."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class LiverSigns:
    """What was seen after treatment.

    Attributes
    ----------
    days_since_treatment : float
        Days from the last administration to the onset, d.
    bilirubin_umol_per_l : float
        Total bilirubin, µmol/L.
    bilirubin_above_normal, albumin_below_normal : Answer
        Against the limits of that laboratory.
    jaundice, new_ascites, tumour_progression, biliary_obstruction : Answer
        Clinical signs; ``new_ascites`` is new or increased, clinically or on images.

    Raises
    ------
    UnitError
        For a bilirubin that is one in another unit.
    """

    days_since_treatment: float
    bilirubin_umol_per_l: float
    bilirubin_above_normal: Answer
    albumin_below_normal: Answer
    jaundice: Answer
    new_ascites: Answer
    tumour_progression: Answer
    biliary_obstruction: Answer

    def __post_init__(self) -> None:
        require_not_negative(self.days_since_treatment, "time since treatment", "d")
        require_bilirubin_in_umol_l(self.bilirubin_umol_per_l)


class Definition(Enum):
    """A definition in use, with its rule and mark."""

    BRAAT = Rule(
        "reild.braat",
        "jaundice, new or increased ascites, hyperbilirubinaemia and hypoalbuminaemia from 2 weeks to 4 months, no progression, no obstruction",
        Mark.FOUND,
    )
    HANDBOOK = Rule("reild.eanm-handbook", "the same signs with onset from 2 to 6 months", Mark.FOUND)
    SANGRO = Rule(
        "reild.sangro", "bilirubin above 3 mg/dL and ascites within 14 to 90 days, no progression, no obstruction", Mark.UNVERIFIED
    )
    DECOMPENSATION = Rule("reild.decompensation", "bilirubin of 3 mg/dL or more", Mark.FOUND)


@dataclass(frozen=True)
class Candidate:
    """Whether the signs meet one definition, and which of its parts are unknown."""

    definition: Definition
    met: Answer
    unknown: tuple[str, ...]


def candidates(signs: LiverSigns) -> tuple[Candidate, ...]:
    """Each definition on its own: met, not met, or open where a sign is unknown. A person adjudicates.

    Parameters
    ----------
    signs : LiverSigns
        What was seen.

    Returns
    -------
    tuple of Candidate
        One per :class:`Definition`, in its order.
    """
    mg_dl = exactly(signs.bilirubin_umol_per_l) / exactly(UMOL_L_PER_MG_DL)
    excluded = {"progression": _negated(signs.tumour_progression), "biliary obstruction": _negated(signs.biliary_obstruction)}
    clinical = {
        "jaundice": signs.jaundice,
        "ascites": signs.new_ascites,
        "bilirubin above normal": signs.bilirubin_above_normal,
        "albumin below normal": signs.albumin_below_normal,
    }
    return (
        _candidate(Definition.BRAAT, _within(signs, BRAAT_WINDOW_D), clinical | excluded),
        _candidate(Definition.HANDBOOK, _within(signs, EANM_WINDOW_D), clinical | excluded),
        _candidate(
            Definition.SANGRO,
            _within(signs, SANGRO_WINDOW_D) and mg_dl > DECOMPENSATION_MG_DL,
            {"ascites": signs.new_ascites} | excluded,
        ),
        _candidate(Definition.DECOMPENSATION, mg_dl >= DECOMPENSATION_MG_DL, {}),
    )


def _negated(answer: Answer) -> Answer:
    return {Answer.YES: Answer.NO, Answer.NO: Answer.YES, Answer.UNKNOWN: Answer.UNKNOWN}[answer]


def _within(signs: LiverSigns, window_d: tuple[float, float]) -> bool:
    return window_d[0] <= signs.days_since_treatment <= window_d[1]


def _candidate(definition: Definition, numbers_hold: bool, parts: dict[str, Answer]) -> Candidate:
    unknown = tuple(name for name, answer in parts.items() if answer is Answer.UNKNOWN)
    if not numbers_hold or Answer.NO in parts.values():
        return Candidate(definition, Answer.NO, unknown)
    return Candidate(definition, Answer.UNKNOWN if unknown else Answer.YES, unknown)


class Treatment(Enum):
    """What the liver disease came to need."""

    NONE = "none"
    NON_INVASIVE = "non-invasive"
    """Diuretics, ursodeoxycholic acid, steroids."""
    INVASIVE = "invasive"
    """Paracentesis, transfusion, haemodialysis, TIPS."""
    FATAL = "fatal"


class ReildGrade(IntEnum):
    """Grade after Braat."""

    ZERO = 0
    ONE = 1
    TWO = 2
    THREE = 3
    FOUR = 4
    FIVE = 5


_GRADES = {
    ReildGrade.ZERO: Rule("reild.0", "no change of grade against the baseline"),
    ReildGrade.ONE: Rule("reild.1", "only AST, ALT, ALP or GGT rose, none beyond a new grade 1"),
    ReildGrade.TWO: Rule("reild.2", "moderate and self-limiting, without intervention"),
    ReildGrade.THREE: Rule("reild.3", "treated without invasive means"),
    ReildGrade.FOUR: Rule("reild.4", "needed invasive treatment"),
    ReildGrade.FIVE: Rule("reild.5", "fatal"),
}


@dataclass(frozen=True)
class LiverChange:
    """New toxicity against the baseline, as :func:`opensirt.outcomes.toxicity.shift_from_baseline` gives it.

    Attributes
    ----------
    enzymes : Grade
        Worst new grade among AST, ALT, ALP and GGT.
    others : Grade
        Worst new grade among bilirubin, albumin, INR; or 1 and more for new ascites.
    """

    enzymes: Grade
    others: Grade


def reild_grade(change: LiverChange, treatment: Treatment, diagnosed: Answer) -> Judgement[ReildGrade]:
    """Severity of liver disease after radioembolisation, 0 to 5.

    Parameters
    ----------
    change : LiverChange
        New laboratory toxicity; what stood at baseline does not count.
    treatment : Treatment
        The most that it needed.
    diagnosed : Answer
        Whether a person found the definition of REILD met (:func:`candidates` lists who may).

    Returns
    -------
    Judgement
        Grade with the row that decided.

    Raises
    ------
    InconsistentInput
        If treatment or death by liver disease is stated without any new change.
    """
    changed = max(change.enzymes, change.others) > Grade.ZERO
    if treatment is not Treatment.NONE and not changed:
        raise InconsistentInput(
            f"{treatment.value} and no new change of the liver",
            "it cannot be graded as liver disease",
            "state the new grades, or none as treatment",
        )
    grade = ReildGrade.ZERO
    if treatment is Treatment.FATAL:
        grade = ReildGrade.FIVE
    elif treatment is Treatment.INVASIVE:
        grade = ReildGrade.FOUR
    elif treatment is Treatment.NON_INVASIVE:
        grade = ReildGrade.THREE
    elif change.others > Grade.ZERO or change.enzymes > Grade.ONE:
        grade = ReildGrade.TWO
    elif change.enzymes == Grade.ONE:
        grade = ReildGrade.ONE
    return Judgement(grade, _GRADES[grade], REILD_BASIS, _findings(grade, diagnosed))


def _findings(grade: ReildGrade, diagnosed: Answer) -> tuple[Finding, ...]:
    found = []
    if grade >= ReildGrade.THREE and diagnosed is not Answer.YES:
        said = "not met" if diagnosed is Answer.NO else "not adjudicated"
        message = f"grade {int(grade)} asks for REILD, whose definition is {said} · another cause may stand behind it · adjudicate by two persons"
        found.append(Finding("reild.not_diagnosed", Severity.WARNING, message, "liver", BRAAT_SOURCE))
    if grade >= ReildGrade.THREE:
        message = (
            f"REILD grade {int(grade)} · severe liver disease after radioembolisation · review dose, reserve and further treatment"
        )
        found.append(Finding("reild.severe", Severity.CRITICAL, message, "liver", BRAAT_SOURCE))
    return tuple(found)


@dataclass(frozen=True)
class LateSigns:
    """What was seen late.

    Attributes
    ----------
    days_since_treatment : float
        d.
    decompensation : Answer
        Ascites, variceal bleeding, encephalopathy or jaundice.
    disciplines_agreeing : int
        Disciplines that attribute it to the treatment.
    """

    days_since_treatment: float
    decompensation: Answer
    disciplines_agreeing: int


def late_hepatotoxicity(signs: LateSigns) -> Answer:
    """Whether late hepatotoxicity (RECHT) is met: decompensation at 6 months or later, its cause found by at least two disciplines.

    Notes
    -----
    Currie et al. 2019. Never merged with REILD. Unknown until two disciplines have judged.
    """
    require_not_negative(signs.days_since_treatment, "time since treatment", "d")
    if signs.days_since_treatment < LATE_FROM_D or signs.decompensation is Answer.NO:
        return Answer.NO
    if signs.decompensation is Answer.UNKNOWN or signs.disciplines_agreeing < 2:
        return Answer.UNKNOWN
    return Answer.YES
