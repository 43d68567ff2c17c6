"""A formula of ``calc`` explained to a physicist: question, equation, symbols, answer with interval and budget, constants, findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opensirt.reports.numbers import budget, decimals_for, interval_text, plain, source_words, value_text, with_unit
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import NUCLIDES
from opensirt.vocabulary.provenance import Constant, Mark, ReportedNumber
from opensirt.vocabulary.units import PERCENT
from opensirt.workflow.calc import run_model
from opensirt.workflow.calc_fields import Field, Values
from opensirt.workflow.calc_model import CalcModel, Outcome
from opensirt.workflow.calc_symbols import IN_MODEL, MEANING, SYMBOLS, symbols_in, unit_in

_LONG_LIST = 12
_SMALL_SHARE = 0.005
"""Sources below half a per cent of the variance are counted, not named."""


@dataclass(frozen=True)
class Row:
    """A symbol of an equation: what it is, its value with unit, and where the value comes from."""

    symbol: str
    meaning: str
    value: str
    origin: str


@dataclass(frozen=True)
class Explanation:
    """The text, line by line, and the findings that stand in it."""

    lines: tuple[str, ...]
    findings: tuple[Finding, ...]


def explain(name: str, payload: Mapping[str, Any], given: str = "stated") -> Explanation:
    """What a formula answers, from what, and how far the answer can be trusted, as plain text.

    Parameters
    ----------
    name : str
        Name of a formula of :func:`opensirt.workflow.calc.calc_list`.
    payload : mapping
        Its inputs, as :func:`opensirt.workflow.calc.calc` takes them.
    given : str
        Where stated values come from: ``"stated"``, or ``"example"``.

    Raises
    ------
    UnsupportedInput, InvalidValue
        As :func:`opensirt.workflow.calc.calc`.
    """
    model, values, outcome = run_model(name, payload)
    lines = [f"{model.name}: {model.about}", *_methods(outcome), "", "symbols"]
    lines += _table(symbol_rows(model, values, outcome, given)) or ["  none: the equation is written in words"]
    rest = list(_other_inputs(model, values, outcome, given))
    if rest:
        lines += ["", "other inputs", *_table(rest)]
    lines += ["", "answer", *_answers(outcome), *_facts(outcome)]
    constants = tuple(dict.fromkeys(constant for number in outcome.numbers for constant in number.constants))
    lines += ["", "constants", *(_constant_lines(constants) or ["  none"])]
    sources = tuple(dict.fromkeys(source for number in outcome.numbers for source in number.sources))
    lines += ["", "sources", *(f"  {source}" for source in sources or ("none stated",))]
    lines += ["", "findings", *(_finding_lines(outcome.findings) or ["  none"])]
    return Explanation(tuple(lines), outcome.findings)


def _methods(outcome: Outcome) -> Iterator[str]:
    told = dict.fromkeys((number.formula, number.method, number.method_version) for number in outcome.numbers)
    for formula, method, version in told:
        yield ""
        yield f"equation ({method}, version {version})"
        for part in formula.split(";"):
            yield f"  {part.strip()}"


def symbol_rows(model: CalcModel, values: Values, outcome: Outcome, given: str) -> list[Row]:
    """One row for every symbol of the equations, in their order.

    Parameters
    ----------
    model, values, outcome
        The formula, what it was given, what it answered.
    given : str
        Where stated values come from.
    """
    fields = {field.key: field for field in model.fields}
    results = {number.key: number for number in outcome.numbers}
    rows = []
    for symbol in dict.fromkeys(s for number in outcome.numbers for s in symbols_in(number.formula)):
        key = _key_of(symbol, model.name, [*(k for k in fields if values.has(k)), *results, *fields])
        if symbol == "K" and _constant_of(outcome, "dose_constant"):
            rows.append(_constant_row(symbol, _constant_of(outcome, "dose_constant")))
        elif key in fields and values.has(key):
            rows.append(_field_row(symbol, fields[key], values, given))
        elif key in fields and key not in results:
            rows.append(Row(symbol, fields[key].about, "", "derived"))
        elif key in results:
            rows.append(Row(symbol, results[key].label, value_text(results[key]), "answer"))
        elif symbol == "T½":
            nuclide = NUCLIDES[values.text("nuclide")] if "nuclide" in fields else None
            half_life = nuclide.half_life_h if nuclide else _constant_of(outcome, "half_life_h")
            rows.append(_constant_row(symbol, half_life))
        else:
            rows.append(_other_row(symbol, key, model.name, outcome))
    return rows


def _key_of(symbol: str, model: str, keys: Iterable[str]) -> str:
    own = IN_MODEL.get(model, {})
    if symbol in own:
        return str(own[symbol])
    taken = set(own.values())
    for key in keys:
        if symbol in SYMBOLS.get(key.rpartition(".")[2], ()) and key not in taken:
            return key
    return ""


def _other_row(symbol: str, key: str, model: str, outcome: Outcome) -> Row:
    """A symbol that stands for no field: a constant of the answer, a derived quantity, or words."""
    own = IN_MODEL.get(model, {}).get(symbol, "")
    for number in outcome.numbers:
        for constant in number.constants:
            if key and constant.key.rpartition(".")[2] == key:
                return _constant_row(symbol, constant)
    return Row(symbol, str(own) or MEANING.get(symbol, ""), "", "derived" if own or symbol in MEANING else "")


def _constant_of(outcome: Outcome, word: str) -> Constant | None:
    found = [c for number in outcome.numbers for c in number.constants if word in c.key]
    return found[0] if found else None


def _constant_row(symbol: str, constant: Constant | None) -> Row:
    if constant is None:
        return Row(symbol, MEANING.get(symbol, ""), "", "")
    return Row(
        symbol,
        MEANING.get(symbol, constant.key),
        _uncertain(constant.value, constant.standard_uncertainty, constant.unit),
        constant.key,
    )


def _field_row(symbol: str, field: Field, values: Values, given: str) -> Row:
    origin = given if values.stated(field.key) else "default"
    return Row(symbol, field.about, _shown(values.raw(field.key), unit_in(field.key)), f"{field.key}, {origin}")


def _shown(value: Any, unit: str) -> str:
    if isinstance(value, Measured):
        return _uncertain(value.value, value.standard_uncertainty, unit)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return with_unit(f"{value:g}", unit)
    if isinstance(value, list | tuple):
        first = ", ".join(_shown(item, "") for item in value[:_LONG_LIST])
        return with_unit(first + (f" … ({len(value)} in all)" if len(value) > _LONG_LIST else ""), unit)
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_shown(item, unit or unit_in(str(name)))}" for name, item in value.items())
    return str(value)


def _uncertain(value: float, uncertainty: float, unit: str) -> str:
    if uncertainty == 0.0:
        return with_unit(f"{value:.6g}", unit)
    decimals = decimals_for(value, uncertainty)
    return with_unit(f"{plain(value, decimals)} ± {plain(uncertainty, decimals)}", unit)


def _other_inputs(model: CalcModel, values: Values, outcome: Outcome, given: str) -> Iterator[Row]:
    """Fields that no symbol stands for: the nuclide, a choice, volumes that make a mass."""
    shown = {row.origin.partition(",")[0] for row in symbol_rows(model, values, outcome, given)}
    constants = {constant.key for number in outcome.numbers for constant in number.constants}
    for field in model.fields:
        if field.key in shown or not values.has(field.key) or (field.key == "dose_constant" and shown & constants):
            continue
        yield _field_row(field.key, field, values, given)


def _table(rows: Iterable[Row]) -> list[str]:
    cells = [(row.symbol, row.value or "–", row.meaning, row.origin) for row in rows]
    wide = [min(28, max((len(cell[n]) for cell in cells), default=0)) for n in range(2)]
    return [
        f"  {symbol:<{wide[0]}}  {value:<{wide[1]}}  {meaning}{f' ({origin})' if origin else ''}"
        for symbol, value, meaning, origin in cells
    ]


def _answers(outcome: Outcome) -> Iterator[str]:
    for number in outcome.numbers:
        exact = not number.measured.contributions
        interval = "no uncertainty was stated" if exact else f"90 % interval {interval_text(number)}"
        yield f"  {number.label} ({number.key}): {value_text(number)}, {interval}"
        yield from _budget_lines(number)


def _budget_lines(number: ReportedNumber) -> Iterator[str]:
    rows = budget(number)
    for source, contribution, share in rows:
        if share >= _SMALL_SHARE:
            decimals = decimals_for(contribution, abs(contribution))
            yield f"      {PERCENT * share:3.0f} % of the variance: {source_words(source)} ({with_unit(plain(contribution, decimals), number.unit)})"
    small = sum(1 for _, _, share in rows if share < _SMALL_SHARE)
    if small:
        yield f"      and {small} source{'s' if small > 1 else ''} below {PERCENT * _SMALL_SHARE:g} % each"


def _facts(outcome: Outcome) -> Iterator[str]:
    for key, fact in outcome.facts.items():
        if isinstance(fact, list | tuple) and fact and isinstance(fact[0], Mapping):
            yield f"  {key}:"
            for one in fact:
                yield f"      {_shown(one, '')}"
        else:
            yield f"  {key}: {_shown(fact, unit_in(key))}"


def _constant_lines(constants: Iterable[Constant]) -> list[str]:
    lines = []
    for constant in constants:
        mark = "" if constant.mark is Mark.FOUND else f" [{constant.mark.value}]"
        lines.append(
            f"  {constant.key} = {_uncertain(constant.value, constant.standard_uncertainty, constant.unit)}{mark}: {constant.source}"
        )
    return lines


def _finding_lines(findings: Iterable[Finding]) -> list[str]:
    return [
        f"  {finding.severity.value} {finding.code}: {finding.message}" + (f" [{finding.source}]" if finding.source else "")
        for finding in findings
    ]
