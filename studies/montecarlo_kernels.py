"""Electron transport against the Monte Carlo reference: point kernels, voxel S values, lung beside liver, and what each approximation costs.

    python studies/montecarlo_kernels.py [--histories 5000000] [--out docs/studies/montecarlo-kernels.md]

Every run is seeded; the page names commit and histories. Plots are written beside the page. About six minutes on two cores.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
import _electron_runs as runs
from opensirt.radioembolisation.transport.montecarlo.media import LIVER, LUNG, SOFT, TRANSPORT_MEDIA
from opensirt.radioembolisation.transport.montecarlo.tables import Physics

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "opensirt", "svg.fonttype": "none"})
from matplotlib import pyplot as plt  # noqa: E402  the backend is chosen first

ROOT = Path(__file__).resolve().parents[1]
FloatArray = NDArray[np.float64]
KERNELS = [
    ("Y90", "water"),
    ("Y90", "soft"),
    ("Y90", "liver"),
    ("Y90", "lung"),
    ("Y90", "adipose"),
    ("Y90", "bone"),
    ("Ho166", "water"),
    ("Ho166", "soft"),
    ("Lu177", "water"),
    ("Lu177", "soft"),
]
VOXELS = [("Y90", 3), ("Y90", 4), ("Y90", 6), ("Ho166", 3), ("Lu177", 3)]
VARIANTS = {
    "settings for patients": Physics(),
    "turns twice as dense": Physics(turn_reach_g_per_cm2=0.02, turn_paths_number=0.25),
    "fine settings": runs.FINE,
    "turns twice as far apart": Physics(turn_reach_g_per_cm2=0.08, turn_paths_number=1.0),
    "collisions followed from 20 keV": Physics(knock_on_mev=0.02),
    "collisions followed from 200 keV": Physics(knock_on_mev=0.2),
    "cut-off 20 keV": Physics(cut_mev=0.02),
    "cut-off 200 keV": Physics(cut_mev=0.2),
}
LIVER_G_PER_ML, LUNG_G_PER_ML, LAYER_MM = 1.06, 0.26, 3.0


def load() -> dict[str, FloatArray]:
    """The reference's numbers that the tests use too."""
    with np.load(ROOT / "tests" / "reference_data" / "egsnrc_electrons" / "electrons.npz") as stored:
        return {key: stored[key].astype(np.float64) for key in stored.files}


@dataclass(frozen=True)
class KernelRow:
    """One kernel beside the reference: relative differences of its shells, wide ones, with their standard deviations."""

    name: str
    speed_per_s: float
    radius: FloatArray
    """Middle of wide shells, in units of X99."""
    difference: FloatArray
    difference_sd: FloatArray
    to_x95: float
    to_x99: float
    cumulative: float


