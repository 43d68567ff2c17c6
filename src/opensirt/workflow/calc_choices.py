"""Choices in the payloads of ``calc``: a closed list of words instead of free text, and categories that an uncertainty leaves open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, TypeVar

from opensirt.outcomes.judgement import Judgement
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Z_90, Measured
from opensirt.vocabulary.offers import offer
from opensirt.workflow.calc_fields import Values

EnumT = TypeVar("EnumT", bound=Enum)
ChoiceT = TypeVar("ChoiceT")


def chosen(values: Values, key: str, choices: Mapping[str, ChoiceT]) -> ChoiceT:
    """What a text of the payload names.

    Raises
    ------
    InvalidValue
        If it names none of the choices.
    """
    text = values.text(key)
    if text not in choices:
        raise InvalidValue(f"{key} of {text!r}", "", offer(text, choices))
    return choices[text]


def by_value(kind: type[EnumT]) -> dict[str, EnumT]:
    """The members of an enumeration by their value, as payloads write them."""
    return {str(member.value): member for member in kind}


def words(choices: Iterable[str]) -> str:
    """The choices as a field explains them."""
    return " | ".join(choices)


def told(judgement: Judgement[Any], prefix: str) -> dict[str, Any]:
    """A category with the row that gave it, as facts of an answer."""
    category = judgement.category.value
    return {
        prefix: category,
        f"{prefix}_rule": judgement.rule.row,
        f"{prefix}_rule_says": judgement.rule.says,
        f"{prefix}_rule_mark": judgement.rule.mark.value,
        f"{prefix}_method": f"{judgement.basis.method}, version {judgement.basis.version}",
    }


def unsettled(inputs: Mapping[str, Measured], category: Callable[[Mapping[str, float]], str], about: str) -> tuple[Finding, ...]:
    """A finding where the category changes while one input moves within its 90 % interval.

    Parameters
    ----------
    inputs : mapping of str to Measured
        By name.
    category : callable
        From values by name to the category as text.
    about : str
        For the finding.
    """
    centre = {name: measured.value for name, measured in inputs.items()}
    found = {category(centre)}
    moved = []
    for name, measured in inputs.items():
        half = Z_90 * measured.standard_uncertainty
        others = {category({**centre, name: measured.value + side * half}) for side in (-1.0, 1.0)} if half > 0.0 else set()
        if others - found:
            moved.append(f"{name} (± {half:.3g}): {', '.join(sorted(others))}")
    if not moved:
        return ()
    message = f"{category(centre)}, but within the 90 % interval of an input it is another category · {'; '.join(moved)} · report it as open"
    return (Finding("calc.category_uncertain", Severity.WARNING, message, about),)
