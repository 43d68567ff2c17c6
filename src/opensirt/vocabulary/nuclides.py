"""Radionuclides: half-life, energy per decay, and the dose constant that every engine shares.

One evaluation is used throughout: ICRP Publication 107 (2008). What other evaluations say (LNHB/DDEP) enters as uncertainty.
A published dose constant (49.67 Gy·kg/GBq …) is a *chosen normalisation*: it replaces half-life × energy as a whole, for every
engine alike, and a result says which one it used. Branches, lines and what the other evaluation says stand in
:mod:`opensirt.vocabulary.decay_data`; energies and half-lives here are their sums (a test says so).

Microspheres stay where they lodge, so that the physical half-life gives the dose. Lu-177 and I-131 as therapy do not: a dose of them asks
for an effective half-life (:meth:`Nuclide.cleared_with`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType

from opensirt.vocabulary.errors import InvalidValue, MissingInput, UnsupportedInput
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.provenance import Constant, Mark
from opensirt.vocabulary.units import BQ_PER_GBQ, JOULE_PER_MEV, SECONDS_PER_HOUR

_LARGEST_EXPONENT = 700.0
"""Beyond it the exponential of a double overflows."""
_ICRP107 = "ICRP Publication 107 (2008)"
_STATED = "stated for this patient"
ROUNDING = 1e-4
"""Relative: an effective half-life may exceed the physical one by the rounding of a printed half-life."""


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
    published_constants : tuple of DoseConstant
        Published normalisations in use, the first being the default; empty for a nuclide that only makes images.
    trapped : bool
        Whether it stays where it lodges until it has decayed.
    effective : bool
        Whether ``half_life_h`` is an effective half-life, stated for a patient (:meth:`cleared_with`).
    """

    name: str
    half_life_h: Constant
    electron_mev: Constant
    photon_mev: Constant
    published_constants: tuple[DoseConstant, ...] = ()
    trapped: bool = True
    effective: bool = False

    def cleared_with(self, effective_half_life_h: float | Constant) -> Nuclide:
        """The nuclide where it does not stay: every dose constant and number of decays is scaled by ``T_eff / T_phys``.

        Parameters
        ----------
        effective_half_life_h : float or Constant
            ``1 / (1/T_phys + 1/T_biol)``, h. Of a time-integrated activity ``Ã``, it is ``ln 2 · Ã / A₀``.

        Returns
        -------
        Nuclide
            For dose alone: an image is corrected for decay by the physical half-life, before.

        Raises
        ------
        UnsupportedInput
            If the nuclide is trapped with its microsphere, or one was stated before.
        InvalidValue
            If the effective half-life is not above 0, or longer than the physical one.
        """
        given = effective_half_life_h
        stated = given if isinstance(given, Constant) else Constant(f"{self.name}.effective_half_life_h", given, "h", _STATED)
        physical = self.half_life_h.value
        if self.trapped or self.effective:
            raise UnsupportedInput(
                f"an effective half-life of {self.name}",
                "one is stated already" if self.effective else "what carries it stays where it lodges",
                f"leave it out; it is for {' and '.join(nuclide.name for nuclide in CLEARED)}",
            )
        if not 0.0 < stated.value <= physical * (1.0 + ROUNDING):
            raise InvalidValue(
                f"an effective half-life of {stated.value:g} h",
                f"{self.name} decays with {physical:g} h, and clearance only shortens that",
                "state it in h, above 0",
            )
        return replace(self, half_life_h=stated, effective=True)

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
        uncertainty = math.hypot(self.electron_mev.standard_uncertainty, self.photon_mev.standard_uncertainty)
        return self._constant("icrp107", energy, uncertainty, "all electrons and photons absorbed")

    @property
    def electron_constant(self) -> DoseConstant:
        """The same with all electrons and no photons absorbed: for nuclides of which gammas carry much away."""
        energy, uncertainty = self.electron_mev.value, self.electron_mev.standard_uncertainty
        return self._constant("icrp107-electrons", energy, uncertainty, "all electrons absorbed, no photons")

    def _constant(self, name: str, energy_mev: float, uncertainty_mev: float, what: str) -> DoseConstant:
        value = self.decays_per_gbq * energy_mev * JOULE_PER_MEV
        relative = math.hypot(self.half_life_h.standard_uncertainty / self.half_life_h.value, uncertainty_mev / energy_mev)
        life = f"effective half-life {self.half_life_h.value:g} h" if self.effective else "half-life"
        source = f"{life} × energy per decay of {_ICRP107}; {what}"
        key = f"{self.name}.dose_constant.{name}"
        return DoseConstant(name, Constant(key, value, "Gy·kg/GBq", source, value * relative, Mark.DERIVED))

    @property
    def dose_constants(self) -> tuple[DoseConstant, ...]:
        """Every constant on offer: published ones first, then the record's own; electrons first where the nuclide is not trapped."""
        if not self.trapped:
            return (self.electron_constant, self.record_constant)
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
LU177 = Nuclide(
    name="Lu-177",
    half_life_h=Constant("Lu-177.half_life_h", 159.528, "h", f"{_ICRP107}; LNHB/DDEP has 6.647(4) d", 0.096),
    electron_mev=Constant(
        "Lu-177.electron_mev",
        0.147923,
        "MeV",
        f"{_ICRP107}: betas 0.133270, conversion electrons 0.013522, Auger electrons 0.001131; LNHB/DDEP has 0.134196 for betas: the difference is the uncertainty",
        0.0009,
        Mark.DERIVED,
    ),
    photon_mev=Constant(
        "Lu-177.photon_mev",
        0.035098,
        "MeV",
        f"{_ICRP107}; yields of LNHB/DDEP are 3 to 6 % smaller: the difference is the uncertainty",
        0.0019,
        Mark.DERIVED,
    ),
    trapped=False,
)
I131 = Nuclide(
    name="I-131",
    half_life_h=Constant(
        "I-131.half_life_h", 192.4968, "h", f"{_ICRP107}; LNHB/DDEP has 8.0233 d: the difference is the uncertainty", 0.062
    ),
    electron_mev=Constant(
        "I-131.electron_mev",
        0.191848,
        "MeV",
        f"{_ICRP107}: betas 0.181868, conversion electrons 0.009567, Auger electrons 0.000413; evaluations of other nuclides differ by 0.7 %: the uncertainty",
        0.0013,
        Mark.DERIVED,
    ),
    photon_mev=Constant(
        "I-131.photon_mev",
        0.382758,
        "MeV",
        f"{_ICRP107}; no second evaluation was at hand: 1 % is taken as the uncertainty",
        0.0038,
        Mark.DERIVED,
    ),
    trapped=False,
)

NUCLIDES = MappingProxyType({nuclide.name: nuclide for nuclide in (Y90, HO166, TC99M, LU177, I131)})
"""Every nuclide of the record by name."""

THERAPEUTIC = (Y90, HO166)
"""Nuclides that are permanently trapped with their microsphere, so that the physical half-life alone gives the dose."""

CLEARED = (LU177, I131)
"""Nuclides of therapies that are not trapped: a dose of them needs an effective half-life."""


def require_half_life_of_dose(nuclide: Nuclide, remedy: str) -> None:
    """Refuse a dose of a nuclide that does not stay, where no effective half-life says how long it does.

    Parameters
    ----------
    nuclide : Nuclide
        As the dose would be computed.
    remedy : str
        How the user states it here.

    Raises
    ------
    MissingInput
        For Lu-177 and I-131 with their physical half-life.
    """
    if not nuclide.trapped and not nuclide.effective:
        raise MissingInput(
            f"a dose of {nuclide.name} without an effective half-life",
            f"{nuclide.name} leaves the place where it was taken up, before it decays ({nuclide.half_life_h.value:g} h)",
            f"{remedy}; of a time-integrated activity Ã it is ln 2 · Ã/A₀",
        )


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
