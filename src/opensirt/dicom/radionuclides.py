"""Radionuclides as headers name them, with the half-lives and positron fractions that a header must agree with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from pydicom.dataset import Dataset

from opensirt.dicom.attributes import first_item, text
from opensirt.dicom.study import NOT_STATED, NotStated
from opensirt.vocabulary.nuclides import Y90
from opensirt.vocabulary.provenance import Constant
from opensirt.vocabulary.units import SECONDS_PER_HOUR

_ICRP107 = "ICRP Publication 107 (2008)"

_CODES = MappingProxyType(
    {
        "77004003": "F-18", "C-111A1": "F-18",
        "35337001": "Ga-68", "C-131A3": "Ga-68",
        "63360001": "Zr-89", "C-168A4": "Zr-89",
        "3932008": "Cu-64", "C-127A2": "Cu-64",
        "40937006": "I-124", "C-114A5": "I-124",
        "40565003": "C-11", "C-105A1": "C-11",
        "21576001": "N-13", "C-107A1": "N-13",
        "129504001": "O-15", "C-B1038": "O-15",
        "79197006": "Rb-82", "C-159A2": "Rb-82",
        "14691008": "Y-90", "C-162A7": "Y-90", "764678003": "Y-90",
        "10738001": "Y-86", "C-162A3": "Y-86",
        "72454006": "Tc-99m", "C-163A8": "Tc-99m",
        "C1943": "Ho-166",
        "447553000": "Lu-177", "C-101ED": "Lu-177",
        "1368003": "I-131", "C-114B1": "I-131",
    }
)  # fmt: skip
"""Code values of DICOM context groups 18 and 4020, SNOMED CT and the older SNOMED RT, as listed in PS3.16."""

_ELEMENTS = MappingProxyType(
    {
        "fluorine": "F", "gallium": "Ga", "zirconium": "Zr", "copper": "Cu", "iodine": "I", "carbon": "C", "nitrogen": "N",
        "oxygen": "O", "rubidium": "Rb", "yttrium": "Y", "technetium": "Tc", "holmium": "Ho", "lutetium": "Lu",
    }
)  # fmt: skip
_MASS_FIRST = re.compile(r"\^?(\d{1,3})(m?)\^?[\s-]*([A-Za-z]+)")
_ELEMENT_FIRST = re.compile(r"([A-Za-z]+)[\s^-]*(\d{1,3})(m?)\b")


@dataclass(frozen=True)
class PositronEmitter:
    """What a PET header should say about a nuclide.

    Attributes
    ----------
    half_life_s : Constant
        In s.
    positron_fraction : Constant
        Positrons per decay.
    """

    half_life_s: Constant
    positron_fraction: Constant


def _emitter(
    name: str, half_life_s: float, fraction: float, fraction_source: str = _ICRP107, spread: float = 0.0
) -> PositronEmitter:
    half_life = Constant(f"{name}.half_life_s", half_life_s, "s", _ICRP107)
    return PositronEmitter(half_life, Constant(f"{name}.positron_fraction", fraction, "1", fraction_source, spread))


POSITRON_EMITTERS = MappingProxyType(
    {
        "F-18": _emitter("F-18", 6586.2, 0.967),
        "Ga-68": _emitter("Ga-68", 4062.6, 0.891),
        "Zr-89": _emitter("Zr-89", 282276.0, 0.2274),
        "Cu-64": _emitter("Cu-64", 45720.0, 0.174),
        "I-124": _emitter("I-124", 360806.4, 0.227),
        "C-11": _emitter("C-11", 1223.4, 0.998),
        "N-13": _emitter("N-13", 597.9, 0.998),
        "O-15": _emitter("O-15", 122.24, 0.999),
        "Rb-82": _emitter("Rb-82", 76.38, 0.954),
        "Y-86": _emitter("Y-86", 53064.0, 0.319),
        "Y-90": _emitter(
            "Y-90",
            Y90.half_life_h.value * SECONDS_PER_HOUR,
            3.186e-5,
            "Willowson et al. 2015 (QUEST): internal pair production, 31.86 ± 0.47 positrons per million decays",
            0.047e-5,
        ),
    }
)
"""Positron emitters that clinical scanners offer, by name."""


def nuclide_in(phrase: str) -> str | NotStated:
    """The nuclide that a phrase names, as ``"Tc-99m"``; ``"^90^Yttrium"``, ``"Y-90"``, ``"90Y"``, ``"Technetium Tc^99m^ MAA"`` alike."""
    for match in _MASS_FIRST.finditer(phrase):
        symbol = _symbol(match[3])
        if symbol:
            return f"{symbol}-{match[1]}{match[2]}"
    for match in _ELEMENT_FIRST.finditer(phrase):
        symbol = _symbol(match[1])
        if symbol:
            return f"{symbol}-{match[2]}{match[3]}"
    return NOT_STATED


def _symbol(word: str) -> str:
    if word.lower() in _ELEMENTS:
        return _ELEMENTS[word.lower()]
    capitalised = word[:1].upper() + word[1:].lower()
    return capitalised if len(word) <= 2 and capitalised in _ELEMENTS.values() else ""


def nuclide_of(data: Dataset) -> str | NotStated:
    """The nuclide of Radiopharmaceutical Information Sequence: its code, the code's meaning, or the radiopharmaceutical's name."""
    injected = first_item(data, "RadiopharmaceuticalInformationSequence")
    code = first_item(injected, "RadionuclideCodeSequence")
    value = text(code, "CodeValue")
    if value in _CODES:
        return _CODES[value]
    named = nuclide_in(text(code, "CodeMeaning"))
    return named if named is not NOT_STATED else nuclide_in(text(injected, "Radiopharmaceutical"))
