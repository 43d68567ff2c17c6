"""A course of sessions and its sums: delivered activity, treated volume, dose per structure.

Doses of one structure add over sessions of one nuclide. Doses of different nuclides are never added: they come at different rates, so each
nuclide's sum stands by itself, and only biologically effective doses, where they are given, add across nuclides. A structure that each
session defines anew (the perfused normal liver) is another volume each time and is not added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from opensirt.vocabulary.activity import hours_between, require_time_zone
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, propagate, total
from opensirt.vocabulary.products import Product
from opensirt.vocabulary.units import HOURS_PER_DAY

COURSES_VERSION = "1"
SMALL_LIVER_ML = 1500.0
"""Below it the source counts the liver among the risks of REILD."""
REILD_SOURCE = "van Roekel thesis p. 38-39: risks of radioembolisation-induced liver disease"
_PER_SESSION = {StructureKind.PERFUSED_NORMAL_LIVER.value, StructureKind.TERRITORY.value}
_WHOLE_LIVER_FRACTION = 0.95
"""From this share of the liver upwards a session is taken as one of the whole liver: contours of liver and territories differ by a few per cent."""


class CourseKind(Enum):
    """How the liver is treated over the course."""

    LOBAR_SEQUENTIAL = "lobar sequential"
    """One lobe a session, weeks apart."""
    WHOLE_LIVER_SINGLE = "whole liver in one session"
    SUPERSELECTIVE = "superselective"
    """One or a few segments."""


@dataclass(frozen=True)
class SessionInjection:
    """One injection of a session: activity delivered at its instant, GBq, and the volume it treated, mL (``None`` where not stated)."""

    territory: str
    delivered_gbq: Measured
    treated_volume_ml: Measured | None = None


@dataclass(frozen=True)
class Session:
    """One session of a course.

    Attributes
    ----------
    at : datetime
        Instant of administration.
    product : Product
        Its nuclide decides which doses add.
    injections : tuple of SessionInjection
        At least one, territories all different.
    dose_gy : mapping of str to Measured
        Absorbed dose by structure key, Gy.
    bed_gy : mapping of str to Measured
        Biologically effective dose by structure key, Gy; empty where none was computed.

    Raises
    ------
    InvalidValue
        For no injection, a territory twice, an amount below 0, an instant without a time zone.
    """

    at: datetime
    product: Product
    injections: tuple[SessionInjection, ...]
    dose_gy: Mapping[str, Measured] = field(default_factory=dict)
    bed_gy: Mapping[str, Measured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_time_zone(self.at, "the instant of a session")
        when = self.at.isoformat()
        if not self.injections:
            raise InvalidValue(f"the session of {when} has no injection", "", "state at least one")
        names = [injection.territory for injection in self.injections]
        if len(set(names)) != len(names):
            raise InvalidValue(
                f"the session of {when} names a territory twice: {', '.join(names)}", "", "add up what one territory got"
            )
        amounts = {
            **{f"activity of {i.territory}": i.delivered_gbq for i in self.injections},
            **{f"volume of {i.territory}": i.treated_volume_ml for i in self.injections if i.treated_volume_ml is not None},
            **{f"dose of {key}": dose for key, dose in self.dose_gy.items()},
            **{f"BED of {key}": bed for key, bed in self.bed_gy.items()},
        }
        negative = [f"{name} {amount.value:g}" for name, amount in amounts.items() if amount.value < 0.0]
        if negative:
            raise InvalidValue(f"the session of {when} has {', '.join(negative)}", "amounts are not negative", "check the sign")
        object.__setattr__(self, "dose_gy", MappingProxyType(dict(self.dose_gy)))
        object.__setattr__(self, "bed_gy", MappingProxyType(dict(self.bed_gy)))


@dataclass(frozen=True)
class Course:
    """Sessions of one course, in order of time.

    Attributes
    ----------
    kind : CourseKind
        As intended.
    sessions : tuple of Session
        At least one, at different instants; sorted by time.
    liver_volume_ml : Measured or None
        Whole liver, where known.

    Raises
    ------
    InvalidValue
        For no session, two at one instant, several in a course of a single session, a volume of 0 or less.
    """

    kind: CourseKind
    sessions: tuple[Session, ...]
    liver_volume_ml: Measured | None = None

    def __post_init__(self) -> None:
        if not self.sessions:
            raise InvalidValue("a course without sessions", "", "state at least one")
        ordered = tuple(sorted(self.sessions, key=lambda session: session.at.timestamp()))
        if any(hours_between(a.at, b.at) == 0.0 for a, b in zip(ordered, ordered[1:], strict=False)):
            raise InvalidValue("two sessions at one instant", "", "state each session once; its injections belong together")
        if self.kind is CourseKind.WHOLE_LIVER_SINGLE and len(ordered) > 1:
            raise InvalidValue(
                f"{len(ordered)} sessions in a course of a single one",
                "",
                f"call it {CourseKind.LOBAR_SEQUENTIAL.value!r}, or leave one",
            )
        if self.liver_volume_ml is not None and self.liver_volume_ml.value <= 0.0:
            raise InvalidValue(f"a liver of {self.liver_volume_ml.value:g} mL", "", "give a volume above 0")
        object.__setattr__(self, "sessions", ordered)


@dataclass(frozen=True)
class CourseSums:
    """Sums over a course.

    Attributes
    ----------
    delivered_gbq : mapping of str to Measured
        Delivered activity by nuclide, each amount at its own instant, GBq.
    dose_gy : mapping of str to mapping of str to Measured
        By structure, then nuclide, Gy.
    bed_gy : mapping of str to Measured
        By structure, over all nuclides, Gy; only structures whose every dose has its BED.
    treated_volume_ml : Measured or None
        Sum over different territories; one that is treated again counts once, with its largest volume. ``None`` if a territory has none.
    treated_fraction : Measured or None
        Of the liver, where both volumes are known.
    intervals_days : tuple of float
        From each session to the next, d.
    findings : tuple of Finding
        What a person must weigh.
    """

    delivered_gbq: Mapping[str, Measured]
    dose_gy: Mapping[str, Mapping[str, Measured]]
    bed_gy: Mapping[str, Measured]
    treated_volume_ml: Measured | None
    treated_fraction: Measured | None
    intervals_days: tuple[float, ...]
    findings: tuple[Finding, ...]


def course_sums(course: Course) -> CourseSums:
    """What a course adds up to, and what a person must weigh about it.

    Risks of REILD: van Roekel thesis p. 38-39. No published limit of the cumulative dose of repeated treatments was found; none is applied.
    """
    delivered: dict[str, list[Measured]] = {}
    doses: dict[str, dict[str, list[Measured]]] = {}
    for session in course.sessions:
        nuclide = session.product.nuclide.name
        delivered.setdefault(nuclide, []).extend(injection.delivered_gbq for injection in session.injections)
        for key, dose in session.dose_gy.items():
            doses.setdefault(_key(key, session, course), {}).setdefault(nuclide, []).append(dose)
    beds: dict[str, list[Measured]] = {}
    for session in course.sessions:
        for key, bed in session.bed_gy.items():
            beds.setdefault(_key(key, session, course), []).append(bed)
    complete = {key for key, by_nuclide in doses.items() if len(beds.get(key, ())) == sum(len(d) for d in by_nuclide.values())}
    treated = _treated(course.sessions)
    liver = course.liver_volume_ml
    sums = {key: {nuclide: total(parts) for nuclide, parts in by_nuclide.items()} for key, by_nuclide in doses.items()}
    return CourseSums(
        {nuclide: total(parts) for nuclide, parts in delivered.items()},
        sums,
        {key: total(parts) for key, parts in beds.items() if key in complete},
        treated,
        None if liver is None or treated is None else propagate(lambda part, whole: part / whole, part=treated, whole=liver),
        tuple(hours_between(a.at, b.at) / HOURS_PER_DAY for a, b in zip(course.sessions, course.sessions[1:], strict=False)),
        _findings(course, sums, complete, treated),
    )


def _key(key: str, session: Session, course: Course) -> str:
    """A structure that each session defines anew gets the session's number, so that it is never added to another volume."""
    kind, _, label = key.partition(".")
    if kind in _PER_SESSION and not label and len(course.sessions) > 1:
        return f"{key} (session {course.sessions.index(session) + 1})"
    return key


