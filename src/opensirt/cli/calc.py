"""The ``calc`` command: reads JSON from a file or stdin and asks the formula."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from opensirt.encoding import parse_json
from opensirt.vocabulary.errors import InvalidValue
from opensirt.workflow.calc import calc, calc_example, calc_list
from opensirt.workflow.calc_explain import Explanation, explain


def listed() -> dict[str, Any]:
    """Every formula."""
    return {"models": calc_list()}


def example_of(model: str) -> dict[str, Any]:
    """An input that the formula accepts."""
    return calc_example(model)


def answer_calc(model: str, source: str) -> dict[str, Any]:
    """The answer to the JSON in a file, or on stdin for ``-``; to the example where no source is named.

    Raises
    ------
    InvalidValue
        If there is no such file, or it is no JSON.
    """
    return calc(model, _payload(source) if source else calc_example(model))


def explained(model: str, source: str) -> Explanation:
    """The answer in words a physicist reads, of the same input as :func:`answer_calc`."""
    return explain(model, _payload(source), "stated") if source else explain(model, calc_example(model), "example")


def _payload(source: str) -> Any:
    if source == "-":
        data = sys.stdin.buffer.read()
    elif Path(source).is_file():
        data = Path(source).read_bytes()
    elif Path(source).is_dir():
        raise InvalidValue(f"{Path(source).name!r} is a folder", "", "give a JSON file, or write - for stdin")
    else:
        raise InvalidValue(f"there is no file {Path(source).name!r}", "", "check the path, or write - for stdin")
    try:
        return parse_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidValue("the input is not UTF-8", f"byte {error.start}", "save it as UTF-8") from error
