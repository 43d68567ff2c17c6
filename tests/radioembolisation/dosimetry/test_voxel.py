"""Voxel doses per injection: activity accounted for to the last becquerel, doses linear, means by energy over mass."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from opensirt.radioembolisation.dosimetry.voxel import (
    combined,
    doses_per_gbq,
    lung_dose_per_gbq,
    mean_gy,
    transport_factors,
    unit_activity,
)
from opensirt.radioembolisation.transport.engines import engine_named
from opensirt.radioembolisation.transport.result import silent
from opensirt.radioembolisation.workup.compartments import Compartment, CompartmentUptake, ScoutImage
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import Y90
from opensirt.vocabulary.volumes import CountsMap, DensityMap, DoseMap, Occupancy
from strategies import grid_about

GRID = grid_about((5.0, -40.0, 100.0), (22, 28, 25), (4.1, 3.3, 3.7), (8.0, -12.0, 17.0), signs=(-1, 1, -1))
TOTAL = 1e-6
"""Float32 voxels, summed in double precision."""
AT = datetime(2026, 3, 4, 10, tzinfo=UTC)


def _box(k, j, i, kind, label="", height=1.0) -> Occupancy:
    fraction = np.zeros(GRID.shape, dtype=np.float32)
    fraction[slice(*k), slice(*j), slice(*i)] = height
    return Occupancy(fraction, GRID, Structure(kind, label))


LIVER = _box((4, 12), (6, 22), (5, 20), StructureKind.LIVER)
RIGHT = _box((4, 12), (6, 14), (5, 20), StructureKind.TERRITORY, "right")
LEFT = _box((4, 12), (14, 22), (5, 20), StructureKind.TERRITORY, "left")
TUMOUR = _box((6, 9), (8, 11), (9, 13), StructureKind.TUMOUR, "T1")
LUNGS = _box((14, 20), (5, 23), (4, 21), StructureKind.LUNGS)
BODY = _box((1, 21), (2, 26), (2, 23), StructureKind.BODY)


def _image() -> ScoutImage:
    rng = np.random.default_rng(11)
    counts = rng.poisson(3.0, GRID.shape) * BODY.fraction + 40.0 * LIVER.fraction + 200.0 * TUMOUR.fraction + 4.0 * LUNGS.fraction
    density = 0.05 + 0.95 * BODY.fraction - 0.7 * LUNGS.fraction + rng.uniform(0.0, 0.05, GRID.shape)
    return ScoutImage(
        CountsMap(counts, GRID), DensityMap(density, GRID), LIVER, (LUNGS,), (TUMOUR,), (RIGHT, LEFT), (), BODY
    )  # fmt: skip


def _uptake(lung_share: float) -> CompartmentUptake:
    def one(key, kind, territory, share):
        return Compartment(key, kind, "", territory, Measured(share), Measured(share), Measured(100.0), 1.0)

    parts = (
        one("tumour.T1", StructureKind.TUMOUR, "right", 0.4 * (1 - lung_share)),
        one("normal_liver.right", StructureKind.NORMAL_LIVER, "right", 0.3 * (1 - lung_share)),
        one("normal_liver.left", StructureKind.NORMAL_LIVER, "left", 0.3 * (1 - lung_share)),
        one("lungs", StructureKind.LUNGS, "", lung_share),
    )
    return CompartmentUptake(parts, Measured(12.0), (), np.zeros(GRID.shape, dtype=np.float32), 1.0, 0.0)


@pytest.fixture(scope="module")
def image() -> ScoutImage:
    return _image()


@pytest.mark.parametrize("lung_share", [0.0, 0.07, 0.25])
def test_every_injection_holds_one_gigabecquerel_and_its_shunt(image, lung_share):
    found = unit_activity(image, _uptake(lung_share), image.counts.counts, Y90, AT)
    assert list(found.maps) == ["right", "left"]
    for activity in found.maps.values():
        assert activity.total_bq == pytest.approx(1e9, rel=TOTAL)
        in_lungs = float(activity.bq_per_ml[LUNGS.fraction > 0].sum(dtype=np.float64)) * GRID.voxel_volume_ml
        assert in_lungs == pytest.approx(lung_share * 1e9, rel=TOTAL, abs=1.0)


def test_an_injection_stays_out_of_the_other_territory(image):
    found = unit_activity(image, _uptake(0.07), image.counts.counts, Y90, AT)
    assert float(found.maps["right"].bq_per_ml[LEFT.fraction > 0].max()) == 0.0
    assert float(found.maps["left"].bq_per_ml[RIGHT.fraction > 0].max()) == 0.0


def test_the_lungs_share_lies_by_density(image):
    activity = unit_activity(image, _uptake(0.07), image.counts.counts, Y90, AT).maps["right"].bq_per_ml
    inside = LUNGS.fraction > 0
    per_gram = activity[inside].astype(np.float64) / image.density.g_per_ml[inside]
    assert np.ptp(per_gram) / per_gram.mean() < 1e-6


def test_counts_are_used_or_left_out(image):
    found = unit_activity(image, _uptake(0.07), image.counts.counts, Y90, AT)
    assert found.counts_used + found.counts_left_out == pytest.approx(image.counts.total, rel=TOTAL)
    assert 0.0 < found.counts_left_out < image.counts.total


def test_scaling_the_counts_changes_no_dose(image):
    """Patient-relative calibration: a camera twice as sensitive sees the same patient."""
    plain = unit_activity(image, _uptake(0.07), image.counts.counts, Y90, AT).maps["right"].bq_per_ml
    twice = unit_activity(image, _uptake(0.07), 2.0 * image.counts.counts, Y90, AT).maps["right"].bq_per_ml
    assert np.array_equal(plain, twice)


def test_a_territory_without_counts_is_refused(image):
    empty = image.counts.counts * (LEFT.fraction == 0)
    empty[:, 14:, :] = 0.0
    with pytest.raises(InvalidValue, match="'left' holds no counts"):
        unit_activity(image, _uptake(0.07), empty.astype(np.float32), Y90, AT)


def test_doses_of_injections_add(image):
    unit = unit_activity(image, _uptake(0.07), image.counts.counts, Y90, AT)
    doses = doses_per_gbq(unit, image.density, Y90.dose_constant(), "local", silent)
    both = combined(doses, {"right": 1.7, "left": 0.6})
    expected = 1.7 * doses["right"].dose.dose_gy.astype(np.float64) + 0.6 * doses["left"].dose.dose_gy
    assert np.allclose(both.dose_gy, expected, rtol=1e-6, atol=0.0)


def test_the_mean_of_all_is_energy_over_mass(image):
    """Local deposition keeps all of ``K`` joule per GBq; over the whole grid the mean is that over the mass."""
    unit = unit_activity(image, _uptake(0.07), image.counts.counts, Y90, AT)
    doses = doses_per_gbq(unit, image.density, Y90.dose_constant("49.67"), "local", silent)
    everything = Occupancy(np.ones(GRID.shape, dtype=np.float32), GRID, Structure(StructureKind.BODY))
    mean = mean_gy(doses["left"].dose, image.density, everything)
    assert mean * image.density.total_mass_g / 1000.0 == pytest.approx(49.67, rel=TOTAL)


def test_the_mean_weighs_by_mass_and_occupancy():
    grid = grid_about((0, 0, 0), (2, 1, 1), (3.0, 4.0, 5.0))
    dose = DoseMap(np.array([100.0, 10.0]).reshape(2, 1, 1), grid)
    density = DensityMap(np.array([0.25, 1.0]).reshape(2, 1, 1), grid)
    region = Occupancy(np.array([1.0, 0.5]).reshape(2, 1, 1), grid, Structure(StructureKind.LUNGS))
    assert mean_gy(dose, density, region) == pytest.approx((0.25 * 100.0 + 0.5 * 10.0) / 0.75)


def test_a_region_without_mass_is_refused():
    grid = grid_about((0, 0, 0), (2, 1, 1), (3.0, 4.0, 5.0))
    nothing = Occupancy(np.zeros((2, 1, 1), dtype=np.float32), grid, Structure(StructureKind.LUNGS))
    with pytest.raises(InvalidValue, match="no mass"):
        mean_gy(DoseMap(np.ones((2, 1, 1)), grid), DensityMap(np.ones((2, 1, 1)), grid), nothing)


def test_an_engine_beside_itself_has_factor_one(image):
    unit = unit_activity(image, _uptake(0.07), image.counts.counts, Y90, AT)
    local = doses_per_gbq(unit, image.density, Y90.dose_constant(), "local", silent)
    regions = (("tumour.T1", TUMOUR), ("lungs", LUNGS))
    assert transport_factors(local, local, image.density, regions) == {
        "tumour.T1": {"right": 1.0, "left": 1.0},
        "lungs": {"right": 1.0, "left": 1.0},
    }


def test_the_kernel_takes_dose_out_of_a_hot_tumour(image):
    """Beta particles leave a hot region for the cooler one around it: factor below 1 in the tumour."""
    unit = unit_activity(image, _uptake(0.07), image.counts.counts, Y90, AT)
    local = doses_per_gbq(unit, image.density, Y90.dose_constant(), "local", silent)
    kernel = doses_per_gbq(unit, image.density, Y90.dose_constant(), "kernel", silent)
    factor = transport_factors(kernel, local, image.density, (("tumour.T1", TUMOUR),))["tumour.T1"]["right"]
    assert 0.6 < factor < 0.98


SUM_OF_PARTS_RELATIVE = 1e-5
"""Single precision: the sum of two doses against the dose of the sum."""


@pytest.mark.parametrize("engine", ["local", "kernel", "kernel-density"])
def test_lungs_spread_once_give_the_dose_of_the_whole_activity(engine: str) -> None:
    image = _image()
    unit = unit_activity(image, _uptake(0.07), image.counts.counts, Y90, AT)
    constant = Y90.dose_constant()
    assert unit.lungs is not None
    doses = doses_per_gbq(
        unit, image.density, constant, engine, silent, lungs=lung_dose_per_gbq(unit, image.density, constant, engine)
    )
    for territory, whole in unit.maps.items():
        expected = engine_named(engine).dose(whole, image.density, constant, silent)
        found = doses[territory]
        np.testing.assert_allclose(
            found.dose.dose_gy, expected.dose.dose_gy, rtol=1e-3, atol=SUM_OF_PARTS_RELATIVE * expected.dose.dose_gy.max()
        )
        assert found.energy.emitted_j == pytest.approx(expected.energy.emitted_j, rel=SUM_OF_PARTS_RELATIVE)
        assert found.energy.deposited_j == pytest.approx(expected.energy.deposited_j, rel=SUM_OF_PARTS_RELATIVE)
        assert found.energy.left_grid_j == pytest.approx(
            expected.energy.left_grid_j, rel=1e-3, abs=1e-4 * expected.energy.emitted_j
        )
