"""In the modalities a number carries its unit in its name: a bare float name fails."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from sources import MODALITIES, PACKAGE, modules, place

UNITS = {
    *("gy", "mgy", "j", "mev", "kev", "ev", "w", "v", "hz", "ohm", "celsius", "k", "kpa", "mmhg", "gpu"),
    *("bq", "kbq", "mbq", "gbq", "mci", "ci", "counts", "cps", "cpm", "decays"),
    *("h", "s", "min", "d", "hours", "days", "minutes", "seconds", "years", "months", "weeks"),
    *("mm", "cm", "m", "um", "mm2", "cm2", "m2", "mm3", "ml", "l", "voxels", "g", "kg", "mg", "hu", "suv", "deg", "rad", "per"),
}
DIMENSIONLESS = {
    *("fraction", "fractions", "ratio", "probability", "relative", "factor", "factors", "weight", "weights", "percent", "number"),
    *(
        "quantile",
        "exponent",
        "level",
        "coefficient",
        "correlation",
        "tolerance",
        "recovery",
        "score",
        "unit",
        "units",
        "scale",
        "gamma50",
    ),
}
EXCEPTIONS = {
    ("DvhCurve", "lower"): "bounds the field volume_fraction above it",
    ("DvhCurve", "upper"): "bounds the field volume_fraction above it",
    ("module", "SOFT_UNCERTAINTY"): "relative; handed on as relative_kernel_uncertainty",
    ("module", "LUNG_UNCERTAINTY"): "relative; handed on as relative_lung_uncertainty",
    ("PartitionInputs", "tumour_to_normal"): "a ratio of concentrations, under the name that clinics use",
    ("ErrorModel", "lung_quantification"): "relative, as its docstring says",
}
"""Class or function, name, and why the name is clear enough."""


def is_clear(name: str) -> bool:
    """Whether a name says its unit or that it has none."""
    return bool(set(name.lower().strip("_").split("_")) & (UNITS | DIMENSIONLESS))


def _is_number(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return False
    text = ast.unparse(annotation)
    if "float" not in text or text.startswith(("Callable", "collections.abc.Callable")):
        return False
    return all(word not in text for word in ("NDArray", "Mapping", "dict"))


def _carries_its_unit(node: ast.ClassDef) -> bool:
    """A record with a field ``unit`` says it there."""
    return any(isinstance(part, ast.AnnAssign) and ast.unparse(part.target) == "unit" for part in node.body)


def bare_names(source: str) -> Iterator[tuple[str, str]]:
    """(class or function, name) of every public float whose name has no unit."""
    module = ast.parse(source)
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not _carries_its_unit(node):
            fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and _is_number(part.annotation)]
            yield from ((node.name, ast.unparse(part.target)) for part in fields if not is_clear(ast.unparse(part.target)))
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            told = {"value"} if {"what", "unit"} & {a.arg for a in arguments} else set()
            numbers = [a.arg for a in arguments if _is_number(a.annotation) and not a.arg.startswith("_") and a.arg not in told]
            yield from ((node.name, name) for name in numbers if not is_clear(name))
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, float):
            name = ast.unparse(node.targets[0])
            if not name.startswith("_") and not is_clear(name) and not name.endswith("_BOUND"):
                yield ("module", name)


PUBLIC_MODULES = [path for path in modules(*(m for m in MODALITIES if (PACKAGE / m).is_dir())) if not path.name.startswith("_")]


@pytest.mark.parametrize("path", PUBLIC_MODULES, ids=place)
def test_no_bare_float_name(path: Path):
    assert [found for found in bare_names(path.read_text("utf-8")) if found not in EXCEPTIONS] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def dose(activity: float): ...", [("dose", "activity")]),
        ("def dose(activity_gbq: float): ...", []),
        ("class Plan:\n    dose: float\n    mass_kg: float", [("Plan", "dose")]),
        ("class Row:\n    kept: float\n    unit: str", []),
        ("LIMIT = 30.0", [("module", "LIMIT")]),
        ("LIMIT_GY = 30.0", []),
        ("def require_positive(value: float, what: str): ...", []),
        ("def shrink(lung_shunt_fraction: float, report: Callable[[float], None]): ...", []),
    ],
)
def test_the_rule_itself(source: str, found: list[tuple[str, str]]):
    assert list(bare_names(source)) == found
