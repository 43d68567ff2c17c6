"""Every activity model on one patient, how far apart they are, and why, largest reason first.

The ratio of two models' activities is taken apart by swapping one assumption after another from the first model's to the second's in the
general formula of :mod:`~opensirt.radioembolisation.dosimetry.assumptions`. The factor of a swap depends on what was swapped before; the mean of
its logarithm over all orders is its share (Shapley 1953, the only split that is complete, symmetric, and gives nothing to what changes
nothing), so that the factors of all reasons multiply up to the ratio exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from opensirt.radioembolisation.dosimetry.assumptions import (
    LABELS,
    NAMES,
    Assumptions,
    Unused,
    assumptions_of,
    describe,
    prescribed_gbq,
)
from opensirt.radioembolisation.dosimetry.models.catalogue import MODELS
from opensirt.radioembolisation.dosimetry.models.facts import InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import Goal
from opensirt.radioembolisation.dosimetry.models.protocol import ActivityModel, Missing, ModelDoses, Prescription
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import Constant

DISAGREEMENT_VERSION = "1"
SOURCES = ("Shapley 1953 (the value of an n-person game)",)
WIDE_RATIO = 1.5
"""Largest over smallest activity above which a finding says that the choice of a model matters more than most uncertainties; a convention."""
_NOTHING = 1e-14
"""A logarithm below this is rounding, no reason."""
TOGETHER = "together"


@dataclass(frozen=True)
class ModelActivity:
    """One row of the comparison: what a model answers for this patient, the doses of its own activity, and what it misses."""

    key: str
    name: str
    version: str
    formula: str
    sources: tuple[str, ...]
    answer: Prescription | Unknown
    doses: ModelDoses | Unknown
    missing: tuple[Missing, ...]
    constants: tuple[Constant, ...]
    findings: tuple[Finding, ...]

    @property
    def interval_90_gbq(self) -> tuple[float, float] | Unknown:
        """The 90 % interval of the prescribed activity, GBq, log-normal; or why there is none."""
        return self.answer if isinstance(self.answer, Unknown) else self.answer.prescribed_gbq.lognormal_interval_90


@dataclass(frozen=True)
class Reason:
    """One assumption in which two models differ, the factor it puts on the activity, and a sentence that says so."""

    assumption: str
    factor: float
    sentence: str


@dataclass(frozen=True)
class Pair:
    """Two models: activity of the second over that of the first, and why, largest factor first; the factors multiply up to the ratio."""

    first: str
    second: str
    ratio: Measured
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Disagreement:
    """Every model, every pair of those that answer, and what a person must weigh."""

    goal: Goal
    activities: tuple[ModelActivity, ...]
    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...]

    def answered(self) -> tuple[tuple[str, Measured], ...]:
        """Prescribed activity (GBq) by model key, of the models that answer, smallest first."""
        held = [(row.key, row.answer.prescribed_gbq) for row in self.activities if isinstance(row.answer, Prescription)]
        return tuple(sorted(held, key=lambda each: (each[1].value, each[0])))

    @property
    def largest_to_smallest_ratio(self) -> Measured | Unknown:
        """Largest activity over smallest, with what both share cancelled."""
        held = self.answered()
        if len(held) < 2:
            return Unknown(f"{len(held)} model answers; two are needed")
        return self.between(held[0][0], held[-1][0]).ratio

    def between(self, first: str, second: str) -> Pair:
        """The pair in this direction.

        Raises
        ------
        InvalidValue
            If one of them has no answer.
        """
        for pair in self.pairs:
            if (pair.first, pair.second) == (first, second):
                return pair
        raise InvalidValue(f"no comparison of {first} with {second}", "both must have an answer", "see the answers of the models")

    def against(self, reference: str) -> tuple[Pair, ...]:
        """Every other model against a reference model."""
        return tuple(pair for pair in self.pairs if pair.first == reference)


def compare_models(facts: InjectionFacts, goal: Goal, models: Mapping[str, ActivityModel] = MODELS) -> Disagreement:
    """All models on one patient with one goal: activities, doses, pairwise ratios and their reasons.

    Parameters
    ----------
    facts : InjectionFacts
        Of one injection, or of the treatment as one.
    goal : Goal
        Limits and targets; each model reads those it can, a rule of activity none.
    models : mapping
        The catalogue, or a part of it.
    """
    rows = tuple(_row(model, facts, goal) for model in models.values())
    answers = {row.key: row.answer for row in rows if isinstance(row.answer, Prescription)}
    assumed = {key: assumptions_of(key, facts, answer) for key, answer in answers.items()}
    ordered = [
        _pair(first, second, answers, _reasons(assumed[first], assumed[second], facts))
        for a, b in combinations(answers, 2)
        for first, second in ((a, b), (b, a))
    ]
    found = Disagreement(goal, rows, tuple(ordered), ())
    return replace(found, findings=_findings(found))


def _row(model: ActivityModel, facts: InjectionFacts, goal: Goal) -> ModelActivity:
    missing = model.missing(facts)
    answer = model.activity(facts, goal)
    if isinstance(answer, Unknown):
        doses: ModelDoses | Unknown = Unknown(f"no activity, no doses: {answer.reason}")
        own: tuple[Finding, ...] = ()
    else:
        doses, own = model.doses(facts, answer.delivered_gbq), answer.findings
    findings = (*model.validity(facts), *own)
    return ModelActivity(
        model.key, model.name, model.version, model.formula, model.sources, answer, doses, missing, model.constants(facts), findings
    )


def ratio_of(numerator: Measured, denominator: Measured) -> Measured:
    """A ratio whose common sources cancel, to first order."""
    ratio = numerator.value / denominator.value
    sources = (*numerator.contributions, *denominator.contributions)
    return Measured(
        ratio,
        {
            source: ratio
            * (
                numerator.contributions.get(source, 0.0) / numerator.value
                - denominator.contributions.get(source, 0.0) / denominator.value
            )
            for source in sources
        },
    )


def _pair(first: str, second: str, answers: Mapping[str, Prescription], reasons: tuple[Reason, ...]) -> Pair:
    return Pair(first, second, ratio_of(answers[second].prescribed_gbq, answers[first].prescribed_gbq), reasons)


def differing(first: Assumptions, second: Assumptions) -> tuple[str, ...]:
    """Names of the assumptions that both models use and that differ."""
    pairs = ((name, getattr(first, name), getattr(second, name)) for name in NAMES)
    return tuple(name for name, a, b in pairs if not isinstance(a, Unused) and not isinstance(b, Unused) and a != b)


def _filled(own: Assumptions, other: Assumptions) -> Assumptions:
    """Assumptions with those that are unused replaced by the other model's."""
    unused = {name: getattr(other, name) for name in NAMES if isinstance(getattr(own, name), Unused)}
    return replace(own, **unused)


