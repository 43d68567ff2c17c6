"""What the symbols in the equations of ``calc`` stand for, and the units that the keys of its fields carry."""

from __future__ import annotations

import re
from types import MappingProxyType

_SYMBOL = re.compile(r"(?<![\w])[^\W\d][\w′*]*")
_FUNCTIONS = frozenset(
    {
        "ln",
        "exp",
        "log",
        "log10",
        "min",
        "max",
        "erf",
        "sum",
        "mean",
        "round",
        "sqrt",
        "Φ",
        "of",
        "at",
        "to",
        "in",
        "or",
        "is",
        "by",
        "if",
        "on",
        "up",
        "GBq",
        "Gy",
        "mL",
        "cm",
        "mm",
        "kg",
        "Π",
    }
)
_WORD_LETTERS = 3
"""A run of this many small letters and nothing else is a word of the sentence, not a symbol."""

_UNITS = {
    "gbq": "GBq", "mbq": "MBq", "bq": "Bq", "mci": "mCi", "gy": "Gy", "mgy": "mGy", "j": "J", "mev": "MeV", "kg": "kg", "g": "g", "mg": "mg",
    "ml": "mL", "l": "L", "dl": "dL", "mm": "mm", "cm": "cm", "m": "m", "m2": "m²", "h": "h", "min": "min", "s": "s", "d": "d", "days": "d",
    "hours": "h", "minutes": "min", "months": "months", "years": "years", "weeks": "weeks", "percent": "%", "counts": "counts", "hu": "HU",
    "umol": "µmol", "mmol": "mmol", "pixels": "pixels", "um": "µm", "u": "U", "seconds": "s", "sphere": "sphere", "nl": "nL", "mm2": "mm²", "mm3": "mm³",
}  # fmt: skip

SYMBOLS = MappingProxyType(
    {
        "dose_constant": ("K",),
        "lung_shunt_fraction": ("LSF", "L"),
        "lung_mass_kg": ("m_lung", "m_L"),
        "lung_limit_gy": ("D_lung", "D_L"),
        "lung_dose_gy": ("D_lung", "D_L"),
        "residual_fraction": ("R",),
        "delivered_gbq": ("A_delivered", "A"),
        "dispensed_gbq": ("A_dispensed", "A"),
        "dose_gy": ("D",),
        "perfused_mass_kg": ("m",),
        "tumour_mass_kg": ("m_T",),
        "normal_mass_kg": ("m_N",),
        "tumour_to_normal": ("TN", "TNR"),
        "tumour_dose_gy": ("D_T",),
        "normal_dose_gy": ("D_N",),
        "tumour_target_gy": ("D_T",),
        "normal_limit_gy": ("D_N",),
        "effective_half_life_h": ("T½",),
        "half_life_h": ("T½",),
        "elapsed_h": ("t",),
        "energy_mev": ("E",),
        "activity_bq": ("A",),
        "density_g_per_ml": ("ρ",),
        "lung_counts": ("L",),
        "liver_counts": ("H",),
        "lung_anterior_counts": ("L_ant",),
        "lung_posterior_counts": ("L_post",),
        "liver_anterior_counts": ("H_ant",),
        "liver_posterior_counts": ("H_post",),
        "extrahepatic_counts": ("C_outside",),
        "total_counts": ("C_total",),
        "extrahepatic_fraction": ("f",),
        "volume_ml": ("V",),
        "mass_kg": ("m",),
        "mean_hu": ("HU",),
        "shunted_gbq": (),
        "initial_dose_rate_gy_per_h": ("Ḋ₀",),
        "s_value_mgy_per_mbq_s": ("S",),
        "size_gbq": ("A_calibration",),
        "holds_gbq": ("A",),
        "activity_gbq": ("A",),
        "spheres": ("N",),
        "residual_gbq": ("A_residual",),
        "scout_gbq": ("A_scout",),
        "treated_mass_kg": ("m",),
        "body_surface_m2": ("BSA",),
        "weight_kg": ("w",),
        "dose_constant_gy_kg_per_gbq": ("K",),
    }
)
"""Symbols that a field or a result may have in an equation; the first that the equation uses is meant."""

_LINEAR_QUADRATIC = {
    "BED": "bed_gy",
    "D": "dose_gy",
    "G": "repair_factor",
    "EQD2": "eqd2_gy",
    "T_rep": "repair_half_time_h where stated, else the tissue's, below",
    "α": "linear part of the cell's response; only α/β counts: alpha_beta_gy where stated, else the tissue's, below",
    "β": "quadratic part of the cell's response; only α/β counts",
}

