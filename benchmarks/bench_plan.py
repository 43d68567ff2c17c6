"""``plan`` with kernel-density on a CT of 300 × 512 × 512 with a SPECT of 128 × 128 × 128 already in one frame.

Run: ``python benchmarks/bench_plan.py [--repeats N] [--keep FOLDER]``. Each plan runs in a fresh process on two cores. Prints seconds on
the clock and of the processor, peak memory and the time of each stage; ends with status 1 if the median is above 15 s or the peak above
3 GB. Runs without and with the draws behind intervals of DVH metrics (the limit was set for a plan without them). Wall time stands for this machine only when nothing else runs on it; the seconds of the processor tell what the work is.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CT_SHAPE = (300, 512, 512)
SPECT_SHAPE = (128, 128, 128)
SPECT_MM = 4.0
LONGEST_S = 15.0
LARGEST_MB = 3000.0
KIB_PER_MB = 1e6 / 1024.0
STAGES = (
    "load_study",
    "build_scene",
    "compartment_uptake",
    "compute_plan",
    "supplement",
    "assemble",
    "plan_report",
    "render_html",
    "render_pdf",
    "_keep",
)


def prepare(folder: Path) -> Path:
    """A case from a small virtual patient, its CT and contours on 300 × 512 × 512 voxels and its SPECT on 128³."""
    from dataclasses import replace

    import numpy as np

    from opensirt.clock import now
    from opensirt.imaging.resample import resample_counts
    from opensirt.record.events import EventKind
    from opensirt.store.case_folder import open_case
    from opensirt.synthetic.camera import ImagingOptions
    from opensirt.synthetic.patient import PatientOptions
    from opensirt.synthetic.write import run_virtual_patient
    from opensirt.vocabulary.geometry import Grid
    from opensirt.vocabulary.volumes import HounsfieldMap, Mask
    from opensirt.workflow.import_study import identity_path, run_import
    from opensirt.workflow.options import ImportOptions
    from opensirt.workflow.study import SCHEMA, VERSION, StoredStructure, load_study, save_index

    def quiet(_: float) -> None:
        pass

    options = PatientOptions(seed=7, imaging=ImagingOptions(ct_matrix=128, ct_slice_mm=5.0), truth_decays=2_000)
    written = run_virtual_patient(folder / "patient", options, quiet)
    run_import(written.dicom_folder, folder / "case", ImportOptions(), quiet)
    case = open_case(folder / "case")
    study = load_study(case)
    old = study.ct.grid
    factor = np.array(old.shape) / np.array(CT_SHAPE)
    affine = old.affine_mm.copy()
    affine[:3, :3] *= factor
    affine[:3, 3] = old.lps_mm(0.5 * factor - 0.5)
    fine = Grid(CT_SHAPE, affine, old.frame)
    picks = np.ix_(
        *[np.minimum(((np.arange(n) + 0.5) * f).astype(int), o - 1) for n, f, o in zip(CT_SHAPE, factor, old.shape, strict=True)]
    )
    noise = np.random.default_rng(1).integers(-20, 21, CT_SHAPE, dtype=np.int16)
    ct = HounsfieldMap(study.ct.hu[picks] + noise, fine)
    emission = study.emission.grid
    around = np.diag([SPECT_MM, SPECT_MM, SPECT_MM, 1.0])
    around[:3, :3] = emission.directions * SPECT_MM
    centre = emission.lps_mm((np.array(emission.shape) - 1) / 2)
    around[:3, 3] = centre - around[:3, :3] @ ((np.array(SPECT_SHAPE) - 1) / 2)
    spect = resample_counts(study.emission, Grid(SPECT_SHAPE, around, emission.frame)).map
    with case.writing():
        ct_sha256, emission_sha256 = case.save_volume(ct), case.save_volume(spect)
        stored = tuple(
            StoredStructure(item.key, item.label, item.origin, case.save_volume(Mask(mask.inside[picks], fine, mask.structure)))
            for mask, item in study.structures
        )
        old_identity = identity_path(case, study.index.ct_sha256)
        identity_path(case, ct_sha256).write_bytes(old_identity.read_bytes())
        index = replace(study.index, ct_sha256=ct_sha256, emission_sha256=emission_sha256, structures=stored)
        case.append(
            EventKind.STUDY_IMPORTED, "benchmark", now(), artefacts=[case.save_artefact(save_index(case, index), SCHEMA, VERSION)]
        )
    return folder / "case"


def timed(module: object, name: str, spent: dict[str, float]) -> None:
    """Measure a function of a module from now on: seconds of the processor, all threads together, so that other work does not count."""
    function = getattr(module, name)

    def measured(*given: object, **named: object) -> object:
        start = time.process_time()
        try:
            return function(*given, **named)
        finally:
            spent[name] = spent.get(name, 0.0) + time.process_time() - start
            spent[f"{name}, peak MB at its end"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MB

    setattr(module, name, measured)


def child(case: Path, out: Path, samples: int) -> None:
    """One plan; prints what it took as JSON."""
    start, spent = time.perf_counter(), {}
    from datetime import UTC, datetime

    from opensirt.workflow import plan, plan_computation, scene, workup
    from opensirt.workflow.options import PlanOptions

    spent["imports"] = time.process_time()
    for module in (plan, workup, plan_computation, scene):
        for name in STAGES + (
            "density_on",
            "body_by_threshold",
            "resample_counts",
            "_scout",
            "_lung_mass",
            "doses_per_gbq",
            "_lungs",
        ):
            if hasattr(module, name) and not (module is plan_computation and name == "compute_plan"):
                timed(module, name, spent)
    options = PlanOptions(treatment_at=datetime(2026, 3, 11, 9, 0, tzinfo=UTC), engine="kernel-density", samples=samples)
    result = plan.run_plan(case, options, out, lambda _: None)
    taken = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "wall_s": time.perf_counter() - start,
                "cpu_s": taken.ru_utime + taken.ru_stime,
                "peak_mb": taken.ru_maxrss / KIB_PER_MB,
                "stages": spent,
                "grid": result.working_grid,
                "activities_gbq": [n.measured.value for n in result.numbers if n.key.startswith("activity.")],
            }
        )
    )


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--repeats", type=int, default=3)
    words.add_argument("--keep", type=Path)
    words.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    stated = words.parse_args()
    if stated.child:
        child(Path(stated.child[0]), Path(stated.child[1]), int(stated.child[2]))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = stated.keep or Path(temporary)
        case = folder / "case" if (folder / "case" / "case.json").exists() else prepare(folder)
        good = True
        for samples in (0, 200):
            rows = [_one(case, folder / f"plan-{number}", samples) for number in range(stated.repeats)]
            print(
                f"grid {rows[0]['grid']}; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {samples} draws for DVH metrics"
            )
            for row in rows:
                print(
                    f"plan: {row['wall_s']:.1f} s on the clock, {row['cpu_s']:.1f} s of the processor, peak {row['peak_mb']:.0f} MB"
                )
            if samples:
                best = min(rows, key=lambda row: row["wall_s"])
                for name, amount in best["stages"].items():
                    print(f"  {name:40s} {amount:8.2f}" + ("" if "MB" in name else " s of the processor"))
            median, peak = statistics.median(row["wall_s"] for row in rows), max(row["peak_mb"] for row in rows)
            kept = median <= LONGEST_S and peak <= LARGEST_MB
            good = good and (kept or samples > 0)
            print(
                f"median {median:.1f} s (allowed {LONGEST_S:g}{' without draws' if samples else ''}), peak {peak:.0f} MB (allowed {LARGEST_MB:g}): "
                f"{'kept' if kept else 'NOT KEPT'}"
            )
        return 0 if good else 1


def _one(case: Path, out: Path, samples: int) -> dict:
    """What one plan in a fresh process took."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", str(case), str(out), str(samples)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"},
    )
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
