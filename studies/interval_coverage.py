"""Do the 90 % intervals hold the truth? Shunt, liver dose, tumour dose and lung dose of 100 virtual patients against what was put in.

    python studies/interval_coverage.py [--seeds 0:100] [--out docs/studies/coverage.md] [--again]

Resumable: one line per body is kept in build/studies/coverage-<code>.jsonl, where <code> is a hash of the sources that make the numbers.
The estimator sees what a clinic sees: CT, SPECT, contours. It is never told blur, shift, lung gain, contour errors or densities.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import attrs
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
GIVEN_GBQ = 3.0
"""Activity given in all, split over the two positions as the scout was."""
SMALLEST_LESION_ML = 20.0
COVERAGE_WANTED = (0.83, 0.97)
WIDTH_FACTOR = 1.5
TRUTH_DECAYS = 600_000
AIMS = {"shunt": "2 percentage points", "liver": "10 %", "tumour": "25 %", "lung": "none stated"}
SOURCES = ("vocabulary", "imaging", "radioembolisation", "synthetic", "workflow/scene.py", "workflow/workup.py")


@dataclass(frozen=True)
class Row:
    """One estimate beside its truth; shunt in percentage points, doses in Gy."""

    seed: int
    quantity: str
    structure: str
    truth: float
    value: float
    low: float
    high: float
    largest: str
    contributions: dict[str, float]


def options_of(seed: int) -> Mapping[str, object]:
    """What each seed is: every fourth patient is treated with Ho-166, every fifth has a focus beside the liver."""
    return {"nuclide": "Ho-166" if seed % 4 == 3 else "Y-90", "extrahepatic_share": 0.02 if seed % 5 == 4 else 0.0}


def _nothing(_: float) -> None:
    return None


def estimate(seed: int) -> list[Row]:
    """Make a body, image it, run work-up and headline dose, and set both beside the truth."""
    from opensirt.synthetic.patient import PatientOptions, virtual_patient
    from opensirt.synthetic.uptake import UptakeOptions
    from opensirt.vocabulary.measured import Measured
    from opensirt.vocabulary.provenance import ReportedNumber
    from opensirt.workflow.options import WorkupOptions
    from opensirt.workflow.study import LoadedStudy, StoredStructure, StudyIndex
    from opensirt.workflow.workup import compute_workup

    chosen = options_of(seed)
    patient = virtual_patient(
        PatientOptions(
            seed=seed,
            nuclide=str(chosen["nuclide"]),
            uptake=UptakeOptions(extrahepatic_share=float(str(chosen["extrahepatic_share"]))),
            truth_decays=TRUTH_DECAYS,
        ),
        _nothing,
    )
    images, truth = patient.images, patient.truth
    index = StudyIndex("", "", "", "", (), (), (), (), True)
    structures = tuple((m, StoredStructure(m.structure.key, m.structure.key, "synthetic", "")) for m in images.structures)
    study = LoadedStudy(index, images.ct, images.spect, (images.anterior, images.posterior), structures)
    workup = compute_workup(study, WorkupOptions(), _nothing)
    rows: list[Row] = []

    def add(quantity: str, structure: str, true: float, measured: Measured) -> None:
        low, high = ReportedNumber(quantity, quantity, measured, "", "", "", "").interval_90
        kept = {key: float(u) for key, u in measured.contributions.items() if abs(u) > 1e-4 * abs(measured.value)}
        rows.append(Row(seed, quantity, structure, true, measured.value, low, high, measured.largest_contribution, kept))

    shunt = workup.lung_shunt
    add(
        "shunt",
        "lungs",
        100.0 * truth.lung_shunt_fraction,
        Measured(100.0 * shunt.value, {k: 100.0 * u for k, u in shunt.contributions.items()}),
    )
    given = {lobe: GIVEN_GBQ * share for lobe, share in truth.injected_share.items()}
    doses = headline_doses(workup, str(chosen["nuclide"]), given)
    for structure, measured in doses.items():
        known = truth.structures[structure]
        true = sum(given[lobe] * known.gy_per_gbq[lobe] for lobe in given)
        if structure == "normal_liver":
            add("liver", structure, true, measured)
        elif structure == "lungs":
            add("lung", structure, true, measured)
        elif known.volume_ml >= SMALLEST_LESION_ML:
            add("tumour", structure, true, measured)
    return rows


def headline_doses(workup: object, nuclide: str, given: Mapping[str, float]) -> dict[str, object]:
    """Mean doses (Gy) by the headline method: recovered shares times transport factors (sharp compartments in the liver, voxels in lung)."""
    from opensirt.imaging.tissue import SOFT_TISSUE
    from opensirt.radioembolisation.dosimetry.fine_transport import fine_transport, liver_groups, with_crossing
    from opensirt.radioembolisation.dosimetry.influence import Masses, count_partition_influence, scaled, total_dose
    from opensirt.radioembolisation.dosimetry.voxel import doses_per_gbq, transport_factors, transport_relative, unit_activity
    from opensirt.vocabulary.anatomy import StructureKind
    from opensirt.vocabulary.nuclides import nuclide_named
    from opensirt.workflow.plan_computation import CROSSING_RELATIVE
    from opensirt.workflow.workup import Workup

    assert isinstance(workup, Workup)
    image, uptake = workup.scene.image, workup.uptake
    what = nuclide_named(nuclide)
    constant = what.dose_constant()
    base = count_partition_influence(uptake, Masses(SOFT_TISSUE, workup.scene.lungs_mass.kg, constant), recovered=True)
    activity = unit_activity(image, uptake, uptake.recovered_counts, what, datetime(2026, 1, 7, 10, tzinfo=UTC))
    local = doses_per_gbq(activity, image.density, constant, "local", _nothing)
    kernel = doses_per_gbq(activity, image.density, constant, "kernel-density", _nothing)
    tumours = np.minimum(np.sum([t.fraction for t in image.tumours], axis=0, dtype=np.float32), np.float32(1.0))
    normal = attrs.evolve(image.liver, fraction=np.maximum(image.liver.fraction - tumours, np.float32(0.0)))
    regions = (("normal_liver", normal), *((part.structure.key, part) for part in (*image.tumours, *image.lungs)))
    regions = tuple((key, region) for key, region in regions if key in base.gy_per_gbq)
    first = next(iter(kernel.values()))
    known = {key for key, _ in regions}
    groups = {key: keys for key, keys in liver_groups(uptake).items() if key in known}
    fine = fine_transport(image, uptake, base, groups, nuclide)
    factors = transport_factors(kernel, local, image.density, regions) | {key: dict(row) for key, row in fine.factors.items()}
    lung_share = sum(c.share.value for c in uptake.of_kind(StructureKind.LUNGS))
    relative = {k: transport_relative(k, factors[k], first, lung_share_fraction=lung_share) for k, _ in regions}
    headline = with_crossing(scaled(base, "headline", factors, relative), fine.crossing_gy_per_gbq, CROSSING_RELATIVE)
    return {key: total_dose(headline, key, given) for key, _ in regions}


@dataclass(frozen=True)
class Summary:
    """One quantity over all bodies; errors and widths in percentage points for the shunt, else in percent of the estimate."""

    quantity: str
    count: int
    covered: float
    half_width: float
    called_for: float
    bias: float
    error_90: float
    largest: str

    @property
    def passes(self) -> bool:
        inside = COVERAGE_WANTED[0] <= self.covered <= COVERAGE_WANTED[1]
        return inside and 1.0 / WIDTH_FACTOR <= self.half_width / self.called_for <= WIDTH_FACTOR


def summary(quantity: str, rows: Sequence[Row]) -> Summary:
    """Coverage, median half-width, and the half-width that the observed errors call for (1.645 × their root mean square)."""
    of_it = [row for row in rows if row.quantity == quantity]
    value, truth = np.array([r.value for r in of_it]), np.array([r.truth for r in of_it])
    low, high = np.array([r.low for r in of_it]), np.array([r.high for r in of_it])
    unit = np.ones(len(of_it)) if quantity == "shunt" else value / 100.0
    error = (value - truth) / unit
    covered = float(np.mean((low <= truth) & (truth <= high)))
    names = [row.largest.split(".")[0] for row in of_it]
    largest = max(sorted(set(names)), key=names.count)
    return Summary(
        quantity,
        len(of_it),
        covered,
        float(np.median((high - low) / 2.0 / unit)),
        1.645 * float(np.sqrt(np.mean(error**2))),
        float(np.mean(error)),
        float(np.quantile(np.abs(error), 0.9)),
        f"{largest} ({names.count(largest)} of {len(names)})",
    )


def summaries(rows: Sequence[Row]) -> list[Summary]:
    return [summary(quantity, rows) for quantity in AIMS]


def fingerprint() -> str:
    """Hash of the sources that make the numbers."""
    digest = hashlib.sha256()
    package = ROOT / "src" / "opensirt"
    for name in SOURCES:
        place = package / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:12]


def commit() -> str:
    """The commit that is checked out, with a plus where files differ from it."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--", "src", "studies"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}{'+' if changed.strip() else ''}"


