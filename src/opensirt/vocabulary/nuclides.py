"""Radionuclides: half-life, energy per decay, and the dose constant that every engine shares.

One evaluation is used throughout: ICRP Publication 107 (2008). What other evaluations say (LNHB/DDEP) enters as uncertainty.
A published dose constant (49.67 Gy·kg/GBq …) is a *chosen normalisation*: it replaces half-life × energy as a whole, for every
engine alike, and a result says which one it used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.provenance import Constant, Mark
from opensirt.vocabulary.units import BQ_PER_GBQ, JOULE_PER_MEV, SECONDS_PER_HOUR

_LARGEST_EXPONENT = 700.0
"""Beyond it the exponential of a double overflows."""
_ICRP107 = "ICRP Publication 107 (2008)"


@dataclass(frozen=True)
class DoseConstant:
    """Mean absorbed dose per activity and mass when all emitted energy is absorbed, after full decay.

    Attributes
    ----------
    name : str
        How a user selects it: ``"49.67"``, ``"icrp107"``.
    gy_kg_per_gbq : Constant
        In Gy·kg/GBq.
    """

    name: str
    gy_kg_per_gbq: Constant

    @property
    def value(self) -> float:
        """The constant in Gy·kg/GBq."""
        return self.gy_kg_per_gbq.value


@dataclass(frozen=True)
class Nuclide:
    """One radionuclide of the record.

    Attributes
    ----------
    name : str
        ``"Y-90"``.
    half_life_h : Constant
        Physical half-life in h.
    electron_mev, photon_mev : Constant
        Mean energy per decay in MeV carried by electrons (beta, conversion, Auger) and by photons (gamma, X).
    dose_constants : tuple of DoseConstant
        Published normalisations in use, the first being the default; empty for a nuclide that only makes images.
    """

    name: str
    half_life_h: Constant
    electron_mev: Constant
    photon_mev: Constant
    published_constants: tuple[DoseConstant, ...] = ()

    @property
    def decay_constant_per_h(self) -> float:
        """Ln 2 / half-life, 1/h."""
        return math.log(2.0) / self.half_life_h.value

    @property
    def decays_per_gbq(self) -> float:
        """Number of decays of 1 GBq until nothing is left: ``1e9 · T½ / ln 2``."""
        return BQ_PER_GBQ * self.half_life_h.value * SECONDS_PER_HOUR / math.log(2.0)

    @property
    def record_constant(self) -> DoseConstant:
        """The dose constant that follows from this record: ``decays · energy``, ICRP-107."""
        energy = self.electron_mev.value + self.photon_mev.value
        value = self.decays_per_gbq * energy * JOULE_PER_MEV
        relative = math.hypot(
            self.half_life_h.standard_uncertainty / self.half_life_h.value,
            math.hypot(self.electron_mev.standard_uncertainty, self.photon_mev.standard_uncertainty) / energy,
        )
        source = f"half-life × energy per decay of {_ICRP107}; all electrons and photons absorbed"
        key = f"{self.name}.dose_constant.icrp107"
        return DoseConstant("icrp107", Constant(key, value, "Gy·kg/GBq", source, value * relative, Mark.DERIVED))

    @property
    def dose_constants(self) -> tuple[DoseConstant, ...]:
        """Every constant on offer: published ones first, then the record's own."""
        return (*self.published_constants, self.record_constant)

    def dose_constant(self, name: str = "") -> DoseConstant:
        """The dose constant of that name; the default (first published) for an empty name.

        Raises
        ------
        UnsupportedInput
            If there is no such constant for this nuclide.
        """
        if not name:
            return self.dose_constants[0]
        for constant in self.dose_constants:
            if constant.name == name:
                return constant
        on_offer = [constant.name for constant in self.dose_constants]
        raise UnsupportedInput(f"no dose constant {name!r} for {self.name}", "", offer(name, on_offer))

    def decay_factor(self, elapsed_h: float) -> float:
        """Fraction of the activity left after ``elapsed_h`` hours (above 1 for negative times).

        Raises
        ------
        InvalidValue
            For instants so long before (about 1000 half-lives) that the activity then cannot be expressed.
        """
        exponent = -self.decay_constant_per_h * elapsed_h
        if exponent > _LARGEST_EXPONENT:
            raise InvalidValue(
                f"{self.name} {-elapsed_h:.0f} h earlier",
                f"that is {-elapsed_h / self.half_life_h.value:.0f} half-lives before",
                "check both dates",
            )
        return math.exp(exponent)


