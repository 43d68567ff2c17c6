"""From the work-up to activity models: the same doses per GBq as planning's influence, which is written apart; reasons where nothing is known."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from opensirt.radioembolisation.dosimetry.disagreement import compare_models
from opensirt.radioembolisation.dosimetry.influence import Masses, count_partition_influence, partition_influence
from opensirt.radioembolisation.dosimetry.injection_facts import ALL_AS_ONE, Person, injection_facts
from opensirt.radioembolisation.dosimetry.models.catalogue import MODELS
from opensirt.radioembolisation.dosimetry.models.facts import Unknown
from opensirt.radioembolisation.dosimetry.models.protocol import ModelDoses
from opensirt.radioembolisation.workup.compartments import Compartment, CompartmentUptake
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import Y90
from opensirt.vocabulary.products import RESIN
from opensirt.vocabulary.provenance import Constant
from radioembolisation.dosimetry.patients import GOAL

EXACT = 1e-9
DERIVATIVE = 1e-5
"""Central differences of a thousandth of a standard uncertainty, twice."""
MASSES = Masses(
    Constant("test.density", 1.05, "g/mL", "test", 0.02), Measured(0.9, {"lung_density": 0.09}), Y90.dose_constant("49.67")
)


def _compartment(key: str, kind: StructureKind, territory: str, share: float, ml: float, **spread: float) -> Compartment:
    measured = Measured(share, {source: share * u for source, u in spread.items()})
    volume = Measured(ml, {source: 0.5 * ml * u for source, u in spread.items()})
    return Compartment(key, kind, key.split(".")[-1], territory, measured, Measured(share), volume, 1.0)


UPTAKE = CompartmentUptake(
    (
        _compartment("tumour.T1", StructureKind.TUMOUR, "right", 0.24, 80.0, contour=0.1),
        _compartment("tumour.T3", StructureKind.TUMOUR, "right", 0.06, 40.0),
        _compartment("tumour.T2", StructureKind.TUMOUR, "left", 0.10, 25.0),
        _compartment("normal_liver.right", StructureKind.NORMAL_LIVER, "right", 0.38, 900.0, contour=-0.03),
        _compartment("normal_liver.left", StructureKind.NORMAL_LIVER, "left", 0.10, 400.0),
        _compartment("normal_liver.unfed", StructureKind.NORMAL_LIVER, "", 0.02, 200.0),
        _compartment("lungs", StructureKind.LUNGS, "", 0.06, 3000.0, shunt=0.1),
        _compartment("extrahepatic.stomach", StructureKind.EXTRAHEPATIC, "", 0.04, 60.0),
        _compartment("other", StructureKind.OTHER, "", 0.3, 5000.0),
    ),
    Measured(12.0),
    (),
    np.zeros((2, 3, 4), dtype=np.float32),
    1e6,
    0.0,
)


def _facts(territory: str, uptake: CompartmentUptake = UPTAKE, **rest):
    return injection_facts(uptake, territory, product=RESIN, masses=MASSES, residual_fraction=Measured(0.02), **rest)


@pytest.mark.parametrize("territory", ["right", "left"])
def test_multi_compartment_gives_the_doses_of_planning(territory):
    influence = count_partition_influence(UPTAKE, MASSES, recovered=True).gy_per_gbq
    found = MODELS["multi-compartment"].doses(_facts(territory), Measured(1.0))
    assert isinstance(found, ModelDoses)
    for key, dose in found.compartment_gy.items():
        expected = influence[key][territory]
        assert dose.value == pytest.approx(expected.value, rel=EXACT), key
        for source in {*dose.contributions, *expected.contributions}:
            assert dose.contributions.get(source, 0.0) == pytest.approx(
                expected.contributions.get(source, 0.0), rel=DERIVATIVE, abs=1e-6 * dose.value
            ), (key, source)
    perfused = found.dose_gy[StructureKind.TERRITORY]
    assert isinstance(perfused, Measured)
    assert perfused.value == pytest.approx(influence[f"territory.{territory}"][territory].value, rel=EXACT)
    lungs = found.dose_gy[StructureKind.LUNGS]
    assert isinstance(lungs, Measured) and lungs.value == pytest.approx(influence["lungs"][territory].value, rel=EXACT)


def test_ratio_and_volumes_by_hand():
    """Right: (0.30/120)/(0.38/900) = 5.9211; whole liver 145 mL tumour, 1500 mL normal."""
    facts = _facts("right")
    assert facts.known("tumour_to_normal").value == pytest.approx(5.9211, abs=5e-5)
    assert [
        facts.known(name).value for name in ("perfused_tumour_ml", "perfused_normal_ml", "liver_tumour_ml", "liver_normal_ml")
    ] == [
        120.0,
        900.0,
        145.0,
        1500.0,
    ]
    assert facts.known("lung_shunt_fraction").value == pytest.approx(0.06, rel=EXACT)


def test_all_as_one_holds_everything_that_is_fed():
    facts = _facts(ALL_AS_ONE)
    assert facts.known("perfused_tumour_ml").value == 145.0
    assert facts.known("perfused_normal_ml").value == 1300.0
    found = MODELS["multi-compartment"].doses(facts, Measured(2.0))
    assert isinstance(found, ModelDoses)
    assert sum(each.value for each in found.activity_gbq.values()) == pytest.approx(2.0, rel=EXACT)


def test_partition_differs_from_planning_only_by_what_lies_outside():
    """Planning's partition gives the stomach and unfed liver their part first; the model has none: 0.88 against 0.94 of the activity, in the same ratio."""
    influence = partition_influence(UPTAKE, MASSES).gy_per_gbq
    found = MODELS["partition"].doses(_facts("right"), Measured(1.0))
    assert isinstance(found, ModelDoses)
    tumour, normal = found.dose_gy[StructureKind.TUMOUR], found.dose_gy[StructureKind.PERFUSED_NORMAL_LIVER]
    assert isinstance(tumour, Measured) and isinstance(normal, Measured)
    rows = {key: row["right"].value for key, row in influence.items()}
    assert tumour.value / normal.value == pytest.approx(5.9211, abs=5e-5)
    assert normal.value * 0.88 / 0.94 == pytest.approx(rows["normal_liver.right"], rel=EXACT)