def kernel_row(data: dict[str, FloatArray], nuclide: str, medium: str, how: runs.How) -> KernelRow:
    """Run one kernel and compare it: about 24 wide shells to X99, the cumulative in every stored shell."""
    key = f"{nuclide}_{medium}"
    edges, reference, reference_sd = data[f"edges_{key}"], data[f"kernel_{key}"], data[f"sd_{key}"]
    origin = float(data[f"origin_{nuclide}"])
    begun = time.perf_counter()
    found = runs.shells(
        TRANSPORT_MEDIA[medium], float(data[f"density_{key}"]), np.append(edges, 1e5), data[f"spectrum_{nuclide}"], how=how
    )
    speed = how.histories / (time.perf_counter() - begun)
    ours = found.fraction[:-1] * (1.0 - origin)
    ours[0] += origin
    share = np.cumsum(reference) / reference.sum()
    x95, x99 = (int(np.searchsorted(share, q)) + 1 for q in (0.95, 0.99))
    step = max(1, x99 // 24)
    starts = np.arange(0, min(int(1.15 * x99), len(reference) - step), step)
    wide, wide_reference = np.add.reduceat(ours, starts)[:-1], np.add.reduceat(reference, starts)[:-1]
    variance = np.add.reduceat(found.fraction_sd[:-1] ** 2 + reference_sd**2, starts)[:-1]
    difference, ends = wide / wide_reference - 1.0, starts[1:]
    return KernelRow(
        f"{nuclide} {medium}",
        speed,
        0.5 * (edges[starts[:-1]] + edges[ends]) / edges[x99],
        difference,
        np.sqrt(variance) / wide_reference,
        float(np.abs(difference[ends <= x95]).max()),
        float(np.abs(difference[(ends > x95) & (ends <= x99)]).max(initial=0.0)),
        float(np.abs(np.cumsum(ours) - np.cumsum(reference)).max()),
    )


def s_values(data: dict[str, FloatArray], nuclide: str, side: int, how: runs.How) -> list[tuple[str, float, float, float]]:
    """Offset, S/S0, ratio to the reference and its standard deviation, of voxels with S/S0 of 1e-4 and more."""
    half = int(15 / side) + 1
    scene = runs.Scene.uniform(SOFT, (2 * half + 1,) * 3, (float(side),) * 3, 1.04)
    found = runs.voxels(scene, np.array([[half] * 3]), data[f"spectrum_{nuclide}"], how=how)
    whole = found.batches_mev / found.emitted_mev
    flips = [axes for n in range(4) for axes in itertools.combinations((1, 2, 3), n)]
    whole = sum(np.flip(whole, axes) for axes in flips) / 8.0
    whole = sum(np.transpose(whole, (0, *(1 + np.array(o)))) for o in itertools.permutations(range(3))) / 6.0
    origin = float(data[f"origin_{nuclide}"])
    octant = whole[:, half:, half:, half:] * (1.0 - origin)
    octant[:, 0, 0, 0] += origin
    reference, reference_sd = data[f"svalue_{nuclide}_{side}"], data[f"svalue_sd_{nuclide}_{side}"]
    rows = []
    for place in itertools.combinations_with_replacement(range(reference.shape[0] - 1, -1, -1), 3):
        ratio = reference[place] / reference[0, 0, 0]
        if ratio >= 1e-4:
            here = octant[:, *place]
            sd = np.hypot(here.std(ddof=1) / np.sqrt(len(here)), reference_sd[place]) / reference[place]
            rows.append((str(place), float(ratio), float(here.mean() / reference[place]), float(sd)))
    return sorted(rows, key=lambda row: -row[1])


def interface(data: dict[str, FloatArray], how: runs.How, lung_medium: str = "lung") -> tuple[FloatArray, FloatArray]:
    """Dose over that of a uniform liver in layers of 3 mm, four of liver and nine of lung, and its standard deviation."""
    liver, source, lung = 8, 4, 9
    number = np.zeros((liver + lung, 3, 3), np.uint8)
    number[liver:] = 1
    density = np.where(number == 0, LIVER_G_PER_ML, LUNG_G_PER_ML)
    scene = runs.Scene(number, density, (LAYER_MM, 1e5, 1e5), (LIVER, LUNG if lung_medium == "lung" else LIVER))
    found = runs.voxels(scene, np.array([[k, 1, 1] for k in range(liver - source, liver)]), data["spectrum_Y90"], how=how)
    batches = found.batches_mev[:, :, 1, 1] / density[:, 1, 1] * LIVER_G_PER_ML * source / found.emitted_mev
    return batches.mean(axis=0)[liver - source :], (batches.std(axis=0, ddof=1) / np.sqrt(len(batches)))[liver - source :]


def closed_form(data: dict[str, FloatArray]) -> FloatArray:
    """The nine layers of lung, were it of liver's composition: an integral of the reference's point kernel."""
    edges, share = data["edges_Y90_liver"], data["kernel_Y90_liver"]
    radius = 0.5 * (edges[1:] + edges[:-1])
    depth = (np.arange(450) + 0.5) / 50 * LAYER_MM * LUNG_G_PER_ML / LIVER_G_PER_ML
    dose = np.array([np.sum(share * 0.5 * np.maximum(0.0, 1.0 - t / radius)) for t in depth])
    return np.asarray(dose.reshape(9, 50).mean(axis=1))


def plot_kernels(rows: Sequence[KernelRow], out: Path) -> None:
    """Relative difference of every kernel over radius."""
    figure, axes = plt.subplots(5, 2, figsize=(9, 11), sharex=True, sharey=True, layout="constrained")
    for row, axis in zip(rows, axes.flat, strict=True):
        axis.axhspan(-1.0, 1.0, color="0.9")
        axis.errorbar(row.radius, 100 * row.difference, 300 * row.difference_sd, fmt=".", ms=4, lw=0.8)
        axis.set_title(row.name, fontsize=9)
        axis.set_ylim(-4, 4)
    figure.supxlabel("radius / X99")
    figure.supylabel("difference from the reference, % (bars: three standard deviations; grey: 1 %)")
    figure.savefig(out, metadata={"Date": None})
    plt.close(figure)


def plot_interface(profiles: dict[str, tuple[FloatArray, FloatArray]], exact: FloatArray, out: Path) -> None:
    """Dose across the surface, and differences from the closed form in lung."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(7, 7), layout="constrained")
    place = (np.arange(13) - 3.5) * LAYER_MM
    for name, (mean, sd) in profiles.items():
        upper.errorbar(place, mean, 3 * sd, fmt=".-", ms=5, lw=0.8, label=name)
        lower.errorbar(place[4:10], 100 * (mean[4:10] / exact[:6] - 1), 300 * sd[4:10] / exact[:6], fmt=".-", ms=5, lw=0.8)
    upper.plot(place[4:], exact, "k--", lw=1, label="closed form, composition of liver")
    upper.set_ylabel("dose / dose in uniform liver")
    upper.axvline(0, color="0.7")
    upper.legend(fontsize=8)
    lower.axhline(0, color="k", lw=0.8, ls="--")
    lower.set_ylabel("difference in lung, %")
    lower.set_xlabel("mm from the liver's surface into lung")
    figure.savefig(out, metadata={"Date": None})
    plt.close(figure)


def page(sections: Sequence[str], histories: int) -> str:
    """The page: what made it, then its sections."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    head = (
        "# Electron transport against the Monte Carlo reference\n\n"
        f"Written by `studies/montecarlo_kernels.py` on {datetime.now(UTC):%Y-%m-%d} at commit {commit or 'unknown'}; "
        f"{histories:,} histories a run, seeds 1 and 2. The methods are in [Monte Carlo](../methods/monte-carlo.md).\n\n"
        "The reference is EGSnrc (10 keV, exact boundary crossing), electrons' component, the spectrum that it sampled; "
        "fractions of the energy emitted.\n"
    )
    return head + "\n" + "\n\n".join(sections) + "\n"


