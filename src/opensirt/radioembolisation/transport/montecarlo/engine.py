"""The voxel Monte Carlo: electrons followed one by one in the patient's own media and densities."""

from __future__ import annotations

import math

import attrs
import numpy as np

from opensirt.radioembolisation.transport.montecarlo.allocation import Region, regions_of, root_mean_square
from opensirt.radioembolisation.transport.montecarlo.assembly import Shares, dose_from
from opensirt.radioembolisation.transport.montecarlo.batches import LEFT, RADIATED
from opensirt.radioembolisation.transport.montecarlo.control_variate import FASTEST_REACH_MM
from opensirt.radioembolisation.transport.montecarlo.field import Field, Half, Plan, field_of
from opensirt.radioembolisation.transport.montecarlo.media_map import MediaMap, media_by_tissue
from opensirt.radioembolisation.transport.montecarlo.outcome import (
    FAR_TOO_LONG_RATIO,
    LEAST_BATCHES,
    MONTE_CARLO_VERSION,
    Goal,
    MonteCarloDose,
    Reached,
    Reduction,
    Run,
    Watch,
    unwatched,
)
from opensirt.radioembolisation.transport.montecarlo.pilot import pilot
from opensirt.radioembolisation.transport.montecarlo.problem import posed
from opensirt.radioembolisation.transport.montecarlo.run_clock import RunClock
from opensirt.radioembolisation.transport.montecarlo.spectra import electron_spectrum
from opensirt.radioembolisation.transport.result import EngineDose, Report, require_dosimetric
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.volumes import ActivityMap, DensityMap

SOFT_UNCERTAINTY = 0.006
LUNG_UNCERTAINTY = 0.006
"""Within 1 % of the reference code, as the half-width of a uniform distribution: 1 % / √3. The statistics of a run stand in its map."""
_PLANNED_BATCHES = 30
_SMALLEST_BATCH = 1_000
_MORE_RATIO = 1.05
"""Histories beyond what the pilot run thinks: its own noise."""
_LEAST_TO_KEEP = 6
"""Batches of which a coefficient and a spread can be made, three in each half."""


def simulate(
    activity: ActivityMap,
    density: DensityMap,
    media: MediaMap,
    constant: DoseConstant,
    *,
    run: Run,
    watch: Watch = unwatched,
) -> MonteCarloDose:
    """Dose after full decay by Monte Carlo.

    Parameters
    ----------
    activity : ActivityMap
        At the instant of administration, Bq/mL.
    density : DensityMap
        On the same grid, g/mL; mass is density times volume, nothing is clamped.
    media : MediaMap
        On the same grid.
    constant : DoseConstant
        Gy·kg/GBq: energy per decay, as for every engine.
    run : Run
        Goal, seed, reduction of noise, physics, spectrum.
    watch : callable
        Takes :class:`Progress` after every batch. An interrupt from the keyboard, or one that it raises, ends the run with what was scored.

    Raises
    ------
    InvalidValue
        If activity cannot be turned into dose, the spectrum is another nuclide's, or the goal would take far longer than allowed: the
        message says how long.
    KeyboardInterrupt
        If it comes before anything could be kept.
    """
    require_dosimetric(activity, density)
    if run.spectrum.nuclide != activity.nuclide.name:
        raise InvalidValue(f"a spectrum of {run.spectrum.nuclide} for activity of {activity.nuclide.name}", "", "give its own")
    clock = RunClock(watch)
    reach = _beyond_mm(activity, density) if run.reduction is Reduction.CONTROL_VARIATE else 0.0
    problem = posed(activity, density, media, energies_mev=run.spectrum.energies_mev, physics=run.physics, beyond_mm=reach)
    regions = regions_of(run.goal, problem, activity, density)
    field = field_of(problem, activity.nuclide.name, run, np.logical_or.reduce([region.inside for region in regions]))
    if not (field.stratum >= 0).any():
        return _finished(activity, density, constant, _Scored(field, None, 0, (), regions, clock), run)
    needed = pilot(field, regions, run, clock)
    findings = _judged(run.goal, needed.total, clock)
    scored = _score(field, needed, regions, run, clock)
    return _finished(activity, density, constant, attrs.evolve(scored, findings=(*findings, *scored.findings)), run)