def test_what_the_workup_lacks_is_a_reason():
    bare = attrs.evolve(
        UPTAKE, compartments=tuple(c for c in UPTAKE.compartments if c.kind not in (StructureKind.LUNGS, StructureKind.TUMOUR))
    )
    facts = _facts("right", bare)
    assert isinstance(facts.lung_shunt_fraction, Unknown) and "no lungs" in facts.lung_shunt_fraction.reason
    assert isinstance(facts.tumour_to_normal, Unknown) and "no tumour" in facts.tumour_to_normal.reason
    noisy = attrs.evolve(
        UPTAKE,
        compartments=tuple(
            attrs.evolve(c, share=Measured(-0.01)) if c.key == "normal_liver.right" else c for c in UPTAKE.compartments
        ),
    )
    noise = _facts("right", noisy)
    assert isinstance(noise.tumour_to_normal, Unknown) and "infinite" in noise.tumour_to_normal.reason
    assert isinstance(noise.compartments, Unknown) and "noise" in noise.compartments.reason


def test_the_comparison_runs_on_a_workup():
    person = Person(Measured(172.0), Measured(75.0))
    found = compare_models(_facts("right", person=person), GOAL)
    assert {key for key, _ in found.answered()} == set(MODELS) - {"ho166-scout"}
    without = compare_models(_facts("right"), GOAL)
    assert {key for key, _ in without.answered()} == set(MODELS) - {"ho166-scout", "bsa", "bsa-modified"}
