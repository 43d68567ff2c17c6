"""True dose by tracing decays one by one: an independent check on every dose engine.

A decay's energy is sent from a random point of its voxel in a random direction to a distance drawn from the energy-weighted radial
distribution, counted in g/cm² along the ray through the true density. Nothing is shared with the convolution engines but the published
radial distribution itself.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import numpy.typing as npt
from numba import njit

from opensirt.synthetic.anatomy import Anatomy
from opensirt.synthetic.uptake import Uptake


def radial_energy(nuclide: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Radius (mm at density 1) and fraction of the emitted energy within it."""
    text = (files("opensirt.synthetic.data") / "radial_energy.csv").read_text("utf-8")
    rows = np.array([[float(x) for x in line.split(",")] for line in text.splitlines() if line and not line.startswith("#")])
    return rows[:, 0], rows[:, {"Y-90": 1, "Ho-166": 2}[nuclide]]


@njit(cache=True, nogil=True)
def _trace(start, direction, depth, density, label, labels):  # type: ignore[no-untyped-def]
    hits = np.zeros(labels + 1, dtype=np.int64)
    nk, nj, ni = density.shape
    step = 0.5
    for n in range(start.shape[0]):
        z, y, x = start[n]
        dz, dy, dx = direction[n]
        left = depth[n]
        while True:
            k, j, i = int(np.floor(z + 0.5)), int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
            if k < 0 or j < 0 or i < 0 or k >= nk or j >= nj or i >= ni:
                hits[labels] += 1
                break
            gain = density[k, j, i] * step * 2.0
            if gain >= left:
                back = left / max(gain, 1e-12)
                z, y, x = z + dz * step * back, y + dy * step * back, x + dx * step * back
                k, j, i = int(np.floor(z + 0.5)), int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
                if k < 0 or j < 0 or i < 0 or k >= nk or j >= nj or i >= ni:
                    hits[labels] += 1
                else:
                    hits[label[k, j, i]] += 1
                break
            left -= gain
            z, y, x = z + dz * step, y + dy * step, x + dx * step
    return hits


def energy_shares(
    anatomy: Anatomy, uptake: Uptake, label: npt.NDArray[np.int16], nuclide: str, rng: np.random.Generator, *, decays: int
) -> npt.NDArray[np.float64]:
    """Share of each injection's emitted energy that each label receives.

    Parameters
    ----------
    anatomy, uptake
        The truth.
    label : ndarray of int16, shape of the fine grid
        0 for elsewhere, 1 … n for structures.
    nuclide : str
        ``"Y-90"`` or ``"Ho-166"``.
    rng : numpy.random.Generator
        Draws decays.
    decays : int
        How many per injection.

    Returns
    -------
    ndarray, shape (2, n + 1)
        Rows: injections right, left; columns: labels. What leaves the field is missing from the sum.
    """
    radius, within = radial_energy(nuclide)
    labels = int(label.max()) + 1
    shares = np.zeros((2, labels))
    for number in range(2):
        weight = (
            np.where((uptake.source == number + 1) | (uptake.source == 3), uptake.concentration, 0.0).astype(np.float64).ravel()
        )
        lung_or_focus = (uptake.source == 3).ravel()
        lobe = ("right", "left")[number]
        weight[lung_or_focus] *= uptake.injected_share[lobe]
        where = np.flatnonzero(weight)
        total = np.cumsum(weight[where])
        # stratified: one decay in each equal part of the activity; ascending, so that the search is quick
        pick = where[np.searchsorted(total, (np.arange(decays) + rng.random(decays)) * (total[-1] / decays))]
        start = np.stack(np.unravel_index(pick, anatomy.grid.shape), axis=1) + rng.random((decays, 3)) - 0.5
        cosine = rng.uniform(-1.0, 1.0, decays)
        angle = rng.uniform(0.0, 2.0 * np.pi, decays)
        sine = np.sqrt(1.0 - cosine**2)
        direction = np.stack([cosine, sine * np.sin(angle), sine * np.cos(angle)], axis=1)
        drawn = rng.random(decays)
        depth = np.interp(drawn, within, radius, right=np.inf)
        hits = _trace(start, direction, depth, anatomy.g_per_ml, label, labels)
        shares[number] = hits[:labels] / decays
    return shares
