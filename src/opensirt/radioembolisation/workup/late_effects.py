"""What a treatment leaves for the years after it: treated and spared liver, dose of the normal liver over all sessions, and what was seen late.

People with neuroendocrine tumours live for years after radioembolisation; harm to the liver that shows late weighs most for them. Su et al.
(2017) followed patients with such metastases, treated with glass in one lobe or in the whole liver, for more than two years. No limit follows
from it: no source has one for repeated treatment or for treatment after peptide receptor therapy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from opensirt.outcomes.liver_volume import (
    LIVER_VOLUME_VERSION,
    URATA_INTERCEPT,
    URATA_SLOPE,
    URATA_SOURCE,
    VAUTHEY_SLOPE,
    VAUTHEY_SOURCE,
    VautheyIntercept,
    urata_ml,
    vauthey_ml,
)
from opensirt.vocabulary.earlier import EarlierTreatments
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Z_90, Measured, propagate
from opensirt.vocabulary.provenance import Input, Mark, ReportedNumber

LATE_EFFECTS_VERSION = "1"
SU_2017 = "Su et al. 2017 (glass, neuroendocrine liver metastases, followed for more than 2 years)"
REILD_SOURCE = "van Roekel thesis, UMC Utrecht, p. 38–39"
SMALL_LIVER_ML = 1500.0
"""Below this liver volume REILD was seen more often (van Roekel thesis p. 38–39)."""
METHOD = "spared liver and dose over sessions"


class Extent(Enum):
    """How much of the liver the treatment reaches."""

    PART = "part of the liver"
    """A segment or one lobe."""
    WHOLE = "whole liver"
    """Both lobes, in one or several sessions."""


@dataclass(frozen=True)
class LateFigure:
    """One figure of Su et al. 2017.

    Attributes
    ----------
    key, name : str
        Stable name, and what was seen.
    extent : Extent
        Unilobar (part) or whole liver.
    percent : float
        As published, %.
    patients : int
        Number of patients it was found in.
    affected : int or None
        Patients affected, derived from the share; ``None`` where the figure is no share.
    """

    key: str
    name: str
    extent: Extent
    percent: float
    patients: int
    affected: int | None
    source: str = SU_2017
    mark: Mark = Mark.FOUND

    @property
    def interval_90_percent(self) -> tuple[float, float] | None:
        """Wilson's 90 % interval of the share, %; ``None`` for a growth, whose spread was not read."""
        return None if self.affected is None else wilson_90_percent(self.affected, self.patients)


SU_FIGURES = (
    LateFigure("cirrhosis_like", "cirrhosis-like change of the liver", Extent.PART, 26.7, 15, 4),
    LateFigure("ascites", "ascites", Extent.PART, 13.3, 15, 2),
    LateFigure("varices", "varices", Extent.PART, 6.7, 15, 1),
    LateFigure("spleen", "growth of the spleen", Extent.PART, 21.9, 15, None),
    LateFigure("cirrhosis_like", "cirrhosis-like change of the liver", Extent.WHOLE, 56.4, 39, 22),
    LateFigure("ascites", "ascites", Extent.WHOLE, 41.0, 39, 16),
    LateFigure("varices", "varices", Extent.WHOLE, 15.4, 39, 6),
    LateFigure("spleen", "growth of the spleen", Extent.WHOLE, 64.7, 39, None),
    LateFigure("decompensation", "hepatic decompensation", Extent.WHOLE, 20.5, 39, 8),
    LateFigure("decompensation_unexplained", "hepatic decompensation without another cause", Extent.WHOLE, 5.1, 39, 2),
)
"""Su et al. 2017. The numbers of patients affected are derived: the only whole numbers that give the published shares."""


def wilson_90_percent(affected_number: int, patients_number: int) -> tuple[float, float]:
    """Wilson's score interval of a share, 90 %, in per cent.

    Parameters
    ----------
    affected_number, patients_number : int
        Patients affected, of how many.

    Raises
    ------
    InvalidValue
        If more are affected than there are, or there are none.

    Notes
    -----
    Wilson 1927: ``(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)`` with z = 1.645.
    """
    if not 0 <= affected_number <= patients_number or patients_number == 0:
        raise InvalidValue(
            f"{affected_number} of {patients_number} patients", "a share of nobody, or of more than all", "check both"
        )
    share, n = affected_number / patients_number, float(patients_number)
    centre = share + Z_90**2 / (2.0 * n)
    half = Z_90 * math.sqrt(share * (1.0 - share) / n + Z_90**2 / (4.0 * n * n))
    scale = 100.0 / (1.0 + Z_90**2 / n)
    return (centre - half) * scale, (centre + half) * scale


