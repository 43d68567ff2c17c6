"""Parameters of radiobiology as cited data: value, spread, unit, source, mark; and which product and indication each belongs to.

No parameter here was measured for SIRT with any precision: fits to patients leave α anywhere from 0.001 to 1 per Gy and α/β from 1 to
49 Gy (EJNMMI Physics 2022). The spread says so. What no source gives (γ50, number of clonogens, anything for metastases of
neuroendocrine tumours) is absent: a person states it or nothing is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.provenance import Constant, Mark

RADIOBIOLOGY_VERSION = "1"
REFERENCE_FRACTION_GY = 2.0
"""Dose per fraction of the schedule that EQD2 compares with."""

MIRDCALCULATION = "MIRDCalculation (mghro, GitHub), bioeffect code"
IN_VIVO_FITS = "EJNMMI Physics 2022: fits to SIRT patients"
JNM_2020 = "J Nucl Med 2020;61:104 (glass; primary liver cancer and liver metastases together; mRECIST; 28 treatments, 89 lesions)"
DABADIE_2022 = "d'Abadie et al. 2022 (glass against resin against external beam)"

ALPHA_BETA_FITTED_GY = (1.0, 49.0)
ALPHA_FITTED_PER_GY = (0.001, 1.0)
"""Ranges that fits to SIRT patients leave open."""


def _uniform(low: float, high: float) -> float:
    # standard deviation of a uniform distribution
    return (high - low) / math.sqrt(12.0)


def _log_uniform(value: float, low: float, high: float) -> float:
    # standard uncertainty of a value whose logarithm is uniform over a range
    return value * math.log(high / low) / math.sqrt(12.0)


@dataclass(frozen=True)
class TissueParameters:
    """What the linear-quadratic model with repair needs to know of a tissue.

    Attributes
    ----------
    key : str
        Stable name: ``"liver-2.75"``.
    name : str
        For people.
    alpha_beta_gy : Constant
        α/β, Gy.
    repair_half_time_h : Constant
        Half-time of mono-exponential repair, h.
    alpha_per_gy : Constant or None
        α, 1/Gy; ``None`` where no source was found: then there is no EUBED.
    """

    key: str
    name: str
    alpha_beta_gy: Constant
    repair_half_time_h: Constant
    alpha_per_gy: Constant | None = None


_REPAIR_SPREAD_H = _uniform(1.5, 2.5)
_REPAIR_NOTE = "spread: the values in use, 1.5 to 2.5 h, as a uniform distribution"
_NORMAL_REPAIR = Constant("repair_half_time.normal", 2.5, "h", f"{MIRDCALCULATION}; {_REPAIR_NOTE}", _REPAIR_SPREAD_H)
_TUMOUR_REPAIR = Constant("repair_half_time.tumour", 1.5, "h", f"{MIRDCALCULATION}; {_REPAIR_NOTE}", _REPAIR_SPREAD_H)
_LIVER_SPREAD_GY = _uniform(2.5, 3.0)
_LIVER_NOTE = "spread: the values in use, 2.5 to 3 Gy, as a uniform distribution"
_TUMOUR_NOTE = f"spread: {IN_VIVO_FITS} leave 1 to 49 Gy open; taken as log-uniform"
_ALPHA_NOTE = f"spread: {IN_VIVO_FITS} leave 0.001 to 1 per Gy open; taken as log-uniform"


def _alpha(key: str, value: float) -> Constant:
    return Constant(key, value, "1/Gy", f"{MIRDCALCULATION}; {_ALPHA_NOTE}", _log_uniform(value, *ALPHA_FITTED_PER_GY))


def _tumour_ratio(key: str, value: float) -> Constant:
    return Constant(key, value, "Gy", f"{MIRDCALCULATION}; {_TUMOUR_NOTE}", _log_uniform(value, *ALPHA_BETA_FITTED_GY))


LIVER = TissueParameters(
    "liver-2.75",
    "normal liver, α/β 2.75 Gy",
    Constant("alpha_beta.liver", 2.75, "Gy", f"{MIRDCALCULATION}; {_LIVER_NOTE}", _LIVER_SPREAD_GY),
    _NORMAL_REPAIR,
)
LIVER_LOW = TissueParameters(
    "liver-2.5",
    "normal liver, α/β 2.5 Gy",
    Constant(
        "alpha_beta.liver",
        2.5,
        "Gy",
        f"in much SIRT literature; not read in a source; {_LIVER_NOTE}",
        _LIVER_SPREAD_GY,
        Mark.UNVERIFIED,
    ),
    _NORMAL_REPAIR,
)
NORMAL = TissueParameters(
    "normal-3",
    "normal tissue, generic, α/β 3 Gy",
    Constant(
        "alpha_beta.normal",
        3.0,
        "Gy",
        f"{MIRDCALCULATION}; spread: its values for normal tissues, 2.5 to 4 Gy, as a uniform distribution",
        _uniform(2.5, 4.0),
    ),
    _NORMAL_REPAIR,
)
LUNG = TissueParameters(
    "lung-4",
    "lung, α/β 4 Gy",
    Constant(
        "alpha_beta.lung",
        4.0,
        "Gy",
        f"{MIRDCALCULATION}; spread: its generic 3 Gy and 4 Gy as a uniform distribution",
        _uniform(3.0, 4.0),
    ),
    _NORMAL_REPAIR,
)
TUMOUR = TissueParameters(
    "tumour-10",
    "liver tumour, α/β 10 Gy",
    _tumour_ratio("alpha_beta.tumour", 10.0),
    _TUMOUR_REPAIR,
    _alpha("alpha.liver_tumour", 0.036),
)
TUMOUR_GENERIC = TissueParameters(
    "tumour-generic",
    "tumour, generic, α/β 10 Gy",
    _tumour_ratio("alpha_beta.tumour", 10.0),
    _TUMOUR_REPAIR,
    _alpha("alpha.tumour", 0.1),
)
LUNG_TUMOUR = TissueParameters(
    "lung-tumour-12.4",
    "lung tumour, α/β 12.4 Gy",
    _tumour_ratio("alpha_beta.lung_tumour", 12.4),
    _TUMOUR_REPAIR,
    _alpha("alpha.lung_tumour", 0.03),
)
TISSUES = MappingProxyType({tissue.key: tissue for tissue in (LIVER, LIVER_LOW, NORMAL, LUNG, TUMOUR, TUMOUR_GENERIC, LUNG_TUMOUR)})
TISSUE_OF = MappingProxyType(
    {
        StructureKind.TUMOUR: TUMOUR,
        StructureKind.NORMAL_LIVER: LIVER,
        StructureKind.PERFUSED_NORMAL_LIVER: LIVER,
        StructureKind.LUNGS: LUNG,
        StructureKind.LEFT_LUNG: LUNG,
        StructureKind.RIGHT_LUNG: LUNG,
        StructureKind.EXTRAHEPATIC: NORMAL,
    }
)
"""Parameters by kind of structure. Volumes that hold tumour and normal tissue together (liver, territory) have none."""

TUMOUR_EUD_EXPONENT = Constant(
    "geud_exponent.tumour",
    -10.0,
    "1",
    "a common choice in external-beam planning (after Niemierko 1999); not read in a source, and never fitted for SIRT",
    0.0,
    Mark.UNVERIFIED,
)
NORMAL_EUD_EXPONENT = Constant(
    "geud_exponent.normal",
    1.0,
    "1",
    "the mean: limits on liver and lungs are stated on mean doses (EANM procedure guideline 2022)",
    0.0,
    Mark.ASSUMED,
)


def tissue_named(key: str) -> TissueParameters:
    """The tissue of that key.

    Raises
    ------
    UnsupportedInput
        If there is none.
    """
    if key not in TISSUES:
        raise UnsupportedInput(f"no tissue is called {key!r}", "", f"{offer(key, TISSUES)}, or state α/β and repair")
    return TISSUES[key]


@dataclass(frozen=True)
class ResponseParameters:
    """Dose at which half of the tumours respond, or half of the patients are harmed, and where it was seen.

    Attributes
    ----------
    key : str
        Stable name: ``"glass-dose-292"``.
    endpoint : str
        ``"tumour control"`` or ``"toxicity"``.
    product : str
        Product it was seen with; empty for external beam.
    indications : tuple of str
        Indications it belongs to; empty where the tumours were not stated in what was read.
    metric : str
        Which dose it is a function of.
    d50_gy : Constant
        Dose of 50 % probability, Gy; a spread of 0 means that none was read.

    Notes
    -----
    There is no γ50 here: no source was read that states the slope. A person states it, or no probability is given.
    """

    key: str
    endpoint: str
    product: str
    indications: tuple[str, ...]
    metric: str
    d50_gy: Constant


_BETWEEN_STUDIES = "spread: 250 and 292 Gy of two studies as a uniform distribution"
_BETWEEN_STUDIES_GY = _uniform(250.0, 292.0)
_NO_SPREAD = "spread not read"

TUMOUR_CONTROL = (
    ResponseParameters(
        "glass-dose-292",
        "tumour control",
        "glass",
        ("HCC", "ICC"),
        "mean dose",
        Constant("d50.glass_dose", 292.0, "Gy", f"{JNM_2020}; {_BETWEEN_STUDIES}", _BETWEEN_STUDIES_GY),
    ),
    ResponseParameters(
        "glass-bed-441",
        "tumour control",
        "glass",
        ("HCC", "ICC"),
        "mean BED",
        Constant("d50.glass_bed", 441.0, "Gy", f"{JNM_2020}; {_NO_SPREAD}"),
    ),
    ResponseParameters(
        "glass-250",
        "tumour control",
        "glass",
        (),
        "mean dose",
        Constant("d50.glass_250", 250.0, "Gy", f"{DABADIE_2022}, about; {_BETWEEN_STUDIES}", _BETWEEN_STUDIES_GY),
    ),
    ResponseParameters(
        "resin-60",
        "tumour control",
        "resin",
        (),
        "mean dose",
        Constant("d50.resin_60", 60.0, "Gy", f"{DABADIE_2022}, about; {_NO_SPREAD}"),
    ),
    ResponseParameters(
        "external-53",
        "tumour control",
        "",
        (),
        "dose of external beam",
        Constant("d50.external_53", 53.0, "Gy", f"{DABADIE_2022}, about; {_NO_SPREAD}"),
    ),
)
TOXICITY = (
    ResponseParameters(
        "resin-liver-52",
        "toxicity",
        "resin",
        (),
        "mean dose of normal liver",
        Constant(
            "td50.resin_52", 52.0, "Gy", f"Strigari et al. 2010, about; not read in a source; {_NO_SPREAD}", 0.0, Mark.UNVERIFIED
        ),
    ),
)
RESPONSES = MappingProxyType({each.key: each for each in (*TUMOUR_CONTROL, *TOXICITY)})


def response_named(key: str, endpoint: str) -> ResponseParameters:
    """The parameter set of that key and endpoint (``"tumour control"``, ``"toxicity"``).

    Raises
    ------
    UnsupportedInput
        If there is none.
    """
    known = [name for name, each in RESPONSES.items() if each.endpoint == endpoint]
    if key not in known:
        raise UnsupportedInput(f"no parameters of {endpoint} are called {key!r}", "", f"{offer(key, known)}, or state them")
    return RESPONSES[key]


def tumour_control_for(product: str, indication: str) -> tuple[ResponseParameters, ...]:
    """Parameter sets of tumour control that belong to a product and an indication; none for NET."""
    return tuple(each for each in TUMOUR_CONTROL if each.product == product and indication in each.indications)
