"""Dose per GBq by count partition: shares worked by hand, balance of energy, correlation of sources."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from opensirt.radioembolisation.dosimetry.influence import (
    Influence,
    Masses,
    count_partition_influence,
    injection_share,
    partition_influence,
    scaled,
    territories_of,
    total_dose,
)
from opensirt.radioembolisation.dosimetry.models import count_partition, partition
from opensirt.radioembolisation.workup.compartments import Compartment, CompartmentUptake
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import Y90
from opensirt.vocabulary.provenance import Constant

EXACT = 1e-9
DERIVATIVE = 1e-5
"""Central differences of a thousandth of a standard uncertainty."""
DENSITY = Constant("test.density", 1.05, "g/mL", "test", 0.02)
MASSES = Masses(DENSITY, Measured(0.9, {"lung_density": 0.09}), Y90.dose_constant("49.67"))
K = 49.67


def _compartment(key: str, kind: StructureKind, territory: str, share: float, volume_ml: float, **spread: float) -> Compartment:
    label = key.split(".")[-1] if "." in key else ""
    measured = Measured(share, {source: share * u for source, u in spread.items()})
    return Compartment(key, kind, label, territory, measured, Measured(share), Measured(volume_ml), 1.0)


def _uptake(lungs: float = 0.06, **spread: float) -> CompartmentUptake:
    rest = (1.0 - lungs) / 0.94
    parts = (
        _compartment("tumour.T1", StructureKind.TUMOUR, "right", 0.30 * rest, 80.0, **spread),
        _compartment("tumour.T2", StructureKind.TUMOUR, "left", 0.10 * rest, 25.0),
        _compartment("normal_liver.right", StructureKind.NORMAL_LIVER, "right", 0.40 * rest, 900.0),
        _compartment("normal_liver.left", StructureKind.NORMAL_LIVER, "left", 0.10 * rest, 400.0),
        _compartment("lungs", StructureKind.LUNGS, "", lungs, 3000.0),
        _compartment("extrahepatic.stomach", StructureKind.EXTRAHEPATIC, "", 0.04 * rest, 60.0),
    )
    return CompartmentUptake(parts, Measured(12.0), (), np.zeros((2, 3, 4), dtype=np.float32), 1e6, 0.0)


def test_shares_of_an_injection_by_hand():
    """Right: 0.06 lungs and 0.04 stomach stay as they are; the other 0.90 splits 3 : 4 between T1 and normal liver."""
    uptake = _uptake()
    expected = {
        "tumour.T1": 0.9 * 3 / 7,
        "tumour.T2": 0.0,
        "normal_liver.right": 0.9 * 4 / 7,
        "normal_liver.left": 0.0,
        "lungs": 0.06,
        "extrahepatic.stomach": 0.04,
    }
    found = {c.key: injection_share(uptake, c, "right", lambda one: one.share).value for c in uptake.compartments}
    assert found == {key: pytest.approx(value, rel=EXACT, abs=1e-15) for key, value in expected.items()}


@pytest.mark.parametrize("territory", ["right", "left"])
def test_energy_per_gigabecquerel_is_k(territory):
    influence = count_partition_influence(_uptake(), MASSES, recovered=True)
    mass_kg = {c.key: c.volume_ml.value * 1.05 / 1000.0 for c in _uptake().compartments} | {"lungs": 0.9}
    energy = sum(influence.gy_per_gbq[key][territory].value * mass for key, mass in mass_kg.items())
    assert energy == pytest.approx(K, rel=EXACT)


def test_agrees_with_the_plain_count_partition():
    """The same counts through the model's own formula, which knows nothing of compartments or uncertainty."""
    influence = count_partition_influence(_uptake(), MASSES, recovered=True)
    counts = {"tumour.T1": 0.9 * 3 / 7, "normal_liver.right": 0.9 * 4 / 7, "extrahepatic.stomach": 0.04}
    injection = count_partition.InjectionCounts(counts, 0.06)
    mass = {"tumour.T1": 0.084, "normal_liver.right": 0.945, "lungs": 0.9, "extrahepatic.stomach": 0.063}
    plain = count_partition.doses_gy({"right": injection}, {"right": 1.0}, mass, K)
    for key, dose in plain.items():
        assert influence.gy_per_gbq[key]["right"].value == pytest.approx(dose, rel=EXACT)


def test_whole_normal_liver_weighs_by_volume():
    influence = count_partition_influence(_uptake(), MASSES, recovered=True)
    right = influence.gy_per_gbq["normal_liver.right"]["right"].value
    assert influence.gy_per_gbq["normal_liver"]["right"].value == pytest.approx(right * 900.0 / 1300.0, rel=EXACT)


def test_a_perfused_volume_is_the_mono_compartment():
    """Tumours and normal liver of a territory together: K · 0.9 / mass, whatever the ratio; the other injection gives nothing."""
    row = count_partition_influence(_uptake(), MASSES, recovered=True).gy_per_gbq["territory.right"]
    assert row["right"].value == pytest.approx(K * 0.9 / (980.0 * 1.05 / 1000.0), rel=EXACT)
    assert row["left"].value == 0.0