@dataclass(frozen=True)
class LiverVolumes:
    """Volumes of the liver and of the part that the treatment reaches, mL.

    Attributes
    ----------
    liver_ml, tumour_ml : Measured
        Whole liver with its tumours, and all its tumours.
    treated_ml, treated_tumour_ml : Measured
        Perfused volume with its tumours, and the tumours in it.

    Raises
    ------
    InvalidValue, InconsistentInput
        For a volume that cannot be, or a part larger than its whole.
    """

    liver_ml: Measured
    tumour_ml: Measured
    treated_ml: Measured
    treated_tumour_ml: Measured

    def __post_init__(self) -> None:
        for name in ("liver_ml", "tumour_ml", "treated_ml", "treated_tumour_ml"):
            if getattr(self, name).value < 0.0:
                raise InvalidValue(f"{name} of {getattr(self, name).value:g} mL", "no volume is negative", "check the volumes")
        liver, tumour = self.liver_ml.value, self.tumour_ml.value
        treated, in_treated = self.treated_ml.value, self.treated_tumour_ml.value
        if tumour >= liver:
            raise InconsistentInput(
                f"a tumour of {tumour:g} mL in a liver of {liver:g} mL",
                "no normal liver is left",
                "the liver's volume includes the tumour",
            )
        for part, whole, what in (
            (treated, liver, "treated volume in the liver"),
            (in_treated, tumour, "treated tumour among all tumour"),
            (in_treated, treated, "tumour in the treated volume"),
            (treated - in_treated, liver - tumour, "treated normal liver among all normal liver"),
        ):  # fmt: skip
            if part > whole * (1.0 + _SAME) + _SAME:
                raise InconsistentInput(
                    f"{what}: {part:g} mL of {whole:g} mL", "a part cannot exceed the whole", "measure all on one series"
                )

    @property
    def measured(self) -> dict[str, Measured]:
        """The volumes by the names that the formulas use."""
        return {"liver": self.liver_ml, "tumour": self.tumour_ml, "treated": self.treated_ml, "inside": self.treated_tumour_ml}


_SAME = 1e-6
"""Volumes that differ by less than this, relatively or in mL, are the same volume summed in another order."""


@dataclass(frozen=True)
class TreatmentCourse:
    """A treatment and what went before it.

    Attributes
    ----------
    extent : Extent
        How much of the liver this treatment reaches; a person states it.
    indication : str
        ``"NET"`` …; the late figures were seen in neuroendocrine tumours.
    normal_liver_gy : Measured or None
        Mean dose of the *whole* normal liver by this treatment, Gy; ``None`` where it is not known yet.
    product : str
        What is given.
    earlier : EarlierTreatments or None
        Earlier treatments; ``None`` where nobody stated them.
    """

    extent: Extent
    indication: str = "NET"
    normal_liver_gy: Measured | None = None
    product: str = ""
    earlier: EarlierTreatments | None = None


@dataclass(frozen=True)
class LateEffects:
    """Numbers, the published figures that belong to the extent of this treatment, the sessions, and findings."""

    numbers: tuple[ReportedNumber, ...]
    figures: tuple[LateFigure, ...]
    findings: tuple[Finding, ...]


_SHARES: tuple[tuple[str, str, str, str, Callable[..., float]], ...] = (
    ("treated_ml", "treated volume, tumours included", "mL", "treated volume", lambda liver, tumour, treated, inside: treated),
    (
        "treated_fraction", "treated share of the liver", "1", "treated share = treated volume / liver volume",
        lambda liver, tumour, treated, inside: treated / liver,
    ),
    (
        "spared_ml", "spared normal liver", "mL", "spared volume = (liver − tumour) − (treated − treated tumour)",
        lambda liver, tumour, treated, inside: (liver - tumour) - (treated - inside),
    ),
    (
        "spared_fraction", "spared share of the normal liver", "1", "spared share = spared volume / (liver − tumour)",
        lambda liver, tumour, treated, inside: 1.0 - (treated - inside) / (liver - tumour),
    ),
)  # fmt: skip
_VAUTHEY_FORMULA = f"standard volume = {VAUTHEY_SLOPE.value:g} · body surface − {-VautheyIntercept.ROUNDED.value.value:g}"
_URATA_FORMULA = f"standard volume = {URATA_SLOPE.value:g} · body surface + {URATA_INTERCEPT.value:g}"
_VAUTHEY = (
    "vauthey", "Vauthey", vauthey_ml, _VAUTHEY_FORMULA, VAUTHEY_SOURCE, (VAUTHEY_SLOPE, VautheyIntercept.ROUNDED.value)
)  # fmt: skip
_URATA = ("urata", "Urata", urata_ml, _URATA_FORMULA, URATA_SOURCE, (URATA_SLOPE, URATA_INTERCEPT))