def _treated(sessions: Sequence[Session]) -> Measured | None:
    """Volume of all territories of these sessions, each once; ``None`` if one has no volume."""
    volumes: dict[str, Measured] = {}
    for injection in (injection for session in sessions for injection in session.injections):
        volume, known = injection.treated_volume_ml, volumes.get(injection.territory)
        if volume is not None and (known is None or volume.value > known.value):
            volumes[injection.territory] = volume
    named = {injection.territory for session in sessions for injection in session.injections}
    return total(volumes.values()) if set(volumes) == named else None


def _findings(
    course: Course, sums: Mapping[str, Mapping[str, Measured]], complete: set[str], treated: Measured | None
) -> tuple[Finding, ...]:
    found = [*_of_the_liver(course, treated), *_of_the_kind(course)]
    mixed = sorted(key for key, by_nuclide in sums.items() if len(by_nuclide) > 1)
    if mixed:
        without = [key for key in mixed if key not in complete]
        message = (
            f"{', '.join(mixed)} received dose from different nuclides · they come at different rates and do not add; each stands by itself"
            + (f"; no sum of BED either for {', '.join(without)} · state the BED of every session" if without else "; BED is added")
        )
        found.append(Finding("course.mixed_nuclides", Severity.WARNING, message))
    anew = sorted(key for key in sums if "(session " in key)
    if anew:
        message = f"{', '.join(anew)}: another volume in each session, not added · give territories and their normal liver a label to add them"
        found.append(Finding("course.volume_of_a_session", Severity.NOTE, message))
    names = [injection.territory for session in course.sessions for injection in session.injections]
    again = sorted({name for name in names if names.count(name) > 1})
    if again:
        message = f"{', '.join(again)} treated more than once · its volume counts once, its doses add · weigh the cumulative dose"
        found.append(Finding("course.territory_again", Severity.WARNING, message))
    if len(course.sessions) > 1:
        message = "no published limit of the cumulative dose of repeated treatments was found; none is applied · weigh the sums"
        found.append(Finding("course.no_cumulative_limit", Severity.NOTE, message))
    return tuple(found)


