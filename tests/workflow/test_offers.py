"""Wherever a name is refused, the nearest known one is offered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from opensirt.files.label_numbers import read_numbers
from opensirt.radioembolisation.planning.optimise import given
from opensirt.radioembolisation.transport.engines import engine_named
from opensirt.vocabulary.errors import OpensirtError
from opensirt.vocabulary.limits import rules_for
from opensirt.vocabulary.nuclides import Y90, nuclide_named
from opensirt.vocabulary.products import product_named
from opensirt.workflow.calc import calc, calc_example
from opensirt.workflow.import_study import run_import
from opensirt.workflow.options import ImportOptions, PlanOptions, StatedRule
from opensirt.workflow.plan_computation import checked

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "product": (lambda: product_named("galss"), "glass"),
    "product of limits": (lambda: rules_for("resine", "NET", ""), "resin"),
    "indication": (lambda: rules_for("glass", "mcrc", ""), "mCRC"),
    "setting": (lambda: rules_for("resin", "NET", "bilober"), "bilobar"),
    "nuclide": (lambda: nuclide_named("Y90"), "Y-90"),
    "dose constant": (lambda: Y90.dose_constant("49.76"), "49.67"),
    "engine": (lambda: engine_named("kernel-densty"), "kernel-density"),
    "structure of a rule": (lambda: checked(PlanOptions(rules=(StatedRule("limit", "normal_livre", 40.0, ""),))), "normal_liver"),
    "intent": (lambda: checked(PlanOptions(intent="uptolimits")), "up-to-limits"),
    "formula": (lambda: calc("partition_dose", {}), "partition-dose"),
    "field": (lambda: calc("decay", {"nucleide": "Y-90", "amount_gbq": 1.0}), "nuclide"),
    "conversion": (lambda: calc("lung-mass-hu", calc_example("lung-mass-hu") | {"conversion": "Schnieder"}), "schneider"),
    "time zone": (
        lambda: run_import(Path(), Path("none"), ImportOptions(time_zone="Europe/Lodnon"), lambda _: None),
        "Europe/London",
    ),
}


@pytest.mark.parametrize(("ask", "near"), REFUSED.values(), ids=REFUSED)
def test_the_nearest_name_is_offered(ask: Callable[[], object], near: str):
    with pytest.raises(OpensirtError) as caught:
        ask()
    assert f"did you mean {near}?" in str(caught.value)


def test_a_folder_of_time_zones_is_none():
    with pytest.raises(OpensirtError, match="time zone"):
        run_import(Path(), Path("none"), ImportOptions(time_zone="Europe"), lambda _: None)


def test_structures_of_a_label_map(tmp_path: Path):
    (tmp_path / "map.json").write_text('{"tumor.T1": [1]}')
    with pytest.raises(OpensirtError, match=r"did you mean tumour\?"):
        read_numbers(tmp_path / "map.json")


def test_a_territory_that_is_not_drawn():
    problem = SimpleNamespace(tumours={"right": ("tumour.T1",), "left": ("tumour.T2",)})
    with pytest.raises(OpensirtError, match=r"did you mean right\? choose one of right, left"):
        given(problem, {"rigth": 1.0, "left": 1.0})