_COMPARTMENTS = {
    "D_i": "mean dose of compartment i",
    "A_j": "delivered activity of injection j (see injections)",
    "L_j": "lung shunt fraction of injection j (see injections)",
    "c_ij": "share of the counts of injection j outside the lungs that lies in compartment i (see injections)",
    "m_i": "mass of compartment i (see mass_kg)",
}
_PREDICTIVE = {
    "A_T": "tumour_gbq",
    "A_N": "normal_gbq",
    "A_L": "lung_gbq",
    "R": "activity of tumour over that of normal liver: activity_ratio, or tumour_to_normal times the ratio of masses",
    "TLSF": "share of the treated artery's activity, tumour and lungs together, that reaches the lungs: artery_shunt_fraction, or from the lung shunt",
}
_BODY_SURFACE = {
    "f": "reduction of the activity by lung shunt",
    "V_T": "tumour_volume_ml",
    "V_liver": "liver_volume_ml",
    "h": "height_cm",
}
IN_MODEL = MappingProxyType(
    {
        "empirical": {
            "V_T": "tumour_volume_ml",
            "V_liver": "volume of the whole liver, tumours included (stated, or tumour and normal liver)",
        },
        "bsa": _BODY_SURFACE,
        "bsa-modified": _BODY_SURFACE | {"V_T": "lobe_tumour_volume_ml", "V_lobe": "lobe_volume_ml"},
        "uptake-ratios": {
            "A_T": "tumour_counts",
            "A_N": "normal_counts",
            "A_L": "lung_counts",
            "R": "activity_ratio",
            "L": "lung_shunt_fraction",
            "TLSF": "artery_shunt_fraction",
        },
        "predictive-partition-dose": _PREDICTIVE,
        "predictive-partition-activity": _PREDICTIVE,
        "multi-compartment-activity": _COMPARTMENTS,
        "model-comparison": _COMPARTMENTS
        | _PREDICTIVE
        | _BODY_SURFACE
        | {
            "A": "activity by one model",
            "A_T": "activity in tumour",
            "A_N": "activity in normal liver",
            "A_L": "activity in the lungs",
            "BSA": "body surface area",
            "V_T": "volume of the tumours in the liver or in the treated lobe",
            "V_liver": "volume of the whole liver, tumours included",
            "V_lobe": "volume of the treated lobe",
            "w": "weight",
            "D": "mean dose of the perfused volume to reach (perfused_target_gy)",
            "A_largest": "largest activity that a model gives",
            "A_smallest": "smallest activity that a model gives",
            "R": "share that stays behind (MIRD), or activity of tumour over that of normal liver (predictive partition)",
        },
        "decay": {"A": "activity at the second instant", "A₀": "amount_gbq"},
        "count-partition": _COMPARTMENTS,
        "lung-shunt-planar": {
            "L_v": "lung counts above background in view v (anterior, posterior)",
            "H_v": "liver counts above background in view v (anterior, posterior)",
            "C_L": "lung counts in view v, background included: lung_anterior_counts, lung_posterior_counts",
            "C_H": "liver counts in view v, background included: liver_anterior_counts, liver_posterior_counts",
            "v": "view: anterior or posterior",
            "n_L": "lung_pixels",
            "n_H": "liver_pixels",
            "n_B": "background_anterior_pixels",
            "B_v": "counts of the background region in view v: background_anterior_counts, background_posterior_counts",
        },
        "dvh": {"x": "a share of the volume in %, or a dose in Gy"},
        "vial-order": {
            "R": "share that stays behind (residual_fraction, or the published median)",
            "A": "activity of a vial at an instant",
            "t": "an instant",
            "A_cal": "activity of a vial at its calibration",
            "t_cal": "instant of calibration",
            "dispensed_cal": "what an injection needs, as activity at calibration",
            "A_order": "activity to order, at the instant for which it is made",
            "t_order": "the instant for which a dose is made",
        },
        "vial-schedule": {
            "A": "activity of a vial, or what is delivered",
            "d": "delay in elapsed hours",
            "d₁": "first delay within tolerance",
            "d₂": "last delay within tolerance",
            "r": "delivered over planned activity at the planned instant",
            "ε": "tolerance_fraction",
        },
        "vial-table": {"A": "activity of a vial", "A_cal": "activity at calibration (sizes_gbq)", "t": "hours after calibration"},
        "sphere-table": {
            "a": "activity per sphere",
            "a₀": "activity per sphere at calibration (bq_per_sphere, or the published one)",
            "t": "time after calibration",
            "N": "number of spheres",
            "A": "activity_gbq",
        },
        "course-sums": {
            "A": "delivered activity of the course, by nuclide",
            "A_session": "delivered activity of one session (see sessions)",
            "D": "dose of a structure, by nuclide",
            "D_session": "dose of a structure in one session (see sessions)",
            "BED": "biologically effective dose of a structure",
            "BED_session": "biologically effective dose in one session (see sessions)",
            "V": "treated volume",
        },
        "bed": _LINEAR_QUADRATIC,
        "eqd2": _LINEAR_QUADRATIC,
        "eqd2-from-bed": _LINEAR_QUADRATIC,
        "dose-from-bed": _LINEAR_QUADRATIC,
        "dose-from-eqd2": _LINEAR_QUADRATIC | {"EQD2": "eqd2_gy"},
        "cumulative-bed": _LINEAR_QUADRATIC
        | {
            "BED": "bed_gy",
            "BED_i": "BED of session i",
            "D_i": "absorbed dose of session i (see sessions)",
            "G_i": "share of sublethal damage of session i that is not repaired in time",
            "T_i": "half-life with which the dose rate of session i falls (see sessions)",
            "d_i": "dose per fraction of session i (see sessions)",
        },
        "dose-time": {"f": "dose_fraction", "t": "elapsed_h", "Ḋ": "dose_rate_gy_per_h"},
        "eud": {"gEUD": "eud_gy", "a": "exponent", "D": "dose of a voxel (see doses_gy)", "v": "share of the volume in a voxel"},
        "eubed": _LINEAR_QUADRATIC
        | {
            "EUBED": "eubed_gy",
            "BED": "BED of a voxel",
            "D": "dose of a voxel (see doses_gy)",
            "v": "share of the volume in a voxel",
            "α": "alpha_per_gy where stated, else the tissue's, below; α/β: alpha_beta_gy or the tissue's",
        },
        "eubed-from-beds": {
            "EUBED": "eubed_gy",
            "BED": "BED of a voxel (see beds_gy)",
            "v": "share of the volume in a voxel",
            "α": "alpha_per_gy where stated, else the tissue's, below",
        },
        "tcp-logistic": {"P": "tcp", "EUD": "eud_gy", "D50": "d50_gy", "γ50": "gamma50"},
        "ntcp-logistic": {"NTCP": "ntcp", "EUD": "eud_gy", "TD50": "td50_gy", "γ50": "gamma50"},
        "tcp-poisson": {
            "TCP": "tcp",
            "N₀": "clonogen_number",
            "EUBED": "eubed_gy",
            "α": "alpha_per_gy where stated, else the tissue's, below",
        },
        "sphere-density": {
            "n": "spheres_per_ml",
            "V": "volume_ml",
            "D": "mean_dose_gy",
            "a₀": "activity per sphere at calibration: bq_per_sphere where stated, else the product's, below",
            "t": "elapsed_h",
            "ρ": "density_g_per_ml where stated, else that of soft tissue, below",
        },
        "sphere-tail": {
            "SD": "relative_sd times the mean dose",
            "n": "spheres_per_ml",
            "c": "cluster_number",
            "d": "dose that one sphere gives at a point, from its radius outward",
            "dV": "element of the tissue's volume",
            "Campbell": "Campbell's theorem on sums of independent pulses",
            "Rice": "Rice's characteristic function of such sums",
        },
        "spheres": {
            "A": "activity_gbq",
            "a₀": "activity per sphere at calibration: bq_per_sphere where stated, else the product's, below",
        },
    }
)
"""Where one formula uses a symbol its own way: key of its field or result, or words."""

