"""How target lesions respond: RECIST 1.1, WHO, mRECIST, EASL and volumes by one arithmetic of sums, with exact boundaries.

Progression is measured against the *nadir* (the smallest sum so far, baseline included), response against the *baseline*. Order of the
questions: all gone, progression, response, else stable. What is compared are rational numbers: 72 mm against 60 mm is exactly +20 %.
Choi's criteria stand in :mod:`opensirt.outcomes.choi`, lesions one by one in :mod:`opensirt.outcomes.lesions`, the overall response in
:mod:`opensirt.outcomes.overall_response`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from opensirt.outcomes.judgement import Basis, Judgement, Rule
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.provenance import Mark

RESPONSE_VERSION = "1"
RECIST_SOURCE = "RECIST 1.1, Eisenhauer et al. 2009"
WHO_SOURCE = "WHO handbook for reporting results of cancer treatment, 1979"
MRECIST_SOURCE = "modified RECIST, Lencioni and Llovet 2010"
EASL_SOURCE = "EASL panel, Bruix et al. 2001"
NORMAL_NODE_MM = Fraction(10)
"""A lymph node with a shorter short axis is normal (RECIST 1.1)."""


class TargetResponse(Enum):
    """What the target lesions did."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    PD = "PD"
    NE = "NE"
    """A target was not evaluated."""
    NO_PR = "no PR"
    """Where a criterion has no sourced rule of progression, all that is not a response."""
    NONE = "none"
    """There was no target lesion at baseline."""


class Quantity(Enum):
    """What was summed over the target lesions, with its unit."""

    DIAMETER = "sum of diameters (short axis of nodes), mm"
    CROSS_PRODUCT = "sum of products of two perpendicular diameters, mm²"
    ENHANCING_DIAMETER = "sum of arterially enhancing diameters, mm"
    ENHANCING_AREA = "sum of arterially enhancing areas, mm²"
    VOLUME = "sum of volumes, mL"


@dataclass(frozen=True)
class Baseline:
    """A sum before treatment."""

    amount: Fraction


@dataclass(frozen=True)
class Nadir:
    """The smallest sum before the present scan, baseline included."""

    amount: Fraction


@dataclass(frozen=True)
class Current:
    """The sum of the present scan."""

    amount: Fraction


@dataclass(frozen=True)
class Sums:
    """Three sums of one quantity; neither can stand in the place of another.

    Attributes
    ----------
    quantity : Quantity
        What was summed; carries the unit.
    baseline, nadir, current
        The sums as types of their own.
    only_normal_nodes_left : bool
        Every target outside of lymph nodes is gone and every target node has a short axis below 10 mm (RECIST 1.1 only).

    Raises
    ------
    InvalidValue
        For a negative sum, a baseline of 0, or a value of the wrong type.
    InconsistentInput
        For a nadir above the baseline.
    """

    quantity: Quantity
    baseline: Baseline
    nadir: Nadir
    current: Current
    only_normal_nodes_left: bool = False

    def __post_init__(self) -> None:
        for held, kind in ((self.baseline, Baseline), (self.nadir, Nadir), (self.current, Current)):
            if not isinstance(held, kind):
                raise InvalidValue(f"a {type(held).__name__} in the place of a {kind.__name__}", "", "name each sum by its type")
            if not isinstance(held.amount, Fraction):
                raise InvalidValue(f"{held.amount!r} is no exact number", "boundaries are exact", "read it through exactly()")
            if held.amount < 0:
                raise InvalidValue(
                    f"a sum of {float(held.amount):g}", f"{kind.__name__} cannot be negative", "check the measurements"
                )
        if self.baseline.amount == 0:
            raise InvalidValue(
                "a baseline of 0", "no change from nothing can be told", "without targets use the non-target lesions"
            )
        if self.nadir.amount > self.baseline.amount:
            raise InconsistentInput(
                f"a nadir of {float(self.nadir.amount):g} above the baseline of {float(self.baseline.amount):g}",
                "the nadir is the smallest sum so far, baseline included",
                "check whether the two were exchanged; without an earlier follow-up the nadir is the baseline",
            )

    @property
    def from_baseline_percent(self) -> float:
        """Change from baseline in percent; negative for a fall."""
        return float(100 * (self.current.amount - self.baseline.amount) / self.baseline.amount)

    @property
    def from_nadir_percent(self) -> float | None:
        """Change from the nadir in percent; ``None`` where the nadir is 0."""
        return float(100 * (self.current.amount - self.nadir.amount) / self.nadir.amount) if self.nadir.amount else None

    @property
    def from_nadir(self) -> Fraction:
        """Change from the nadir in the unit of the quantity."""
        return self.current.amount - self.nadir.amount


