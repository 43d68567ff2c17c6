"""Activity with its instant: an amount without a time says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.nuclides import Nuclide
from opensirt.vocabulary.units import SECONDS_PER_HOUR


def hours_between(earlier: datetime, later: datetime) -> float:
    """Elapsed hours from ``earlier`` to ``later``; negative if they are the other way round. Both need a time zone.

    Taken in UTC: two instants of one zone would otherwise be subtracted by their wall clocks, an hour wrong across a clock change.
    """
    require_time_zone(earlier, "the first instant")
    require_time_zone(later, "the second instant")
    return (later.astimezone(UTC) - earlier.astimezone(UTC)).total_seconds() / SECONDS_PER_HOUR


def require_time_zone(instant: datetime, what: str) -> datetime:
    """Refuse an instant without a time zone.

    Raises
    ------
    InvalidValue
        If ``instant`` is naive: six hours of doubt are 6 % of Y-90 and 14 % of Ho-166.
    """
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise InvalidValue(
            f"{what}, {instant.isoformat()}, has no time zone",
            "six hours of doubt are 6 % of the activity of Y-90 and 14 % of Ho-166",
            "give an offset, e.g. 2026-03-04T10:00:00+01:00",
        )
    return instant


@dataclass(frozen=True)
class Activity:
    """An amount of one nuclide at one instant.

    Attributes
    ----------
    amount_gbq : float
        Not negative, in GBq.
    at : datetime
        Time-zone aware.
    nuclide : Nuclide
        What decays.

    Raises
    ------
    InvalidValue
        For a negative or non-finite amount, or a naive instant.
    """

    amount_gbq: float
    at: datetime
    nuclide: Nuclide

    def __post_init__(self) -> None:
        require_time_zone(self.at, "the instant of an activity")
        if not 0.0 <= self.amount_gbq < float("inf"):
            raise InvalidValue(f"an activity of {self.amount_gbq} GBq", "", "give a finite amount of 0 or more")

    def decayed_to(self, instant: datetime) -> Activity:
        """The same sample at another instant, before or after."""
        factor = self.nuclide.decay_factor(hours_between(self.at, instant))
        return Activity(self.amount_gbq * factor, instant, self.nuclide)
