"""Complications of a procedure by Clavien and Dindo: what a complication needed decides, the worst counts.

The rows are general knowledge of the classification and marked unverified until its text is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from opensirt.outcomes.judgement import Basis, Judgement, Rule
from opensirt.vocabulary.provenance import Mark

COMPLICATIONS_VERSION = "1"
CLAVIEN_DINDO_SOURCE = "Dindo, Demartines and Clavien 2004 (rows not verified)"
CLAVIEN_DINDO = Basis("Clavien-Dindo", COMPLICATIONS_VERSION, (CLAVIEN_DINDO_SOURCE,))


class Consequence(Enum):
    """What a complication led to, from nothing to death."""

    NONE = "none"
    DEVIATION = "deviation"
    """From the normal course, with at most drugs against nausea, fever or pain, diuretics, electrolytes, physiotherapy."""
    DRUGS = "drugs"
    """Other drugs, transfusion, parenteral nutrition."""
    INTERVENTION = "intervention"
    """Surgical, endoscopic or radiological, without general anaesthesia."""
    INTERVENTION_GENERAL_ANAESTHESIA = "intervention-general-anaesthesia"
    INTENSIVE_CARE_ONE_ORGAN = "intensive-care-one-organ"
    INTENSIVE_CARE_SEVERAL_ORGANS = "intensive-care-several-organs"
    DEATH = "death"


class ClavienDindo(Enum):
    """Grade of a complication."""

    NONE = "none"
    I = "I"  # noqa: E741
    II = "II"
    IIIA = "IIIa"
    IIIB = "IIIb"
    IVA = "IVa"
    IVB = "IVb"
    V = "V"

    @property
    def is_major(self) -> bool:
        """Grade III or higher."""
        return self in (ClavienDindo.IIIA, ClavienDindo.IIIB, ClavienDindo.IVA, ClavienDindo.IVB, ClavienDindo.V)


TABLE: dict[Consequence, ClavienDindo] = dict(zip(Consequence, ClavienDindo, strict=True))
"""Both lists rise together."""
_ORDER = list(Consequence)


def clavien_dindo(consequences: Iterable[Consequence]) -> Judgement[ClavienDindo]:
    """Grade of the worst consequence; none where there was none.

    Parameters
    ----------
    consequences : iterable of Consequence
        All that a complication led to, in any order.
    """
    worst = max((*consequences, Consequence.NONE), key=_ORDER.index)
    grade = TABLE[worst]
    return Judgement(
        grade, Rule(f"clavien-dindo.{grade.value}", f"worst consequence: {worst.value}", Mark.UNVERIFIED), CLAVIEN_DINDO
    )