def _of_the_liver(course: Course, treated: Measured | None) -> list[Finding]:
    found = []
    liver = course.liver_volume_ml
    at_once = [volume.value for volume in (_treated((session,)) for session in course.sessions) if volume is not None]
    whole = liver is not None and any(volume >= _WHOLE_LIVER_FRACTION * liver.value for volume in at_once)
    if whole or course.kind is CourseKind.WHOLE_LIVER_SINGLE:
        message = (
            "the whole liver is treated in one session · that is a risk of radioembolisation-induced liver disease (REILD) · "
            "weigh sequential lobar sessions"
        )
        found.append(Finding("course.whole_liver_at_once", Severity.WARNING, message, "liver", REILD_SOURCE))
    if liver is not None and liver.value < SMALL_LIVER_ML:
        message = f"the liver is {liver.value:.0f} mL, below {SMALL_LIVER_ML:g} mL · a risk of REILD · weigh a lower dose or a part of the liver"
        found.append(Finding("course.small_liver", Severity.WARNING, message, "liver", REILD_SOURCE))
    if liver is not None and treated is not None and treated.value > liver.value:
        message = f"territories add up to {treated.value:.0f} mL, more than the liver of {liver.value:.0f} mL · they overlap, or a contour is wrong · check them"
        found.append(Finding("course.territories_exceed_liver", Severity.WARNING, message, "liver"))
    if treated is None:
        message = "a territory has no volume · the treated volume cannot be summed · state the volume of every injection"
        found.append(Finding("course.volume_missing", Severity.NOTE, message))
    return found


def _of_the_kind(course: Course) -> list[Finding]:
    if course.kind is not CourseKind.LOBAR_SEQUENTIAL or len(course.sessions) > 1:
        return []
    message = "a lobar sequential course with one session so far · sums are of what is stated, not of the course intended · add the sessions to come"
    return [Finding("course.incomplete", Severity.NOTE, message)]