def _reasons(first: Assumptions, second: Assumptions, facts: InjectionFacts) -> tuple[Reason, ...]:
    names = differing(first, second)
    start, end = _filled(first, second), _filled(second, first)

    def log_activity(swapped: int) -> float:
        taken = {name: getattr(end, name) for n, name in enumerate(names) if swapped >> n & 1}
        gbq = prescribed_gbq(replace(start, **taken), facts)
        return math.log(gbq) if 0.0 < gbq < math.inf else math.nan

    shares = shapley(log_activity, len(names))
    if not all(math.isfinite(share) for share in shares):
        total = math.exp(log_activity((1 << len(names)) - 1) - log_activity(0))
        told = ", ".join(LABELS[name] for name in names)
        sentence = f"× {total:.3f} by {told} together: under some of their combinations there is no activity, so that no single factor exists"
        return (Reason(TOGETHER, total, sentence),)
    ranked = sorted(zip(names, shares, strict=True), key=lambda each: (-abs(each[1]), each[0]))
    return tuple(
        Reason(name, math.exp(share), _sentence(name, math.exp(share), first, second))
        for name, share in ranked
        if abs(share) > _NOTHING
    )


def _sentence(name: str, factor: float, first: Assumptions, second: Assumptions) -> str:
    a, b = getattr(first, name), getattr(second, name)
    if isinstance(a, tuple) and isinstance(b, tuple):
        a, b = tuple(aim for aim in a if aim not in b), tuple(aim for aim in b if aim not in a)
    there, here = describe(name, b), describe(name, a)
    return f"× {factor:.3f} by {LABELS[name]}: {there} in place of {here}"


def shapley(value: Callable[[int], float], count: int) -> tuple[float, ...]:
    """Shares of ``value(all) − value(none)`` by player, averaged over all orders in which they may come.

    Parameters
    ----------
    value : callable
        From a set of players, as bits, to a number.
    count : int
        Number of players.

    Notes
    -----
    ``φ_i = Σ_S |S|! (n − |S| − 1)! / n! · (v(S ∪ i) − v(S))``; the shares sum to the whole difference.
    """
    held = [value(members) for members in range(1 << count)]
    weights = [math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count) for size in range(count)]
    return tuple(
        math.fsum(
            weights[members.bit_count()] * (held[members | 1 << player] - held[members])
            for members in range(1 << count)
            if not members >> player & 1
        )
        for player in range(count)
    )


def _findings(found: Disagreement) -> tuple[Finding, ...]:
    ratio = found.largest_to_smallest_ratio
    if isinstance(ratio, Unknown):
        message = f"models cannot be compared: {ratio.reason} · state what the others miss"
        return (Finding("disagreement.too_few", Severity.WARNING, message),)
    if ratio.value <= WIDE_RATIO:
        return ()
    held = found.answered()
    pair = found.between(held[0][0], held[-1][0])
    why = pair.reasons[0].sentence if pair.reasons else ""
    names = {row.key: row.name for row in found.activities}
    message = (
        f"{names[pair.second]} asks for {held[-1][1].value:.3f} GBq and {names[pair.first]} for {held[0][1].value:.3f} GBq, {ratio.value:.2f} times as much or as little · "
        f"first reason: {why} · choose the model before the activity"
    )
    return (Finding("disagreement.wide", Severity.WARNING, message),)
