"""Activity per injection from limits and targets: a small linear programme, and how its answer moves with what is uncertain.

Doses are linear in the activities: ``D_s = Σ_j a_j d_sj``. *Up to limits*: the largest common dose of the injections' tumours that all
limits allow (maximise the minimum), then the largest sum. *Reach target*: the least activity at which every fed tumour reaches its
target, if the limits allow. Solved by HiGHS through SciPy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from opensirt.radioembolisation.dosimetry.influence import Influence, total_dose
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue, PlanInfeasible, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.limits import DoseRule, Role
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.offers import offer

FloatArray = npt.NDArray[np.float64]

PLANNING_VERSION = "1"
_BINDING = 1e-6
"""A limit binds if the plan comes within a millionth of it."""


@dataclass(frozen=True)
class PlanProblem:
    """Influence, rules, and which tumours each injection feeds.

    ``tumours`` maps each territory to keys of the tumours fed through it; a territory without any gets no activity.
    """

    influence: Influence
    rules: tuple[DoseRule, ...]
    tumours: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if not any(self.tumours.values()):
            raise InvalidValue("no territory feeds a tumour", "", "check territories and tumour contours")


@dataclass(frozen=True)
class RuleOutcome:
    """A plan against one rule on one structure."""

    rule: DoseRule
    structure: str
    dose: Measured
    binding: bool
    probability_exceeded: float


@dataclass(frozen=True)
class Plan:
    """Activities in GBq to deliver at each position, and the outcome of every rule.

    ``unapplied`` holds the rules that no structure of the problem answers to (a lung limit without lungs): a person must know of them.
    """

    activities_gbq: Mapping[str, Measured]
    outcomes: tuple[RuleOutcome, ...]
    intent: str
    unapplied: tuple[DoseRule, ...] = ()


def _structures_of(rule: DoseRule, influence: Influence) -> tuple[str, ...]:
    kind = rule.volume
    if kind is StructureKind.TUMOUR:
        return tuple(key for key in influence.structures() if key.startswith("tumour."))
    if kind is StructureKind.PERFUSED_NORMAL_LIVER:
        return tuple(key for key in influence.structures() if key.startswith("normal_liver.") and not key.endswith(".unperfused"))
    if kind is StructureKind.TERRITORY:
        return tuple(key for key in influence.structures() if key.startswith("territory."))
    return (kind.value,) if kind.value in influence.structures() else ()


def unapplied_rules(problem: PlanProblem) -> tuple[DoseRule, ...]:
    """Rules that refer to a structure for which no dose is known; they neither bind nor are checked."""
    return tuple(rule for rule in problem.rules if not _structures_of(rule, problem.influence))


def unapplied_findings(plan: Plan) -> tuple[Finding, ...]:
    """One finding for each rule that could not be applied."""
    return tuple(
        Finding(
            "plan.rule_not_applied",
            Severity.CRITICAL if rule.role is Role.LIMIT else Severity.WARNING,
            f"the {rule.role.value} of {rule.value_gy:g} Gy on {rule.name} was not applied: no dose is known for that volume · the plan does not keep "
            "it · give the structure, or weigh it by hand",
            about=rule.volume.value,
            source=rule.source,
        )
        for rule in plan.unapplied
    )


def _matrix(problem: PlanProblem, keys: Sequence[str], shift: str) -> FloatArray:
    """Dose per GBq, structures × territories; with every value moved by its contribution from one source where ``shift`` names it."""
    rows = []
    for key in keys:
        row = []
        for territory in problem.tumours:
            measured = problem.influence.gy_per_gbq[key][territory]
            row.append(measured.value + measured.contributions.get(shift, 0.0))
        rows.append(row)
    return np.array(rows).reshape(len(keys), len(problem.tumours))


def _limits(problem: PlanProblem, shift: str) -> tuple[FloatArray, FloatArray]:
    rows, bounds = [], []
    for rule in problem.rules:
        if rule.role is Role.LIMIT:
            keys = _structures_of(rule, problem.influence)
            rows.append(_matrix(problem, keys, shift))
            bounds.extend([rule.value_gy] * len(keys))
    count = len(problem.tumours)
    return (np.concatenate(rows) if rows else np.empty((0, count))), np.array(bounds)


def _tumour_means(problem: PlanProblem, shift: str) -> FloatArray:
    """Mean over the tumours of each territory of their dose per GBq through it (unweighted), shape (territories,)."""
    means = []
    for n, (_, keys) in enumerate(problem.tumours.items()):
        means.append(float(np.mean(_matrix(problem, keys, shift)[:, n])) if keys else 0.0)
    return np.array(means)


def _solve_up_to_limits(problem: PlanProblem, shift: str) -> FloatArray:
    rows, bounds = _limits(problem, shift)
    means = _tumour_means(problem, shift)
    count = len(means)
    fed = [n for n in range(count) if means[n] > 0.0]
    cover = np.zeros((len(fed), count + 1))
    for line, n in enumerate(fed):
        cover[line, n] = -means[n]
        cover[line, count] = 1.0
    upper = np.concatenate([np.hstack([rows, np.zeros((len(rows), 1))]), cover])
    right = np.concatenate([bounds, np.zeros(len(fed))])
    box = [(0.0, None) if n in fed else (0.0, 0.0) for n in range(count)] + [(0.0, None)]
    first = linprog(-np.eye(count + 1)[count], A_ub=upper, b_ub=right, bounds=box, method="highs")
    if not first.success:
        raise PlanInfeasible(
            "nothing bounds the activity",
            "no limit applies to any structure of this plan",
            "state a limit, a target or an activity",
        )
    level = float(first.x[count])
    box[count] = (level * (1.0 - 1e-9), None)
    second = linprog(-np.append(means, 0.0), A_ub=upper, b_ub=right, bounds=box, method="highs")
    return np.asarray((second if second.success else first).x[:count])


def _solve_reach_target(problem: PlanProblem, shift: str) -> FloatArray:
    rows, bounds = _limits(problem, shift)
    aims, floor = [], []
    fed = [key for keys in problem.tumours.values() for key in keys]
    for rule in problem.rules:
        if rule.role is Role.TARGET:
            keys = [key for key in _structures_of(rule, problem.influence) if key in fed]
            aims.append(_matrix(problem, keys, shift))
            floor.extend([rule.value_gy] * len(keys))
    if not floor:
        raise InvalidValue("no target to reach", "no tumour target applies", "state one (--target), or plan up to the limits")
    aim = np.concatenate(aims)
    least = linprog(np.ones(rows.shape[1]), A_ub=-aim, b_ub=-np.array(floor), bounds=[(0.0, None)] * rows.shape[1], method="highs")
    both = linprog(
        np.ones(rows.shape[1]),
        A_ub=np.concatenate([rows, -aim]),
        b_ub=np.concatenate([bounds, -np.array(floor)]),
        bounds=[(0.0, None)] * rows.shape[1],
        method="highs",
    )
    if not both.success:
        raise PlanInfeasible(
            _conflict(problem, least.x if least.success else None),
            "targets and limits cannot be met together",
            "lower a target, or accept another limit with a reason",
        )
    return np.asarray(both.x)


def _conflict(problem: PlanProblem, activities: FloatArray | None) -> str:
    if activities is None:
        return "a target lies on a tumour that no injection reaches"
    given = dict(zip(problem.tumours, (float(a) for a in activities), strict=True))
    over = []
    for rule in problem.rules:
        if rule.role is Role.LIMIT:
            for key in _structures_of(rule, problem.influence):
                dose = total_dose(problem.influence, key, given).value
                if dose > rule.value_gy * (1.0 + _BINDING):
                    over.append(f"{rule.name}: {dose:.1f} Gy against {rule.value_gy:g} Gy")
    return "reaching every target would exceed " + "; ".join(over)


_SOLVERS = {"up-to-limits": _solve_up_to_limits, "reach-target": _solve_reach_target}
INTENTS = (*_SOLVERS, "given")


def optimise(problem: PlanProblem, intent: str) -> Plan:
    """Activities that meet an intent, with the uncertainty that the doses' uncertainty gives them.

    Parameters
    ----------
    problem : PlanProblem
        Influence, rules, tumours.
    intent : str
        ``"up-to-limits"`` or ``"reach-target"``.

    Raises
    ------
    PlanInfeasible
        With the goals in conflict.
    UnsupportedInput
        For an unknown intent.
    """
    if intent not in _SOLVERS:
        raise UnsupportedInput(f"no intent is called {intent!r}", "", offer(intent, _SOLVERS))
    centre = _SOLVERS[intent](problem, "")
    sources = sorted({source for row in problem.influence.gy_per_gbq.values() for m in row.values() for source in m.contributions})
    moves = {source: _moved(problem, intent, source, centre) for source in sources}
    activities = {
        territory: Measured(float(centre[n]), {source: float(move[n]) for source, move in moves.items()})
        for n, territory in enumerate(problem.tumours)
    }
    return Plan(activities, evaluate(problem, {t: a.value for t, a in activities.items()}), intent, unapplied_rules(problem))


def _moved(problem: PlanProblem, intent: str, source: str, centre: FloatArray) -> FloatArray:
    """Change of the answer when one source moves by a standard uncertainty.

    Where the moved targets no longer fit under the moved limits, what they alone would need: an activity that stands at a limit is not
    certain for that.
    """
    try:
        return _SOLVERS[intent](problem, source) - centre
    except PlanInfeasible:
        targets = replace(problem, rules=tuple(rule for rule in problem.rules if rule.role is Role.TARGET))
        return _SOLVERS[intent](targets, source) - centre


def given(problem: PlanProblem, activities_gbq: Mapping[str, float]) -> Plan:
    """Activities that a person states, evaluated against the same rules."""
    missing = [t for t in problem.tumours if t not in activities_gbq]
    unknown = [t for t in activities_gbq if t not in problem.tumours]
    if missing or unknown:
        raise InvalidValue(
            f"activities for {sorted(activities_gbq)}",
            f"territories are {sorted(problem.tumours)}",
            offer(unknown[0], problem.tumours) if unknown else "give one activity per territory",
        )
    for territory, activity in activities_gbq.items():
        if not 0.0 <= activity < math.inf:
            raise InvalidValue(f"an activity of {activity} GBq for {territory}", "", "give a finite amount of 0 or more")
    decided = {territory: Measured(float(activities_gbq[territory])) for territory in problem.tumours}
    return Plan(decided, evaluate(problem, {t: a.value for t, a in decided.items()}), "given", unapplied_rules(problem))


def evaluate(problem: PlanProblem, activities_gbq: Mapping[str, float]) -> tuple[RuleOutcome, ...]:
    """Every rule against the doses of decided activities."""
    outcomes = []
    for rule in problem.rules:
        for key in _structures_of(rule, problem.influence):
            dose = total_dose(problem.influence, key, activities_gbq)
            binding = rule.role is Role.LIMIT and abs(dose.value - rule.value_gy) <= 10 * _BINDING * rule.value_gy
            outcomes.append(RuleOutcome(rule, key, dose, binding, probability_above(dose, rule.value_gy)))
    return tuple(outcomes)


def probability_above(dose: Measured, level_gy: float) -> float:
    """Probability that a positive quantity lies above a level, taken as log-normal around its value."""
    if dose.value <= 0.0:
        return 0.0
    sigma = math.sqrt(math.log1p(dose.relative_uncertainty**2))
    if sigma == 0.0:
        return 1.0 if dose.value > level_gy else 0.0
    return 0.5 * math.erfc(math.log(level_gy / dose.value) / (sigma * math.sqrt(2.0)))
