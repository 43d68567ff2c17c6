"""What must hold for any input: balances of activity and energy, inverses, orderings (clinical.md 9.3, models of this release)."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from opensirt.radioembolisation.dosimetry.dvh import dvh, dvh_of
from opensirt.radioembolisation.dosimetry.models import count_partition, mono, partition
from opensirt.radioembolisation.transport.engines import engine_named
from opensirt.radioembolisation.transport.result import silent
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, DoseMap, Mask, Occupancy
from strategies import activities, grids, instants

BALANCE = 1e-9
"""Double precision over a handful of operations keeps 1e-15; 1e-9 is what the fact sheet asks."""
FLOAT32_SUM = 2e-7
"""Voxels are float32 (6e-8 relative each); sums are double."""

KILOGRAMS = st.floats(0.01, 3.0)
SHUNTS = st.just(0.0) | st.floats(1e-6, 0.6)
"""None, or one that a camera could count: subnormal fractions lose their digits in any formula."""
RATIOS = st.floats(0.2, 30.0)
GIGABECQUERELS = st.floats(0.05, 10.0)
CONSTANTS = st.sampled_from([49.38, 49.67, 49.8, 50.0, 15.87])
COUNTS = st.dictionaries(
    st.sampled_from(["tumour.T1", "tumour.T2", "normal_liver", "extrahepatic.stomach"]),
    st.one_of(st.just(0.0), st.floats(1e-3, 1e6)),
    min_size=1,
)
partitions = st.builds(partition.PartitionInputs, KILOGRAMS, KILOGRAMS, RATIOS, SHUNTS, st.floats(0.3, 1.5))
monos = st.builds(mono.MonoInputs, KILOGRAMS, SHUNTS, st.floats(0.0, 0.3))


@given(partitions, GIGABECQUERELS, CONSTANTS)
def test_partition_balances_activity_and_energy(inputs, delivered_gbq, constant):
    found = partition.doses(inputs, delivered_gbq, constant)
    assert found.tumour_gbq + found.normal_gbq + found.lung_gbq == pytest.approx(delivered_gbq, rel=BALANCE)
    energy = found.tumour_gy * inputs.tumour_mass_kg + found.normal_gy * inputs.normal_mass_kg
    assert energy == pytest.approx(constant * delivered_gbq * (1 - inputs.lung_shunt_fraction), rel=BALANCE)
    assert found.tumour_gy / found.normal_gy == pytest.approx(inputs.tumour_to_normal, rel=BALANCE)
    held = (found.tumour_gbq / inputs.tumour_mass_kg) / (found.normal_gbq / inputs.normal_mass_kg)
    assert held == pytest.approx(inputs.tumour_to_normal, rel=1e-6), "a ratio of concentrations; normal activity by difference"


@given(partitions, GIGABECQUERELS, CONSTANTS)
def test_partition_backward_undoes_forward(inputs, delivered_gbq, constant):
    found = partition.doses(inputs, delivered_gbq, constant)
    again = partition.activity_for_tumour_gbq(inputs, found.tumour_gy, constant)
    assert again == pytest.approx(delivered_gbq, rel=BALANCE)
    assert partition.activity_for_normal_gbq(inputs, found.normal_gy, constant) == pytest.approx(delivered_gbq, rel=BALANCE)
    if found.lung_gy > 1e-200:  # below, a double has too few digits left to go back
        assert partition.activity_for_lung_gbq(inputs, found.lung_gy, constant) == pytest.approx(delivered_gbq, rel=BALANCE)


@given(monos, st.floats(1.0, 500.0), CONSTANTS)
def test_mono_backward_undoes_forward(inputs, perfused_gy, constant):
    assert mono.dose_gy(inputs, mono.activity_gbq(inputs, perfused_gy, constant), constant) == pytest.approx(
        perfused_gy, rel=BALANCE
    )


@given(monos, st.floats(1.0, 500.0), CONSTANTS)
def test_nothing_is_lost_between_vial_liver_lung_and_residue(inputs, perfused_gy, constant):
    dispensed = mono.activity_gbq(inputs, perfused_gy, constant)
    residue = dispensed * inputs.residual_fraction
    lung = mono.lung_dose_gy(dispensed - residue, inputs.lung_shunt_fraction, 1.0, constant) / constant
    liver = perfused_gy * inputs.perfused_mass_kg / constant
    assert liver + lung + residue == pytest.approx(dispensed, rel=BALANCE)


@given(KILOGRAMS, KILOGRAMS, SHUNTS, GIGABECQUERELS, CONSTANTS)
def test_partition_at_ratio_one_is_the_mono_compartment(tumour_kg, normal_kg, shunt, delivered_gbq, constant):
    apart = partition.doses(partition.PartitionInputs(tumour_kg, normal_kg, 1.0, shunt), delivered_gbq, constant)
    together = mono.dose_gy(mono.MonoInputs(tumour_kg + normal_kg, shunt), delivered_gbq, constant)
    assert apart.tumour_gy == pytest.approx(together, rel=BALANCE)
    assert apart.normal_gy == pytest.approx(together, rel=BALANCE)


@given(partitions, GIGABECQUERELS, CONSTANTS, st.floats(1e-3, 1e3))
def test_count_partition_with_two_compartments_is_the_partition_model(inputs, delivered_gbq, constant, scale):
    """Counts in proportion to TN·m_T and m_N, on any scale: patient-relative calibration knows no scale."""
    counts = {
        "tumour": scale * inputs.tumour_to_normal * inputs.tumour_mass_kg,
        "normal": scale * inputs.normal_mass_kg,
    }
    injection = count_partition.InjectionCounts(counts, inputs.lung_shunt_fraction)
    mass = {"tumour": inputs.tumour_mass_kg, "normal": inputs.normal_mass_kg, "lungs": inputs.lung_mass_kg}
    found = count_partition.doses_gy({"one": injection}, {"one": delivered_gbq}, mass, constant)
    expected = partition.doses(inputs, delivered_gbq, constant)
    assert found["tumour"] == pytest.approx(expected.tumour_gy, rel=BALANCE)
    assert found["normal"] == pytest.approx(expected.normal_gy, rel=BALANCE)
    assert found["lungs"] == pytest.approx(expected.lung_gy, rel=BALANCE)


@given(st.lists(st.tuples(COUNTS, SHUNTS, GIGABECQUERELS), min_size=1, max_size=4), CONSTANTS)
def test_count_partition_balances_over_injections(drawn, constant):
    assume(all(sum(counts.values()) > 0.0 for counts, _, _ in drawn))
    injections = {f"i{n}": count_partition.InjectionCounts(counts, shunt) for n, (counts, shunt, _) in enumerate(drawn)}
    delivered = {f"i{n}": gbq for n, (_, _, gbq) in enumerate(drawn)}
    held = count_partition.activities_gbq(injections, delivered)
    assert sum(held.values()) == pytest.approx(sum(delivered.values()), rel=BALANCE)
    mass = {name: 0.3 for name in held}
    doses = count_partition.doses_gy(injections, delivered, mass, constant)
    assert sum(doses[name] * mass[name] for name in mass) == pytest.approx(constant * sum(delivered.values()), rel=BALANCE)


@given(st.lists(st.tuples(COUNTS, SHUNTS, GIGABECQUERELS), min_size=2, max_size=3), CONSTANTS)
def test_injections_add(drawn, constant):
    assume(all(sum(counts.values()) > 0.0 for counts, _, _ in drawn))
    injections = {f"i{n}": count_partition.InjectionCounts(counts, shunt) for n, (counts, shunt, _) in enumerate(drawn)}
    delivered = {f"i{n}": gbq for n, (_, _, gbq) in enumerate(drawn)}
    together = count_partition.activities_gbq(injections, delivered)
    alone = [count_partition.activities_gbq({name: injections[name]}, {name: delivered[name]}) for name in injections]
    for name, activity in together.items():
        assert activity == pytest.approx(sum(one.get(name, 0.0) for one in alone), rel=BALANCE)


@given(partitions, st.floats(0.001, 0.3), st.floats(1.01, 3.0), CONSTANTS)
def test_activity_for_a_tumour_dose_rises_with_shunt_and_falls_with_uptake(inputs, more_shunt, factor, constant):
    def activity(shunt: float, ratio: float) -> float:
        asked = partition.PartitionInputs(inputs.tumour_mass_kg, inputs.normal_mass_kg, ratio, shunt)
        return partition.activity_for_tumour_gbq(asked, 120.0, constant)

    base = activity(inputs.lung_shunt_fraction, inputs.tumour_to_normal)
    assert activity(inputs.lung_shunt_fraction + more_shunt, inputs.tumour_to_normal) > base
    assert activity(inputs.lung_shunt_fraction, inputs.tumour_to_normal * factor) < base


@given(monos, st.floats(0.001, 0.3), CONSTANTS)
def test_mono_activity_rises_with_shunt_and_with_residual(inputs, more, constant):
    def activity(shunt: float, residual: float) -> float:
        return mono.activity_gbq(mono.MonoInputs(inputs.perfused_mass_kg, shunt, residual), 100.0, constant)

    base = activity(inputs.lung_shunt_fraction, inputs.residual_fraction)
    assert activity(inputs.lung_shunt_fraction + more, inputs.residual_fraction) > base
    assert activity(inputs.lung_shunt_fraction, inputs.residual_fraction + more) > base


DOSES = st.lists(st.floats(0.0, 500.0), min_size=1, max_size=40)


@st.composite
def histograms(draw):
    doses = draw(DOSES)
    volumes = draw(st.lists(st.floats(1e-3, 1.0), min_size=len(doses), max_size=len(doses)))
    return np.array(doses), np.array(volumes)


@given(histograms(), st.lists(st.floats(0.1, 100.0), min_size=2, max_size=8))
def test_d_falls_with_the_volume_and_v_with_the_dose(drawn, percents):
    histogram = dvh_of("s", *drawn)
    at = sorted(percents)
    d = [histogram.d_gy(percent) for percent in at]
    assert all(later <= earlier for earlier, later in zip(d, d[1:], strict=False))
    v = [histogram.v(dose) for dose in sorted(np.concatenate([drawn[0], [0.0, 1000.0]]))]
    assert all(later <= earlier for earlier, later in zip(v, v[1:], strict=False))
    assert histogram.v(0.0) == 1.0
    assert histogram.v(histogram.maximum_gy) > 0.0, "the hottest voxel stays"
    assert histogram.d_gy(100.0) == drawn[0].min()


@given(histograms(), st.floats(0.1, 100.0))
def test_d_and_v_are_each_others_answer(drawn, percent):
    """At least x % of the volume receives D_x, and less than x % receives more."""
    histogram = dvh_of("s", *drawn)
    d = histogram.d_gy(percent)
    assert histogram.v(d) >= percent / 100.0 * (1.0 - 1e-8)
    hotter = drawn[1][drawn[0] > d].sum() / drawn[1].sum()
    assert hotter < percent / 100.0 * (1.0 + 1e-8)


@given(histograms())
def test_area_under_the_histogram_is_the_mean(drawn):
    histogram = dvh_of("s", *drawn)
    steps = np.unique(np.concatenate([[0.0], drawn[0]]))
    area = sum(histogram.v(float(high)) * (high - low) for low, high in zip(steps, steps[1:], strict=False))
    mean = float((drawn[0] * drawn[1]).sum() / drawn[1].sum())
    assert histogram.mean_gy == pytest.approx(mean, rel=1e-12, abs=1e-12)
    assert area == pytest.approx(mean, rel=1e-9, abs=1e-9)


@given(st.lists(st.tuples(st.floats(0.0, 300.0), st.integers(1, 6)), min_size=1, max_size=20), st.floats(0.1, 100.0))
def test_a_weight_of_n_is_n_voxels(drawn, percent):
    """Oracle: the plain definition with ``ceil`` on a list in which every voxel stands n times."""
    doses, counts = np.array([d for d, _ in drawn]), np.array([n for _, n in drawn])
    flat = np.sort(np.repeat(doses, counts))[::-1]
    expected = flat[int(np.ceil(percent / 100.0 * flat.size * (1.0 - 1e-9))) - 1]
    assert dvh_of("s", doses, counts.astype(float)).d_gy(percent) == expected


@given(grids(), st.integers(0, 2**32 - 1))
def test_mask_and_its_occupancy_give_one_histogram(grid, seed):
    rng = np.random.default_rng(seed)
    inside = rng.random(grid.shape) < 0.4
    assume(inside.any())
    dose = DoseMap(rng.gamma(2.0, 40.0, grid.shape), grid)
    tumour = Structure(StructureKind.TUMOUR, "T1")
    mask, occupancy = Mask(inside, grid, tumour), Occupancy(inside.astype(np.float32), grid, tumour)
    a, b = dvh(dose, mask), dvh(dose, occupancy)
    assert np.array_equal(a.dose_gy, b.dose_gy)
    assert a.volume_ml == pytest.approx(mask.volume_ml, rel=1e-12)
    assert a.mean_gy == pytest.approx(float(dose.dose_gy[inside].mean(dtype=np.float64)), rel=1e-12)


@settings(max_examples=40)
@given(grids(), st.integers(0, 2**32 - 1), st.sampled_from([(Y90, "49.67"), (Y90, "icrp107"), (HO166, "15.87")]))
def test_local_deposition_keeps_the_energy(grid, seed, nuclide_and_constant):
    nuclide, name = nuclide_and_constant
    rng = np.random.default_rng(seed)
    activity = ActivityMap(rng.gamma(0.5, 1e6, grid.shape), grid, nuclide, datetime(2026, 3, 4, tzinfo=UTC))
    density = DensityMap(rng.uniform(0.2, 1.3, grid.shape), grid)
    constant = nuclide.dose_constant(name)
    found = engine_named("local").dose(activity, density, constant, silent).dose.dose_gy.astype(np.float64)
    absorbed_j = float((found * density.g_per_ml.astype(np.float64)).sum()) * grid.voxel_volume_ml / 1000.0
    assert absorbed_j == pytest.approx(constant.value * activity.total_bq / 1e9, rel=FLOAT32_SUM)


@given(activities(), instants(), instants())
def test_decay_by_way_of_another_instant(activity, there, later):
    assume(abs((there - activity.at).total_seconds()) < 5e6 and abs((later - activity.at).total_seconds()) < 5e6)
    straight = activity.decayed_to(later).amount_gbq
    assume(straight > 1e-200 and 0.0 < activity.decayed_to(there).amount_gbq < 1e200)
    assert activity.decayed_to(there).decayed_to(later).amount_gbq == pytest.approx(straight, rel=1e-9)
