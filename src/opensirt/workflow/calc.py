"""Every formula on its own: JSON in, JSON out, with interval, formula, constants, sources and findings.

``calc_list()`` names them, ``calc_example(name)`` gives a payload to start from, ``calc(name, payload)`` answers. A number in a payload may
carry its uncertainty: ``{"value": 0.08, "standard_uncertainty": 0.02}`` (or ``relative_uncertainty``, or ``contributions`` by source).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from opensirt._version import __version__
from opensirt.encoding import unstructure
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.offers import meant
from opensirt.vocabulary.provenance import Constant, ReportedNumber
from opensirt.workflow.calc_activity import ACTIVITY_MODELS
from opensirt.workflow.calc_comparison import COMPARISON_MODELS
from opensirt.workflow.calc_compartments import COMPARTMENT_MODELS
from opensirt.workflow.calc_courses import COURSE_MODELS
from opensirt.workflow.calc_dose import DOSE_MODELS
from opensirt.workflow.calc_fields import REQUIRED, Values, read_fields
from opensirt.workflow.calc_late import LATE_MODELS
from opensirt.workflow.calc_limits import LIMIT_MODELS
from opensirt.workflow.calc_model import CalcModel, Outcome
from opensirt.workflow.calc_outcomes import OUTCOMES_MODELS
from opensirt.workflow.calc_physics import PHYSICS_MODELS
from opensirt.workflow.calc_probability import PROBABILITY_MODELS
from opensirt.workflow.calc_radiobiology import RADIOBIOLOGY_MODELS
from opensirt.workflow.calc_spheres import SPHERE_MODELS
from opensirt.workflow.calc_vial_tables import VIAL_TABLE_MODELS
from opensirt.workflow.calc_vials import VIAL_MODELS
from opensirt.workflow.calc_workup import WORKUP_MODELS

SCHEMA = "opensirt.calc"
VERSION = 1
MODELS: MappingProxyType[str, CalcModel] = MappingProxyType(
    {
        model.name: model
        for model in (
            *WORKUP_MODELS,
            *DOSE_MODELS,
            *ACTIVITY_MODELS,
            *COMPARTMENT_MODELS,
            *COMPARISON_MODELS,
            *PHYSICS_MODELS,
            *OUTCOMES_MODELS,
            *RADIOBIOLOGY_MODELS,
            *PROBABILITY_MODELS,
            *SPHERE_MODELS,
            *VIAL_MODELS,
            *VIAL_TABLE_MODELS,
            *COURSE_MODELS,
            *LIMIT_MODELS,
            *LATE_MODELS,
        )
    }
)


def calc_list() -> list[dict[str, Any]]:
    """Every formula: name, what it answers, and its fields with range, default and meaning."""
    return [
        {
            "model": model.name,
            "about": model.about,
            "fields": [
                {
                    "key": field.key,
                    "holds": field.kind.value,
                    "about": field.about,
                    "required": field.default is REQUIRED,
                    "default": None if field.default is REQUIRED else field.default,
                }
                for field in model.fields
            ],
        }
        for model in MODELS.values()
    ]


def calc_example(name: str) -> dict[str, Any]:
    """A payload that ``calc`` accepts.

    Raises
    ------
    UnsupportedInput
        If no formula has that name.
    """
    return {field.key: field.example for field in _model(name).fields if field.example is not None}


def calc(name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of one formula.

    Parameters
    ----------
    name : str
        Key of :data:`MODELS`.
    payload : mapping
        Inputs by unit-bearing keys, as JSON has them.

    Returns
    -------
    dict
        ``result`` (numbers by unit-bearing key, and other facts), ``interval_90`` and ``contributions`` of every number that is uncertain,
        ``method``, ``method_version``, ``formula``, ``inputs``, ``constants``, ``sources``, ``numbers`` (each explained), ``findings``.

    Raises
    ------
    UnsupportedInput
        If no formula has that name.
    InvalidValue
        With every fault of the payload at once, or the reason why no answer exists.
    """
    model, _, outcome = run_model(name, payload)
    return _answer(model, outcome) | {"findings": [unstructure(finding) for finding in outcome.findings]}


def run_model(name: str, payload: Mapping[str, Any]) -> tuple[CalcModel, Values, Outcome]:
    """A formula, the values it was given, and its outcome; findings of values whose unit looks wrong come first.

    Raises
    ------
    UnsupportedInput, InvalidValue
        As :func:`calc`.
    """
    model = _model(name)
    if not isinstance(payload, Mapping):
        raise InvalidValue(f"a payload of type {type(payload).__name__}", name, "give a JSON object; see the example")
    values, unusual = read_fields(model.fields, payload, name)
    outcome = model.run(values)
    return model, values, replace(outcome, findings=(*unusual, *outcome.findings))


def _model(name: str) -> CalcModel:
    if name in MODELS:
        return MODELS[name]
    raise UnsupportedInput(f"no formula is called {name!r}", "", f"{meant(str(name), MODELS)}see opensirt calc --list")


def _answer(model: CalcModel, outcome: Outcome) -> dict[str, Any]:
    uncertain = [number for number in outcome.numbers if number.measured.contributions]
    constants: dict[str, Constant] = {constant.key: constant for number in outcome.numbers for constant in number.constants}
    first: ReportedNumber | None = outcome.numbers[0] if outcome.numbers else None
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "program_version": __version__,
        "model": model.name,
        "result": {number.key: number.measured.value for number in outcome.numbers} | dict(outcome.facts),
        "units": {number.key: number.unit for number in outcome.numbers},
        "interval_90": {number.key: list(number.interval_90) for number in uncertain},
        "contributions": {number.key: dict(number.measured.contributions) for number in uncertain},
        "method": first.method if first else "",
        "method_version": first.method_version if first else "",
        "formula": first.formula if first else "",
        "inputs": [asdict(each) for each in first.inputs] if first else [],
        "constants": [unstructure(constant) for constant in constants.values()],
        "sources": list(first.sources) if first else [],
        "labels": {number.key: number.label for number in outcome.numbers},
    }