def collect(seeds: Sequence[int], kept: Path, workers: int, say: Callable[[str], None]) -> list[Row]:
    """Rows of all seeds; those already in ``kept`` are read, the others computed and appended one by one."""
    rows: list[Row] = []
    if kept.exists():
        for line in kept.read_text("utf-8").splitlines():
            try:
                rows += [Row(**row) for row in json.loads(line)]
            except json.JSONDecodeError:
                continue  # the line that a killed run was writing: its seed is computed again
    done = {row.seed for row in rows}
    todo = [seed for seed in seeds if seed not in done]
    kept.parent.mkdir(parents=True, exist_ok=True)
    if kept.exists() and not kept.read_bytes().endswith(b"\n"):
        kept.write_bytes(kept.read_bytes() + b"\n")
    started = time.monotonic()
    with (
        ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool,
        kept.open("a", encoding="utf-8") as file,
    ):
        futures = {pool.submit(estimate, seed): seed for seed in todo}
        for number, future in enumerate(as_completed(futures), start=1):
            found = future.result()
            rows += found
            file.write(json.dumps([asdict(row) for row in found]) + "\n")
            file.flush()
            say(f"{number} of {len(todo)} bodies, {(time.monotonic() - started) / number:.1f} s each")
    return [row for row in rows if row.seed in set(seeds)]


