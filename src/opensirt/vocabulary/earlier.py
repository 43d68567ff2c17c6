"""What a patient was given before: dose of each earlier radioembolisation, and activity of peptide receptor therapy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from opensirt.vocabulary.errors import InvalidValue


def _not_negative(value: float | None, what: str, unit: str, where: str) -> None:
    if value is not None and not 0.0 <= value < math.inf:
        raise InvalidValue(
            f"{what} of {value} {unit}", where, "give a finite value of 0 or more, or leave it out if it is not known"
        )


@dataclass(frozen=True)
class EarlierSession:
    """One earlier radioembolisation; ``None`` for what is not known.

    Attributes
    ----------
    name : str
        How the session is called: ``"2024-03 right lobe"``. No patient's name.
    lung_gy : float or None
        Mean dose of the lungs, Gy.
    normal_liver_gy : float or None
        Mean dose of the *whole* normal liver, Gy.
    treated_fraction : float or None
        Share of the liver that was treated, 0 to 1.
    product, nuclide : str
        What was given; empty where not known.
    days_ago : float or None
        Days before this treatment, d.

    Raises
    ------
    InvalidValue
        For a dose, share or time that cannot be.
    """

    name: str
    lung_gy: float | None = None
    normal_liver_gy: float | None = None
    treated_fraction: float | None = None
    product: str = ""
    nuclide: str = ""
    days_ago: float | None = None

    def __post_init__(self) -> None:
        _not_negative(self.lung_gy, "lung dose", "Gy", self.name)
        _not_negative(self.normal_liver_gy, "normal liver dose", "Gy", self.name)
        _not_negative(self.days_ago, "time since treatment", "d", self.name)
        if self.treated_fraction is not None and not 0.0 <= self.treated_fraction <= 1.0:
            raise InvalidValue(
                f"a treated share of {self.treated_fraction}", f"{self.name}: it lies between 0 and 1", "give 0.6 for 60 %"
            )


@dataclass(frozen=True)
class KnownSum:
    """A sum over sessions, and the sessions whose part in it is not known: with any, it is the least it can be."""

    total_gy: float
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class EarlierTreatments:
    """All earlier treatments with internal radiation; no session and 0 GBq say that there were none.

    Attributes
    ----------
    sessions : tuple of EarlierSession
        Radioembolisations, in time.
    prrt_gbq : float or None
        Activity of peptide receptor therapy, all cycles, GBq; ``None`` where not known.
    prrt_nuclide : str
        Its nuclide.
    prrt_days_ago : float or None
        Days since its last cycle, d.

    Raises
    ------
    InvalidValue
        For an activity or time that cannot be, or two sessions of one name.
    """

    sessions: tuple[EarlierSession, ...] = ()
    prrt_gbq: float | None = None
    prrt_nuclide: str = ""
    prrt_days_ago: float | None = None

    def __post_init__(self) -> None:
        _not_negative(self.prrt_gbq, "activity of peptide receptor therapy", "GBq", "")
        _not_negative(self.prrt_days_ago, "time since peptide receptor therapy", "d", "")
        names = [session.name for session in self.sessions]
        if len(set(names)) < len(names):
            raise InvalidValue(f"sessions {names}", "two of them have one name", "give each its own")

    def _sum(self, dose: Callable[[EarlierSession], float | None]) -> KnownSum:
        doses = [(session.name, dose(session)) for session in self.sessions]
        return KnownSum(math.fsum(gy for _, gy in doses if gy is not None), tuple(name for name, gy in doses if gy is None))

    @property
    def lung(self) -> KnownSum:
        """Lung dose of all sessions, Gy."""
        return self._sum(lambda session: session.lung_gy)

    @property
    def normal_liver(self) -> KnownSum:
        """Dose of the whole normal liver of all sessions, Gy."""
        return self._sum(lambda session: session.normal_liver_gy)