def test_partition_per_gigabecquerel_is_the_models_own_formula():
    """Right: 10 % goes to lungs and stomach; TN from the shares, (0.3/80)/(0.4/900)."""
    row = partition_influence(_uptake(), MASSES).gy_per_gbq
    inputs = partition.PartitionInputs(0.084, 0.945, (0.3 / 80.0) / (0.4 / 900.0), 0.1, 0.9)
    expected = partition.doses(inputs, 1.0, K)
    assert row["tumour.T1"]["right"].value == pytest.approx(expected.tumour_gy, rel=EXACT)
    assert row["normal_liver.right"]["right"].value == pytest.approx(expected.normal_gy, rel=EXACT)
    assert row["lungs"]["right"].value == pytest.approx(K * 0.06 / 0.9, rel=EXACT)
    assert (row["tumour.T2"]["right"].value, row["tumour.T1"]["left"].value) == (0.0, 0.0)


def test_partition_gives_all_tumours_of_a_territory_their_common_mean():
    """T3 joins T1 in the right territory with half its concentration: both get (0.3 + 0.075)/(80 + 40) per mL."""
    third = _compartment("tumour.T3", StructureKind.TUMOUR, "right", 0.075, 40.0)
    uptake = attrs.evolve(_uptake(), compartments=(*_uptake().compartments, third))
    row = partition_influence(uptake, MASSES).gy_per_gbq
    expected = K * 0.9 * (0.375 / 0.775) / (120.0 * 1.05 / 1000.0)
    assert row["tumour.T1"]["right"].value == pytest.approx(expected, rel=EXACT)
    assert row["tumour.T3"]["right"].value == pytest.approx(expected, rel=EXACT)
    apart = count_partition_influence(uptake, MASSES, recovered=True).gy_per_gbq
    assert apart["tumour.T1"]["right"].value == pytest.approx(2.0 * apart["tumour.T3"]["right"].value, rel=EXACT)


def test_constant_and_density_move_every_liver_dose_alike():
    influence = count_partition_influence(_uptake(), MASSES, recovered=True)
    for key in ("tumour.T1", "normal_liver.right", "normal_liver"):
        dose = influence.gy_per_gbq[key]["right"]
        spread = Y90.dose_constant("49.67").gy_kg_per_gbq.standard_uncertainty / K
        assert dose.contributions["dose_constant"] / dose.value == pytest.approx(spread, rel=DERIVATIVE)
        assert dose.contributions["liver_density"] / dose.value == pytest.approx(-0.02 / 1.05, rel=DERIVATIVE)
    lungs = influence.gy_per_gbq["lungs"]["right"]
    assert lungs.contributions["lung_density"] / lungs.value == pytest.approx(-0.1, rel=DERIVATIVE)
    assert "liver_density" not in lungs.contributions


def test_what_one_compartment_gains_the_other_loses():
    """T1's share up by 10 %: T1 takes 0.9 · 0.33/0.73, normal liver 0.9 · 0.40/0.73, to first order of the derivative."""
    influence = count_partition_influence(_uptake(noise=0.1), MASSES, recovered=True)
    tumour, normal = (influence.gy_per_gbq[key]["right"] for key in ("tumour.T1", "normal_liver.right"))
    assert tumour.contributions["noise"] / tumour.value == pytest.approx(0.1 * 4 / 7, rel=DERIVATIVE)
    assert normal.contributions["noise"] / normal.value == pytest.approx(-0.1 * 3 / 7, rel=DERIVATIVE)


def test_more_shunt_means_less_liver_dose():
    low, high = (count_partition_influence(_uptake(lungs), MASSES, recovered=True).gy_per_gbq for lungs in (0.05, 0.15))
    assert high["lungs"]["left"].value == pytest.approx(3.0 * low["lungs"]["left"].value, rel=EXACT)
    assert high["tumour.T2"]["left"].value < low["tumour.T2"]["left"].value


def test_total_dose_adds_values_and_equal_sources():
    rows = {"lungs": {"a": Measured(5.0, {"shunt": 1.0, "x": 0.3}), "b": Measured(3.0, {"shunt": 0.5, "y": 0.4})}}
    total = total_dose(Influence("m", "1", rows), "lungs", {"a": 2.0, "b": 1.0})
    assert total.value == 13.0
    assert dict(total.contributions) == {"shunt": pytest.approx(2.5), "x": pytest.approx(0.6), "y": pytest.approx(0.4)}


def test_transport_scales_value_and_sources_and_adds_its_own():
    rows = {"lungs": {"a": Measured(5.0, {"shunt": 1.0})}, "normal_liver": {"a": Measured(10.0)}}
    moved = scaled(Influence("m", "1", rows), "kernel", {"lungs": {"a": 0.8}}, {"lungs": 0.1})
    assert moved.structures() == ("lungs",), "a structure without a factor is left out"
    dose = moved.gy_per_gbq["lungs"]["a"]
    assert (dose.value, dict(dose.contributions)) == (4.0, {"shunt": 0.8, "transport": pytest.approx(0.4)})


def test_territories_in_order():
    assert territories_of(_uptake()) == ("right", "left")
