"""Speed of the voxel Monte Carlo: histories per second and core, and time to a stated uncertainty, with and without variance reduction.

Run: ``python benchmarks/bench_montecarlo.py FOLDER [--scale X] [--part NAME …]`` with the folder that holds ``timing_phantom_*.npy`` (liver, lung,
rib and fat on 40 × 40 × 40 voxels of 3 mm). What is wanted: root mean square relative uncertainty of 1 % in the tumour and in liver voxels
within 11 mm of another medium, 2 % in lung voxels within 20 mm of the liver; ``--scale 2`` asks for twice that, and times are scaled by its square.
The kernel's own uncertainty and the time to compute it are included. Analogue figures are extrapolated from ``--analogue-s`` seconds by
``1/√n``. Reference: EGSnrc on one core, 4.0·10⁴ histories/s.

Parts: ``analogue`` (histories/s/core), ``phantom`` (one core), ``liver`` (1.8 L beside lung at 3 mm, two cores), ``memory`` (256 × 256 × 256),
``compile`` (first call and later start in a fresh process with an empty and with a filled cache of compiled code). Ends with status 1 if a
goal is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from _timing import peak_mib
from opensirt.radioembolisation.transport.montecarlo.engine import simulate
from opensirt.radioembolisation.transport.montecarlo.media_map import MediaMap, media_by_name
from opensirt.radioembolisation.transport.montecarlo.outcome import Goal, MonteCarloDose, Reduction, Run, Wanted
from opensirt.radioembolisation.transport.montecarlo.spectra import electron_spectrum
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import Y90
from opensirt.vocabulary.threads import use_threads
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, Mask

HISTORIES_PER_S, PHANTOM_S, LIVER_S, PEAK_MIB, FIRST_CALL_S, LATER_S = 5e5, 20.0, 60.0, 1000.0, 20.0, 1.0
EGSNRC_PER_S = 4.0e4
NEAR_LIVER_MM, NEAR_LUNG_MM = 11.0, 20.0
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
Scene = tuple[ActivityMap, DensityMap, MediaMap, tuple[Wanted, ...]]


def phantom(folder: Path, scale: float) -> Scene:
    """The timing phantom."""
    number, g_per_ml, share, tumour = (
        np.load(folder / f"timing_phantom_{name}.npy") for name in ("material", "density_g_cm3", "activity_fraction", "tumour_mask")
    )
    grid = Grid(number.shape, np.diag([3.0, 3.0, 3.0, 1.0]))
    masks = (
        (Mask(tumour > 0, grid, Structure(StructureKind.TUMOUR, "T")), 0.01),
        (Mask((number == 0) & (distance_transform_edt(number == 0, sampling=3.0) <= NEAR_LIVER_MM), grid, Structure(StructureKind.LIVER)), 0.01),
        (Mask((number == 1) & (distance_transform_edt(number != 0, sampling=3.0) <= NEAR_LUNG_MM), grid, Structure(StructureKind.LUNGS)), 0.02),
    )  # fmt: skip
    activity = ActivityMap((share * 1e9 / 0.027).astype(np.float32), grid, Y90, AT)
    media = media_by_name(("liver", "lung", "bone", "adipose"), number, grid)
    return activity, DensityMap(g_per_ml, grid), media, tuple(Wanted(mask, scale * wanted) for mask, wanted in masks)


def liver(scale: float) -> Scene:
    """An ellipsoid of 1.8 L with a dome of lung above and soft tissue around, at 3 mm."""
    shape = (64, 64, 80)
    grid = Grid(shape, np.diag([3.0, 3.0, 3.0, 1.0]))
    k, j, i = (3.0 * (np.arange(n) - (n - 1) / 2) for n in shape)
    inside = (k[:, None, None] / 65.0) ** 2 + (j[:, None] / 68.0) ** 2 + (i / 97.0) ** 2 < 1.0
    number = np.ones(shape, dtype=np.uint8)
    number[k > 20.0] = 2
    number[inside] = 0
    bq = np.where(inside, 1e5, 0.0).astype(np.float32)
    near = inside & (distance_transform_edt(inside, sampling=3.0) <= NEAR_LIVER_MM)
    lung = (number == 2) & (distance_transform_edt(~inside, sampling=3.0) <= NEAR_LUNG_MM)
    wanted = (
        Wanted(Mask(near, grid, Structure(StructureKind.LIVER)), 0.01 * scale),
        Wanted(Mask(lung, grid, Structure(StructureKind.LUNGS)), 0.02 * scale),
    )
    density = DensityMap(np.array([1.06, 1.0, 0.26], dtype=np.float32)[number], grid)
    return ActivityMap(bq, grid, Y90, AT), density, media_by_name(("liver", "soft", "lung"), number, grid), wanted


def solve(scene: Scene, reduction: Reduction, seed: int = 1, **goal: float) -> MonteCarloDose:
    """One run to its goal."""
    activity, density, media, wanted = scene
    run = Run(
        electron_spectrum("Y-90"),
        Goal(wanted, largest_histories_number=int(goal.get("most", 1e10)), allowed_s=1e9),
        seed,
        reduction,
    )
    return simulate(activity, density, media, Y90.dose_constant(), run=run)


def _told(name: str, done: MonteCarloDose) -> None:
    print(f"  {name}: {done.elapsed_s:.1f} s, {done.histories:.3g} histories, {done.batches} batches")
    for each in done.reached:
        print(
            f"    {each.region}: RMS {each.rms_relative:.2%} (wanted {each.wanted_relative:.2%}), 95th percentile {each.quantile95_relative:.2%}"
        )


def _against_analogue(name: str, scene: Scene, scale: float, most: float) -> float:
    """Seconds to the goal at scale 1, reduced; prints them beside the analogue run's."""
    reduced = solve(scene, Reduction.CONTROL_VARIATE)
    _told(f"{name}, reduced", reduced)
    plain = solve(scene, Reduction.NONE, most=most)
    _told(f"{name}, analogue, cut short", plain)
    per_s = plain.histories / plain.elapsed_s
    needed = plain.histories * max((each.rms_relative / each.wanted_relative) ** 2 for each in plain.reached)
    # a root mean square over voxels that have hardly been hit is too small: the figure is a lower bound
    analogue_s, egsnrc_s = needed / per_s * scale**2, needed / EGSNRC_PER_S * scale**2
    seconds = reduced.elapsed_s * scale**2
    print(f"  {name} at scale 1: {seconds:.1f} s; analogue at least {analogue_s:.0f} s ({analogue_s / seconds:.0f} ×), ", end="")
    print(f"EGSnrc at least {egsnrc_s:.0f} s on one core ({egsnrc_s / seconds:.0f} ×)")
    return seconds


