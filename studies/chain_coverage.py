"""Do intervals of the whole chain hold the truth? Means, partition doses, points of the histogram and tumour control of 500 small virtual livers.

    python studies/chain_coverage.py [--seeds 0:500] [--out docs/studies/chain-coverage.md]

Resumable: one line per body and quantity is appended to build/studies/chain-coverage-<code>.csv, where <code> is a hash of the sources that make
the numbers; bodies that are there are not computed again. Seeds from 10000 on are for development.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import attrs
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from _light_simulator import Body, simulate  # noqa: E402
from opensirt.imaging.tissue import SOFT_TISSUE  # noqa: E402
from opensirt.radioembolisation.dosimetry.dvh import Dvh, dvh_of  # noqa: E402
from opensirt.radioembolisation.dosimetry.fine_transport import fine_transport_factors, liver_groups  # noqa: E402
from opensirt.radioembolisation.dosimetry.influence import (  # noqa: E402
    Influence,
    Masses,
    count_partition_influence,
    partition_influence,
    scaled,
    total_dose,
)
from opensirt.radioembolisation.dosimetry.resampling import (  # noqa: E402
    Metric,
    ShapeErrors,
    d_percent,
    resample_metrics,
    resampling_state,
    tcp,
    v_dose,
)
from opensirt.radioembolisation.dosimetry.voxel import (  # noqa: E402
    combined,
    doses_per_gbq,
    unit_activity,
)
from opensirt.radioembolisation.workup.compartments import (  # noqa: E402
    CompartmentUptake,
    ErrorModel,
    ScoutImage,
    compartment_uptake,
)
from opensirt.radioembolisation.workup.lung_mass import lung_mass, with_contour  # noqa: E402
from opensirt.radioembolisation.workup.lung_shunt import recovered_lung_shunt  # noqa: E402
from opensirt.vocabulary.anatomy import Structure, StructureKind  # noqa: E402
from opensirt.vocabulary.measured import Measured  # noqa: E402
from opensirt.vocabulary.nuclides import Y90  # noqa: E402
from opensirt.vocabulary.provenance import ReportedNumber  # noqa: E402
from opensirt.vocabulary.threads import use_threads  # noqa: E402
from opensirt.vocabulary.volumes import DoseMap, Occupancy  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
QUANTITIES: Mapping[str, str] = {
    "tumour mean": "%",
    "normal liver mean": "%",
    "lung mean": "%",
    "lung shunt": "points",
    "partition tumour": "%",
    "partition normal": "%",
    "partition tumour, transport": "%",
    "partition normal, transport": "%",
    "tumour D95": "%",
    "tumour D70": "%",
    "tumour D50": "%",
    "tumour V100": "points",
    "normal liver D50": "%",
    "normal liver V30": "points",
    "TCP": "points",
}
"""Listed before any body was run: quantity → whether errors are taken relative (%) or in percentage points."""
WANTED = (0.87, 0.93)
WIDTH_FACTOR = 1.5
SMALLEST_ML = 8.0
"""True volume from which a lesion is counted: 25 mm across, twice the blur."""
FLAT_POINTS = 1.0
"""V and TCP are judged where interval or stated value can move: truth and interval all within this distance of 0 or of 100 say nothing and are left out."""
DRAWS = 120
TCP_CLONES, TCP_PER_GY = 20.0, 0.02
"""Effective clone number and sensitivity (1/Gy) of the control model asked here: chosen so that control is neither certain nor excluded."""
SOURCES = ("vocabulary", "imaging", "radioembolisation")


@dataclass(frozen=True)
class Row:
    """One estimate beside its truth: Gy for doses, percent for shares and probabilities."""

    seed: int
    quantity: str
    structure: str
    volume_ml: float
    truth: float
    value: float
    low: float
    high: float
    on_map: float
    largest: str


def control(histogram: Dvh) -> float:
    """Poisson control ``exp(−N Σ v exp(−α D))``, in percent."""
    share = np.diff(histogram.cumulative, prepend=0.0)
    return float(100.0 * np.exp(-TCP_CLONES * np.sum(share * np.exp(-TCP_PER_GY * histogram.dose_gy))))


def _nothing(_: float) -> None:
    return None


def _true(dose_gy: np.ndarray, mask: np.ndarray) -> Dvh:
    values = dose_gy[mask].astype(np.float64)
    return dvh_of("truth", np.maximum(values, 0.0), np.ones(values.size))


@attrs.frozen(eq=False)
class Estimate:
    """What the production code makes of an image."""

    image: ScoutImage
    uptake: CompartmentUptake
    headline: Influence
    partition: Influence
    transported: Influence
    dose: DoseMap
    normal: Occupancy


def estimated(body: Body) -> Estimate:
    """Recovery, partition, kernel dose and headline means, as the plan computes them."""
    image = ScoutImage(body.counts, body.density, body.liver, body.lungs, body.tumours, body.territories, (), body.body)
    uptake = compartment_uptake(image, ErrorModel(), _nothing)
    constant = Y90.dose_constant()
    mass = with_contour(lung_mass(body.lung_ct_kg, body.lungs[0].volume_ml, ()), uptake.compartment("lungs").volume_ml)
    masses = Masses(SOFT_TISSUE, mass.kg, constant)
    base = count_partition_influence(uptake, masses, recovered=True)
    activity = unit_activity(image, uptake, uptake.recovered_counts, Y90, datetime(2026, 1, 7, 10, tzinfo=UTC))
    activity = attrs.evolve(activity, lungs=None)  # lung lies apart from liver here: its dose is its own activity's
    kernel = doses_per_gbq(activity, image.density, constant, "kernel", _nothing)
    tumours = np.minimum(np.sum([t.fraction for t in image.tumours], axis=0, dtype=np.float32), np.float32(1.0))
    normal = Occupancy(
        np.maximum(image.liver.fraction - tumours, np.float32(0.0)), image.liver.grid, Structure(StructureKind.NORMAL_LIVER)
    )
    groups = {key: keys for key, keys in liver_groups(uptake).items() if key in base.gy_per_gbq}
    factors = fine_transport_factors(image, uptake, base, groups, "Y-90")
    own = next(iter(kernel.values())).relative_kernel_uncertainty
    headline = scaled(base, "headline", factors, dict.fromkeys(factors, own))
    whole = attrs.evolve(headline, gy_per_gbq={**headline.gy_per_gbq, "lungs": base.gy_per_gbq["lungs"]})
    plain = partition_influence(uptake, masses)
    same = {
        c.key: tuple(o.key for o in uptake.compartments if (o.territory, o.kind) == (c.territory, c.kind))
        for c in uptake.compartments
        if c.territory
    }
    of_groups = fine_transport_factors(image, uptake, base, same, "Y-90")
    transported = scaled(plain, "partition, transport", of_groups, dict.fromkeys(of_groups, own))
    return Estimate(image, uptake, whole, plain, transported, combined(kernel, body.given_gbq), normal)


def estimate(seed: int) -> list[Row]:
    """One body: made, imaged, estimated, and every quantity beside its truth."""
    body = simulate(seed)
    truth, given = body.truth, body.given_gbq
    found = estimated(body)
    rows: list[Row] = []
    voxel_ml = 0.008

    def interval(quantity: str, structure: str, volume_ml: float, true: float, measured: Measured) -> None:
        low, high = ReportedNumber("", "", measured, "", "", "", "").interval_90
        rows.append(
            Row(
                seed, quantity, structure, volume_ml, true, measured.value, low, high, measured.value, measured.largest_contribution
            )
        )

    means = {key: total_dose(found.headline, key, given) for key in found.headline.gy_per_gbq}
    lsf = recovered_lung_shunt(found.uptake)
    percent = Measured(100.0 * lsf.value, {source: 100.0 * u for source, u in lsf.contributions.items()})
    interval("lung shunt", "lungs", 0.0, 100.0 * truth.shunt_fraction, percent)
    interval("lung mean", "lungs", 0.0, truth.lung_mean_gy, means["lungs"])
    interval("normal liver mean", "normal_liver", 0.0, float(truth.dose_gy[truth.normal].mean()), means["normal_liver"])
    judged = {
        f"tumour.{label}": mask
        for label, mask in truth.tumours.items()
        if mask.sum() * voxel_ml >= SMALLEST_ML and f"tumour.{label}" in means
    }
    for key, mask in judged.items():
        interval("tumour mean", key, float(mask.sum()) * voxel_ml, float(truth.dose_gy[mask].mean()), means[key])
    _add_partition(interval, body, found, given)
    metrics: list[Metric] = [d_percent("normal_liver", 50.0), v_dose("normal_liver", 30.0)]
    for key in judged:
        metrics += [d_percent(key, p) for p in (95.0, 70.0, 50.0)]
        metrics += [v_dose(key, 100.0), tcp(key, "TCP", control)]
    regions = (found.normal, *(t for t in body.tumours if t.structure.key in judged))
    state = resampling_state(found.image, found.uptake, found.dose, means, regions, ShapeErrors(), "Y-90")
    drawn = resample_metrics(state, metrics, samples=DRAWS, generator=np.random.default_rng([seed, 1]), report=_nothing)
    for one in drawn.metrics:
        key = one.metric.structure
        mask = truth.normal if key == "normal_liver" else judged[key]
        name = {"normal_liver": "normal liver "}.get(key, "" if one.metric.name == "TCP" else "tumour ") + one.metric.name
        rows.append(
            Row(
                seed,
                name,
                key,
                float(mask.sum()) * voxel_ml,
                one.metric.read(_true(truth.dose_gy, mask)),
                one.value,
                one.low,
                one.high,
                one.on_map,
                one.largest_source,
            )  # fmt: skip
        )
    return rows


def _add_partition(
    interval: Callable[[str, str, float, float, Measured], None], body: Body, found: Estimate, given: Mapping[str, float]
) -> None:
    """Per territory: tumour and normal compartment by the partition model beside the true mean dose of all that belongs to them."""
    truth = body.truth
    for territory in given:
        inside = [label for label, host in truth.territory_of.items() if host == territory]
        keys = [c.key for c in found.uptake.compartments if c.territory == territory and c.kind is StructureKind.TUMOUR]
        for name, influence in (("", found.partition), (", transport", found.transported)):
            if keys and len(keys) == len(inside):
                mask = np.any([truth.tumours[label] for label in inside], axis=0)
                measured = total_dose(influence, keys[0], given)
                true = float(truth.dose_gy[mask].mean())
                interval(f"partition tumour{name}", territory, float(mask.sum()) * 0.008, true, measured)
            normal = truth.normal & truth.territory_mask(territory)
            key = f"normal_liver.{territory}"
            if key in influence.gy_per_gbq:
                measured, true = total_dose(influence, key, given), float(truth.dose_gy[normal].mean())
                interval(f"partition normal{name}", territory, float(normal.sum()) * 0.008, true, measured)


@dataclass(frozen=True)
class Summary:
    """One quantity over all bodies; errors and widths in percent of the estimate or in percentage points."""

    quantity: str
    count: int
    left_out: int
    covered: float
    below: float
    above: float
    half_width: float
    spread: float
    bias: float
    map_bias: float
    largest: str

    @property
    def passes(self) -> bool:
        ratio = self.half_width / self.spread if self.spread > 0 else np.inf
        return WANTED[0] <= self.covered <= WANTED[1] and 1.0 / WIDTH_FACTOR <= ratio <= WIDTH_FACTOR


def _says_something(row: Row) -> bool:
    if QUANTITIES[row.quantity] != "points" or row.quantity == "lung shunt":
        return True
    ends = (row.truth, row.low, row.high, row.value)
    return not (all(e <= FLAT_POINTS for e in ends) or all(e >= 100.0 - FLAT_POINTS for e in ends))


def summary(quantity: str, rows: Sequence[Row]) -> Summary:
    """Coverage, root mean square of the half-widths, and the half-width that the observed errors call for (1.645 × their root mean square)."""
    everything = [row for row in rows if row.quantity == quantity]
    kept = [row for row in everything if _says_something(row)]
    value, truth, low, high, mapped = (np.array([getattr(r, n) for r in kept]) for n in ("value", "truth", "low", "high", "on_map"))
    unit = value / 100.0 if QUANTITIES[quantity] == "%" else np.ones(len(kept))
    error = (value - truth) / unit
    names = [row.largest.split(".")[0] for row in kept]
    largest = max(sorted(set(names)), key=names.count)
    return Summary(
        quantity, len(kept), len(everything) - len(kept), float(np.mean((low <= truth) & (truth <= high))),
        float(np.mean(truth < low)), float(np.mean(truth > high)),
        float(np.sqrt(np.mean(((high - low) / 2.0 / unit) ** 2))), 1.645 * float(np.sqrt(np.mean(error**2))),
        float(np.mean(error)), float(np.mean((mapped - truth) / unit)), f"{largest} ({names.count(largest) / len(names):.0%})",
    )  # fmt: skip


def fingerprint() -> str:
    """Hash of the sources that make the numbers."""
    digest = hashlib.sha256()
    for name in SOURCES:
        for path in sorted((ROOT / "src" / "opensirt" / name).rglob("*.py")):
            digest.update(path.read_bytes())
    for name in ("chain_coverage.py", "_light_simulator.py"):
        digest.update((ROOT / "studies" / name).read_bytes())
    return digest.hexdigest()[:12]


def read_rows(kept: Path) -> list[Row]:
    """Rows of bodies that were finished; the body that a killed run was writing has no closing line and is left out."""
    if not kept.exists():
        return []
    rows, pending = [], []
    kinds = {f.name: {"int": int, "float": float}.get(str(f.type), str) for f in fields(Row)}
    with kept.open(newline="", encoding="utf-8") as file:
        for line in csv.reader(file):
            if line[:1] == ["done"]:
                rows += pending
                pending = []
            elif len(line) == len(kinds) and line[0] != "seed":
                pending.append(Row(**{n: kind(text) for (n, kind), text in zip(kinds.items(), line, strict=True)}))
    return rows


def collect(seeds: Sequence[int], kept: Path, say: Callable[[str], None]) -> list[Row]:
    """Rows of all seeds, computed one after the other where they are not kept yet."""
    rows = read_rows(kept)
    done = {row.seed for row in rows}
    todo = [seed for seed in seeds if seed not in done]
    kept.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    whole = [[str(v) for v in asdict(row).values()] for row in rows]
    with kept.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([f.name for f in fields(Row)])
        writer.writerows(whole)
        writer.writerow(["done"])
        for number, seed in enumerate(todo, start=1):
            found = estimate(seed)
            rows += found
            writer.writerows([[repr(v) if isinstance(v, float) else str(v) for v in asdict(row).values()] for row in found])
            writer.writerow(["done"])
            file.flush()
            if number % 10 == 0:
                say(f"{number} of {len(todo)} bodies, {(time.monotonic() - started) / number:.2f} s each")
    return [row for row in rows if row.seed in set(seeds)]


def table(found: Sequence[Summary]) -> str:
    lines = [
        "| quantity | n | inside the 90 % interval | truth below, above | half-width | called for | ratio | mean error | mean error of the map | largest source | verdict |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for s in found:
        unit = QUANTITIES[s.quantity]
        lines.append(
            f"| {s.quantity} | {s.count} | {s.covered:.1%} | {s.below:.1%}, {s.above:.1%} | {s.half_width:.2f} {unit} | {s.spread:.2f} {unit} | "
            f"{s.half_width / s.spread:.2f} | {s.bias:+.2f} {unit} | {s.map_bias:+.2f} {unit} | {s.largest} | {'holds' if s.passes else 'FALLS SHORT'} |"
        )
    return "\n".join(lines)


def page(found: Sequence[Summary], seeds: Sequence[int], code: str) -> str:
    argument = (ROOT / "studies" / "_chain_argument.md").read_text("utf-8")
    return (
        f"# Coverage of the whole chain\n\nSeeds {seeds[0]} to {seeds[-1]} ({len(seeds)} bodies), code {code}. Made by `python studies/chain_coverage.py`.\n\n"
        f"{table(found)}\n\n{argument}"
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", default="0:500", help="first:stop")
    parser.add_argument("--out", type=Path, default=None, help="page to write; none by default")
    given = parser.parse_args(arguments)
    first, stop = (int(part) for part in given.seeds.split(":"))
    use_threads(1)
    seeds, code = range(first, stop), fingerprint()
    rows = collect(seeds, ROOT / "build" / "studies" / f"chain-coverage-{code}.csv", lambda text: print(text, flush=True))
    found = [summary(quantity, rows) for quantity in QUANTITIES]
    print(table(found))
    if given.out is not None:
        given.out.write_text(page(found, seeds, code), "utf-8")
    return 0 if all(s.passes for s in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
