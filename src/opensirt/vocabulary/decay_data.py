"""What a decay emits: beta branches, lines of electrons and photons, and internal pairs, as cited data of the package.

The evaluation that everything is computed from is ICRP Publication 107; what another one (LNHB/DDEP) says stands beside it and makes the
uncertainty. Half-lives and energies per decay that engines use stand in :mod:`opensirt.vocabulary.nuclides`; a test holds both together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from importlib.resources import files
from typing import Any

from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.provenance import Constant, Mark
from opensirt.vocabulary.units import HOURS_PER_DAY

SCHEMA = "opensirt.decay"
_ELECTRON_PAIR_MEV = 1.02199790
"""Twice the rest energy of an electron (CODATA 2018)."""
_HOURS = {"h": 1.0, "d": HOURS_PER_DAY}


class BetaShape(Enum):
    """The factor by which a beta spectrum differs from phase space times the Fermi function."""

    ALLOWED = "allowed"
    """None; also taken for first-forbidden transitions that are not unique (ξ approximation)."""
    UNIQUE_FIRST_FORBIDDEN = "unique_first_forbidden"
    """Spin changes by two and parity changes: ``q² + λ₂ p²``."""


@dataclass(frozen=True)
class BetaBranch:
    """One beta branch.

    Attributes
    ----------
    endpoint_mev, mean_mev : float
        Largest and mean kinetic energy of the electron, MeV.
    yield_per_decay : float
        Electrons per decay.
    shape : BetaShape
        Shape factor of its spectrum.
    """

    endpoint_mev: float
    mean_mev: float
    yield_per_decay: float
    shape: BetaShape


@dataclass(frozen=True)
class EmissionLine:
    """Particles of one energy: MeV, and how many a decay."""

    energy_mev: float
    yield_per_decay: float


@dataclass(frozen=True)
class InternalPairs:
    """Electron–positron pairs in place of a gamma.

    Attributes
    ----------
    per_decay : Constant
        Pairs, and so positrons, a decay.
    transition_mev : float
        Energy of the transition, MeV.
    """

    per_decay: Constant
    transition_mev: float

    @property
    def kinetic_mev(self) -> float:
        """Kinetic energy that electron and positron share, MeV."""
        return self.transition_mev - _ELECTRON_PAIR_MEV


@dataclass(frozen=True)
class SecondEvaluation:
    """What another evaluation says, with its own standard uncertainties.

    Attributes
    ----------
    source : str
        Which.
    half_life_h : Constant
        In h.
    beta_yields, beta_means_mev, gamma_yields : tuple of Constant
        Electrons per decay and mean energy (MeV) of each branch, photons per decay of each gamma.
    """

    source: str
    half_life_h: Constant
    beta_yields: tuple[Constant, ...]
    beta_means_mev: tuple[Constant, ...]
    gamma_yields: tuple[Constant, ...]

    @property
    def beta_mev(self) -> float:
        """Mean energy of betas per decay, MeV."""
        return math.fsum(n.value * mean.value for n, mean in zip(self.beta_yields, self.beta_means_mev, strict=True))


@dataclass(frozen=True)
class DecayData:
    """All that a decay of one nuclide emits.

    Attributes
    ----------
    nuclide, daughter : str
        ``"Y-90"``, ``"Zr-90"``.
    atomic_number, mass_number : int
        Of the daughter: the nucleus that the electron leaves.
    source : str
        The evaluation.
    half_life_h : float
        Physical half-life, h.
    betas : tuple of BetaBranch
        Ascending by endpoint.
    gammas, x_rays, conversion_electrons, auger_electrons : tuple of EmissionLine
        Ascending by energy.
    pairs : InternalPairs or None
        ``None`` where no source states any.
    second : SecondEvaluation or None
        ``None`` where none was at hand.
    """

    nuclide: str
    daughter: str
    atomic_number: int
    mass_number: int
    source: str
    half_life_h: float
    betas: tuple[BetaBranch, ...]
    gammas: tuple[EmissionLine, ...]
    x_rays: tuple[EmissionLine, ...]
    conversion_electrons: tuple[EmissionLine, ...]
    auger_electrons: tuple[EmissionLine, ...]
    pairs: InternalPairs | None = None
    second: SecondEvaluation | None = None

    @property
    def beta_mev(self) -> float:
        """Mean energy of betas per decay, MeV."""
        return math.fsum(branch.yield_per_decay * branch.mean_mev for branch in self.betas)

    @property
    def electron_lines(self) -> tuple[EmissionLine, ...]:
        """Conversion and Auger electrons, ascending by energy."""
        return tuple(sorted((*self.conversion_electrons, *self.auger_electrons), key=lambda line: line.energy_mev))

    @property
    def electron_mev(self) -> float:
        """Mean energy per decay of betas, conversion and Auger electrons, MeV."""
        return self.beta_mev + _energy_mev(self.electron_lines)

    @property
    def photon_mev(self) -> float:
        """Mean energy per decay of gammas and X-rays, MeV."""
        return _energy_mev((*self.gammas, *self.x_rays))


def _energy_mev(lines: Sequence[EmissionLine]) -> float:
    return math.fsum(line.energy_mev * line.yield_per_decay for line in lines)


def decay_data_named(nuclide: str) -> DecayData:
    """Decay data of a nuclide.

    Parameters
    ----------
    nuclide : str
        ``"Y-90"``, ``"Ho-166"``, ``"Lu-177"``, ``"Tc-99m"`` or ``"I-131"``.

    Raises
    ------
    UnsupportedInput
        If there are none.
    """
    known = _all_decay_data()
    if nuclide not in known:
        raise UnsupportedInput(f"no decay data of {nuclide!r}", "", offer(nuclide, known))
    return known[nuclide]


@lru_cache(maxsize=1)
def _all_decay_data() -> Mapping[str, DecayData]:
    return read_decay_data((files("opensirt.vocabulary.data") / "decay.json").read_text(encoding="utf-8"))


def read_decay_data(text: str) -> dict[str, DecayData]:
    """Decay data from their JSON text, by nuclide.

    Raises
    ------
    InvalidValue
        For data of another schema, a yield or an energy that cannot be, or betas that do not end above their mean.
    """
    document = json.loads(text)
    if document.get("schema") != SCHEMA:
        raise InvalidValue(f"schema {document.get('schema')!r}", f"decay data are of schema {SCHEMA!r}")
    sources = document["sources"]
    return {name: _nuclide(name, entry, sources) for name, entry in document["nuclides"].items()}


def _nuclide(name: str, entry: Mapping[str, Any], sources: Mapping[str, str]) -> DecayData:
    daughter, life = entry["daughter"], entry["half_life"]
    lines = {kind: _lines(name, kind, entry[kind]) for kind in ("gammas", "x_rays", "conversion_electrons", "auger_electrons")}
    return DecayData(
        name,
        daughter["name"],
        daughter["atomic_number"],
        daughter["mass_number"],
        sources[entry["source"]],
        _positive(f"{name}.half_life", life["value"]) * _HOURS[life["unit"]],
        tuple(_beta(name, branch) for branch in entry["betas"]),
        **lines,
        pairs=_pairs(name, entry["internal_pairs"], sources) if "internal_pairs" in entry else None,
        second=_second(name, entry["other"], sources) if "other" in entry else None,
    )


def _positive(what: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0.0):
        raise InvalidValue(f"{what} = {value}", "it is above 0")
    return value


def _lines(name: str, kind: str, rows: Sequence[Sequence[float]]) -> tuple[EmissionLine, ...]:
    for energy, number in rows:
        _positive(f"energy of {kind} of {name}", energy)
        _positive(f"yield of {kind} of {name}", number)
    return tuple(EmissionLine(energy, number) for energy, number in sorted((row[0], row[1]) for row in rows))


def _beta(name: str, row: Mapping[str, Any]) -> BetaBranch:
    branch = BetaBranch(row["endpoint_mev"], row["mean_mev"], row["per_decay"], BetaShape(row["shape"]))
    _positive(f"yield of a beta branch of {name}", branch.yield_per_decay)
    if not 0.0 < branch.mean_mev < branch.endpoint_mev:
        raise InvalidValue(f"a beta branch of {name}", f"mean {branch.mean_mev} MeV, endpoint {branch.endpoint_mev} MeV")
    return branch


def _pairs(name: str, row: Mapping[str, Any], sources: Mapping[str, str]) -> InternalPairs:
    number = Constant(f"{name}.pairs_per_decay", row["per_decay"], "1", sources[row["source"]], row["standard_uncertainty"])
    return InternalPairs(number, row["transition_mev"])


def _second(name: str, row: Mapping[str, Any], sources: Mapping[str, str]) -> SecondEvaluation:
    source = sources[row["source"]]

    def constant(key: str, unit: str, value: float, uncertainty: float) -> Constant:
        return Constant(f"{name}.second.{key}", value, unit, source, uncertainty, Mark.FOUND)

    life = row["half_life"]
    hours = _HOURS[life["unit"]]
    betas = list(enumerate(row["betas"], start=1))
    return SecondEvaluation(
        source,
        constant("half_life_h", "h", life["value"] * hours, life["standard_uncertainty"] * hours),
        tuple(constant(f"beta{number}.per_decay", "1", beta[4], beta[5]) for number, beta in betas),
        tuple(constant(f"beta{number}.mean_mev", "MeV", beta[2], beta[3]) for number, beta in betas),
        tuple(constant(f"gamma{number}.per_decay", "1", gamma[1], gamma[2]) for number, gamma in enumerate(row["gammas"], start=1)),
    )