def spared_liver(volumes: LiverVolumes, bsa_m2: Measured | None = None) -> tuple[ReportedNumber, ...]:
    """Treated and spared volume, each as a share, and the spared volume over standard liver volumes.

    Parameters
    ----------
    volumes : LiverVolumes
        Liver, tumours, treated part.
    bsa_m2 : Measured, optional
        Body surface, m²; without it nothing is standardised.

    Returns
    -------
    tuple of ReportedNumber
        ``late.treated_ml``, ``late.treated_fraction``, ``late.spared_ml``, ``late.spared_fraction``; with a body surface
        ``late.standard_vauthey_ml``, ``late.spared_of_vauthey_fraction`` and the same for Urata.
    """
    shown = tuple(Input(name, f"{value.value:.4g}", "mL") for name, value in volumes.measured.items())
    numbers = [
        ReportedNumber(
            f"late.{key}", label, propagate(function, **volumes.measured), unit, formula, METHOD, LATE_EFFECTS_VERSION, shown
        )
        for key, label, unit, formula, function in _SHARES
    ]
    if bsa_m2 is None:
        return tuple(numbers)
    spared = numbers[2].measured
    shown = (*shown, Input("body surface", f"{bsa_m2.value:.4g}", "m²"))
    for key, author, standard, formula, source, constants in (_VAUTHEY, _URATA):
        total = propagate(lambda surface, of=standard: of(surface), surface=bsa_m2)
        share = propagate(lambda spared, total: spared / total, spared=spared, total=total)
        numbers += [
            ReportedNumber(
                f"late.standard_{key}_ml", f"standard liver volume after {author}", total, "mL", formula, f"standard liver volume, {author}",
                LIVER_VOLUME_VERSION, shown[-1:], constants, sources=(source,),
            ),
            ReportedNumber(
                f"late.spared_of_{key}_fraction", f"spared normal liver over the standard volume after {author}", share, "1",
                f"share = spared volume / standard volume; {formula}", METHOD, LATE_EFFECTS_VERSION, shown, constants, sources=(source,),
            ),
        ]  # fmt: skip
    return tuple(numbers)


def cumulative_normal_liver(course: TreatmentCourse) -> ReportedNumber | None:
    """Dose of the whole normal liver over this and all earlier sessions, Gy; ``None`` where neither is known.

    Earlier doses count as they were stated, without uncertainty. Where the dose of a session is not known the sum is the least it can be.
    """
    earlier = course.earlier.normal_liver.total_gy if course.earlier is not None else 0.0
    if course.normal_liver_gy is None and earlier == 0.0:
        return None
    now = course.normal_liver_gy if course.normal_liver_gy is not None else Measured(0.0)
    total = propagate(lambda now, before: now + before, now=now, before=Measured(earlier))
    inputs = [
        Input("this treatment", f"{now.value:.4g}" if course.normal_liver_gy is not None else "not known", "Gy", course.product)
    ]
    for session in course.earlier.sessions if course.earlier is not None else ():
        words = "not known" if session.normal_liver_gy is None else f"{session.normal_liver_gy:.4g}"
        inputs.append(Input(session.name, words, "Gy", " ".join(part for part in (session.product, session.nuclide) if part)))
    return ReportedNumber(
        "late.cumulative_normal_liver_gy",
        "whole normal liver, mean dose over all sessions",
        total,
        "Gy",
        "sum = dose of this treatment + doses of earlier sessions",
        METHOD,
        LATE_EFFECTS_VERSION,
        tuple(inputs),
    )


def late_effects(volumes: LiverVolumes, course: TreatmentCourse, bsa_m2: Measured | None = None) -> LateEffects:
    """What a treatment leaves of the liver, what the liver receives in all, and what was seen late after such treatment.

    Parameters
    ----------
    volumes : LiverVolumes
        Liver, tumours, treated part.
    course : TreatmentCourse
        Extent, dose, and what went before.
    bsa_m2 : Measured, optional
        Body surface, m².
    """
    total = cumulative_normal_liver(course)
    numbers = (*spared_liver(volumes, bsa_m2), *((total,) if total is not None else ()))
    figures = tuple(figure for figure in SU_FIGURES if figure.extent is course.extent)
    findings = (_seen_late(course.extent, course.indication), *_volume_findings(volumes, course), *_session_findings(course, total))
    return LateEffects(numbers, figures, findings)


