"""Radiobiology of a plan's structures, against the same numbers worked out voxel by voxel, and against hand-made uncertainty."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.radioembolisation.dosimetry.radiobiology.bed import bed_map, eqd_gy, repair_factor
from opensirt.radioembolisation.dosimetry.radiobiology.eud import eubed_gy
from opensirt.radioembolisation.dosimetry.radiobiology.structures import RadiobiologyResult, plan_radiobiology
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch, InvalidValue, MissingInput, UnsupportedInput
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.radiobiology import LIVER, LUNG, TUMOUR
from opensirt.vocabulary.volumes import DensityMap, DoseMap, Occupancy
from strategies import grid_about, grids

SINGLE = 3e-6
"""Relative: the oracle takes BED in single precision."""
SLOPE = 1e-4
"""Relative: central differences against closed derivatives."""
LIMIT_S = 0.5
GRID = grid_about((0.0, 0.0, 0.0), (9, 10, 11), (4.0, 4.0, 4.0))


def occupancy(grid: Grid, kind: StructureKind, seed: int, label: str = "") -> Occupancy:
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.0, 1.0, grid.shape) * (rng.uniform(size=grid.shape) < 0.6)
    share.flat[seed % share.size] = 0.7  # never empty
    return Occupancy(share.astype(np.float32), grid, Structure(kind, label))


def maps(grid: Grid, seed: int = 3) -> tuple[DoseMap, DensityMap]:
    rng = np.random.default_rng(seed)
    dose = DoseMap(rng.gamma(3.0, 40.0, grid.shape).astype(np.float32), grid)
    return dose, DensityMap(rng.uniform(0.2, 1.1, grid.shape).astype(np.float32), grid)


def run(regions, grid=GRID, *, relative=0.1, nuclide=Y90, product="glass", indication="NET", seed=3) -> RadiobiologyResult:
    dose, density = maps(grid, seed)
    return plan_radiobiology(
        dose, density, regions, nuclide, product, indication, planned_as_mapped(dose, density, regions, relative)
    )


def planned_as_mapped(dose, density, regions, relative=0.1) -> dict[str, Measured]:
    """Planned means that are those of the map, with one source each."""
    found = {}
    for key, region in regions:
        weight = region.fraction.astype(np.float64) * density.g_per_ml
        mean = float((weight * dose.dose_gy).sum() / weight.sum())
        found[key] = Measured(mean, {f"dose.{key}": relative * mean})
    return found


def by_key(result: RadiobiologyResult) -> dict:
    return {number.key: number for number in result.numbers}


@given(grids(), st.integers(0, 10_000))
def test_numbers_are_those_of_every_voxel(grid, seed):
    tumour = occupancy(grid, StructureKind.TUMOUR, seed, "T1")
    lungs = occupancy(grid, StructureKind.LUNGS, seed + 1)
    dose, density = maps(grid, seed)
    found = by_key(run([("tumour.T1", tumour), ("lungs", lungs)], grid, seed=seed))
    for key, region, tissue in (("tumour.T1", tumour, TUMOUR), ("lungs", lungs, LUNG)):
        mass = region.fraction.astype(float) * density.g_per_ml
        factor = repair_factor(Y90.half_life_h.value, tissue.repair_half_time_h.value)
        bed = bed_map(dose, tissue.alpha_beta_gy.value, factor).bed_gy.astype(float)
        mean_bed = float(np.sum(mass * bed) / mass.sum())
        assert found[f"bed.{key}"].measured.value == pytest.approx(mean_bed, rel=SINGLE)
        assert found[f"eqd2.{key}"].measured.value == pytest.approx(eqd_gy(mean_bed, tissue.alpha_beta_gy.value), rel=SINGLE)
        inside = mass > 0
        if tissue is TUMOUR:
            expected = eubed_gy(bed[inside], mass[inside], TUMOUR.alpha_per_gy.value)
            assert found[f"eubed.{key}"].measured.value == pytest.approx(expected, rel=1e-4)
        else:
            mean = float(np.sum(mass * dose.dose_gy) / mass.sum())
            assert found[f"geud.{key}"].measured.value == pytest.approx(mean, rel=SINGLE)


def test_gaps_and_order_of_the_numbers_of_one_tumour():
    found = by_key(run([("tumour.T1", occupancy(GRID, StructureKind.TUMOUR, 5, "T1"))]))
    assert set(found) == {f"{what}.tumour.T1" for what in ("bed", "eqd2", "geud", "eubed", "spheres_per_ml")}
    assert found["geud.tumour.T1"].measured.value < found["eubed.tumour.T1"].measured.value < found["bed.tumour.T1"].measured.value
    assert all(number.formula and number.method and number.sources and number.constants for number in found.values())


def test_normal_tissue_has_no_eubed_because_no_alpha_was_found():
    regions = [("normal_liver", occupancy(GRID, StructureKind.NORMAL_LIVER, 5)), ("lungs", occupancy(GRID, StructureKind.LUNGS, 6))]
    found = by_key(run(regions))
    assert not [key for key in found if key.startswith("eubed.")]
    assert "spheres_per_ml.normal_liver" in found and "spheres_per_ml.lungs" not in found


def test_uncertainty_of_dose_and_of_parameters_is_carried():
    region = occupancy(GRID, StructureKind.NORMAL_LIVER, 5)
    dose, density = maps(GRID)
    found = by_key(run([("normal_liver", region)]))["bed.normal_liver"].measured
    mass = region.fraction.astype(float) * density.g_per_ml
    mean = float(np.sum(mass * dose.dose_gy) / mass.sum())
    square = float(np.sum(mass * dose.dose_gy.astype(float) ** 2) / mass.sum())
    half, repair, ratio = Y90.half_life_h, LIVER.repair_half_time_h, LIVER.alpha_beta_gy
    factor = repair.value / (repair.value + half.value)
    curved = square * factor / ratio.value
    assert found.contributions["dose.normal_liver"] == pytest.approx(0.1 * (mean + 2.0 * curved), rel=SLOPE)
    assert found.contributions["alpha_beta.liver"] == pytest.approx(-curved / ratio.value * ratio.standard_uncertainty, rel=SLOPE)
    by_repair = square / ratio.value * half.value / (repair.value + half.value) ** 2 * repair.standard_uncertainty
    assert found.contributions["repair_half_time.normal"] == pytest.approx(by_repair, rel=SLOPE)
    assert set(found.contributions) == {"dose.normal_liver", "alpha_beta.liver", "repair_half_time.normal", "half_life"}


def test_equal_parameters_of_two_tumours_are_one_source():
    regions = [(f"tumour.T{n}", occupancy(GRID, StructureKind.TUMOUR, n, f"T{n}")) for n in (1, 2)]
    one, two = (by_key(run(regions))[f"eubed.tumour.T{n}"].measured.contributions for n in (1, 2))
    assert {"alpha_beta.tumour", "alpha.liver_tumour", "repair_half_time.tumour"} <= set(one) & set(two)
    assert "dose.tumour.T1" in one and "dose.tumour.T1" not in two


def test_spheres_per_ml_by_hand():
    """Uniform 120 Gy in 1.04 g/mL: 120 · 0.00104 / 49.67 GBq/mL over 2500 Bq, 1005 per mL; 50-fold for resin."""
    tumour = occupancy(GRID, StructureKind.TUMOUR, 5, "T1")
    dose = DoseMap(np.full(GRID.shape, 120.0, np.float32), GRID)
    density = DensityMap(np.full(GRID.shape, 1.04, np.float32), GRID)
    for product, expected in (("glass", 1005.03), ("resin", 50251.7)):
        found = plan_radiobiology(dose, density, [("t", tumour)], Y90, product, "HCC", {"t": Measured(120.0)})
        assert by_key(found)["spheres_per_ml.t"].measured.value == pytest.approx(expected, rel=1e-5)
        assert ("spheres.few" in {f.code for f in found.findings}) == (product == "glass")


def test_net_has_no_parameters_and_none_are_shown():
    result = run([("tumour.T1", occupancy(GRID, StructureKind.TUMOUR, 5, "T1"))])
    assert not [number for number in result.numbers if "tcp" in number.key]
    assert [f.code for f in result.findings if f.code.startswith("radiobiology.no_")] == ["radiobiology.no_parameters"]


@pytest.mark.parametrize(
    ("product", "indication", "code"),
    [
        ("glass", "HCC", "radiobiology.no_slope"),
        ("resin", "HCC", "radiobiology.no_parameters"),
        ("glass", "mCRC", "radiobiology.no_parameters"),
    ],
)
def test_what_is_said_of_probabilities(product, indication, code):
    result = run([("tumour.T1", occupancy(GRID, StructureKind.TUMOUR, 5, "T1"))], product=product, indication=indication)
    assert code in {finding.code for finding in result.findings}


def test_holmium_is_not_yttrium():
    region = [("normal_liver", occupancy(GRID, StructureKind.NORMAL_LIVER, 5))]
    yttrium, holmium = run(region), run(region, nuclide=HO166, product="ho166")
    assert by_key(holmium)["bed.normal_liver"].measured.value > by_key(yttrium)["bed.normal_liver"].measured.value
    assert "radiobiology.nuclide_matters" in {finding.code for finding in holmium.findings}


def test_mixed_tissue_is_named_and_left_out():
    regions = [("territory.right", occupancy(GRID, StructureKind.TERRITORY, 5, "right"))]
    result = run(regions)
    assert result.numbers == ()
    assert [f for f in result.findings if f.code == "radiobiology.not_computed" and "territory.right" in f.message]


def test_a_structure_without_dose_has_a_bed_of_zero():
    dose = DoseMap(np.zeros(GRID.shape, np.float32), GRID)
    _, density = maps(GRID)
    regions = [("tumour.T1", occupancy(GRID, StructureKind.TUMOUR, 5, "T1"))]
    result = plan_radiobiology(dose, density, regions, Y90, "glass", "NET", {"tumour.T1": Measured(0.0)})
    assert {number.measured.value for number in result.numbers} == {0.0}


def test_what_is_refused():
    tumour = occupancy(GRID, StructureKind.TUMOUR, 5, "T1")
    dose, density = maps(GRID)
    empty = Occupancy(np.zeros(GRID.shape, np.float32), GRID, Structure(StructureKind.TUMOUR, "T1"))
    other = grid_about((0.0, 0.0, 0.0), (9, 10, 11), (4.0, 4.0, 3.0))

    def ask(region=tumour, nuclide=Y90, product="glass", planned=None, density=density):
        means = {"t": Measured(100.0)} if planned is None else planned
        return plan_radiobiology(dose, density, [("t", region)], nuclide, product, "NET", means)

    with pytest.raises(MissingInput, match="planned mean"):
        ask(planned={})
    with pytest.raises(InvalidValue, match="planned mean"):
        ask(planned={"t": Measured(-0.1)})
    with pytest.raises(InvalidValue, match="no mass"):
        ask(region=empty)
    with pytest.raises(UnsupportedInput):
        ask(nuclide=HO166)
    with pytest.raises(UnsupportedInput):
        ask(product="clay")
    with pytest.raises(GridMismatch):
        ask(region=occupancy(other, StructureKind.TUMOUR, 5, "T1"))
    with pytest.raises(GridMismatch):
        ask(density=maps(other)[1])


def test_ten_structures_on_a_working_grid_take_less_than_half_a_second():
    grid = grid_about((0.0, 0.0, 0.0), (120, 100, 100), (4.0, 4.0, 4.0))
    dose, density = maps(grid)
    k, j, i = np.indices(grid.shape)
    regions = []
    for n in range(7):
        ball = ((k - 20 - 10 * n) ** 2 + (j - 50) ** 2 + (i - 50) ** 2 < 144).astype(np.float32)
        regions.append((f"tumour.T{n}", Occupancy(ball, grid, Structure(StructureKind.TUMOUR, f"T{n}"))))
    for kind, rows in (
        (StructureKind.NORMAL_LIVER, slice(0, 60)),
        (StructureKind.PERFUSED_NORMAL_LIVER, slice(0, 30)),
        (StructureKind.LUNGS, slice(60, 120)),
    ):
        share = np.zeros(grid.shape, np.float32)
        share[rows, 20:80, 20:80] = 0.9
        regions.append((kind.value, Occupancy(share, grid, Structure(kind))))
    relative = planned_as_mapped(dose, density, regions, 0.15)
    took = []
    for _ in range(3):
        started = time.perf_counter()
        plan_radiobiology(dose, density, regions, Y90, "glass", "NET", relative)
        took.append(time.perf_counter() - started)
    assert min(took) < LIMIT_S


def test_the_map_gives_the_shape_and_the_plan_the_mean():
    region = occupancy(GRID, StructureKind.LUNGS, 9)
    dose, density = maps(GRID)
    (mapped,) = planned_as_mapped(dose, density, [("lungs", region)]).values()
    once = by_key(plan_radiobiology(dose, density, [("lungs", region)], Y90, "glass", "NET", {"lungs": mapped}))
    twice = DoseMap(2.0 * dose.dose_gy, GRID)
    again = by_key(plan_radiobiology(twice, density, [("lungs", region)], Y90, "glass", "NET", {"lungs": mapped}))
    for key, number in once.items():
        assert again[key].measured.value == pytest.approx(number.measured.value, rel=1e-6)
    assert once["geud.lungs"].measured.value == pytest.approx(mapped.value, rel=1e-6)
    assert once["bed.lungs"].measured.value > mapped.value
