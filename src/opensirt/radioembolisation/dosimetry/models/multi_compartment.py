"""Multi-compartment model: the count partition turned round, and as one of the activity models.

Forward ``D_i = Σ_j K · A_j · (1 − L_j) · c_ij / Σ_i c_ij / m_i``; backward the activities A_j at which one named compartment per injection
reaches its dose: a linear system, because a compartment that two injections reach adds both (EANM SOP, Chiesa et al. 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from opensirt.radioembolisation.dosimetry.models.checks import require_not_negative
from opensirt.radioembolisation.dosimetry.models.count_partition import FORMULA, SOURCES, InjectionCounts, doses_gy
from opensirt.radioembolisation.dosimetry.models.facts import LIVER_DENSITY, CompartmentFacts, InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import Goal
from opensirt.radioembolisation.dosimetry.models.hepatic import NO_LUNG_MASS, inputs_of, lung_gy_per_gbq, stated_shunt
from opensirt.radioembolisation.dosimetry.models.linear import Linear, PerGbq, activity_of, doses_of, missing_of, silence
from opensirt.radioembolisation.dosimetry.models.protocol import Missing, ModelDoses, Prescription
from opensirt.radioembolisation.dosimetry.models.validity import shunt_findings, uptake_findings
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue, PlanInfeasible
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.provenance import Constant
from opensirt.vocabulary.units import G_PER_KG

KEY = "multi-compartment"
NAME = "multi-compartment (count partition)"
VERSION = "1"
PUBLISHED_CONSTANTS = {"Y-90": "49.67", "Ho-166": "15.87"}
NORMAL_KINDS = (StructureKind.PERFUSED_NORMAL_LIVER, StructureKind.NORMAL_LIVER)
_CONDITION_BOUND = 1e12
"""Above this condition number a system of doses has lost twelve of the sixteen digits of a double: its rows say the same thing."""


@dataclass(frozen=True)
class CompartmentGoal:
    """The dose (Gy) that a compartment is to reach, from all injections together."""

    compartment: str
    dose_gy: float


def activities_for_gbq(
    injections: Mapping[str, InjectionCounts],
    goals: Mapping[str, CompartmentGoal],
    given_gbq: Mapping[str, float],
    *,
    mass_kg: Mapping[str, float],
    gy_kg_per_gbq: float,
) -> dict[str, float]:
    """Activity to deliver at each position, GBq, so that each goal's compartment reaches its dose.

    Parameters
    ----------
    injections : mapping
        Counts per injection.
    goals : mapping
        One goal for each injection whose activity is asked.
    given_gbq : mapping
        Activities of the other injections, GBq; their dose is taken into account.
    mass_kg : mapping
        Mass per compartment, kg; ``"lungs"`` among them for a goal on the lungs.
    gy_kg_per_gbq : float
        Dose constant.

    Raises
    ------
    InvalidValue
        If an injection has both or neither of goal and activity, a goal's compartment has no mass, or the goals do not determine the activities.
    PlanInfeasible
        If a goal could only be met with a negative activity elsewhere.
    """
    _require_one_of_both(injections, goals, given_gbq)
    asked = tuple(goals)
    lacking = sorted({goal.compartment for goal in goals.values()} - set(mass_kg))
    if lacking:
        raise InvalidValue(f"no mass is stated for {lacking}", "a goal needs the mass of its compartment", "state it")
    for goal in goals.values():
        require_not_negative(goal.dose_gy, f"dose of {goal.compartment}", "Gy")
    nothing = dict.fromkeys(injections, 0.0)
    before = doses_gy(injections, nothing | dict(given_gbq), mass_kg, gy_kg_per_gbq)
    of_one = {name: doses_gy(injections, nothing | {name: 1.0}, mass_kg, gy_kg_per_gbq) for name in asked}
    matrix = np.array([[of_one[name][goal.compartment] for name in asked] for goal in goals.values()])
    wanted = np.array([goal.dose_gy - before[goal.compartment] for goal in goals.values()])
    if not np.all(matrix.any(axis=1)) or np.linalg.cond(matrix) > _CONDITION_BOUND:
        raise InvalidValue(
            f"goals for {', '.join(goal.compartment for goal in goals.values())}",
            "they do not determine the activities: a compartment receives nothing, or two goals say the same",
            "set for each injection a goal on a compartment that it feeds",
        )
    solved = np.linalg.solve(matrix, wanted)
    found = {name: float(gbq) for name, gbq in zip(asked, solved, strict=True)}
    below = {name: round(gbq, 4) for name, gbq in found.items() if gbq < 0.0}
    if below:
        raise PlanInfeasible(
            f"goals could only be met with the activities {below} GBq",
            "the other injections alone give more than a goal asks for",
            "raise that goal, or lower the others",
        )
    return found


def _require_one_of_both(
    injections: Mapping[str, InjectionCounts], goals: Mapping[str, CompartmentGoal], given_gbq: Mapping[str, float]
) -> None:
    wrong = sorted(name for name in injections if (name in goals) == (name in given_gbq))
    unknown = sorted((set(goals) | set(given_gbq)) - set(injections))
    if wrong or unknown or not goals:
        raise InvalidValue(
            f"goals for {sorted(goals)} and activities for {sorted(given_gbq)}, injections {sorted(injections)}",
            "each injection needs either a goal or an activity, and one at least a goal",
            "name them alike",
        )


@dataclass(frozen=True)
class MultiCompartment:
    """Any compartments of one injection; see :class:`~opensirt.radioembolisation.dosimetry.models.protocol.ActivityModel`."""

    key: str = KEY
    name: str = NAME
    version: str = VERSION
    formula: str = FORMULA
    sources: tuple[str, ...] = SOURCES
    needs: tuple[str, ...] = ("compartments", "lung_shunt_fraction")

    def missing(self, facts: InjectionFacts) -> tuple[Missing, ...]:
        """Needs of which nothing is known; compartments without any counts are none."""
        parts = facts.compartments
        if not isinstance(parts, Unknown) and sum(each.counts.value for each in parts.values()) <= 0.0:
            return (Missing("compartments", "no compartment holds any counts"), *missing_of(facts, ("lung_shunt_fraction",)))
        return missing_of(facts, self.needs)

    def validity(self, facts: InjectionFacts) -> tuple[Finding, ...]:
        """Tumour-to-normal ratio of the counts below 1.5, below 1 or infinite; resin above a shunt of 20 %."""
        if self.missing(facts):
            return shunt_findings(facts)
        parts = compartments_of(facts).values()
        ratio = concentration_ratio(facts)
        has_tumour = any(each.kind is StructureKind.TUMOUR for each in parts)
        normal_ml = Measured(sum(each.volume_ml.value for each in parts if each.kind in NORMAL_KINDS))
        judged = uptake_findings(ratio, normal_ml) if has_tumour and isinstance(ratio, Measured) else ()
        judged = uptake_findings(Measured(1.0), Measured(0.0)) if has_tumour and normal_ml.value == 0.0 else judged
        return (*judged, *shunt_findings(facts))

    def constants(self, facts: InjectionFacts) -> tuple[Constant, ...]:
        """The dose constant."""
        return (facts.dose_constant(PUBLISHED_CONSTANTS).gy_kg_per_gbq,)

    def activity(self, facts: InjectionFacts, goal: Goal) -> Prescription | Unknown:
        """Activity for a tumour target (all tumours as one) and limits."""
        return silence(self.missing(facts)) if self.missing(facts) else activity_of(self._linear(facts), goal)

    def doses(self, facts: InjectionFacts, delivered_gbq: Measured) -> ModelDoses | Unknown:
        """Mean doses of every volume and of every compartment."""
        return silence(self.missing(facts)) if self.missing(facts) else doses_of(self._linear(facts), delivered_gbq)

    def _linear(self, facts: InjectionFacts) -> Linear:
        parts = compartments_of(facts)
        constant = facts.dose_constant(PUBLISHED_CONSTANTS)
        inputs = inputs_of(facts, constant, facts.density(LIVER_DENSITY), ("lung_shunt_fraction",))
        for n, each in enumerate(parts.values()):
            inputs |= {f"counts{n}": each.counts, f"ml{n}": each.volume_ml}
        kinds = [each.kind for each in parts.values()]
        tumours = [n for n, kind in enumerate(kinds) if kind is StructureKind.TUMOUR]
        normal = [n for n, kind in enumerate(kinds) if kind in NORMAL_KINDS]
        gy: dict[StructureKind, PerGbq] = {}
        silent: dict[StructureKind, str] = {}
        for volume, group in (
            (StructureKind.TUMOUR, tumours),
            (StructureKind.PERFUSED_NORMAL_LIVER, normal),
            (StructureKind.TERRITORY, [*tumours, *normal]),
        ):
            if group:
                gy[volume] = _mean_of(group, len(kinds))
            else:
                silent[volume] = "no compartment of this kind was stated"
        if normal and "liver_normal_ml" in inputs and inputs["liver_normal_ml"].value > 0.0:
            held = _held_by(normal, len(kinds))
            gy[StructureKind.NORMAL_LIVER] = lambda **v: v["k"] * held(**v) * G_PER_KG / (v["rho"] * v["liver_normal_ml"])
        else:
            silent[StructureKind.NORMAL_LIVER] = "the volume of the whole normal liver, or its compartment, is not known"
        if "lung_mass_kg" in inputs:
            gy[StructureKind.LUNGS] = lung_gy_per_gbq(stated_shunt)
        else:
            silent[StructureKind.LUNGS] = NO_LUNG_MASS
        activity = {name: _held_by([n], len(kinds)) for n, name in enumerate(parts)} | {"lungs": _lungs}
        return Linear(self.key, inputs, gy, silent, activity, {name: _mean_of([n], len(kinds)) for n, name in enumerate(parts)})


def compartments_of(facts: InjectionFacts) -> Mapping[str, CompartmentFacts]:
    """The compartments of an injection.

    Raises
    ------
    InvalidValue
        If none are known.
    """
    if isinstance(facts.compartments, Unknown):
        raise InvalidValue("no compartments", facts.compartments.reason, "state counts and volumes")
    return facts.compartments


def concentration_ratio(facts: InjectionFacts) -> Measured | Unknown:
    """Tumour-to-normal ratio of concentrations that the compartments show; unknown where either holds nothing."""
    parts = compartments_of(facts)
    groups = {
        "tumour": [each for each in parts.values() if each.kind is StructureKind.TUMOUR],
        "normal": [each for each in parts.values() if each.kind in NORMAL_KINDS],
    }
    if any(sum(each.counts.value for each in group) <= 0.0 for group in groups.values()):
        return Unknown("tumour or normal liver holds no counts")
    inputs: dict[str, Measured] = {}
    for name, group in groups.items():
        for n, each in enumerate(group):
            inputs |= {f"{name}_counts{n}": each.counts, f"{name}_ml{n}": each.volume_ml}

    def ratio(**v: float) -> float:
        sums = {
            f"{name}_{what}": sum(v[f"{name}_{what}{n}"] for n in range(len(group)))
            for name, group in groups.items()
            for what in ("counts", "ml")
        }
        return (sums["tumour_counts"] / sums["tumour_ml"]) / (sums["normal_counts"] / sums["normal_ml"])

    return propagate(ratio, **inputs)


def _lungs(**values: float) -> float:
    return values["lung_shunt_fraction"]


def _held_by(group: list[int], count: int) -> PerGbq:
    def held(**v: float) -> float:
        total = sum(v[f"counts{n}"] for n in range(count))
        return (1.0 - v["lung_shunt_fraction"]) * sum(v[f"counts{n}"] for n in group) / total

    return held


def _mean_of(group: list[int], count: int) -> PerGbq:
    held = _held_by(group, count)
    return lambda **v: v["k"] * held(**v) * G_PER_KG / (v["rho"] * sum(v[f"ml{n}"] for n in group))
