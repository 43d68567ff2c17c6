"""What the activity models refuse, and cases of count partition worked by hand."""

from __future__ import annotations

import math

import pytest

from opensirt.radioembolisation.dosimetry.models import count_partition, mono, partition
from opensirt.vocabulary.errors import InvalidValue

EXACT = 1e-12
BAD_FRACTIONS = [1.0, 1.2, 8.0, -0.01, math.nan, math.inf]
BAD_MASSES = [0.0, -1.0, math.nan, math.inf]


@pytest.mark.parametrize("shunt", BAD_FRACTIONS)
def test_no_model_takes_a_shunt_that_is_no_fraction(shunt):
    with pytest.raises(InvalidValue, match="lung shunt fraction"):
        mono.MonoInputs(1.0, shunt)
    with pytest.raises(InvalidValue, match="lung shunt fraction"):
        partition.PartitionInputs(0.3, 1.5, 5.0, shunt)
    with pytest.raises(InvalidValue, match="lung shunt fraction"):
        count_partition.InjectionCounts({"normal": 1.0}, shunt)
    with pytest.raises(InvalidValue, match="lung shunt fraction"):
        mono.lung_dose_gy(1.0, shunt, 1.0, 49.67)


@pytest.mark.parametrize("mass", BAD_MASSES)
def test_no_model_takes_a_mass_that_is_none(mass):
    with pytest.raises(InvalidValue, match="mass"):
        mono.MonoInputs(mass, 0.1)
    with pytest.raises(InvalidValue, match="mass"):
        mono.lung_dose_gy(1.0, 0.1, mass, 49.67)
    with pytest.raises(InvalidValue, match="mass"):
        partition.PartitionInputs(0.3, 1.5, 5.0, 0.1, mass)
    with pytest.raises(InvalidValue, match="mass"):
        count_partition.doses_gy({"r": count_partition.InjectionCounts({"a": 1.0}, 0.1)}, {"r": 1.0}, {"a": mass}, 49.67)


@pytest.mark.parametrize("ratio", [0.0, -2.0, math.inf, math.nan])
def test_a_ratio_without_meaning_is_refused_where_normal_liver_is_perfused(ratio):
    with pytest.raises(InvalidValue, match="ratio"):
        partition.PartitionInputs(0.3, 1.5, ratio, 0.1)
    alone = partition.doses(partition.PartitionInputs(0.3, 0.0, ratio, 0.1), 1.0, 49.67)
    assert alone.tumour_gy == pytest.approx(49.67 * 0.9 / 0.3, rel=EXACT), "a segment that is all tumour needs no ratio"


def test_nothing_perfused_is_refused():
    with pytest.raises(InvalidValue, match="neither"):
        partition.PartitionInputs(0.0, 0.0, 5.0, 0.1)


def test_no_tumour_and_no_normal_liver_have_no_inverse():
    with pytest.raises(InvalidValue, match="tumour mass"):
        partition.activity_for_tumour_gbq(partition.PartitionInputs(0.0, 1.5, 5.0, 0.1), 100.0, 49.67)
    with pytest.raises(InvalidValue, match="normal liver mass"):
        partition.activity_for_normal_gbq(partition.PartitionInputs(0.3, 0.0, 5.0, 0.1), 100.0, 49.67)


@pytest.mark.parametrize("activity", [-1.0, math.nan, math.inf])
def test_activities_that_are_none(activity):
    with pytest.raises(InvalidValue, match="activity"):
        mono.dose_gy(mono.MonoInputs(1.0, 0.1), activity, 49.67)
    with pytest.raises(InvalidValue, match="activity"):
        mono.lung_dose_gy(activity, 0.1, 1.0, 49.67)
    with pytest.raises(InvalidValue, match="activity"):
        partition.doses(partition.PartitionInputs(0.3, 1.5, 5.0, 0.1), activity, 49.67)
    with pytest.raises(InvalidValue, match="activity"):
        count_partition.activities_gbq({"r": count_partition.InjectionCounts({"a": 1.0}, 0.1)}, {"r": activity})


RIGHT = count_partition.InjectionCounts({"tumour.T1": 400.0, "normal": 600.0}, 0.05)
LEFT = count_partition.InjectionCounts({"tumour.T2": 250.0, "normal": 750.0}, 0.10)


def test_two_injections_worked_by_hand():
    """Right 1.5 GBq: 1.425 in the liver, 0.57 in T1, 0.855 in normal. Left 0.8 GBq: 0.72; 0.18 in T2, 0.54 in normal. Lungs 0.075 + 0.08."""
    held = count_partition.activities_gbq({"right": RIGHT, "left": LEFT}, {"right": 1.5, "left": 0.8})
    assert held == {
        "tumour.T1": pytest.approx(0.57, rel=EXACT),
        "tumour.T2": pytest.approx(0.18, rel=EXACT),
        "normal": pytest.approx(1.395, rel=EXACT),
        "lungs": pytest.approx(0.155, rel=EXACT),
    }
    mass = {"tumour.T1": 0.2, "normal": 1.4, "lungs": 0.8}
    doses = count_partition.doses_gy({"right": RIGHT, "left": LEFT}, {"right": 1.5, "left": 0.8}, mass, 50.0)
    assert doses == {
        "tumour.T1": pytest.approx(142.5, rel=EXACT),
        "normal": pytest.approx(50.0 * 1.395 / 1.4, rel=EXACT),
        "lungs": pytest.approx(9.6875, rel=EXACT),
    }


def test_a_misspelt_compartment_is_not_a_dose_of_zero():
    with pytest.raises(InvalidValue, match=r"tumor\.T1"):
        count_partition.doses_gy({"right": RIGHT}, {"right": 1.0}, {"tumor.T1": 0.2}, 49.67)


@pytest.mark.parametrize("delivered", [{"right": 1.0}, {"right": 1.0, "left": 1.0, "middle": 1.0}, {"Right": 1.0, "left": 1.0}])
def test_every_injection_needs_counts_and_activity(delivered):
    with pytest.raises(InvalidValue, match="every injection needs both"):
        count_partition.activities_gbq({"right": RIGHT, "left": LEFT}, delivered)


def test_lung_counts_are_not_given_twice():
    with pytest.raises(InvalidValue, match="twice"):
        count_partition.InjectionCounts({"lungs": 5.0, "normal": 95.0}, 0.05)


@pytest.mark.parametrize("counts", [{}, {"normal": 0.0}])
def test_an_injection_without_counts(counts):
    with pytest.raises(InvalidValue, match="without counts"):
        count_partition.InjectionCounts(counts, 0.05)


@pytest.mark.parametrize("counts", [-1.0, math.nan, math.inf])
def test_counts_that_are_none(counts):
    with pytest.raises(InvalidValue, match="counts of normal"):
        count_partition.InjectionCounts({"normal": counts, "tumour": 5.0}, 0.05)
