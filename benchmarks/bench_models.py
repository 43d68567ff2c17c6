"""All activity models and the DVH of three engines on the working grid, and the report as PDF.

Run: ``python benchmarks/bench_models.py [--repeats N]``. The case is that of ``bench_plan.py`` (CT of 300 × 512 × 512, SPECT of 128³). Prints
the seconds on the clock of: every activity model on every injection with reasons for their disagreement; the three engines' doses on the
working grid; DVH of every structure under every engine; the PDF from a finished plan, pictures included and not. Ends with status 1 if
models and DVH take more than 3 s, or the PDF alone more than 2 s. The floor beside it: reading every dose map once per structure.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bench_plan import prepare

LONGEST_S = 3.0
LONGEST_PDF_S = 2.0
AT = datetime(2026, 12, 2, 10, tzinfo=UTC)


def clocked(work: Callable[[], object], repeats: int) -> float:
    """Median seconds on the clock."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def main() -> int:
    """Measure and print."""
    from opensirt.files.delivery_calendar import default_delivery_calendar
    from opensirt.radioembolisation.dosimetry.dvh import dvh
    from opensirt.radioembolisation.dosimetry.voxel import combined, doses_per_gbq, unit_activity
    from opensirt.reports.pdf import render_pdf
    from opensirt.reports.pictures import PlanPictures
    from opensirt.reports.plan_content import plan_document
    from opensirt.store.case_folder import open_case
    from opensirt.workflow import plan_supplement
    from opensirt.workflow.options import PlanOptions
    from opensirt.workflow.plan_computation import compute_plan
    from opensirt.workflow.plan_document import Stamp, assemble
    from opensirt.workflow.study import load_study
    from opensirt.workflow.workup import compute_workup

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", type=Path, help="a case that an earlier run kept")
    given = parser.parse_args()

    def quiet(_: float) -> None:
        pass

    with tempfile.TemporaryDirectory() as folder:
        case = open_case(given.case or prepare(Path(folder)))
        study = load_study(case)
        options = PlanOptions(treatment_at=AT, samples=0)
        workup = compute_workup(study, options.workup, quiet)
        planned = compute_plan(workup, options, AT, quiet)
        image, uptake = workup.scene.image, workup.uptake
        activities = {t: a.value for t, a in planned.plan.activities_gbq.items()}
        names = tuple(planned.engine_doses)
        maps = [combined(doses, activities) for doses in planned.engine_doses.values()]
        models = clocked(lambda: plan_supplement._activity_models(planned, options), given.repeats)
        engines = clocked(
            lambda: [
                doses_per_gbq(
                    unit_activity(image, uptake, image.counts.counts, planned.product.nuclide, AT),
                    image.density,
                    planned.constant,
                    name,
                    quiet,
                )
                for name in names
            ],
            given.repeats,
        )
        histograms = clocked(lambda: [dvh(m, region).curve(160) for m in maps for _, region in planned.regions], given.repeats)
        floor = clocked(
            lambda: [float((m.dose_gy * region.fraction).sum()) for m in maps for _, region in planned.regions], given.repeats
        )
        beside = plan_supplement.supplement(planned, options, default_delivery_calendar(), AT, quiet)
        proposal = assemble(Stamp("C-0", True, "0", AT), workup, planned, options, beside)
        scene = workup.scene
        pictures = PlanPictures(study.ct, study.emission, planned.dose, tuple(mask for mask, _ in scene.masks), planned.focus_mm)
        pages = plan_document(proposal, pictures)
        pdf = clocked(lambda: render_pdf(pages), given.repeats)
        whole = clocked(lambda: render_pdf(plan_document(proposal, pictures)), given.repeats)
    together = models + histograms
    print(f"{len(workup.perfusions)} injections, {len(planned.regions)} structures, {len(names)} engines")
    print(f"activity models with reasons                {models:7.3f} s")
    print(f"DVH of every structure under every engine   {histograms:7.3f} s (floor: one product and sum each {floor:.3f} s)")
    print(f"doses of the three engines                  {engines:7.3f} s")
    print(f"models and DVH {together:.2f} s, with the engines' doses {together + engines:.2f} s (allowed {LONGEST_S:g})")
    print(f"PDF {pdf:.2f} s (allowed {LONGEST_PDF_S:g}), pictures and document included {whole:.2f} s")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")
    return int(together > LONGEST_S or pdf > LONGEST_PDF_S)


if __name__ == "__main__":
    sys.exit(main())