MEANING = MappingProxyType(
    {
        "K": "dose constant",
        "T½": "physical half-life",
        "m": "mass, as stated or from volume × density",
        "m_T": "mass of the perfused tumours, as stated or from volume × density",
        "m_N": "mass of the perfused normal liver, as stated or from volume × density",
        "m_lung": "lung mass",
        "m_L": "lung mass",
        "t": "time between the two instants",
        "A": "activity",
        "L": "lung shunt fraction",
        "E": "energy absorbed per decay",
        "V": "volume of the voxel, from its three sizes",
        "A_calibration": "activity at calibration",
        "A_delivered": "activity to deliver",
        "D_x": "dose at volume x",
        "V_x": "volume at dose x",
    }
)
"""Symbols that stand for no single field: what they are, in words."""


def symbols_in(formula: str) -> tuple[str, ...]:
    """The symbols of an equation in their order, each once; functions, words of a sentence and numbers are none."""
    found = [match.group() for match in _SYMBOL.finditer(formula)]
    return tuple(
        dict.fromkeys(text for text in found if text not in _FUNCTIONS and not text.startswith("Σ") and not _is_word(text))
    )


def _is_word(text: str) -> bool:
    return len(text) >= _WORD_LETTERS and text.isascii() and text.isalpha() and text.islower()


def unit_in(key: str) -> str:
    """The unit that a key carries: ``"GBq"`` for ``dispensed_gbq``, ``"g/mL"`` for ``density_g_per_ml``; empty for a pure number.

    A unit stands at the end: units, then ``per``, then units.
    """
    words = key.rpartition(".")[2].removesuffix("_ago").split("_")
    start = len(words)
    while start > 0 and (words[start - 1] in _UNITS or words[start - 1] == "per"):
        start -= 1
    tail = words[start:]
    if words[-2:] == ["times", "uln"]:
        return "× upper limit of normal"
    if not tail:
        return ""
    if tail[0] == "per":  # alpha_per_gy
        return f"1/{_UNITS[tail[1]]}" if len(tail) == 2 and tail[1] in _UNITS else ""
    if tail[-1] == "percent":
        return "%"
    if len(words) == 1 and words[0] not in ("gbq", "gy", "kg"):  # "d" of a histogram is no day
        return ""
    above, _, below = " ".join(tail).partition(" per ")
    return "/".join("·".join(_UNITS[word] for word in part.split() if word in _UNITS) for part in (above, below) if part)