def _published(nuclide: str, name: str, value: float, uncertainty: float, source: str) -> DoseConstant:
    key = f"{nuclide}.dose_constant.{name}"
    return DoseConstant(name, Constant(key, value, "Gy·kg/GBq", source, uncertainty))


_Y90_SPREAD = 0.0035 * 49.67
"""Standard uncertainty of the Y-90 dose constant: the values in use, 49.38 to 50 Gy·kg/GBq, taken as a uniform distribution of
full width 1.2 % (1.2 % / √12 = 0.35 %)."""
_HO166_SPREAD = 0.33 / math.sqrt(12.0) * 2.0
"""Standard uncertainty of the Ho-166 dose constant: published 15.87 against 16.20 with all photons absorbed (ICRP-107); the
difference of 0.33 taken as the half-width of a uniform distribution."""

Y90 = Nuclide(
    name="Y-90",
    half_life_h=Constant(
        "Y-90.half_life_h", 64.1, "h", f"{_ICRP107}; LNHB/DDEP has 64.04 h: the difference is the uncertainty", 0.06
    ),
    electron_mev=Constant(
        "Y-90.electron_mev",
        0.933106,
        "MeV",
        f"{_ICRP107}: betas 0.932905 and conversion electrons 0.000201; LNHB/DDEP has 0.9267: the difference is the uncertainty",
        0.0064,
        Mark.DERIVED,
    ),
    photon_mev=Constant("Y-90.photon_mev", 1.2e-6, "MeV", _ICRP107, 0.0, Mark.DERIVED),
    published_constants=(
        _published("Y-90", "49.67", 49.67, _Y90_SPREAD, "EANM procedure guideline 2022 (Weber et al.); van Roekel thesis p. 30"),
        _published("Y-90", "49.38", 49.38, _Y90_SPREAD, "AAPM MPPG 14.a; follows from LNHB/DDEP"),
        _published("Y-90", "50", 50.0, _Y90_SPREAD, "TheraSphere package insert; Kao et al. 2013"),
    ),
)
HO166 = Nuclide(
    name="Ho-166",
    half_life_h=Constant("Ho-166.half_life_h", 26.8, "h", f"{_ICRP107}; LNHB/DDEP has 26.795(29) h", 0.029),
    electron_mev=Constant(
        "Ho-166.electron_mev",
        0.696339,
        "MeV",
        f"{_ICRP107}: betas 0.664993, conversion electrons 0.028396, Auger electrons 0.002950",
        0.0050,
        Mark.DERIVED,
    ),
    photon_mev=Constant(
        "Ho-166.photon_mev", 0.030074, "MeV", f"{_ICRP107}: gammas 0.024185, X-rays 0.005889", 0.0010, Mark.DERIVED
    ),
    published_constants=(
        _published("Ho-166", "15.87", 15.87, _HO166_SPREAD, "van Roekel thesis p. 30 and 125; J Nucl Med 2016;57(suppl 2):199"),
        _published("Ho-166", "16", 16.0, _HO166_SPREAD, "van Roekel thesis p. 125 (rounded)"),
    ),
)
TC99M = Nuclide(
    name="Tc-99m",
    half_life_h=Constant(
        "Tc-99m.half_life_h", 6.015, "h", f"{_ICRP107}; LNHB/DDEP has 6.0067 h: the difference is the uncertainty", 0.008
    ),
    electron_mev=Constant("Tc-99m.electron_mev", 0.0162, "MeV", _ICRP107, 0.0, Mark.DERIVED),
    photon_mev=Constant("Tc-99m.photon_mev", 0.1266, "MeV", _ICRP107, 0.0, Mark.DERIVED),
)

NUCLIDES = MappingProxyType({nuclide.name: nuclide for nuclide in (Y90, HO166, TC99M)})
"""Every nuclide of the record by name."""

THERAPEUTIC = (Y90, HO166)
"""Nuclides that are permanently trapped with their microsphere, so that the physical half-life alone gives the dose."""


def nuclide_named(name: str) -> Nuclide:
    """The nuclide of that name.

    Raises
    ------
    UnsupportedInput
        If the record does not hold it.
    """
    if name not in NUCLIDES:
        raise UnsupportedInput(f"nuclide {name!r} is not in the record", "", offer(name, NUCLIDES))
    return NUCLIDES[name]
