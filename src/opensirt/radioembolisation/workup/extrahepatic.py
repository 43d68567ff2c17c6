"""Counts outside liver and lungs: in named organs, and in hot spots that nobody named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from opensirt.radioembolisation.workup.compartments import CompartmentUptake, ScoutImage
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.findings import Finding, Severity

EXTRAHEPATIC_VERSION = "1"
WARN_ABOVE_FRACTION = 0.20
"""Share of counts outside the liver that is warned of (convention of Taranis)."""
SPOT_REACH_MM = 25.0
"""A spot this near to the liver or lungs may be their blur: two widths of a camera with 13 mm FWHM."""
SPOT_OVER_LIVER_RATIO = 0.5
"""A spot counts as one if its voxels hold at least this fraction of the liver's mean concentration."""
SMALLEST_SPOT_FRACTION = 0.002
"""Spots with a smaller share of all counts are noise."""


@dataclass(frozen=True)
class Spot:
    """A hot spot outside every structure: centroid in LPS mm, volume in mL, share of all counts."""

    centre_mm: tuple[float, float, float]
    volume_ml: float
    counts_fraction: float


def hot_spots(image: ScoutImage) -> tuple[Spot, ...]:
    """Connected hot regions away from liver, lungs and named organs, largest share first."""
    spacing = image.counts.grid.spacing_mm
    known = image.liver.fraction >= 0.5
    liver_mean = float(image.counts.counts[known].mean()) if known.any() else 0.0
    for organ in (*image.lungs, *image.extrahepatic):
        known = known | (organ.fraction >= 0.5)
    far = ndimage.distance_transform_edt(~known, sampling=spacing) > SPOT_REACH_MM
    smooth = ndimage.gaussian_filter(image.counts.counts, 4.0 / spacing)
    labels, count = (
        ndimage.label(far & (smooth > SPOT_OVER_LIVER_RATIO * liver_mean))
        if liver_mean > 0.0
        else (np.zeros_like(known, dtype=int), 0)
    )
    total = image.counts.total
    spots = []
    for number in range(1, count + 1):
        voxels = np.argwhere(labels == number)
        share = float(image.counts.counts[labels == number].sum(dtype=np.float64)) / total
        if share >= SMALLEST_SPOT_FRACTION:
            x, y, z = image.counts.grid.lps_mm(voxels.mean(axis=0))
            spots.append(Spot((float(x), float(y), float(z)), len(voxels) * image.counts.grid.voxel_volume_ml, share))
    return tuple(sorted(spots, key=lambda spot: -spot.counts_fraction))


def extrahepatic_findings(image: ScoutImage, uptake: CompartmentUptake) -> tuple[Finding, ...]:
    """Findings for uptake in named organs above its own noise, hot spots, and a large share outside the liver."""
    findings = []
    for organ in uptake.of_kind(StructureKind.EXTRAHEPATIC):
        low, _ = organ.share.normal_interval_90
        if low > 0.0:
            message = f"{organ.label} holds {organ.share.value:.2%} of the counts (90 % interval from {low:.2%}) · dose outside the liver · look for the vessel that feeds it"
            findings.append(Finding("extrahepatic.organ", Severity.CRITICAL, message, organ.key))
    for spot in hot_spots(image):
        place = ", ".join(f"{c:.0f}" for c in spot.centre_mm)
        message = f"a hot spot of {spot.volume_ml:.0f} mL holds {spot.counts_fraction:.2%} of the counts at LPS ({place}) mm, outside every structure · look at the images there"
        findings.append(Finding("extrahepatic.spot", Severity.CRITICAL, message))
    outside = sum(o.share.value for o in uptake.of_kind(StructureKind.EXTRAHEPATIC)) + max(0.0, uptake.elsewhere_fraction)
    if outside > WARN_ABOVE_FRACTION:
        message = f"{outside:.0%} of the counts lie outside liver and lungs (warned above {WARN_ABOVE_FRACTION:.0%}) · the tracer may be free pertechnetate, or particles went astray"
        findings.append(Finding("extrahepatic.share", Severity.WARNING, message, source="Taranis convention"))
    return tuple(findings)
