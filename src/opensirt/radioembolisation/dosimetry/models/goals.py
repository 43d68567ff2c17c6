"""What a treatment is to reach and what it must not exceed, as an activity model reads it."""

from __future__ import annotations

from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.models.checks import require_positive
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.limits import DoseRule, Role
from opensirt.vocabulary.measured import Measured

VOLUMES = (
    StructureKind.TUMOUR,
    StructureKind.PERFUSED_NORMAL_LIVER,
    StructureKind.NORMAL_LIVER,
    StructureKind.LUNGS,
    StructureKind.TERRITORY,
)
"""Volumes of which a model may know the mean dose: tumour, perfused normal liver, whole normal liver, lungs, perfused volume."""
VOLUME_NAMES = {
    StructureKind.TUMOUR: "tumour",
    StructureKind.PERFUSED_NORMAL_LIVER: "perfused normal liver",
    StructureKind.NORMAL_LIVER: "whole normal liver",
    StructureKind.LUNGS: "lungs",
    StructureKind.TERRITORY: "perfused volume",
}


@dataclass(frozen=True)
class DoseAim:
    """One mean dose to reach or not to exceed.

    Attributes
    ----------
    volume : StructureKind
        One of :data:`VOLUMES`.
    role : Role
        Target (reach) or limit (stay below).
    dose_gy : Measured
        Gy; exact unless a person says otherwise.
    models : tuple of str
        Keys of the models it is meant for; all of them where empty.
    source : str
        Where it comes from.
    """

    volume: StructureKind
    role: Role
    dose_gy: Measured
    models: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        if self.volume not in VOLUMES:
            raise InvalidValue(f"a dose aim for {self.volume.value}", "no activity model knows its dose", "use a voxel plan")
        require_positive(self.dose_gy.value, f"dose aim for {VOLUME_NAMES[self.volume]}", "Gy")

    @property
    def name(self) -> str:
        """``"target 205 Gy to tumour"``."""
        return f"{self.role.value} {self.dose_gy.value:g} Gy to {VOLUME_NAMES[self.volume]}"


@dataclass(frozen=True)
class Goal:
    """What is asked of an activity: the least of what its aims allow or need is the answer, and the aim that sets it is named.

    A goal without aims asks the models that need none (body surface, involvement).
    """

    aims: tuple[DoseAim, ...] = ()

    def for_model(self, key: str) -> tuple[DoseAim, ...]:
        """The aims meant for a model."""
        return tuple(aim for aim in self.aims if not aim.models or key in aim.models)


def goal_of(rules: tuple[DoseRule, ...]) -> Goal:
    """Limits and targets as a goal for activity models; rules on other volumes (an organ, a body) are no model's matter and are left out."""
    return Goal(
        tuple(
            DoseAim(rule.volume, rule.role, Measured(rule.value_gy), source=rule.source) for rule in rules if rule.volume in VOLUMES
        )
    )