def _beyond_mm(activity: ActivityMap, density: DensityMap) -> float:
    held = density.g_per_ml[activity.bq_per_ml > 0.0]
    middle = float(np.median(held))
    return FASTEST_REACH_MM / middle + float(max(activity.grid.spacing_mm))


def _minutes(seconds: float) -> str:
    return (
        f"{seconds:.0f} s" if seconds < 120.0 else f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.1f} h"
    )


def _judged(goal: Goal, needed: int, clock: RunClock) -> tuple[Finding, ...]:
    """A finding where the goal takes longer than allowed.

    Raises
    ------
    InvalidValue
        If it takes far longer.
    """
    takes_s = clock.needs_s(needed)
    wanted = (
        ", ".join(f"{w.relative_uncertainty:.2%} in {w.mask.structure.key}" for w in goal.wanted)
        or f"{goal.relative_uncertainty:.2%}"
    )
    what = f"an uncertainty of {wanted} takes about {needed:.2g} histories, {_minutes(takes_s)} on this machine"
    allowed = f"allowed are {goal.largest_histories_number:.2g} histories and {_minutes(goal.allowed_s)}"
    remedy = "allow more, or accept a larger uncertainty (four times the time halves it)"
    if takes_s > FAR_TOO_LONG_RATIO * goal.allowed_s:
        raise InvalidValue(what, allowed, remedy)
    if takes_s > goal.allowed_s or needed > goal.largest_histories_number:
        return (Finding("montecarlo.goal_out_of_reach", Severity.WARNING, f"{what} · {allowed} · {remedy}", "dose"),)
    return ()


@attrs.frozen(eq=False)
class _Scored:
    field: Field
    halves: tuple[Half, Half] | None
    histories: int
    findings: tuple[Finding, ...]
    regions: tuple[Region, ...]
    clock: RunClock


def _score(field: Field, needed: Plan, regions: tuple[Region, ...], run: Run, clock: RunClock) -> _Scored:
    """Batches until the goal is reached, or time, histories or patience end."""
    goal = run.goal
    most = goal.largest_histories_number
    plan = _batch(needed, most)
    planned = plan.total * _PLANNED_BATCHES
    halves = (field.new_half(), field.new_half())
    clock.pilot_is_over()
    batch = 0
    findings: tuple[Finding, ...] = ()
    try:
        while True:
            if batch >= LEAST_BATCHES and batch % 2 == 0:
                misses = _misses(field, halves, regions)
                if max(misses) <= 1.0 or clock.histories + 2 * plan.total > most:
                    break
                planned = max(planned, math.ceil(clock.histories * max(misses) ** 2))
                plan = _what_is_missing(plan, misses)
            if batch >= _LEAST_TO_KEEP and batch % 2 == 0 and clock.elapsed_s > goal.allowed_s:
                break
            since_s = clock.elapsed_s
            field.score_batch(halves[batch % 2], plan, run.seed, batch)
            clock.scored(plan.total, since_s)
            batch += 1
            clock.tell(max(planned, clock.histories))
    except KeyboardInterrupt:
        if min(_whole(half) for half in halves) < _LEAST_TO_KEEP // 2:
            raise
        message = (
            f"interrupted after {sum(_whole(half) for half in halves)} batches · the dose holds, its uncertainty is larger than was asked for · "
            "look at the uncertainty before use"
        )
        findings = (Finding("montecarlo.interrupted", Severity.WARNING, message, "dose"),)
    return _Scored(field, halves, clock.histories, findings, regions, clock)


def _whole(half: Half) -> int:
    """Batches of a half that are scored, of the kind of history that has most."""
    return max(half.main.batches_number, half.thin.batches_number)