def table(found: Sequence[Summary]) -> str:
    lines = [
        "| quantity | n | inside the 90 % interval | median half-width | called for by the errors | ratio | mean error | 90th percentile of the error | largest source, most often | verdict |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for s in found:
        unit = "points" if s.quantity == "shunt" else "%"
        verdict = "holds" if s.passes else "FALLS SHORT"
        lines.append(
            f"| {s.quantity} | {s.count} | {s.covered:.1%} | {s.half_width:.2f} {unit} | {s.called_for:.2f} {unit} | {s.half_width / s.called_for:.2f} | "
            f"{s.bias:+.2f} {unit} | {s.error_90:.2f} {unit} | {s.largest} | {verdict} |"
        )
    return "\n".join(lines)


def page(found: Sequence[Summary], seeds: Sequence[int], code: str) -> str:
    argument = (ROOT / "studies" / "_coverage_argument.md").read_text("utf-8")
    aims = "; ".join(f"{name} {aim}" for name, aim in AIMS.items() if aim != "none stated")
    return (
        f"# Coverage of the 90 % intervals\n\nSeeds {seeds[0]} to {seeds[-1]} ({len(seeds)} bodies), commit {commit()}, code {code}. "
        f"Made by `python studies/interval_coverage.py`.\n\n{table(found)}\n\nWanted: {COVERAGE_WANTED[0]:.0%} to {COVERAGE_WANTED[1]:.0%} inside, and a median "
        f"half-width within a factor {WIDTH_FACTOR} of 1.645 × the root mean square of the errors. Aims for the half-width: {aims}.\n\n{argument}"
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", default="0:100", help="first:stop")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "studies" / "coverage.md")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--keep", default="", help="name of the file of kept rows, where it should not be the code's hash")
    given = parser.parse_args(arguments)
    first, stop = (int(part) for part in given.seeds.split(":"))
    seeds, code = range(first, stop), fingerprint()
    kept = ROOT / "build" / "studies" / f"coverage-{given.keep or code}.jsonl"
    rows = collect(seeds, kept, given.workers, lambda text: print(text, flush=True))
    found = summaries(rows)
    print(table(found))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(page(found, seeds, code), "utf-8")
    return 0 if all(s.passes for s in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
