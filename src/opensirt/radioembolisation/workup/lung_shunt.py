"""Lung shunt fraction: by planar geometric mean and by SPECT/CT, kept apart and compared, never silently replaced.

``LSF = L/(L + H)`` with L lung and H liver counts. Planar: the geometric mean of anterior and posterior counts stands for each
(``√(ant · post)``; van Roekel thesis p. 30), background treated alike for both. The liver attenuates more than the lung, so planar values
run high: +21 to +70 % against SPECT/CT (EJNMMI Phys 2025, doi 10.1186/s40658-025-00732-9).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.workup.compartments import CompartmentUptake
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.geometry import require_same_frame
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.volumes import CountsMap, Mask

BoolArray = npt.NDArray[np.bool_]

LUNG_SHUNT_VERSION = "2"
PLANAR_FORMULA = "LSF = √(L_ant · L_post) / (√(L_ant · L_post) + √(H_ant · H_post))"
BACKGROUND_FORMULA = f"{PLANAR_FORMULA};  L_v = C_L,v − n_L · B_v / n_B;  H_v = C_H,v − n_H · B_v / n_B"
SPECT_FORMULA = "LSF = L / (L + H)"
PLANAR_METHOD_RELATIVE = 0.60
"""Relative standard uncertainty of the planar method itself. Medians of 8.27 % (planar) against 3.27 % (SPECT/CT) were found in 293
patients (CVIR 2020, doi 10.1007/s00270-020-02638-8), a factor of 2.5; with 60 % the log-normal 90 % interval reaches down by that
factor. The error is one-sided (planar reads high); the interval is not."""
BACKGROUND_SOURCE = "van Roekel thesis p. 30: background handled the same way for both"
UNCLEAR_BELOW_SIGMA_NUMBER = 2.0
"""Lung counts above background by less than this many standard uncertainties are not told apart from it (one in forty by chance)."""
DISAGREE_FRACTION = 0.05
"""Planar and SPECT/CT that differ by more than 5 percentage points are pointed out (limits of agreement are 8.1 points, Bastiaannet)."""


@dataclass(frozen=True)
class PlanarCounts:
    """Lung and liver counts in the two views, background included."""

    lung_anterior_counts: float
    lung_posterior_counts: float
    liver_anterior_counts: float
    liver_posterior_counts: float


@dataclass(frozen=True)
class PlanarBackground:
    """Background of the two views, and how much of it lies in the regions of lung and liver.

    One region, mirrored from one view to the other as those of lung and liver are: background is treated alike in both views and for
    both organs (van Roekel thesis p. 30), or the ratio of views is bent.

    Attributes
    ----------
    anterior_counts, posterior_counts : float
        Counts in the background region.
    anterior_pixels_number, posterior_pixels_number : float
        Pixels of that region in each view; equal.
    lung_pixels_number, liver_pixels_number : float
        Pixels of the regions of lung and liver.

    Raises
    ------
    InvalidValue
        If a number cannot be what it claims to be.
    InconsistentInput
        If the region is not the same in both views.
    """

    anterior_counts: float
    posterior_counts: float
    anterior_pixels_number: float
    posterior_pixels_number: float
    lung_pixels_number: float
    liver_pixels_number: float

    def __post_init__(self) -> None:
        counts = (self.anterior_counts, self.posterior_counts)
        pixels = (self.anterior_pixels_number, self.posterior_pixels_number, self.lung_pixels_number, self.liver_pixels_number)
        if not all(math.isfinite(value) and value >= 0.0 for value in counts):
            raise InvalidValue(f"background counts {counts}", "counts are finite and not negative", "check the background region")
        if not all(math.isfinite(value) and value > 0.0 for value in pixels):
            raise InvalidValue(f"regions of {pixels} pixels", "a region holds one pixel at least", "check the regions")
        if self.anterior_pixels_number != self.posterior_pixels_number:
            raise InconsistentInput(
                f"background regions of {self.anterior_pixels_number:g} pixels in the anterior and {self.posterior_pixels_number:g} in the "
                "posterior view",
                "background is treated alike in both views",
                "mirror one region into the other view",
            )


def planar_lung_shunt(counts: PlanarCounts, background: PlanarBackground | None = None) -> Measured:
    """Lung shunt fraction by geometric mean, with Poisson noise and the method's own uncertainty.

    ``LSF = √(L_ant · L_post) / (√(L_ant · L_post) + √(H_ant · H_post))``; where a background is stated each count is net:
    ``C − n · B / n_B`` with ``n`` and ``n_B`` pixels of the region and of the background's. Noise of the background moves lung and liver of
    a view together.

    Parameters
    ----------
    counts : PlanarCounts
        As seen.
    background : PlanarBackground, optional
        Nothing is subtracted where ``None``.

    Raises
    ------
    InvalidValue
        If counts are negative, the liver holds none, or lung or liver hold no more than background.
    """
    values = (
        counts.lung_anterior_counts,
        counts.lung_posterior_counts,
        counts.liver_anterior_counts,
        counts.liver_posterior_counts,
    )
    if not all(math.isfinite(v) and v >= 0.0 for v in values):
        raise InvalidValue(f"planar counts {values}", "counts are finite and not negative", "check regions and background")
    if counts.liver_anterior_counts <= 0.0 or counts.liver_posterior_counts <= 0.0:
        raise InvalidValue("the liver holds no counts in a planar view", "the shunt would be 1", "check the regions")

    def fraction(la_counts: float, lp_counts: float, ha_counts: float, hp_counts: float) -> float:
        lung = math.sqrt(max(la_counts * lp_counts, 0.0))  # the step of a derivative may pass below no counts at all
        return lung / (lung + math.sqrt(max(ha_counts * hp_counts, 0.0)))

    net = net_counts(counts, background)
    value = propagate(
        fraction,
        la_counts=net["lung_anterior"],
        lp_counts=net["lung_posterior"],
        ha_counts=net["liver_anterior"],
        hp_counts=net["liver_posterior"],
    )
    return value.with_contribution("attenuation_and_scatter", value.value * PLANAR_METHOD_RELATIVE)


def net_counts(counts: PlanarCounts, background: PlanarBackground | None) -> dict[str, Measured]:
    """Counts of lung and liver in both views above background, by ``"lung_anterior"`` …, with Poisson noise of both.

    Raises
    ------
    InvalidValue
        If a region holds no more than background.
    """
    net = {}
    for organ in ("lung", "liver"):
        for view in ("anterior", "posterior"):
            name = f"{organ}_{view}"
            seen = float(getattr(counts, f"{name}_counts"))
            noise = {f"count_noise.{name}": math.sqrt(seen)}
            under = 0.0
            if background is not None:
                share = float(getattr(background, f"{organ}_pixels_number")) / background.anterior_pixels_number
                held = float(getattr(background, f"{view}_counts"))
                under = share * held
                noise[f"background.{view}"] = -share * math.sqrt(held)
            net[name] = Measured(seen - under, noise)
            if background is not None and net[name].value <= 0.0:
                raise InvalidValue(
                    f"the {organ} holds {seen:g} counts in the {view} view, its region {under:g} of background",
                    "nothing is left, and the geometric mean of the views does not exist",
                    "check that the background region holds neither organ nor bowel, or take the shunt from SPECT/CT",
                )
    return net


def background_findings(counts: PlanarCounts, background: PlanarBackground | None) -> tuple[Finding, ...]:
    """What background does to a planar shunt: that none was subtracted, or that the lungs hardly rise above it."""
    if background is None:
        fraction = planar_lung_shunt(counts).value
        tenth = 0.1 * fraction * (1.0 - fraction)
        message = (
            f"no background was subtracted from the planar views · every tenth of the lung counts that is background (scatter from the liver, "
            f"room, blood) makes the shunt {tenth:.1%} (absolute) too high · state a background region, the same in both views, or look at "
            "SPECT/CT"
        )
        return (Finding("lung_shunt.no_background", Severity.NOTE, message, "lungs", BACKGROUND_SOURCE),)
    net = net_counts(counts, background)
    unclear = [view for view in ("anterior", "posterior") if _sigmas(net[f"lung_{view}"]) < UNCLEAR_BELOW_SIGMA_NUMBER]
    if not unclear:
        return ()
    least = min(_sigmas(net[f"lung_{view}"]) for view in unclear)
    message = (
        f"in the {' and '.join(unclear)} view the lungs rise above background by {least:.1f} standard uncertainties only · shunt and interval are "
        "not to be relied on · count longer, choose another background region, or take the shunt from SPECT/CT"
    )
    return (Finding("lung_shunt.hardly_above_background", Severity.WARNING, message, "lungs"),)


def _sigmas(net: Measured) -> float:
    return net.value / net.standard_uncertainty


def spect_lung_shunt(lung_counts: float, liver_counts: float) -> float:
    """``L/(L + H)`` of two count totals in which a shared voxel was counted once, as liver.

    Raises
    ------
    InvalidValue
        If counts are negative or the liver holds none.
    """
    if not (math.isfinite(lung_counts) and math.isfinite(liver_counts) and lung_counts >= 0.0 and liver_counts >= 0.0):
        raise InvalidValue(
            f"lung counts {lung_counts} and liver counts {liver_counts}", "counts are finite and not negative", "check the masks"
        )
    if liver_counts == 0.0:
        raise InvalidValue(
            "the liver holds no counts", "the lung shunt fraction would be 1", "check the liver mask and the frame of reference"
        )
    return lung_counts / (lung_counts + liver_counts)


def recovered_lung_shunt(uptake: CompartmentUptake) -> Measured:
    """Lung shunt fraction from recovered compartments: spill from the liver into the lung's base is undone.

    Raises
    ------
    MissingInput
        If there is no lung compartment.
    """
    lungs = uptake.of_kind(StructureKind.LUNGS)
    if not lungs:
        raise MissingInput("no lungs, so no lung shunt by SPECT/CT", "", "give lung contours or a CT that covers the lungs")
    liver = [c for c in uptake.compartments if c.kind in (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER)]

    def fraction(**shares: float) -> float:
        lung = sum(value for name, value in shares.items() if name.startswith("l"))
        return lung / sum(shares.values())

    inputs = {f"l{n}": c.share for n, c in enumerate(lungs)} | {f"h{n}": c.share for n, c in enumerate(liver)}
    return propagate(fraction, **inputs)


def seen_lung_shunt(uptake: CompartmentUptake) -> Measured:
    """The same from the image as it is, without recovery."""
    lungs = sum(c.share_seen.value for c in uptake.of_kind(StructureKind.LUNGS))
    liver = sum(c.share_seen.value for c in uptake.compartments if c.kind in (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER))
    value = spect_lung_shunt(lungs, liver)
    return Measured(value, {"partial_volume": value - recovered_lung_shunt(uptake).value})


def projected_region(mask: Mask, view: CountsMap) -> BoolArray:
    """Pixels of a planar view behind which a structure lies, for views in the patient's frame; shape (rows, columns).

    A ray goes through the centre of every pixel, perpendicular to the view's plane; positions along it do not matter.
    """
    require_same_frame(mask.grid, view.grid, f"{mask.structure.key} and the planar view")
    inside = np.argwhere(mask.inside)
    region = np.zeros(view.grid.shape[1:], dtype=bool)
    if len(inside) == 0:
        return region
    beam = np.cross(view.grid.directions[:, 1], view.grid.directions[:, 2])
    depth_mm = mask.grid.lps_mm(inside) @ beam
    step_mm = 0.5 * float(mask.grid.spacing_mm.min())
    rows, columns = np.meshgrid(np.arange(region.shape[0]), np.arange(region.shape[1]), indexing="ij")
    pixels_mm = view.grid.lps_mm(np.stack([np.zeros_like(rows), rows, columns], axis=-1).reshape(-1, 3))
    in_plane = pixels_mm - np.outer(pixels_mm @ beam, beam)
    sizes = np.array(mask.grid.shape)
    hit = np.zeros(len(in_plane), dtype=bool)
    for depth in np.arange(depth_mm.min(), depth_mm.max() + step_mm, step_mm):
        at = np.rint(mask.grid.index_kji(in_plane + depth * beam)).astype(int)
        valid = ((at >= 0) & (at < sizes)).all(axis=1) & ~hit
        k, j, i = at[valid].T
        hit[valid] = mask.inside[k, j, i]
    return hit.reshape(region.shape)


def planar_counts(anterior: CountsMap, posterior: CountsMap, liver: Mask, lungs: Mask) -> PlanarCounts:
    """Counts of lung and liver in both views; a pixel before which both lie counts as liver."""
    values = []
    for view in (anterior, posterior):
        liver_region = projected_region(liver, view)
        lung_region = projected_region(lungs, view) & ~liver_region
        pixels = view.counts[0].astype(np.float64)
        values.append((float(pixels[lung_region].sum()), float(pixels[liver_region].sum())))
    return PlanarCounts(values[0][0], values[1][0], values[0][1], values[1][1])


def planar_background(anterior: CountsMap, posterior: CountsMap, liver: Mask, lungs: Mask, region: Mask) -> PlanarBackground:
    """Background of both views from a structure that was drawn for it; pixels with lung or liver before them are left out.

    Raises
    ------
    InvalidValue
        If nothing of the region is left.
    InconsistentInput
        If the views differ in size or place of their pixels, so that the region is not the same in both.
    """
    counts, pixels, organs = [], [], []
    for view in (anterior, posterior):
        liver_region = projected_region(liver, view)
        lung_region = projected_region(lungs, view) & ~liver_region
        free = projected_region(region, view) & ~liver_region & ~lung_region
        counts.append(float(view.counts[0].astype(np.float64)[free].sum()))
        pixels.append(float(free.sum()))
        organs.append((float(lung_region.sum()), float(liver_region.sum())))
    if organs[0] != organs[1]:
        raise InconsistentInput(
            f"regions of {organs[0]} and {organs[1]} pixels (lung, liver) in the two views",
            "background is treated alike in both views",
            "give views of one size and place",
        )
    return PlanarBackground(counts[0], counts[1], pixels[0], pixels[1], *organs[0])


def compared(planar: Measured, spect: Measured) -> tuple[Finding, ...]:
    """A finding if the two methods differ by more than :data:`DISAGREE_FRACTION`."""
    apart = planar.value - spect.value
    if abs(apart) <= DISAGREE_FRACTION:
        return ()
    return (
        Finding(
            "lung_shunt.methods_disagree",
            Severity.WARNING,
            f"lung shunt is {planar.value:.1%} by planar geometric mean and {spect.value:.1%} by SPECT/CT · planar views overestimate because the "
            "liver attenuates more than the lung · dose here uses SPECT/CT; look at both",
            about="lungs",
            source="Bastiaannet: bias 2.7, limits of agreement 8.1 percentage points",
        ),
    )
