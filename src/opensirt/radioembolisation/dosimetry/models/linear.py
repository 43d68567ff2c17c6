"""Dose models are linear: so many gray per gigabecquerel. From that follow, for all of them alike, the doses of an activity and the
activity of a goal.

``D_v = g_v · (A + A_scout)`` and ``A = D_v / g_v − A_scout``, with g_v the dose of volume v per activity delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.models.checks import require_not_negative
from opensirt.radioembolisation.dosimetry.models.facts import InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import VOLUME_NAMES, VOLUMES, DoseAim, Goal
from opensirt.radioembolisation.dosimetry.models.protocol import Bound, Missing, ModelDoses, Prescription
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.limits import Role
from opensirt.vocabulary.measured import Measured, propagate

PerGbq = Callable[..., float]
NO_SCOUT = Measured(0.0)


@dataclass(frozen=True)
class Linear:
    """Dose per delivered activity of every volume a model knows, as functions of its inputs.

    Attributes
    ----------
    key : str
        Of the model.
    inputs : mapping of str to Measured
        What the functions take, by keyword.
    gy_per_gbq : mapping of StructureKind to callable
        Gy/GBq; a volume that is absent is one the model cannot speak of, for the reason in ``silent``.
    silent : mapping of StructureKind to str
        Why.
    gbq_per_gbq : mapping of str to callable
        Where the activity lies, share of what is delivered.
    compartment_gy_per_gbq : mapping of str to callable
        Gy/GBq by named compartment.
    """

    key: str
    inputs: Mapping[str, Measured]
    gy_per_gbq: Mapping[StructureKind, PerGbq]
    silent: Mapping[StructureKind, str]
    gbq_per_gbq: Mapping[str, PerGbq]
    compartment_gy_per_gbq: Mapping[str, PerGbq]


def missing_of(facts: InjectionFacts, needs: tuple[str, ...]) -> tuple[Missing, ...]:
    """What a model needs and nobody stated, with the reason."""
    values = ((name, getattr(facts, name)) for name in needs)
    return tuple(Missing(name, value.reason) for name, value in values if isinstance(value, Unknown))


def silence(missing: tuple[Missing, ...]) -> Unknown:
    """Why a model has no answer, from what it misses."""
    return Unknown("; ".join(f"{each.quantity}: {each.reason}" for each in missing))


def doses_of(linear: Linear, delivered_gbq: Measured, scout_gbq: Measured = NO_SCOUT) -> ModelDoses:
    """Mean doses of an activity delivered (GBq), that of a therapeutic scout added.

    Raises
    ------
    InvalidValue
        For a negative activity.
    """
    require_not_negative(delivered_gbq.value, "activity", "GBq")

    def times(function: PerGbq) -> Measured:
        return propagate(
            lambda delivered, scout, **rest: (delivered + scout) * function(**rest),
            delivered=delivered_gbq,
            scout=scout_gbq,
            **linear.inputs,
        )

    doses = {
        volume: times(linear.gy_per_gbq[volume])
        if volume in linear.gy_per_gbq
        else Unknown(linear.silent.get(volume, f"this model says nothing of {VOLUME_NAMES[volume]}"))
        for volume in VOLUMES
    }
    held = {name: times(function) for name, function in linear.gbq_per_gbq.items()}
    compartments = {name: times(function) for name, function in linear.compartment_gy_per_gbq.items()}
    return ModelDoses(linear.key, doses, held, compartments)


def _solve(linear: Linear, aim: DoseAim, scout_gbq: Measured) -> Measured:
    function = linear.gy_per_gbq[aim.volume]
    return propagate(
        lambda aim_gy, scout, **rest: aim_gy / function(**rest) - scout, aim_gy=aim.dose_gy, scout=scout_gbq, **linear.inputs
    )


def _open(linear: Linear, aim: DoseAim) -> bool:
    values = {name: measured.value for name, measured in linear.inputs.items()}
    return linear.gy_per_gbq[aim.volume](**values) == 0.0


def activity_of(linear: Linear, goal: Goal, scout_gbq: Measured = NO_SCOUT) -> Prescription | Unknown:
    """The least activity among what the limits allow and the target needs (GBq), and which aim sets it.

    An aim on a volume that the model cannot speak of is a finding; a limit on a volume that receives nothing sets no bound.
    """
    bounds: list[Bound] = []
    findings: list[Finding] = []
    for aim in goal.for_model(linear.key):
        if aim.volume not in linear.gy_per_gbq:
            why = linear.silent.get(aim.volume, "the model does not know its dose")
            message = f"{aim.name} plays no part in {linear.key}: {why} · look at a model that knows it"
            findings.append(Finding("model.aim_not_read", Severity.NOTE, message, linear.key))
        elif _open(linear, aim):
            message = f"{aim.name}: nothing of the activity goes there, it sets no bound"
            findings.append(Finding("model.aim_open", Severity.NOTE, message, linear.key))
        else:
            bounds.append(Bound(aim, _solve(linear, aim, scout_gbq)))
    if not bounds:
        reasons = "; ".join(finding.message.split(" · ")[0] for finding in findings) or "the goal has no aim for this model"
        return Unknown(reasons)
    least = min(bounds, key=lambda bound: bound.delivered_gbq.value)
    if least.delivered_gbq.value <= 0.0:
        return Unknown(f"the scout of {scout_gbq.value:g} GBq alone reaches {least.aim.name}")
    findings += _conflicts(linear.key, bounds, least)
    return Prescription(least.delivered_gbq, least.delivered_gbq, least.aim.name, tuple(bounds), tuple(findings))


def _conflicts(key: str, bounds: list[Bound], least: Bound) -> list[Finding]:
    missed = [b for b in bounds if b.aim.role is Role.TARGET and b.delivered_gbq.value > least.delivered_gbq.value]
    return [
        Finding(
            "plan.goals_in_conflict",
            Severity.WARNING,
            f"{bound.aim.name} needs {bound.delivered_gbq.value:.3f} GBq by {key}, {least.aim.name} gives {least.delivered_gbq.value:.3f} GBq · "
            "both cannot be met · lower the target, or accept another limit with a reason",
            key,
        )
        for bound in missed
    ]