def part_analogue(options: argparse.Namespace) -> bool:
    """Histories per second of one core, tallies and batches included."""
    use_threads(1)
    scene = phantom(options.folder, 1.0)
    rates = []
    for seed in range(3):
        done = solve(scene, Reduction.NONE, seed, most=2e6)
        rates.append(done.histories / done.elapsed_s)
    print(
        f"  analogue: {np.median(rates):.3g} histories/s on one core (wanted {HISTORIES_PER_S:.1g}; pilot run and set-up in the time)"
    )
    return bool(np.median(rates) >= HISTORIES_PER_S)


def part_phantom(options: argparse.Namespace) -> bool:
    """The timing phantom on one core."""
    use_threads(1)
    scene = phantom(options.folder, options.scale)
    solve(phantom(options.folder, 20.0), Reduction.CONTROL_VARIATE)  # compiled; the kernel is computed again below
    _forget_kernels()
    return _against_analogue("timing phantom, one core", scene, options.scale, options.analogue) <= PHANTOM_S


def part_liver(options: argparse.Namespace) -> bool:
    """A whole liver on two cores."""
    use_threads(2)
    scene = liver(options.scale)
    print(f"  {int((scene[0].bq_per_ml > 0).sum())} source voxels")
    solve(liver(20.0), Reduction.CONTROL_VARIATE)
    _forget_kernels()
    return _against_analogue("liver of 1.8 L, two cores", scene, options.scale, options.analogue) <= LIVER_S


