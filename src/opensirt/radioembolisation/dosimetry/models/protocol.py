"""The questions that every activity model answers, and the values in which it answers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from opensirt.radioembolisation.dosimetry.models.facts import InjectionFacts, Quantity, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import DoseAim, Goal
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import Constant


@dataclass(frozen=True)
class Missing:
    """A quantity of :class:`InjectionFacts` that a model needs and nobody stated, and why."""

    quantity: str
    reason: str


@dataclass(frozen=True)
class Bound:
    """The activity delivered at which one aim is met exactly, GBq."""

    aim: DoseAim
    delivered_gbq: Measured


@dataclass(frozen=True)
class Prescription:
    """The activity of one model.

    Attributes
    ----------
    delivered_gbq : Measured
        To reach the patient, GBq, at administration.
    prescribed_gbq : Measured
        What the published formula has one dispense, GBq: the residual is in it only where that formula has it.
    binding : str
        Name of the aim that sets the activity; empty where the model reads none.
    bounds : tuple of Bound
        Every aim with its activity.
    findings : tuple of Finding
        What a person must weigh.
    """

    delivered_gbq: Measured
    prescribed_gbq: Measured
    binding: str = ""
    bounds: tuple[Bound, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class ModelDoses:
    """Mean doses of a delivered activity.

    Attributes
    ----------
    through : str
        Key of the model that answers: an activity rule without doses of its own answers through one that has them.
    dose_gy : mapping of StructureKind to Measured or Unknown
        Every volume of :data:`~opensirt.radioembolisation.dosimetry.models.goals.VOLUMES`, Gy, or why the model cannot say.
    activity_gbq : mapping of str to Measured
        Where the delivered activity lies, GBq; sums to it. Empty where the model does not split it.
    compartment_gy : mapping of str to Measured
        Dose of each named compartment, Gy; empty where the model knows none.
    """

    through: str
    dose_gy: Mapping[StructureKind, Quantity]
    activity_gbq: Mapping[str, Measured] = field(default_factory=dict)
    compartment_gy: Mapping[str, Measured] = field(default_factory=dict)


class ActivityModel(Protocol):
    """A rule that turns what is known of a patient into an activity, and an activity into doses where it can."""

    @property
    def key(self) -> str:
        """Short stable name: ``"partition"``."""

    @property
    def name(self) -> str:
        """What a physician calls it."""

    @property
    def version(self) -> str:
        """Version of the model."""

    @property
    def formula(self) -> str:
        """Its equation."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Literature."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the quantities of :class:`InjectionFacts` without which it has no answer."""

    def missing(self, facts: InjectionFacts) -> tuple[Missing, ...]:
        """Which of them are not known for this patient, and why."""

    def validity(self, facts: InjectionFacts) -> tuple[Finding, ...]:
        """Where this patient lies outside of what the model was made for."""

    def constants(self, facts: InjectionFacts) -> tuple[Constant, ...]:
        """Constants it uses here, with their sources."""

    def activity(self, facts: InjectionFacts, goal: Goal) -> Prescription | Unknown:
        """The activity for a goal, or why there is none."""

    def doses(self, facts: InjectionFacts, delivered_gbq: Measured) -> ModelDoses | Unknown:
        """Mean doses of a delivered activity in GBq, or why there are none."""
