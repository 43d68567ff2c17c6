"""The count ledger: what each step of the imaging chain kept and what it left outside."""

from __future__ import annotations

from dataclasses import dataclass

from opensirt.vocabulary.errors import InconsistentInput

CLOSURE = 1e-6
"""Relative closure of an entry: ``before = kept + lost``; float32 maps summed in float64 close to better than this."""


@dataclass(frozen=True)
class LedgerEntry:
    """One step: ``before = kept + lost``, in ``unit``."""

    step: str
    before: float
    kept: float
    lost: float
    unit: str
    note: str = ""


@dataclass(frozen=True)
class CountLedger:
    """Entries in the order in which the steps were done."""

    entries: tuple[LedgerEntry, ...] = ()

    def entry(self, step: str, before: float, kept: float, lost: float, *, unit: str = "counts", note: str = "") -> CountLedger:
        """A ledger with one more entry.

        Raises
        ------
        InconsistentInput
            If ``before`` differs from ``kept + lost``, or from what the step before it kept, by more than :data:`CLOSURE`. A step that
            starts from something else (another image, a branch) says so in its note.
        """
        scale = CLOSURE * max(abs(before), 1e-30)
        if not abs(before - kept - lost) <= scale:
            raise InconsistentInput(
                f"the ledger of {step!r} does not close: {before:.9g} before, {kept:.9g} kept, {lost:.9g} lost",
                f"{before - kept - lost:.3g} {unit} are unaccounted for",
                "report this as a defect",
            )
        if self.entries and not note:
            last = self.entries[-1]
            if last.unit != unit or not abs(last.kept - before) <= scale:
                raise InconsistentInput(
                    f"step {step!r} starts with {before:.9g} {unit}, but {last.step!r} kept {last.kept:.9g} {last.unit}",
                    "the ledger must tie from step to step",
                    "name the branch in the entry's note",
                )
        return CountLedger((*self.entries, LedgerEntry(step, before, kept, lost, unit, note)))

    @property
    def rows(self) -> tuple[tuple[str, float, float, float, str, str], ...]:
        """Every entry as (step, before, kept, lost, unit, note), for tables."""
        return tuple((e.step, e.before, e.kept, e.lost, e.unit, e.note) for e in self.entries)
