"""Point kernels of electrons against the Monte Carlo reference: another code, the same spectrum and media."""

from __future__ import annotations

import pytest

CASES = [
    *((nuclide, medium) for nuclide in ("Y90", "Ho166", "Lu177") for medium in ("water", "soft")),
    *(("Y90", medium) for medium in ("liver", "lung", "adipose", "bone")),
]
QUICK, LONG = 300_000, 5_000_000


def _how(runs, nuclide, histories, seed):
    """Lu-177's electrons go 0.2 mm: shells of 0.02 mm ask for the fine settings, which follow them below 50 keV."""
    return runs.How(histories, seed=seed, physics=runs.FINE if nuclide == "Lu177" else runs.DEFAULT)


@pytest.mark.parametrize(("nuclide", "medium"), CASES)
def test_every_shell_and_every_radius(kernel_difference, runs, nuclide, medium):
    difference = kernel_difference(nuclide, medium, how=_how(runs, nuclide, QUICK, seed=5))
    assert difference.passes, difference


@pytest.mark.slow
@pytest.mark.parametrize(("nuclide", "medium"), CASES)
def test_every_shell_and_every_radius_with_many_histories(kernel_difference, runs, nuclide, medium):
    difference = kernel_difference(nuclide, medium, how=_how(runs, nuclide, LONG, seed=6))
    assert difference.passes, difference
