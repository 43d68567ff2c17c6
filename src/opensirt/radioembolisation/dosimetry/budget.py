"""What an interval comes from, in a physician's words, and what a person can do about each part of it.

A share of variance says more than a share of the width: halving one source of share ``s`` leaves ``√(1 − ¾ s)`` of the interval, so that only the
first one or two sources repay work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured

BUDGET_VERSION = "1"


@dataclass(frozen=True)
class SourceText:
    """How a source is called, what a person can do about it, and whether its parts (axes, structures) are shown as one line."""

    label: str
    remedy: str
    together: bool = False


SOURCES: Mapping[str, SourceText] = MappingProxyType(
    {
        "activity_per_sphere": SourceText("activity per sphere", "take it from the lot's certificate"),
        "alpha": SourceText("radiosensitivity α", "no measurement of this patient would tell; compare plans with one value"),
        "attenuation_and_scatter": SourceText("planar views without attenuation correction", "measure the shunt by SPECT/CT"),
        "calibration": SourceText(
            "activity meter or camera calibration", "calibrate against a traceable source of the same nuclide and vial"
        ),
        "contour": SourceText("contour of {about}", "have it drawn again, by a second reader or on a thinner CT"),
        "count_noise": SourceText("count noise", "a longer acquisition or more scout activity", together=True),
        "declared_lung_mass": SourceText("declared lung mass", "use a CT that covers both lungs"),
        "dose": SourceText("absorbed dose of {about}", "look at that dose's own budget"),
        "dose_constant": SourceText("dose constant", "agree on one constant in the department; it is the same in every plan"),
        "electron_energy": SourceText("electron energy per decay", "nothing: a nuclear datum"),
        "half_life": SourceText("half-life", "nothing: a nuclear datum"),
        "liver_density": SourceText("density of liver tissue", "little: it hardly differs between patients"),
        "lung_density": SourceText("lung density on CT", "a CT in the breathing state of the SPECT"),
        "lung_distribution": SourceText("uptake across the lungs", "image the whole chest"),
        "lung_quantification": SourceText(
            "counts in lung against liver", "check attenuation and scatter correction on a phantom with lung inserts"
        ),
        "partial_volume": SourceText("blur that is not undone", "use the recovered numbers"),
        "photon_energy": SourceText("photon energy per decay", "nothing: a nuclear datum"),
        "psf_width": SourceText("width of the camera's blur", "measure it on a phantom with this collimator and reconstruction"),
        "registration": SourceText(
            "emission image against CT", "align them again, or acquire both in the same breathing state", together=True
        ),
        "residual": SourceText("residual in vial and tubing", "measure vial and tubing after delivery"),
        "respiratory_blur": SourceText("breathing during acquisition", "gate the acquisition or acquire in breath-hold"),
        "transport": SourceText("dose engine", "compute by Monte Carlo"),
        "uneven_uptake": SourceText("uneven uptake", "a camera of finer resolution: PET/CT after treatment", together=True),
    }
)
"""Every source by the part of its key before the first dot."""


@dataclass(frozen=True)
class BudgetLine:
    """One bar of the chart.

    Attributes
    ----------
    source : str
        Key of the source, or of the sources shown together.
    label : str
        In a physician's words.
    variance_fraction : float
        Share of the variance.
    standard_uncertainty : float
        What it alone would leave, in ``unit``.
    unit : str
        Of the quantity.
    remedy : str
        What a person can do about it.
    narrower_if_halved_fraction : float
        By how much of its width the interval would shrink if this source were half as large.
    """

    source: str
    label: str
    variance_fraction: float
    standard_uncertainty: float
    unit: str
    remedy: str
    narrower_if_halved_fraction: float


@dataclass(frozen=True)
class Budget:
    """Lines by falling share; the last may gather what is too small to show."""

    lines: tuple[BudgetLine, ...]
    standard_uncertainty: float
    unit: str

    @property
    def sentence(self) -> str:
        """What would shrink the interval most; empty for an exact number."""
        if not self.lines:
            return ""
        first = self.lines[0]
        return (
            f"{first.label} makes {first.variance_fraction:.0%} of the variance · {first.remedy}; half of it would narrow the interval by "
            f"{first.narrower_if_halved_fraction:.0%}"
        )


def source_text(source: str) -> SourceText:
    """Label and remedy of a source; an input or constant without an entry is called by its key.

    Parameters
    ----------
    source : str
        ``"contour.tumour.T1"``, ``"count_noise.lungs"``, ``"dose_constant"`` …
    """
    family, _, about = source.partition(".")
    found = SOURCES.get(family)
    if found is None:
        return SourceText(source.replace("_", " ").replace(".", ", "), "state this input with a smaller uncertainty")
    if found.together:
        return found
    words = about.replace("_", " ").replace(".", " ") or "the structure"
    return SourceText(found.label.format(about=words), found.remedy)


def narrower_if_halved(variance_fraction: float) -> float:
    """Share of an interval's width that goes if a source of this share of the variance becomes half as large.

    Raises
    ------
    InvalidValue
        If the share is not between 0 and 1.
    """
    if not 0.0 <= variance_fraction <= 1.0 + 1e-9:
        raise InvalidValue(f"a share of variance of {variance_fraction}", "", "give a number from 0 to 1")
    return 1.0 - math.sqrt(max(1.0 - 0.75 * variance_fraction, 0.0))


def budget_of(measured: Measured, unit: str, *, least_fraction: float = 0.01) -> Budget:
    """The budget of a number, largest source first.

    Signs are kept where sources are shown as one: contributions of one key were added before, different keys are independent.

    Parameters
    ----------
    measured : Measured
        The number.
    unit : str
        Its unit.
    least_fraction : float
        Smaller shares of the variance are gathered in a last line.
    """
    variance = math.fsum(u * u for u in measured.contributions.values())
    shares = {source: u * u / variance for source, u in measured.contributions.items()} if variance > 0.0 else {}
    return budget_of_shares(shares, measured.standard_uncertainty, unit, least_fraction=least_fraction)


def budget_of_shares(
    variance_share: Mapping[str, float], uncertainty_in_unit: float, unit: str, *, least_fraction: float = 0.01
) -> Budget:
    """The budget of a resampled metric from its shares of variance.

    Parameters
    ----------
    variance_share : mapping of str to float
        Source → share, not negative; they sum to 1, or there are none.
    uncertainty_in_unit : float
        Standard uncertainty of the whole, in ``unit``.
    unit : str
        Of the metric.
    least_fraction : float
        Smaller shares are gathered in a last line.
    """
    grouped: dict[str, float] = {}
    for source, share in variance_share.items():
        family = source.partition(".")[0]
        key = family if family in SOURCES and SOURCES[family].together else source
        grouped[key] = grouped.get(key, 0.0) + share
    shown = {source: share for source, share in grouped.items() if share >= least_fraction}
    rest = math.fsum(share for source, share in grouped.items() if source not in shown)
    ordered = sorted(shown.items(), key=lambda item: (-item[1], item[0]))
    lines = [_line(source, source_text(source), share, uncertainty_in_unit, unit) for source, share in ordered]
    if rest > 0.0:
        lines.append(_line("", SourceText("all smaller sources together", "nothing of note"), rest, uncertainty_in_unit, unit))
    return Budget(tuple(lines), uncertainty_in_unit, unit)


def _line(source: str, text: SourceText, share: float, standard_uncertainty: float, unit: str) -> BudgetLine:
    own = math.sqrt(share) * standard_uncertainty
    return BudgetLine(source, text.label, share, own, unit, text.remedy, narrower_if_halved(min(share, 1.0)))
