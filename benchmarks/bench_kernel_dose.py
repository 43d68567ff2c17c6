"""Kernel dose on 256 × 256 × 128 voxels against transforms of the whole grid by NumPy and SciPy, in turn, in single precision.

Run: ``python benchmarks/bench_kernel_dose.py [--repeats N]``. The peers convolve activity with the voxel kernel out to the electrons' reach
(zero-padded, linear); opensirt does the same and adds the photon tail, checks, and the energy book. Outputs are compared: they may differ
by the photon tail, which is printed apart. Ends with status 1 if opensirt is less than 4 × as fast as ``numpy.fft.rfftn`` or 2 × as
``scipy.signal.fftconvolve`` on a virtual patient's activity (exact zeros where there is none), or takes 1 GB or more. A grid without any zero
is reported too.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

import numpy as np
from scipy import signal

from _timing import medians_s, peak_mib
from opensirt.radioembolisation.transport.engines import ENGINES
from opensirt.radioembolisation.transport.result import silent
from opensirt.radioembolisation.transport.voxel_kernel import voxel_kernel
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import Y90
from opensirt.vocabulary.volumes import ActivityMap, DensityMap

SHAPE = (128, 256, 256)
SPACING_MM = (3.0, 1.8, 2.0)
TIMES_NUMPY, TIMES_SCIPY, PEAK_MIB = 4.0, 2.0, 1000.0
SAME_OUTPUT = 1e-5
"""Of the largest dose: rounding of single-precision transforms, the peers' included."""


def _places() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k, j, i = np.meshgrid(*((np.arange(n) - n / 2) * s for n, s in zip(SHAPE, SPACING_MM, strict=True)), indexing="ij", sparse=True)
    return k, j, i


def activity(kind: str) -> np.ndarray:
    """Liver with lesions in both lobes and a lung shunt, as on a virtual patient; or a value everywhere."""
    random = np.random.default_rng(1)
    if kind == "dense":
        return np.float32(1e4) * (np.float32(0.5) + random.random(SHAPE, dtype=np.float32))
    k, j, i = _places()
    right, left = (
        ((k / 75) ** 2 + (j / 70) ** 2 + ((i + 40) / 75) ** 2 < 1),
        ((k - 20) / 45) ** 2 + ((j + 30) / 45) ** 2 + ((i - 50) / 70) ** 2 < 1,
    )
    bq = np.where(
        right | left,
        np.float32(4e4) * (np.float32(1.0) + np.float32(0.3) * random.random(SHAPE, dtype=np.float32)),
        np.float32(0.0),
    )
    for centre, radius in (((10, 20, -50), 22), ((-30, -10, -20), 15), ((20, -35, 60), 12)):
        bq[((k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2) < radius**2] *= 4.0
    if kind == "liver and lungs":
        for side in (-1, 1):
            lung = ((k - 150) / 90) ** 2 + (j / 80) ** 2 + ((i - side * 85) / 60) ** 2 < 1
            bq[lung & (bq == 0)] = 1e3
    return bq


def volumes(kind: str) -> tuple[ActivityMap, DensityMap]:
    """Activity and uniform density on the benchmark's grid."""
    grid = Grid(SHAPE, np.diag([*SPACING_MM, 1.0]))
    density = DensityMap(np.full(SHAPE, 1.04, dtype=np.float32), grid)
    return ActivityMap(activity(kind), grid, Y90, datetime(2026, 3, 4, 10, tzinfo=UTC)), density


def by_opensirt(map_: ActivityMap, density: DensityMap) -> np.ndarray:
    return ENGINES["kernel"].dose(map_, density, Y90.dose_constant(), silent).dose.dose_gy


def by_numpy(bq: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    axes, size = (0, 1, 2), [n + m - 1 for n, m in zip(bq.shape, kernel.shape, strict=True)]
    whole = np.fft.irfftn(np.fft.rfftn(bq, size, axes) * np.fft.rfftn(kernel, size, axes), size, axes)
    return whole[tuple(slice(m // 2, m // 2 + n) for n, m in zip(bq.shape, kernel.shape, strict=True))]


def by_scipy(bq: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return signal.fftconvolve(bq, kernel, mode="same")


def one_dose(kind: str) -> None:
    """For the peak of memory: make the volumes and one dose."""
    by_opensirt(*volumes(kind))


def compare(kind: str, repeats: int) -> bool:
    """Time one kind of activity, print a line, and say whether opensirt keeps what it promises."""
    map_, density = volumes(kind)
    bq = map_.bq_per_ml
    kernel = voxel_kernel("Y-90", SPACING_MM, density_g_per_ml=1.04).fraction.astype(np.float32)
    calls = {
        "opensirt": lambda: by_opensirt(map_, density),
        "numpy": lambda: by_numpy(bq, kernel),
        "scipy": lambda: by_scipy(bq, kernel),
    }
    taken = medians_s(calls, repeats)
    scale = Y90.dose_constant().value * 1e3 / 1e9 / 1.04
    ours, theirs = by_opensirt(map_, density), scale * by_scipy(bq.astype(np.float64), kernel.astype(np.float64))
    difference = (ours - theirs) / theirs.max()
    peak = peak_mib(one_dose, kind)
    print(
        f"{kind:16s} opensirt {taken['opensirt']:.3f} s · numpy {taken['numpy']:.3f} s, {taken['numpy'] / taken['opensirt']:.1f} × · "
        f"scipy {taken['scipy']:.3f} s, {taken['scipy'] / taken['opensirt']:.1f} × · peak {peak:.0f} MiB · "
        f"photon tail {difference.max():.1e}, elsewhere lower by at most {max(-difference.min(), 0.0):.1e} of the largest dose"
    )
    same = difference.min() > -SAME_OUTPUT and difference.max() < 4e-3
    fast = taken["numpy"] >= TIMES_NUMPY * taken["opensirt"] and taken["scipy"] >= TIMES_SCIPY * taken["opensirt"]
    return same and peak < PEAK_MIB and (fast or kind == "dense")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    kept = [compare(kind, repeats) for kind in ("liver", "liver and lungs", "dense")]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