def _seen_late(extent: Extent, indication: str) -> Finding:
    told = "; ".join(
        f"{figure.name} {figure.percent:g} %"
        + (f" ({figure.affected} of {figure.patients})" if figure.affected is not None else "")
        for figure in SU_FIGURES
        if figure.extent is extent
    )
    patients = next(figure.patients for figure in SU_FIGURES if figure.extent is extent)
    whole = extent is Extent.WHOLE
    how = "the whole liver" if whole else "one lobe"
    message = f"after treatment of {how} in {patients} patients followed for more than 2 years: {told} · late harm to the liver"
    if indication != "NET":
        message += f" · seen in neuroendocrine tumours with glass; for {indication} by analogy only"
    message += " · weigh treating less of the liver, or in parts" if whole else " · spare what need not be treated"
    return Finding("late.seen", Severity.WARNING if whole else Severity.NOTE, message, "normal_liver", SU_2017)


def _volume_findings(volumes: LiverVolumes, course: TreatmentCourse) -> tuple[Finding, ...]:
    found = []
    if volumes.liver_ml.value < SMALL_LIVER_ML:
        message = f"the liver measures {volumes.liver_ml.value:.0f} mL, less than {SMALL_LIVER_ML:.0f} mL · REILD was seen more often in small livers · lower the dose, or treat in parts"
        found.append(Finding("late.small_liver", Severity.WARNING, message, "liver", REILD_SOURCE))
    share = volumes.treated_ml.value / volumes.liver_ml.value
    if share > 1.0 - _SAME:
        message = "the whole liver is treated in one session · REILD was seen more often than after treatment in parts · treat in parts where it can be"
        found.append(Finding("late.whole_liver_in_one_session", Severity.WARNING, message, "liver", REILD_SOURCE))
    if share > 1.0 - _SAME and course.extent is Extent.PART:
        message = "the extent is stated as part of the liver, and all of it is treated · the figures for a part do not belong here · state the extent"
        found.append(Finding("late.extent_contradicts_volume", Severity.WARNING, message, "liver"))
    sessions = course.earlier.sessions if course.earlier is not None else ()
    before = [session.treated_fraction for session in sessions if session.treated_fraction is not None]
    if before and course.extent is Extent.PART and share + math.fsum(before) > 1.0 - _SAME:
        message = (
            f"this treatment reaches {share:.0%} of the liver, earlier ones {' + '.join(f'{each:.0%}' for each in before)} · together that may be the whole liver, "
            "if they did not overlap; the figures for whole-liver treatment may belong here · look at what was treated"
        )
        found.append(Finding("late.sessions_reach_whole_liver", Severity.WARNING, message, "liver", SU_2017))
    return tuple(found)


def _session_findings(course: TreatmentCourse, total: ReportedNumber | None) -> tuple[Finding, ...]:
    if course.earlier is None:
        message = "earlier treatments are not stated: the dose of the normal liver over all sessions is not known · state them, or that there were none"
        return (Finding("late.earlier_not_stated", Severity.WARNING, message, "normal_liver"),)
    found = []
    earlier = course.earlier
    if earlier.normal_liver.unknown:
        message = f"the dose of the normal liver in {', '.join(earlier.normal_liver.unknown)} is not known: the sum is the least it can be · find out what was given"
        found.append(Finding("late.dose_not_known", Severity.WARNING, message, "normal_liver"))
    if earlier.sessions and total is not None:
        message = f"the normal liver receives {total.measured.value:.3g} Gy over {len(earlier.sessions) + 1} sessions · no published limit for repeated treatment was found · weigh it"
        found.append(Finding("late.no_cumulative_limit", Severity.NOTE, message, "normal_liver"))
    products = {each for each in (course.product, *(session.product for session in earlier.sessions)) if each}
    if earlier.sessions and len(products) > 1:
        message = (
            f"the sum adds doses of {', '.join(sorted(products))} · one gray of each need not do the same harm · weigh them apart"
        )
        found.append(Finding("late.products_differ", Severity.NOTE, message, "normal_liver"))
    if earlier.prrt_gbq is None:
        found.append(
            Finding(
                "late.prrt_not_stated",
                Severity.NOTE,
                "earlier peptide receptor therapy is not stated · state its activity, or 0",
                "normal_liver",
            )
        )
    elif earlier.prrt_gbq > 0.0:
        what = f"{earlier.prrt_gbq:g} GBq {earlier.prrt_nuclide}".strip()
        when = "" if earlier.prrt_days_ago is None else f", {earlier.prrt_days_ago:.0f} days ago"
        message = f"peptide receptor therapy came before ({what}{when}); its dose to the liver is not in the sum · no limit for both together was found · weigh it"
        found.append(Finding("late.prrt", Severity.WARNING, message, "normal_liver"))
    return tuple(found)