def _batch(needed: Plan, most: int) -> Plan:
    """A batch of the run: both kinds of histories in the proportion that the goal needs."""
    wanted = min(needed.total * _MORE_RATIO, float(most)) / _PLANNED_BATCHES
    total = max(wanted, min(_SMALLEST_BATCH, most // LEAST_BATCHES), 1.0)
    main = max(math.ceil(total * needed.histories / needed.total), 1)
    return attrs.evolve(needed, histories=main, thin_histories=math.floor(total * needed.thin_histories / needed.total))


def _misses(field: Field, halves: tuple[Half, Half], regions: tuple[Region, ...]) -> tuple[float, float]:
    """Uncertainty over what is wanted, the worst of all regions: where all histories count, and in thin tissue with its own."""
    mean, sd = field.estimate(halves)
    apart = np.zeros(field.problem.shape, dtype=np.bool_) if field.thin is None else field.thin.wanted
    worst = []
    for part in (~apart, apart):
        parts = [region.within(part) for region in regions]
        worst.append(max((root_mean_square(mean, sd, r)[0] / r.wanted_relative for r in parts if r.inside.any()), default=0.0))
    return worst[0], worst[1]


def _what_is_missing(plan: Plan, misses: tuple[float, float]) -> Plan:
    """The histories of the next batches: none of a kind that has reached its goal."""
    main, thin = misses
    if plan.histories and plan.thin_histories and main <= 1.0:
        return attrs.evolve(plan, histories=0)
    if plan.histories and plan.thin_histories and thin <= 1.0:
        return attrs.evolve(plan, thin_histories=0)
    return plan


def _finished(activity: ActivityMap, density: DensityMap, constant: DoseConstant, scored: _Scored, run: Run) -> MonteCarloDose:
    """Shares of energy turned into dose, and what was reached."""
    field, halves = scored.field, scored.halves
    left = 0.0
    radiated = field.radiated_fraction(0.0)
    mean, sd = field.estimate(halves) if halves else field.kernel_alone()
    if halves:
        book = np.mean([half.main.book for half in halves], axis=0)
        left = field.started_fraction * float(book[LEFT])
        radiated = field.radiated_fraction(float(book[RADIATED]))
    shares = Shares(field.problem, mean, sd, radiated, left)
    dose, uncertainty, book_j = dose_from(shares, activity, density, constant, run.spectrum)
    reached = tuple(Reached(r.name, r.wanted_relative, *root_mean_square(mean, sd, r)) for r in scored.regions)
    result = EngineDose(dose, book_j, MonteCarlo.name, MonteCarlo.version, SOFT_UNCERTAINTY, LUNG_UNCERTAINTY)
    batches = sum(_whole(half) for half in halves) if halves else 0
    findings = (*scored.findings, *_missed(reached))
    return MonteCarloDose(result, uncertainty, scored.histories, batches, reached, findings, scored.clock.elapsed_s)


def _missed(reached: tuple[Reached, ...]) -> tuple[Finding, ...]:
    """A finding for every region whose goal was not reached."""
    return tuple(
        Finding(
            "montecarlo.goal_not_reached",
            Severity.WARNING,
            f"{region.region}: an uncertainty of {region.rms_relative:.2%} where {region.wanted_relative:.2%} was asked for · "
            "the run ended for its time, its largest number of histories, or by hand · run longer, or weigh it with this uncertainty",
            "dose",
        )
        for region in reached
        if region.rms_relative > region.wanted_relative
    )


class MonteCarlo:
    """Electrons followed one by one; exact at interfaces of tissue, within 1 % of EGSnrc.

    As an engine among others it takes media by density alone, wants 2 % in every voxel above a tenth of the largest dose, and reduces
    noise by the kernel solution; :func:`simulate` takes media by contours, and any goal.
    """

    name = "montecarlo"
    version = MONTE_CARLO_VERSION

    def dose(self, activity: ActivityMap, density: DensityMap, constant: DoseConstant, report: Report) -> EngineDose:
        """See :class:`opensirt.radioembolisation.transport.result.DoseEngine`."""
        run = Run(electron_spectrum(activity.nuclide.name))
        media = media_by_tissue(density, ())
        done = simulate(activity, density, media, constant, run=run, watch=lambda progress: report(progress.done_fraction))
        report(1.0)
        return done.result