@dataclass(frozen=True)
class SizeCriterion:
    """A criterion on sums.

    Attributes
    ----------
    key, quantity, basis
        Name, what it measures, method and literature.
    response_ratio : Fraction
        Current over baseline at or below which it is a partial response.
    progression_ratio : Fraction
        Current over nadir from which on it is progression.
    progression_beyond : bool
        Progression lies beyond the ratio (``>``), not at it (``≥``).
    progression_rise : Fraction
        Smallest absolute rise over the nadir for progression, in the unit of the quantity.
    rules : mapping of category to rule
        The rows as they are shown.
    """

    key: str
    quantity: Quantity
    basis: Basis
    response_ratio: Fraction
    progression_ratio: Fraction
    progression_beyond: bool
    progression_rise: Fraction
    rules: dict[TargetResponse, Rule]

    def progressed(self, sums: Sums) -> bool:
        """Whether the sums meet progression."""
        bound = self.progression_ratio * sums.nadir.amount
        over = sums.current.amount > bound if self.progression_beyond else sums.current.amount >= bound
        return over and sums.current.amount > sums.nadir.amount and sums.from_nadir >= self.progression_rise

    def responded(self, sums: Sums) -> bool:
        """Whether the sums meet partial response."""
        return sums.current.amount <= self.response_ratio * sums.baseline.amount


def _rules(key: str, gone: Rule, response: Rule, progression: Rule) -> dict[TargetResponse, Rule]:
    return {
        TargetResponse.CR: gone,
        TargetResponse.PD: progression,
        TargetResponse.PR: response,
        TargetResponse.SD: Rule(f"{key}.sd", "neither progression from the nadir nor response from the baseline"),
    }


RECIST = SizeCriterion(
    "recist",
    Quantity.DIAMETER,
    Basis("RECIST 1.1", RESPONSE_VERSION, (RECIST_SOURCE,)),
    Fraction(7, 10),
    Fraction(12, 10),
    False,
    Fraction(5),
    _rules(
        "recist",
        Rule("recist.cr", "all targets gone, every target node below 10 mm short axis"),
        Rule("recist.pr", "sum at least 30 % below the baseline"),
        Rule("recist.pd", "sum at least 20 % and at least 5 mm above the nadir"),
    ),
)
WHO = SizeCriterion(
    "who",
    Quantity.CROSS_PRODUCT,
    Basis("WHO", RESPONSE_VERSION, (WHO_SOURCE,)),
    Fraction(1, 2),
    Fraction(5, 4),
    True,
    Fraction(0),
    _rules(
        "who",
        Rule("who.cr", "all targets gone", Mark.UNVERIFIED),
        Rule("who.pr", "sum of products at least 50 % below the baseline"),
        Rule("who.pd", "sum of products more than 25 % above the nadir"),
    ),
)
MRECIST = SizeCriterion(
    "mrecist",
    Quantity.ENHANCING_DIAMETER,
    Basis("mRECIST", RESPONSE_VERSION, (MRECIST_SOURCE,)),
    Fraction(7, 10),
    Fraction(12, 10),
    False,
    Fraction(0),
    _rules(
        "mrecist",
        Rule("mrecist.cr", "no arterial enhancement in any target"),
        Rule("mrecist.pr", "sum of enhancing diameters at least 30 % below the baseline"),
        Rule("mrecist.pd", "sum of enhancing diameters at least 20 % above the nadir"),
    ),
)
EASL = SizeCriterion(
    "easl",
    Quantity.ENHANCING_AREA,
    Basis("EASL", RESPONSE_VERSION, (EASL_SOURCE,)),
    Fraction(1, 2),
    Fraction(5, 4),
    True,
    Fraction(0),
    _rules(
        "easl",
        Rule("easl.cr", "no enhancing area in any target", Mark.UNVERIFIED),
        Rule("easl.pr", "enhancing area at least 50 % below the baseline"),
        Rule("easl.pd", "enhancing area more than 25 % above the nadir"),
    ),
)
VOLUMETRIC = SizeCriterion(
    "volumetric",
    Quantity.VOLUME,
    Basis("volumes, sphere equivalent of RECIST", RESPONSE_VERSION, (f"0.7³ and 1.2³ of {RECIST_SOURCE}",)),
    Fraction(7, 10) ** 3,
    Fraction(12, 10) ** 3,
    False,
    Fraction(0),
    _rules(
        "volumetric",
        Rule("volumetric.cr", "all targets gone", Mark.DERIVED),
        Rule("volumetric.pr", "volume at least 65.7 % below the baseline", Mark.DERIVED),
        Rule("volumetric.pd", "volume at least 72.8 % above the nadir", Mark.DERIVED),
    ),
)
CRITERIA: dict[str, SizeCriterion] = {each.key: each for each in (RECIST, WHO, MRECIST, EASL, VOLUMETRIC)}
_NOT_FROM_THE_SOURCE = {
    "who": "whether progression counts from the nadir or from the baseline, and by lesion or by sum, differs among users of the WHO rules; "
    "here it is the sum against the nadir",
    "easl": "EASL as read here takes progression from the nadir; the reference scan was not seen in the source",
    "volumetric": "the thresholds are the RECIST ones for a sphere; their use in practice is not verified",
}


