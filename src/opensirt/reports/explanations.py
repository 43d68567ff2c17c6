"""The entries behind the numbers of a report: numbered in order of first appearance, one for every number shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from opensirt.radioembolisation.treatment.proposal import LimitCheck, PlanProposal, VialOption
from opensirt.reports.document import BudgetLine, Entry, Inline, Run, Shown, Tone
from opensirt.reports.numbers import (
    MINUS,
    bare_text,
    budget,
    instant_text,
    interval_text,
    key_words,
    signed_percent,
    source_words,
    told,
    value_text,
    with_unit,
)
from opensirt.vocabulary.nuclides import nuclide_named
from opensirt.vocabulary.provenance import Constant, Input, ReportedNumber, Shape
from opensirt.vocabulary.units import PERCENT

_SHAPES = {Shape.NORMAL: "normal", Shape.LOGNORMAL: "log-normal"}
TARGET = "target"
NOTHING = Run("–", Tone.SOFT)
CHANCE_FORMULA = "P(D > limit) = ½ · erfc( ln(limit / D) / (√2 · σ) ),  σ = √ln(1 + (u / D)²)"
VIAL_FORMULA = (
    "A(t) = A_cal · 2^(−Δt / T½);  against plan: A(t) · (1 − R) / A_plan − 1;  equals the plan where A(t) · (1 − R) = A_plan"
)
BAND_FORMULA = "band: V(D / k) to V(D · k),  k = exp(1.645 · √ln(1 + (u / D_mean)²)),  value and u of the structure's mean dose"


@dataclass(frozen=True)
class MethodLine:
    """A method of the report: what it is called, its version and formula, its sources, and which entries rest on it."""

    number: int
    method: str
    version: str
    formula: str
    sources: tuple[str, ...]
    entries: tuple[int, ...]


def anchor_of(key: str) -> str:
    """The anchor of a number of the plan, fit for HTML and PDF."""
    return "n-" + "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in key)


def entry_of(number: ReportedNumber, roles: Mapping[str, str], labels: Mapping[str, str]) -> Entry:
    """What explains a number of the plan; its places in the lists are filled in later."""
    lines = tuple(
        BudgetLine(source_words(source), with_unit(f"{contribution:+.3g}".replace("-", MINUS), number.unit), share)
        for source, contribution, share in budget(number)
    )
    spread = ""
    if lines:
        unit = "" if number.unit in ("", "1") else f" {number.unit}"
        spread = f"{_SHAPES[number.shape]}; standard uncertainty {number.measured.standard_uncertainty:.3g}{unit}"
    return Entry(
        number.key, 0, anchor_of(number.key), told(number.label, labels), value_text(number), interval_text(number), spread, number.formula,
        number.method, 0, number.method_version, number.inputs, (), lines, number.sources, tuple((roles.get(digest, ""), digest) for digest in number.input_sha256),
    )  # fmt: skip


class Explanations:
    """Collects entries while a report is being written, and numbers them, their methods and their constants."""

    def __init__(self, plan: PlanProposal) -> None:
        self._plan = plan
        self._numbers = {number.key: number for number in plan.numbers}
        self._labels = {structure.key: structure.label for structure in plan.structures}
        self._roles = {digest: role for role, digest in plan.input_sha256}
        self._activity_keys = {injection.territory: injection.activity_key for injection in plan.injections}
        self._entries: dict[str, Entry] = {}
        self._constants: dict[Constant, int] = {}
        self._methods: dict[tuple[str, str, str], list[int]] = {}
        self._sources: dict[tuple[str, str, str], dict[str, None]] = {}

    def add(self, entry: Entry, constants: tuple[Constant, ...] = ()) -> str:
        """Give an entry its number; an entry of a known key keeps the one it has."""
        if entry.key in self._entries:
            return entry.key
        number = len(self._entries) + 1
        known = tuple(sorted(self._constants.setdefault(constant, len(self._constants) + 1) for constant in constants))
        method = (entry.method, entry.version, entry.formula)
        self._methods.setdefault(method, []).append(number)
        self._sources.setdefault(method, {}).update(dict.fromkeys(entry.sources))
        place = list(self._methods).index(method) + 1
        self._entries[entry.key] = replace(entry, number=number, constants=known, method_number=place)
        return entry.key

    def label(self, key: str) -> str:
        """What a number of the plan is called, its structure by its label."""
        return told(self._numbers[key].label, self._labels)

    def unit(self, key: str) -> str:
        """The unit of a number of the plan; empty where the plan has none of that key."""
        return self._numbers[key].unit if key in self._numbers else ""

    def number(self, key: str) -> int:
        """The place of an entry in the appendix."""
        return self._entries[key].number

    def shown(self, key: str, *, interval: bool = True, unit: bool = True, strong: bool = False) -> Inline:
        """A number of the plan as it stands on a page; a dash where the plan has none of that key."""
        number = self._numbers.get(key)
        if number is None:
            return NOTHING
        self.add(entry_of(number, self._roles, self._labels), number.constants)
        text = value_text(number) if unit else bare_text(number)
        return Shown(text, key, interval_text(number) if interval else "", strong)

    def chance(self, check: LimitCheck, place: int) -> str:
        """The entry of a limit's value and of the chance that the plan exceeds it."""
        number = self._numbers[check.number_key]
        self.shown(check.number_key)
        inputs = (
            Input("D", value_text(number), "", f"entry {self.number(check.number_key)}: {self.label(number.key)}"),
            Input("u", f"{number.measured.standard_uncertainty:.3g}", number.unit, "the same entry"),
            Input(check.role, f"{check.value_gy:g}", "Gy", f"{check.source} [{check.mark}]"),
        )
        chance = chance_text(check)
        return self.add(
            Entry(
                f"check.{place}",
                0,
                f"x-check-{place}",
                f"Chance of {'reaching' if check.role == TARGET else 'exceeding'} the {check.role}: {check.name}",
                chance,
                "",
                "",
                CHANCE_FORMULA.replace("limit", check.role),
                "log-normal dose against a fixed level",
                0,
                "1",
                inputs,
                sources=(check.source,),
            )  # fmt: skip
        )

    def level(self, check: LimitCheck, place: int) -> str:
        """The entry of the level of a limit or target, as its source states it."""
        inputs = (Input(check.role, f"{check.value_gy:g}", "Gy", f"{check.source} [{check.mark}]"),)
        label = f"Level of the {check.role}: {check.name}"
        return self.add(
            Entry(
                f"level.{place}",
                0,
                f"x-level-{place}",
                label,
                f"{check.value_gy:g} Gy",
                "",
                "",
                "as stated by its source",
                "published level",
                0,
                "1",
                inputs,
                sources=(check.source,),
            )  # fmt: skip
        )

    def vial(self, vial: VialOption, place: int) -> str:
        """The entry of one vial: what it holds at the treatment instant, against the plan, and when it equals the plan."""
        half_life = nuclide_named(self._plan.nuclide).half_life_h
        wanted = self._activity_keys[vial.territory]
        self.shown(wanted)
        residual = dict(self._plan.parameters).get("residual_fraction", "as recorded for the product")
        inputs = (
            Input("A_cal", f"{vial.size_gbq:g}", "GBq", f"size of the vial, calibrated {vial.calibrated_at.isoformat()}"),
            Input("Δt", f"{vial.days_after_calibration:.4f}", "days", "from calibration to the treatment instant"),
            Input("R", residual, "", "share that stays behind"),
            Input("A_plan", value_text(self._numbers[wanted]), "", f"entry {self.number(wanted)}"),
        )
        value = f"{vial.activity_at_treatment_gbq:.3f} GBq, {signed_percent(vial.relative_excess, 1)} of the plan"
        label = f"Vial of {vial.size_gbq:g} GBq for {vial.territory}, calibrated {instant_text(vial.calibrated_at)}"
        return self.add(
            Entry(
                f"vial.{place}",
                0,
                f"x-vial-{place}",
                label,
                value,
                "exact for the size stated on the label",
                "",
                VIAL_FORMULA,
                "decay from calibration",
                0,
                "1",
                inputs,
                sources=(half_life.source,),
            ),  # fmt: skip
            (half_life,),
        )

    def rest(self) -> None:
        """Number what the plan holds and no page shows: the appendix is whole."""
        for number in self._plan.numbers:
            self.add(entry_of(number, self._roles, self._labels), number.constants)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, by number."""
        return tuple(self._entries.values())

    @property
    def constants(self) -> tuple[Constant, ...]:
        """All constants, by number."""
        return tuple(self._constants)

    @property
    def methods(self) -> tuple[MethodLine, ...]:
        """All methods, by number."""
        return tuple(
            MethodLine(n, method[0], method[1], method[2], tuple(self._sources[method]), tuple(entries))
            for n, (method, entries) in enumerate(self._methods.items(), start=1)
        )


def chance_text(check: LimitCheck) -> str:
    """A probability for people, of exceeding a limit or reaching a target: whole per cent, below 1 % and above 99 % said as such.

    Of a continuous dose the chance of reaching a level is that of exceeding it.
    """
    percent = PERCENT * check.probability_exceeded
    if percent < 1.0:
        return "< 1 %"
    return "> 99 %" if percent > 99.0 else f"{percent:.0f} %"


def entry_facts(entry: Entry) -> list[str]:
    """The facts of an entry in one line each: method, inputs, constants, spread, budget, images."""
    facts = [f"M{entry.method_number}, version {entry.version}"]
    facts += [f"{i.name} = {i.value}{f' {i.unit}' if i.unit else ''}{f' ({i.origin})' if i.origin else ''}" for i in entry.inputs]
    if entry.constants:
        facts.append("constants " + ", ".join(f"C{n}" for n in entry.constants))
    if entry.spread:
        facts.append(entry.spread)
    if entry.budget:
        facts.append("budget: " + budget_words(entry))
    if entry.files:
        facts.append("images: " + ", ".join(key_words(role) or digest[:12] for role, digest in entry.files))
    return facts


SMALLEST_SHARE = 0.005
"""Sources below it are counted together in a line of text; the panel on screen lists every one."""


def budget_words(entry: Entry) -> str:
    """Sources of an entry's uncertainty by share of the variance, in one line; the smallest are counted together."""
    large = [line for line in entry.budget if line.share >= SMALLEST_SHARE]
    text = [f"{line.source} {PERCENT * line.share:.0f} % ({line.contribution})" for line in large]
    if len(large) < len(entry.budget):
        rest = sum(line.share for line in entry.budget[len(large) :])
        text.append(f"{len(entry.budget) - len(large)} smaller sources {PERCENT * rest:.1f} %")
    return ", ".join(text)
