"""Perfused volume and tumour-to-normal ratio per injection; lesions that nothing feeds."""

from __future__ import annotations

import attrs

from opensirt.radioembolisation.workup.compartments import Compartment, CompartmentUptake
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, propagate, total

PERFUSION_VERSION = "1"
LOW_UPTAKE_RATIO = 1.5
"""Below this ratio a tumour takes up hardly more than normal liver (flagged by Taranis)."""
OUTSIDE_TERRITORIES_FRACTION = 0.10
"""Share of the liver's counts outside every territory that is pointed out (Taranis: 10 to 20 %)."""


@attrs.frozen(eq=False)
class Perfusion:
    """One injection: perfused volume (mL), concentration ratio of all its tumours to its normal liver, its tumours."""

    territory: str
    volume_ml: Measured
    tumour_volume_ml: Measured
    normal_volume_ml: Measured
    tumour_to_normal: Measured | None
    """``None`` where the territory holds no tumour, no normal liver (segmentectomy), or its normal liver took up nothing: the ratio would be
    infinite or negative."""
    share: Measured
    tumours: tuple[str, ...]


def perfusions(uptake: CompartmentUptake) -> tuple[Perfusion, ...]:
    """One value per territory, in the order of the compartments."""
    territories = dict.fromkeys(c.territory for c in uptake.compartments if c.territory)
    return tuple(_perfusion(uptake, territory) for territory in territories)


def _perfusion(uptake: CompartmentUptake, territory: str) -> Perfusion:
    inside = [c for c in uptake.compartments if c.territory == territory]
    tumours = [c for c in inside if c.kind is StructureKind.TUMOUR]
    normal = [c for c in inside if c.kind is StructureKind.NORMAL_LIVER]
    ratio = None
    if tumours and normal and sum(c.share.value for c in normal) > 0.0 and sum(c.share.value for c in tumours) >= 0.0:
        ratio = propagate(
            lambda st, vt, sn, vn: (st / vt) / (sn / vn),
            st=total([c.share for c in tumours]),
            vt=total([c.volume_ml for c in tumours]),
            sn=total([c.share for c in normal]),
            vn=total([c.volume_ml for c in normal]),
        )
    return Perfusion(
        territory,
        total([c.volume_ml for c in inside]),
        total([c.volume_ml for c in tumours]),
        total([c.volume_ml for c in normal]),
        ratio,
        total([c.share for c in inside]),
        tuple(c.key for c in tumours),
    )


def perfusion_findings(uptake: CompartmentUptake) -> tuple[Finding, ...]:
    """Findings: a lesion that no territory feeds, low uptake, no normal liver, counts outside the territories."""
    findings = []
    for tumour in uptake.of_kind(StructureKind.TUMOUR):
        if not tumour.territory:
            message = f"{tumour.key} ({tumour.volume_ml.value:.1f} mL) lies in no territory · it will not be treated by this plan · look for its feeding artery, or treat it otherwise"
            findings.append(Finding("perfusion.lesion_not_fed", Severity.CRITICAL, message, tumour.key))
            continue
        ratio = _ratio_to_normal(uptake, tumour)
        if ratio is not None and ratio < LOW_UPTAKE_RATIO:
            message = f"{tumour.key} takes up {ratio:.2f} times what normal liver does (flagged below {LOW_UPTAKE_RATIO}) · its dose will hardly exceed the liver's · check supply and contour"
            findings.append(Finding("perfusion.low_uptake", Severity.WARNING, message, tumour.key, "Taranis convention"))
    for perfusion in perfusions(uptake):
        if perfusion.normal_volume_ml.value <= 0.0:
            message = f"territory {perfusion.territory!r} holds no normal liver · tumour-to-normal ratio is undefined; all activity goes to tumour"
            findings.append(Finding("perfusion.no_normal_liver", Severity.NOTE, message, perfusion.territory))
        elif perfusion.tumours and perfusion.tumour_to_normal is None:
            message = f"tumours or normal liver in territory {perfusion.territory!r} hold no counts after recovery · tumour-to-normal ratio would be infinite or negative and is not given · check contours and registration"
            findings.append(Finding("perfusion.ratio_undefined", Severity.WARNING, message, perfusion.territory))
    liver = [c for c in uptake.compartments if c.kind in (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER)]
    outside = sum(c.share.value for c in liver if not c.territory) / max(sum(c.share.value for c in liver), 1e-12)
    if outside > OUTSIDE_TERRITORIES_FRACTION:
        message = f"{outside:.0%} of the liver's counts lie outside every territory (pointed out above {OUTSIDE_TERRITORIES_FRACTION:.0%}) · contours of the territories may be too small"
        findings.append(Finding("perfusion.outside_territories", Severity.WARNING, message, source="Taranis convention"))
    return tuple(findings)


def _ratio_to_normal(uptake: CompartmentUptake, tumour: Compartment) -> float | None:
    normal = [c for c in uptake.compartments if c.territory == tumour.territory and c.kind is StructureKind.NORMAL_LIVER]
    if not normal or normal[0].share.value <= 0.0:
        return None
    return float((tumour.share.value / tumour.volume_ml.value) / (normal[0].share.value / normal[0].volume_ml.value))