def target_response(criterion: SizeCriterion, sums: Sums) -> Judgement[TargetResponse]:
    """What the target lesions did by a criterion on sums.

    Parameters
    ----------
    criterion : SizeCriterion
        One of :data:`CRITERIA`.
    sums : Sums
        Baseline, nadir and current sum of the criterion's quantity.

    Returns
    -------
    Judgement
        CR, PR, SD or PD with the row that decided.

    Raises
    ------
    InconsistentInput
        If the sums are of another quantity (diameters for products), or normal nodes are claimed where the criterion has no such rule.
    """
    if sums.quantity is not criterion.quantity:
        raise InconsistentInput(
            f"{sums.quantity.value}",
            f"{criterion.basis.method} needs {criterion.quantity.value}",
            "measure what the criterion asks for",
        )
    if sums.only_normal_nodes_left and criterion is not RECIST:
        raise InconsistentInput(
            "normal nodes left", f"{criterion.basis.method} has no rule for nodes", "leave nodes out of the sum"
        )
    category = TargetResponse.SD
    if sums.current.amount == 0 or sums.only_normal_nodes_left:
        category = TargetResponse.CR
    elif criterion.progressed(sums):
        category = TargetResponse.PD
    elif criterion.responded(sums):
        category = TargetResponse.PR
    return Judgement(category, criterion.rules[category], criterion.basis, _findings(criterion, sums, category))


def _findings(criterion: SizeCriterion, sums: Sums, category: TargetResponse) -> tuple[Finding, ...]:
    found = []
    source = "; ".join(criterion.basis.sources)
    if criterion.key in _NOT_FROM_THE_SOURCE:
        message = f"{criterion.basis.method}: {_NOT_FROM_THE_SOURCE[criterion.key]} · say so where the category is reported"
        found.append(Finding("response.convention", Severity.NOTE, message, criterion.key, source))
    if sums.nadir.amount == 0 and sums.current.amount > 0 and category is not TargetResponse.CR:
        message = (
            f"targets measure {float(sums.current.amount):g} after all were gone · the sum alone gives {category.value}, but what comes back "
            "after a complete response is commonly progression · look at the images"
        )
        found.append(Finding("response.reappearance", Severity.WARNING, message, criterion.key, source))
    if criterion is RECIST and category is not TargetResponse.PD and _relative_rise_only(sums):
        message = (
            f"the sum rose by {sums.from_nadir_percent:.1f} % but only {float(sums.from_nadir):g} mm over the nadir · below 5 mm it is no "
            "progression (RECIST 1.1) · follow it up"
        )
        found.append(Finding("response.rise_below_5_mm", Severity.NOTE, message, criterion.key, source))
    if criterion is MRECIST and category is TargetResponse.PD and sums.from_nadir < RECIST.progression_rise:
        message = (
            f"progression by {float(sums.from_nadir):g} mm over the nadir · mRECIST as read here asks for no 5 mm, RECIST 1.1 does; such a rise "
            "is within what two readers differ · confirm it"
        )
        found.append(Finding("response.small_rise", Severity.WARNING, message, criterion.key, source))
    return tuple(found)


def _relative_rise_only(sums: Sums) -> bool:
    relative = sums.nadir.amount > 0 and sums.current.amount >= RECIST.progression_ratio * sums.nadir.amount
    return relative and sums.from_nadir < RECIST.progression_rise