def _forget_kernels() -> None:
    from opensirt.radioembolisation.transport.montecarlo import kernels

    kernels._shells.cache_clear()
    kernels._own.cache_clear()


def _large() -> None:
    """A liver on 256 × 256 × 256 voxels of 1.5 mm, in lung and soft tissue."""
    use_threads(2)
    shape = (256, 256, 256)
    grid = Grid(shape, np.diag([1.5, 1.5, 1.5, 1.0]))
    k, j, i = (1.5 * (np.arange(n, dtype=np.float32) - (n - 1) / 2) for n in shape)
    inside = (k[:, None, None] / 65.0) ** 2 + (j[:, None] / 68.0) ** 2 + (i / 97.0) ** 2 < 1.0
    g_per_ml = np.where(k[:, None, None] > 20.0, np.float32(0.26), np.float32(1.0)) * np.ones(shape, dtype=np.float32)
    g_per_ml[inside] = 1.05
    activity = ActivityMap(np.where(inside, np.float32(1e5), np.float32(0.0)), grid, Y90, AT)
    density = DensityMap(g_per_ml, grid)
    from opensirt.radioembolisation.transport.montecarlo.media_map import media_by_tissue

    run = Run(electron_spectrum("Y-90"), Goal(largest_histories_number=2_000_000, allowed_s=1e9))
    simulate(activity, density, media_by_tissue(density, ()), Y90.dose_constant(), run=run)


def part_memory(_: argparse.Namespace) -> bool:
    """Largest resident size on 256 × 256 × 256 voxels."""
    peak = peak_mib(_large)
    print(f"  256³: {peak:.0f} MiB (wanted below {PEAK_MIB:.0f})")
    return peak < PEAK_MIB


_SMALL = """
import time; start = time.perf_counter()
import bench_montecarlo as b, numpy as np
grid = b.Grid((12, 12, 12), np.diag([3.0, 3.0, 3.0, 1.0]))
bq = np.zeros(grid.shape, dtype=np.float32); bq[5:7, 5:7, 5:7] = 1e5
media = b.media_by_name(("liver",), np.zeros(grid.shape, np.uint8), grid)
density = b.DensityMap(np.full(grid.shape, 1.06, np.float32), grid)
run = b.Run(b.electron_spectrum("Y-90"), b.Goal(largest_histories_number=1000, allowed_s=1e9), 1, b.Reduction.NONE)
ready = time.perf_counter()
b.simulate(b.ActivityMap(bq, grid, b.Y90, b.AT), density, media, b.Y90.dose_constant(), run=run)
print(time.perf_counter() - start, time.perf_counter() - ready)
"""


def part_compile(_: argparse.Namespace) -> bool:
    """First call of a fresh process with an empty cache of compiled code, and with a filled one."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": str(Path(__file__).parent)}
        times = []
        for _ in range(2):
            told = subprocess.run(
                [sys.executable, "-c", _SMALL], env=environment, check=True, capture_output=True, text=True
            ).stdout
            times.append([float(word) for word in told.split()])
    print(
        f"  first call {times[0][1]:.1f} s (wanted {FIRST_CALL_S:.0f}), later {times[1][1]:.2f} s (wanted {LATER_S:.0f}); with imports {times[0][0]:.1f} and {times[1][0]:.1f} s"
    )
    return times[0][1] < FIRST_CALL_S and times[1][1] < LATER_S


PARTS = {"analogue": part_analogue, "phantom": part_phantom, "liver": part_liver, "memory": part_memory, "compile": part_compile}


def main() -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--analogue", type=float, default=1e7, help="histories of the analogue runs")
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    missed = []
    for name in options.part:
        start = time.perf_counter()
        print(f"{name}:")
        if not PARTS[name](options):
            missed.append(name)
        print(f"  ({time.perf_counter() - start:.0f} s, load {os.getloadavg()[0]:.1f})")
    print("missed: " + ", ".join(missed) if missed else "all reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
