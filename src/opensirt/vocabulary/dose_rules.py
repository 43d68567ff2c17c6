"""A limit or target, one that has no value, and the set of them that is in force for a plan."""

from __future__ import annotations

from dataclasses import dataclass

from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.limit_data import Role, Why
from opensirt.vocabulary.provenance import Mark


@dataclass(frozen=True)
class DoseRule:
    """One limit or target on a mean absorbed dose.

    Attributes
    ----------
    name : str
        For people.
    role : Role
        Limit (stay below) or target (reach).
    volume : StructureKind
        The volume whose mean it refers to: lungs, whole normal liver, perfused normal liver, perfused volume with its
        tumours (territory), each tumour.
    value_gy : float
        Gy.
    source, mark
        Where it comes from and how far to trust it.
    indication : str
        Indication it was stated for; empty for any.
    condition : str
        What must hold for it to apply, in words.
    key : str
        Stable dotted name of the cited entry; empty for a rule that a person states.
    aim_gy : tuple of float, optional
        Range that the source aims for, Gy.
    printed : str
        The cell as printed.
    """

    name: str
    role: Role
    volume: StructureKind
    value_gy: float
    source: str
    mark: Mark = Mark.FOUND
    indication: str = ""
    condition: str = ""
    key: str = ""
    aim_gy: tuple[float, float] | None = None
    printed: str = ""


@dataclass(frozen=True)
class AbsentRule:
    """A limit or target that has no value, and why; it is shown, never filled in.

    Attributes
    ----------
    key, name : str
        Of the entry.
    role, volume
        What it would be.
    why, reason
        No source, a source that says there is none, or a cell that could not be read; in words.
    source : str
        Where it was looked for.
    """

    key: str
    name: str
    role: Role
    volume: StructureKind
    why: Why
    reason: str
    source: str


@dataclass(frozen=True)
class RuleSet:
    """The rules in force for one plan, and what a person must know about them.

    Attributes
    ----------
    rules : tuple of DoseRule
        What a plan keeps or reaches.
    findings : tuple of Finding
        What to weigh.
    version, date : str
        Of the set of limits.
    shown : tuple of DoseRule
        Published values that stand beside the plan and are not kept by it.
    absent : tuple of AbsentRule
        What has no value.
    product, indication, setting : str
        What they are for; the setting that stands, stated or not.
    """

    rules: tuple[DoseRule, ...]
    findings: tuple[Finding, ...]
    version: str = ""
    date: str = ""
    shown: tuple[DoseRule, ...] = ()
    absent: tuple[AbsentRule, ...] = ()
    product: str = ""
    indication: str = ""
    setting: str = ""

    def permitted_gy(self, volume: StructureKind) -> float:
        """The lowest limit on the mean dose of a volume, Gy; infinite where there is none."""
        return min(
            (rule.value_gy for rule in self.rules if rule.role is Role.LIMIT and rule.volume is volume), default=float("inf")
        )