def kernel_section(rows: Sequence[KernelRow], name: str) -> str:
    """Table and plot of the point kernels."""
    lines = ["| kernel | largest difference of a shell to X95 | X95 to X99 | of the energy within any radius | histories/s |"]
    lines.append("|---|---|---|---|---|")
    lines += [
        f"| {r.name} | {100 * r.to_x95:.2f} % | {100 * r.to_x99:.2f} % | {100 * r.cumulative:.3f} % | {r.speed_per_s:,.0f} |"
        for r in rows
    ]
    note = "Shells: a twenty-fourth of X99 each. Electrons are followed to 10 keV; Lu-177 with the fine settings and a quarter of the histories. Histories/s on two cores, other work beside it."
    return f"## Point kernels\n\n{note}\n\n" + "\n".join(lines) + f"\n\n![Difference by radius]({name})"


def s_section(found: dict[str, list[tuple[str, float, float, float]]]) -> str:
    """Table of voxel S values."""
    parts = ["## Voxel S values", "Soft tissue of 1.04 g/mL. Ratio to the reference, one standard deviation of both."]
    for name, rows in found.items():
        lines = [f"### {name}", "", "| voxel | S/S0 | ratio |", "|---|---|---|"]
        lines += [f"| {place} | {ratio:.2e} | {value:.4f} ± {sd:.4f} |" for place, ratio, value, sd in rows]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def variant_section(lines: Sequence[str], name: str) -> str:
    """What each approximation costs: water kernel and lung beside liver."""
    head = (
        "## What each approximation costs\n\n"
        "Y-90 in water: difference from the reference of shells 0–0.5, 0.5–1, 3–4, 6–7 and 8–9 mm (%), with one standard deviation. "
        "Lung beside liver (layers of 3 mm): the last layer of liver and the first three of lung, difference from the closed form for "
        "lung of liver's composition, from the fine settings for liver (%).\n\n"
        "| settings | 0–0.5 | 0.5–1 | 3–4 | 6–7 | 8–9 mm | last of liver | lung 1 | lung 2 | lung 3 | relative speed |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(lines) + f"\n\n![Lung beside liver]({name})"


def variant_lines(
    data: dict[str, FloatArray], how: runs.How
) -> tuple[list[str], dict[str, tuple[FloatArray, FloatArray]], FloatArray]:
    """A row of the table for each variant, and the profiles for the plot."""
    edges, reference = data["edges_Y90_water"], data["kernel_Y90_water"]
    bands = [tuple(np.searchsorted(edges, (a + 1e-6, b + 1e-6)) - 1) for a, b in ((0, 0.5), (0.5, 1), (3, 4), (6, 7), (8, 9))]
    exact = closed_form(data)
    lines, profiles, plotted = [], {}, {}
    base = 0.0
    for name, physics in VARIANTS.items():
        each = replace(how, physics=physics)
        runs.shells(TRANSPORT_MEDIA["water"], 1.0, np.append(edges, 1e5), data["spectrum_Y90"], how=replace(each, histories=2000))
        begun = time.process_time()
        found = runs.shells(TRANSPORT_MEDIA["water"], 1.0, np.append(edges, 1e5), data["spectrum_Y90"], how=each)
        took = time.process_time() - begun
        base = base or took
        cells = []
        for a, b in bands:
            batches = found.batches_mev[:, a:b].sum(axis=1) / found.emitted_mev / reference[a:b].sum()
            cells.append(f"{100 * (batches.mean() - 1):+.2f} ± {100 * batches.std(ddof=1) / np.sqrt(len(batches)):.2f}")
        profiles[name] = interface(data, each, "liver")
        lines.append(f"| {name} | " + " | ".join(cells) + " | @ | " + f"{base / took:.2f} |")
    fine = profiles["fine settings"][0][3]
    for n, (mean, sd) in enumerate(profiles.values()):
        differences = [(mean[3] / fine - 1, sd[3] / fine)] + [(mean[4 + k] / exact[k] - 1, sd[4 + k] / exact[k]) for k in range(3)]
        lines[n] = lines[n].replace("@", " | ".join(f"{100 * d:+.2f} ± {100 * s:.2f}" for d, s in differences))
    plotted["settings for patients"] = profiles["settings for patients"]
    plotted["cut-off 200 keV"] = profiles["cut-off 200 keV"]
    plotted["lung of its own composition"] = interface(data, how)
    return lines, plotted, exact


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--histories", type=int, default=5_000_000)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "studies" / "montecarlo-kernels.md")
    given = parser.parse_args(arguments)
    data, out, histories = load(), given.out, given.histories
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for nuclide, medium in KERNELS:
        fine = nuclide == "Lu177"
        physics = runs.FINE if fine else Physics(cut_mev=runs.FINE.cut_mev)
        how = runs.How(histories // (4 if fine else 1), seed=1, physics=physics)
        rows.append(kernel_row(data, nuclide, medium, how))
        print(rows[-1].name, f"{100 * rows[-1].to_x95:.2f} %", f"{rows[-1].speed_per_s:,.0f}/s", flush=True)
    s_found = {f"{nuclide}, {side} mm": s_values(data, nuclide, side, runs.How(histories, seed=2)) for nuclide, side in VOXELS}
    lines, profiles, exact = variant_lines(data, runs.How(histories // 2, seed=1))
    kernels_svg, interface_svg = f"{out.stem}-shells.svg", f"{out.stem}-interface.svg"
    plot_kernels(rows, out.parent / kernels_svg)
    plot_interface(profiles, exact, out.parent / interface_svg)
    sections = [kernel_section(rows, kernels_svg), s_section(s_found), variant_section(lines, interface_svg)]
    out.write_text(page(sections, histories), "utf-8")
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
