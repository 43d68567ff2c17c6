"""Point kernels as package data: what they hold, how they scale, and what other codes say.

Oracles: the percentile radii that the Monte Carlo runs printed, the reference files they come from, and the Y-90 kernel in water of
Graves et al. 2019 (another code and another spectrum).
"""

from __future__ import annotations

import numpy as np
import pytest

from opensirt.radioembolisation.transport.point_kernels import MEDIA, point_kernel
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput

CLOSURE = 1e-8
"""The Monte Carlo runs conserve energy to 1e-8 relative."""
RADIUS_MM = 0.006
"""The radii are printed to 0.001 or 0.01 mm; between shell edges 0.1 mm apart they are interpolated linearly."""
CODES = 0.004
"""Two codes, two spectra: largest difference of the cumulative fraction."""

ALL = [("Y-90", medium) for medium in MEDIA] + [("Ho-166", "soft"), ("Ho-166", "water")]


@pytest.mark.parametrize(("nuclide", "medium"), ALL)
def test_every_fraction_of_the_emitted_energy_is_somewhere(nuclide, medium):
    kernel = point_kernel(nuclide, medium)
    assert kernel.fraction.sum() + kernel.origin_fraction + kernel.beyond_fraction == pytest.approx(1.0, abs=CLOSURE)
    assert (kernel.fraction >= 0).all() and (kernel.electron_fraction >= 0).all()
    assert np.isfinite(kernel.fraction).all()


@pytest.mark.parametrize(
    ("medium", "x50_mm", "x90_mm", "x95_mm"),
    [
        ("water", 2.349, 5.437, 6.335),
        ("soft", 2.372, 5.498, 6.405),
        ("liver", 2.240, 5.190, 6.049),
        ("lung", 9.021, 20.81, 24.23),
        ("adipose", 2.564, 5.959, 6.937),
        ("bone", 1.320, 3.042, 3.566),
    ],
)
def test_radii_printed_by_the_monte_carlo_runs(medium, x50_mm, x90_mm, x95_mm):
    kernel = point_kernel("Y-90", medium)
    assert [kernel.radius_holding_mm(f) for f in (0.5, 0.9, 0.95)] == pytest.approx([x50_mm, x90_mm, x95_mm], abs=RADIUS_MM)


def test_cumulative_fraction_in_water_of_graves_2019():
    radii = [0.5, 1, 2, 2.5, 3, 4, 5, 5.3, 6, 7, 8, 9, 10, 11]
    published = [0.1104, 0.2213, 0.4297, 0.5238, 0.6099, 0.7555, 0.8627, 0.8874, 0.9327, 0.9714, 0.9888, 0.9946, 0.9958, 0.9960]
    ours = point_kernel("Y-90", "water").cumulative(np.array(radii))
    # Graves' spectrum is softer at the end: 0.9336 against 0.9359 MeV, radii longer by 0.02 to 0.03 mm
    assert np.abs(ours - published).max() < 2.0 * CODES


@pytest.mark.parametrize("nuclide", ["Y-90", "Ho-166"])
def test_electrons_stop_within_their_reach(nuclide):
    kernel = point_kernel(nuclide)
    beyond = kernel.edges_mm[1:] > kernel.electron_reach_mm + 1e-9
    assert kernel.electron_fraction[beyond].sum() == pytest.approx(0.0, abs=1e-15)
    assert kernel.photon_fraction[beyond].sum() > 0.003


def test_tail_goes_on_where_the_shells_end():
    kernel = point_kernel("Y-90")
    per_mm = kernel.fraction / np.diff(kernel.edges_mm)
    first = int(np.searchsorted(kernel.edges_mm, 200.0 + 1e-9))
    assert 0.8 < per_mm[first] / per_mm[first - 1] < 1.1  # 10 and 20 mm long, falling by 0.4 % per mm
    assert (np.diff(per_mm[first:]) < 0).all()


def test_a_medium_at_another_density_is_its_kernel_with_scaled_radii():
    one, other = point_kernel("Y-90"), point_kernel("Y-90").at_density(1.04)
    assert other.radius_holding_mm(0.9) == pytest.approx(one.radius_holding_mm(0.9) / 1.04, rel=1e-12)
    assert other.fraction == pytest.approx(one.fraction, rel=0)
    liver = point_kernel("Y-90", "liver")
    assert point_kernel("Y-90").at_density(1.06).radius_holding_mm(0.5) == pytest.approx(liver.radius_holding_mm(0.5), rel=0.003)


def test_ho_166_leaves_what_is_below_1_kev_at_its_origin():
    assert point_kernel("Ho-166").origin_fraction == pytest.approx(0.00037 / 0.72642, rel=0.01)


@pytest.mark.parametrize(("nuclide", "medium"), [("Lu-177", "soft"), ("Ho-166", "lung"), ("Y-90", "air")])
def test_what_there_is_not_is_said(nuclide, medium):
    with pytest.raises(UnsupportedInput, match="no point kernel"):
        point_kernel(nuclide, medium)


@pytest.mark.parametrize("density", [0.0, -1.0, float("nan"), float("inf")])
def test_no_medium_without_density(density):
    with pytest.raises(InvalidValue, match="density"):
        point_kernel("Y-90").at_density(density)


@pytest.mark.parametrize("medium", list(MEDIA))
def test_package_data_are_the_reference_runs(shared_reference, medium):
    run = np.load(shared_reference / "egsnrc" / f"kernel_Y90_{medium}.npz")
    kernel = point_kernel("Y-90", medium)
    shells = len(run["E_dep_MeV"])
    assert kernel.edges_mm[1 : shells + 1] == pytest.approx(run["r_hi_mm"], rel=1e-12)
    assert kernel.fraction[:shells] == pytest.approx(run["E_dep_MeV"] / run["E_emitted_MeV"], rel=1e-12)
    assert kernel.photon_fraction[:shells] == pytest.approx(run["E_dep_photon_component_MeV"] / run["E_emitted_MeV"], rel=1e-12)
    assert kernel.fraction[shells:].sum() + kernel.beyond_fraction == pytest.approx(
        float(run["E_escaped_MeV"] / run["E_emitted_MeV"])
    )


@pytest.mark.parametrize("medium", ["soft", "water"])
def test_package_data_are_the_reference_runs_of_ho_166(shared_reference, medium):
    run = np.load(shared_reference / "egsnrc" / f"kernel_Ho166_{medium}.npz")
    emitted = run["E_electrons_MeV_per_decay"] + run["E_photons_MeV_per_decay"] + run["E_below_1keV_MeV"]
    kernel = point_kernel("Ho-166", medium)
    deposited = run["e_E_dep_MeV_per_decay"] + run["g_E_dep_MeV_per_decay"]
    assert kernel.fraction[: len(deposited)] == pytest.approx(deposited / emitted, rel=1e-12)
    photons = run["e_brems_component"] + run["g_E_dep_MeV_per_decay"]
    assert kernel.photon_fraction[: len(deposited)] == pytest.approx(photons / emitted, rel=1e-12)
