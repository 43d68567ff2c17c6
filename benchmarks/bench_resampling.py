"""Resampling of voxel metrics on the working grid against a fresh kernel convolution of both injections, in turn.

Run: ``python benchmarks/bench_resampling.py [--repeats N] [--samples N]``. 120 × 100 × 100 voxels of 4 mm, two injections, eight structures (five
tumours, normal liver, perfused liver, lungs), 34 metrics. Ends with status 1 if 200 resamplings take more than 30 s, one takes more than a quarter
of a fresh convolution, or the process takes 1 GiB or more.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

import numpy as np
from scipy import ndimage

from _timing import medians_s, peak_mib
from opensirt.radioembolisation.dosimetry.resampling import (
    Metric,
    ResamplingState,
    ShapeErrors,
    d_percent,
    geud,
    mean_dose,
    resample_metrics,
    resampling_state,
    v_dose,
)
from opensirt.radioembolisation.transport.engines import ENGINES
from opensirt.radioembolisation.transport.result import silent
from opensirt.radioembolisation.workup.compartments import ErrorModel, ScoutImage, compartment_uptake
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import Y90
from opensirt.vocabulary.threads import use_threads
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, DensityMap, DoseMap, Occupancy

SHAPE, SPACING_MM = (120, 100, 100), 4.0
WANTED_S, SAMPLES, QUARTER, PEAK_MIB = 30.0, 200, 0.25, 1024.0
TUMOURS = (((-60, 20, -60), 26), ((-80, -20, -20), 18), ((-40, 0, 30), 15), ((-90, 30, 0), 12), ((-50, -30, -70), 14))


def scene() -> tuple[ScoutImage, tuple[Occupancy, ...]]:
    """A liver of 1.8 L in two territories, five tumours, lungs of 4 L; blurred to 12 mm, three million counts."""
    grid = Grid(SHAPE, np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0]))
    k, j, i = np.meshgrid(*((np.arange(n) - n / 2) * SPACING_MM for n in SHAPE), indexing="ij", sparse=True)
    liver = ((k + 60) / 70) ** 2 + (j / 66) ** 2 + ((i + 30) / 93) ** 2 < 1
    lung = np.zeros(SHAPE, dtype=bool)
    for side in (-1, 1):
        lung |= (((k - 100) / 105) ** 2 + (j / 75) ** 2 + ((i - side * 80) / 60) ** 2 < 1) & ~liver
    right = (i + 20 < 0) & liver

    def part(kind: StructureKind, inside: np.ndarray, label: str = "") -> Occupancy:
        return Occupancy(inside.astype(np.float32), grid, Structure(kind, label))

    balls = [((k - c[0]) ** 2 + (j - c[1]) ** 2 + (i - c[2]) ** 2 < r**2) & liver for c, r in TUMOURS]
    activity = liver.astype(np.float32) + sum(np.float32(3.0) * ball for ball in balls) + np.float32(0.02) * lung
    seen = ndimage.gaussian_filter(activity, 12.0 / 2.355 / SPACING_MM)
    counts = np.random.default_rng(1).poisson(seen * (3e6 / seen.sum())).astype(np.float32)
    density = np.where(lung, np.float32(0.26), np.float32(1.04))
    tumours = tuple(part(StructureKind.TUMOUR, ball, f"T{n + 1}") for n, ball in enumerate(balls))
    territories = (part(StructureKind.TERRITORY, right, "right"), part(StructureKind.TERRITORY, liver & ~right, "left"))
    whole = part(StructureKind.LIVER, liver)
    lungs = (part(StructureKind.LUNGS, lung),)
    image = ScoutImage(
        CountsMap(counts, grid), DensityMap(density, grid), whole, lungs, tumours, territories, (),
        part(StructureKind.BODY, np.ones(SHAPE, dtype=bool)),
    )  # fmt: skip
    normal = part(StructureKind.NORMAL_LIVER, liver & ~np.any(balls, axis=0))
    perfused = part(StructureKind.PERFUSED_NORMAL_LIVER, right & ~np.any(balls, axis=0), "right")
    return image, (*tumours, normal, perfused, *lungs)


def maps(image: ScoutImage) -> list[ActivityMap]:
    """Counts of each territory, and of the lungs with both, as activity."""
    at = datetime(2026, 3, 4, 10, tzinfo=UTC)
    shared = image.counts.counts * image.lungs[0].fraction
    return [
        ActivityMap(np.float32(50.0) * (image.counts.counts * t.fraction + shared), image.counts.grid, Y90, at)
        for t in image.territories
    ]


def fresh(image: ScoutImage, activities: list[ActivityMap]) -> list[DoseMap]:
    """What a resampling without anything kept would have to do: both injections convolved again."""
    return [ENGINES["kernel"].dose(a, image.density, Y90.dose_constant(), silent).dose for a in activities]


def laid_out() -> tuple[ScoutImage, ResamplingState, list[Metric]]:
    """State and metrics."""
    image, regions = scene()
    uptake = compartment_uptake(image, ErrorModel(), silent)
    held = {c.key: c.concentration for c in uptake.compartments if c.kind is not StructureKind.OTHER}
    unit = held["normal_liver.right"].value
    means = {
        key: Measured(40.0 * v.value / unit, {s: 40.0 * u / unit for s, u in v.contributions.items()}) for key, v in held.items()
    }
    doses = fresh(image, maps(image))
    dose = DoseMap(doses[0].dose_gy + doses[1].dose_gy, image.counts.grid)
    metrics = []
    for region in regions:
        key = region.structure.key
        metrics += [mean_dose(key), v_dose(key, 30.0)]
        metrics += [d_percent(key, 50.0)] if region.structure.kind is not StructureKind.LUNGS else []
        if region.structure.kind is StructureKind.TUMOUR:
            metrics += [d_percent(key, 95.0), geud(key, -10.0)]
    return image, resampling_state(image, uptake, dose, means, regions, ShapeErrors(), "Y-90"), metrics


def whole_run(samples: int) -> None:
    """For the peak of memory."""
    _, state, metrics = laid_out()
    resample_metrics(state, metrics, samples=samples, generator=np.random.default_rng(1), report=silent)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    given = parser.parse_args()
    use_threads(2)
    image, state, metrics = laid_out()
    activities = maps(image)
    taken = medians_s(
        {
            "resampled": lambda: resample_metrics(
                state, metrics, samples=given.samples, generator=np.random.default_rng(1), report=silent
            ),
            "fresh": lambda: fresh(image, activities),
        },
        given.repeats,
    )
    each_s = taken["resampled"] / given.samples
    peak = peak_mib(whole_run, 20)
    print(
        f"{given.samples} resamplings of {len(metrics)} metrics {taken['resampled']:.2f} s · one {1e3 * each_s:.1f} ms · fresh convolution of both injections "
        f"{1e3 * taken['fresh']:.1f} ms · one is {each_s / taken['fresh']:.2f} of it · peak {peak:.0f} MiB"
    )
    kept = taken["resampled"] * SAMPLES / given.samples <= WANTED_S and each_s <= QUARTER * taken["fresh"] and peak < PEAK_MIB
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
