"""Compartments of the scout image: what tumours, liver, lungs and other organs hold, with the camera's blur undone.

Each result carries its uncertainty by source: count noise, width of the blur, breathing, contours, registration of emission image and CT,
uneven uptake, quantification in lung. Every source is pushed through the whole estimate, so that shares, volumes and doses stay correlated.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from opensirt.imaging.recovery import (
    FWHM_PER_SIGMA,
    RECOVERY_VERSION,
    Blur,
    Recovered,
    aligned,
    blurred,
    estimate_blur,
    model,
    solve,
)
from opensirt.radioembolisation.workup.regions import Layout, contour_moved, layout_like, layout_of, lung_test
from opensirt.radioembolisation.workup.regions import ScoutImage as ScoutImage
from opensirt.radioembolisation.workup.regions import lung_density as lung_density
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.threads import each
from opensirt.vocabulary.volumes import CountsMap, Occupancy

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

COMPARTMENTS_VERSION = f"2 (recovery {RECOVERY_VERSION})"
FIELD_EDGE_MM = 20.0
"""Reach of the camera's blur (FWHM up to 20 mm): nearer to a face of the field that cuts the liver, blur cannot be told from what is
not seen."""
REST_OF_SHIFT_FRACTION = 0.25
"""Part of the expected shift that no rigid shift explains: the liver's dome moves more than its lower edge. Assumed."""


@attrs.frozen
class ErrorModel:
    """Standard uncertainties that the images themselves do not show.

    Attributes
    ----------
    contour_mm : float
        Placement of a whole contour along its normal. 1 mm on a lesion of 35 mm is 17 % of its volume, the variation between observers
        of EJNMMI Phys 2022 (doi 10.1186/s40658-022-00515-6).
    registration_mm : float
        Shift between emission image and CT per axis, hybrid scanner with free breathing, before the image was asked. The shift found from
        the image is weighed against it; a quarter of it stays as what a rigid shift does not explain (breathing deforms).
    lung_quantification : float
        Relative, of counts in lung against liver after attenuation and scatter correction; phantom studies find SPECT/CT lung shunts
        within 13 % of the truth (Allred et al. 2018), taken as two standard uncertainties.
    noise_factor : float
        Variance of the counts over that of Poisson counts.
    respiratory_mm : float
        Standard deviation of the liver's place along the slice axis while the image was taken. The blur is found as one width; breathing widens
        it along one axis. 3 mm are a movement of 8.5 mm from peak to peak, assumed for free breathing (5.3 ± 2.2 mm under abdominal compression,
        Radiat Oncol 2016, doi 10.1186/s13014-016-0762-z).
    """

    contour_mm: float = 1.0
    registration_mm: float = 2.0
    lung_quantification: float = 0.065
    noise_factor: float = 1.0
    respiratory_mm: float = 3.0


@attrs.frozen(eq=False)
class Compartment:
    """One compartment's uptake.

    Attributes
    ----------
    key : str
        ``"tumour.T1"``, ``"normal_liver.right"``, ``"lungs"`` …
    territory : str
        Label of the territory that feeds it; empty where none does.
    share : Measured
        Share of the counts of liver, lungs and extrahepatic organs together, recovered.
    share_seen : Measured
        The same read from the image without recovery.
    volume_ml : Measured
        Its volume.
    recovery : float
        Concentration seen over concentration recovered.
    """

    key: str
    kind: StructureKind
    label: str
    territory: str
    share: Measured
    share_seen: Measured
    volume_ml: Measured
    recovery: float

    @property
    def concentration(self) -> Measured:
        """Share per mL, with sources correlated between share and volume."""
        from opensirt.vocabulary.measured import propagate

        return propagate(lambda share, volume: share / volume, share=self.share, volume=self.volume_ml)


@attrs.frozen(eq=False)
class CompartmentUptake:
    """All compartments, the blur, and the maps that dose needs."""

    compartments: tuple[Compartment, ...]
    fwhm_mm: Measured
    findings: tuple[Finding, ...]
    recovered_counts: Float32Array
    """Region-based voxel-wise correction: counts × unblurred model / blurred model, on the grid."""
    total_counts: float
    elsewhere_fraction: float
    """Counts outside liver, lungs and extrahepatic organs, over all counts (recovered)."""
    shift_mm: tuple[Measured, Measured, Measured] = (Measured(0.0), Measured(0.0), Measured(0.0))
    """Shift of the emission image against the contours along (k, j, i), found from the image and taken back before recovery."""

    def compartment(self, key: str) -> Compartment:
        """The compartment of that key; KeyError if there is none."""
        for compartment in self.compartments:
            if compartment.key == key:
                return compartment
        raise KeyError(key)

    def of_kind(self, kind: StructureKind) -> tuple[Compartment, ...]:
        """All compartments of one kind."""
        return tuple(c for c in self.compartments if c.kind is kind)


@attrs.frozen(eq=False)
class _State:
    """One solution: shares by key (recovered), volumes in mL."""

    shares: FloatArray
    volumes: FloatArray


def _state(recovered: Recovered, layout: Layout, voxel_ml: float) -> _State:
    sizes = np.array([float(m.sum(dtype=np.float64)) for m in layout.maps])
    held = recovered.concentration * sizes
    counted = np.array([kind is not StructureKind.OTHER for kind in layout.kinds])
    total = float(held[counted].sum())
    if total <= 0.0:
        raise InvalidValue("liver, lungs and organs hold no counts", "", "check the emission image and the frame of reference")
    return _State(held / total, sizes * voxel_ml)


def _contour_changes(image: ScoutImage, errors: ErrorModel) -> dict[str, ScoutImage]:
    spacing = image.counts.grid.spacing_mm

    def bigger(part: Occupancy) -> Occupancy:
        return attrs.evolve(part, fraction=contour_moved(part.fraction, spacing, errors.contour_mm))

    changes = {}
    for n, tumour in enumerate(image.tumours):
        grown = (*image.tumours[:n], bigger(tumour), *image.tumours[n + 1 :])
        changes[f"contour.{tumour.structure.key}"] = attrs.evolve(image, tumours=grown)
    changes[f"contour.{image.liver.structure.key}"] = attrs.evolve(
        image, liver=bigger(image.liver), territories=tuple(map(bigger, image.territories))
    )
    for n, lung in enumerate(image.lungs):
        changes[f"contour.{lung.structure.key}"] = attrs.evolve(
            image, lungs=(*image.lungs[:n], bigger(lung), *image.lungs[n + 1 :])
        )
    for n, organ in enumerate(image.extrahepatic):
        changes[f"contour.{organ.structure.key}"] = attrs.evolve(
            image, extrahepatic=(*image.extrahepatic[:n], bigger(organ), *image.extrahepatic[n + 1 :])
        )
    return changes


def compartment_uptake(
    image: ScoutImage, errors: ErrorModel, report: Callable[[float], None], *, lung_margin_mm: float = 20.0
) -> CompartmentUptake:
    """Recovered uptake of every compartment with its uncertainty budget.

    Parameters
    ----------
    image : ScoutImage
        Everything on the working grid.
    errors : ErrorModel
        Standard uncertainties that the image does not show.
    report : callable
        Takes progress from 0 to 1.
    lung_margin_mm : float
        Rim of lung beside the liver in which lung counts are not read.

    Raises
    ------
    InvalidValue
        If compartments cannot be told apart or hold no counts.
    """
    layout = layout_of(image, lung_margin_mm)
    spacing = image.counts.grid.spacing_mm
    blur = estimate_blur(
        image.counts.counts, layout.regions(), spacing, _edge_voxels(image), [_rim(image)], lambda x: report(0.5 * x)
    )
    shift_mm = _weighed_shift(blur, errors)
    fwhm = blur.fwhm_mm
    counts = aligned(image.counts.counts, [shift.value for shift in shift_mm], spacing)
    spread = _spread(layout, spacing, fwhm.value, None, None)
    centre = solve(counts, layout.regions(), spread, fwhm.value)
    voxel_ml = image.counts.grid.voxel_volume_ml
    base = _state(centre, layout, voxel_ml)
    changes: dict[str, tuple[FloatArray, FloatArray]] = {}
    for source, moved in _blur_changes(counts, layout, spacing, fwhm, errors).items():
        changes[source] = (_state(moved, layout, voxel_ml).shares - base.shares, base.volumes * 0.0)
    for n, (key, sd) in enumerate(zip(layout.keys, _noise(layout, image.counts.counts, errors), strict=True)):
        seen = centre.seen.copy()
        seen[n] += sd
        moved = attrs.evolve(centre, concentration=np.asarray(np.linalg.solve(centre.transfer, seen), dtype=np.float64))
        changes[f"count_noise.{key}"] = (_state(moved, layout, voxel_ml).shares - base.shares, base.volumes * 0.0)
    for axis, name in enumerate(("slice", "row", "column")):
        step = np.zeros(3)
        step[axis] = shift_mm[axis].standard_uncertainty / spacing[axis]
        shifted = ndimage.shift(counts, step, order=1, mode="nearest", prefilter=False)
        moved = solve(shifted, layout.regions(), spread, fwhm.value)
        changes[f"registration.{name}"] = (_state(moved, layout, voxel_ml).shares - base.shares, base.volumes * 0.0)
    report(0.7)
    for key, altered in _contour_changes(image, errors).items():
        other = layout_like(altered, lung_margin_mm, layout)
        moved = solve(counts, other.regions(), _spread(other, spacing, fwhm.value, layout, spread), fwhm.value)
        state = _state(moved, other, voxel_ml)
        changes[key] = (state.shares - base.shares, state.volumes - base.volumes)
    moved_image = attrs.evolve(image, counts=CountsMap(np.maximum(counts, np.float32(0.0)), image.counts.grid))
    _add_lung_changes(changes, moved_image, layout, centre, base, spread, errors)
    _add_unevenness(changes, layout, centre, base, counts, spread)
    report(0.95)
    found = _assembled(image, layout, centre, base, changes, fwhm)
    back = ndimage.shift(
        image.counts.counts, [-s.value / d for s, d in zip(shift_mm, spacing, strict=True)], order=1, prefilter=False
    )
    sharp = _sharpened(back, layout, centre, spread)
    return attrs.evolve(
        found,
        recovered_counts=sharp,
        shift_mm=shift_mm,
        findings=(*found.findings, *_shift_findings(shift_mm, errors), *_blur_findings(blur)),
    )


def _weighed_shift(blur: Blur, errors: ErrorModel) -> tuple[Measured, Measured, Measured]:
    """The shift found, weighed against what is expected (normal, mean 0): of little effect where the image tells it well."""
    expected = errors.registration_mm
    rest = REST_OF_SHIFT_FRACTION * expected
    result = []
    for found, name in zip(blur.shift_mm, ("slice", "row", "column"), strict=True):
        u = float(np.hypot(found.standard_uncertainty, rest))
        trust = expected**2 / (expected**2 + u**2) if expected > 0.0 else 0.0
        result.append(Measured(found.value * trust, {f"registration.{name}": u * float(np.sqrt(trust))}))
    return result[0], result[1], result[2]


def _shift_findings(shift_mm: tuple[Measured, Measured, Measured], errors: ErrorModel) -> tuple[Finding, ...]:
    length = float(np.sqrt(sum(shift.value**2 for shift in shift_mm)))
    if length <= 3.0 * errors.registration_mm:
        return ()
    message = (
        f"the emission image lies {length:.1f} mm off the contours · the shift was taken back for the recovered numbers, not for those of the image "
        "as seen · check the registration"
    )
    return (Finding("registration.shifted", Severity.WARNING, message),)


def _blur_findings(blur: Blur) -> tuple[Finding, ...]:
    if not blur.beyond:
        return ()
    which = "narrowest" if blur.beyond == "narrow" else "widest"
    message = (
        f"the image is explained best by a blur of {blur.fwhm_mm.value:g} mm, the {which} that is tried · the true width lies there or beyond, and what "
        "is recovered (small lesions above all) is less certain than its interval says · check that image and contours belong together, and the "
        "reconstruction's filter"
    )
    return (Finding("recovery.blur_beyond", Severity.WARNING, message, source="scout SPECT resolves 8 to 16 mm (FWHM)"),)


def _rim(image: ScoutImage) -> Float32Array:
    """What the liver would gain if its contour moved 1 mm outward."""
    return contour_moved(image.liver.fraction, image.counts.grid.spacing_mm, 1.0) - image.liver.fraction


def _sharpened(counts: Float32Array, layout: Layout, centre: Recovered, spread: list[Float32Array]) -> Float32Array:
    """Counts × unblurred model / blurred model; 0 where the model holds next to nothing or a compartment came out negative.

    The ratio keeps a compartment's sum only as far as its uptake is even; each compartment is then brought to its recovered share of the whole, a voxel
    of several compartments in proportion to what each contributes, so that maps and compartments tell the same.
    """
    blurred_model, sharp_model = model(centre, spread), model(centre, layout.maps)
    recovered = np.zeros_like(counts)
    held = (blurred_model > 1e-6 * float(blurred_model.max())) & (sharp_model > 0.0)
    np.divide(counts * sharp_model, blurred_model, out=recovered, where=held)
    wanted = centre.concentration * np.array([float(m.sum(dtype=np.float64)) for m in layout.maps])
    found = np.array([float(np.sum(m * recovered, dtype=np.float64)) for m in layout.maps])
    scaled = np.array([kind is not StructureKind.OTHER for kind in layout.kinds]) & (wanted > 0.0) & (found > 0.0)
    factor = np.ones(len(wanted))
    factor[scaled] = wanted[scaled] / found[scaled] * (found[scaled].sum() / wanted[scaled].sum())
    weighted = np.zeros_like(counts)
    for n, occupancy in enumerate(layout.maps):
        weighted += np.float32(centre.concentration[n] * factor[n]) * occupancy
    scale = np.ones_like(counts)
    np.divide(weighted, sharp_model, out=scale, where=held)
    return recovered * np.maximum(scale, np.float32(0.0))


def _edge_voxels(image: ScoutImage) -> npt.NDArray[np.bool_]:
    """Voxels within 15 mm of the liver's surface, outside and inside.

    Where the field cuts the liver, what the camera blurs in from beyond is not modelled: there the 20 mm next to the face are left out.
    """
    spacing = image.counts.grid.spacing_mm
    liver = image.liver.fraction >= 0.5
    near = (ndimage.distance_transform_edt(~liver, sampling=spacing) < 15.0) & (
        ndimage.distance_transform_edt(liver, sampling=spacing) < 15.0
    )
    for axis, (size, spacing_mm) in enumerate(zip(near.shape, spacing, strict=True)):
        layers = np.flatnonzero(np.moveaxis(liver, axis, 0).any(axis=(1, 2)))
        width = int(np.ceil(FIELD_EDGE_MM / spacing_mm))
        along = np.moveaxis(near, axis, 0)
        if layers.size and layers[0] < width:
            along[: layers[0] + width] = False
        if layers.size and layers[-1] >= size - width:
            along[layers[-1] + 1 - width :] = False
    return np.asarray(near)


def _spread(
    layout: Layout, spacing: FloatArray, fwhm_mm: float, known: Layout | None, known_spread: list[Float32Array] | None
) -> list[Float32Array]:
    """Blurred occupancies; those that equal a known layout's are reused."""

    def one(n: int) -> Float32Array:
        if known is not None and known_spread is not None and np.array_equal(layout.maps[n], known.maps[n]):
            return known_spread[n]
        return blurred(layout.maps[n], spacing, fwhm_mm)

    return each(one, range(len(layout.maps)))


def _blur_changes(
    counts: Float32Array, layout: Layout, spacing: FloatArray, fwhm: Measured, errors: ErrorModel
) -> dict[str, Recovered]:
    """Recovered with a blur one standard uncertainty wider, and with the blur of a liver that breathes."""
    wide = fwhm.value + fwhm.standard_uncertainty
    changes = {"psf_width": solve(counts, layout.regions(), _spread(layout, spacing, wide, None, None), wide)}
    if errors.respiratory_mm > 0.0:
        longer = spacing * _breathing_factors(fwhm.value, errors.respiratory_mm)
        changes["respiratory_blur"] = solve(counts, layout.regions(), _spread(layout, longer, fwhm.value, None, None), fwhm.value)
    return changes


def _breathing_factors(fwhm_mm: float, respiratory_mm: float) -> FloatArray:
    """Spacings along (k, j, i), relative, in which a blur of one width is that of a breathing liver.

    A movement of variance ``m²`` along one axis leaves the found width right on average, ``s² = s₀² + m²/3``, and wrong by axis: ``s²`` is short by
    ``2 m²/3`` along it and too large by ``m²/3`` across; ``e = m²/6s²`` is the relative error across. Written as powers of e, so that no width
    comes out negative for any movement.
    """
    sigma_mm = fwhm_mm / FWHM_PER_SIGMA
    across = respiratory_mm**2 / (6.0 * sigma_mm**2)
    return np.asarray(np.exp(np.array([-2.0 * across, across, across])), dtype=np.float64)


def _noise(layout: Layout, counts: Float32Array, errors: ErrorModel) -> list[float]:
    return [float(np.sqrt(errors.noise_factor * np.sum(test.astype(np.float64) ** 2 * counts))) for test in layout.tests]


def _add_lung_changes(
    changes: dict[str, tuple[FloatArray, FloatArray]],
    image: ScoutImage,
    layout: Layout,
    centre: Recovered,
    base: _State,
    spread: list[Float32Array],
    errors: ErrorModel,
) -> None:
    """Quantification in lung, and how lung uptake is distributed beyond the rim where it is read."""
    none = base.volumes * 0.0
    for n, kind in enumerate(layout.kinds):
        if kind is not StructureKind.LUNGS:
            continue
        scaled = centre.concentration.copy()
        scaled[n] *= 1.0 + errors.lung_quantification
        moved = _state(attrs.evolve(centre, concentration=scaled), layout, image.counts.grid.voxel_volume_ml)
        changes["lung_quantification"] = (moved.shares - base.shares, none)
        tests = list(layout.tests)
        tests[n] = lung_test(image, (layout.maps[n] > 0).astype(np.float32), 35.0)
        wider = solve(image.counts.counts, attrs.evolve(layout, tests=tuple(tests)).regions(), spread, centre.fwhm_mm)
        moved = _state(wider, layout, image.counts.grid.voxel_volume_ml)
        changes["lung_distribution"] = (moved.shares - base.shares, none)


def _add_unevenness(
    changes: dict[str, tuple[FloatArray, FloatArray]],
    layout: Layout,
    centre: Recovered,
    base: _State,
    counts: Float32Array,
    spread: list[Float32Array],
) -> None:
    """Normal liver around a lesion differs from its mean: the local spread of counts over the model, times what spills in."""
    expected = model(centre, spread)
    liver = np.zeros(counts.shape, dtype=bool)
    for kind, occupancy in zip(layout.kinds, layout.maps, strict=True):
        if kind is StructureKind.NORMAL_LIVER:
            liver |= occupancy > 0.95
    if not liver.any():
        return
    ratio = counts[liver].astype(np.float64) / np.maximum(expected[liver], 1e-6)
    noise = float(np.mean(1.0 / np.maximum(expected[liver], 1e-6)))
    unevenness = max(float(np.var(ratio)) - noise, 0.0) ** 0.5
    # shares are concentration × volume over one sum; taken from the largest, since a lesion that nothing feeds may hold none, or less
    most = int(np.argmax(base.shares))
    share_per_amount = base.shares[most] / (centre.concentration[most] * base.volumes[most])
    for n, kind in enumerate(layout.kinds):
        if kind is not StructureKind.TUMOUR:
            continue
        spill = sum(
            centre.transfer[n, m] * centre.concentration[m]
            for m, other in enumerate(layout.kinds)
            if other is StructureKind.NORMAL_LIVER
        )
        change = np.zeros_like(base.shares)
        change[n] = share_per_amount * base.volumes[n] * unevenness * spill / centre.transfer[n, n]
        changes[f"uneven_uptake.{layout.keys[n]}"] = (change, base.volumes * 0.0)


def _assembled(
    image: ScoutImage,
    layout: Layout,
    centre: Recovered,
    base: _State,
    changes: dict[str, tuple[FloatArray, FloatArray]],
    fwhm: Measured,
) -> CompartmentUptake:
    counts = image.counts.counts
    sizes = np.array([float(m.sum(dtype=np.float64)) for m in layout.maps])
    free_lung = np.minimum(
        sum((lung.fraction for lung in image.lungs), np.float32(0.0)), np.maximum(1.0 - image.liver.fraction, 0.0)
    )
    plain = [free_lung if kind is StructureKind.LUNGS else m for kind, m in zip(layout.kinds, layout.maps, strict=True)]
    seen = np.array([float(np.sum(m.astype(np.float64) * counts)) for m in plain])
    counted = np.array([kind is not StructureKind.OTHER for kind in layout.kinds])
    seen_total = float(seen[counted].sum())
    compartments = []
    findings: list[Finding] = []
    for n, key in enumerate(layout.keys):
        share = Measured(base.shares[n], {source: change[0][n] for source, change in changes.items()})
        noise = float(np.sqrt(np.sum(layout.maps[n].astype(np.float64) ** 2 * counts))) / seen_total
        volume = Measured(base.volumes[n], {source: change[1][n] for source, change in changes.items()})
        recovery = seen[n] / sizes[n] / centre.concentration[n] if centre.concentration[n] > 0 else float("nan")
        compartments.append(
            Compartment(
                key,
                layout.kinds[n],
                layout.labels[n],
                layout.territories[n],
                share,
                Measured(seen[n] / seen_total, {f"count_noise.{key}": noise}),
                volume,
                float(recovery),
            )
        )
        if layout.kinds[n] is not StructureKind.OTHER and centre.concentration[n] < 0:
            findings.append(
                Finding(
                    "compartments.negative_uptake",
                    Severity.WARNING,
                    f"recovered uptake of {key} is negative ({base.shares[n]:.3%} of all counts) · it cannot be told from its neighbours at a "
                    f"blur of {fwhm.value:.1f} mm · read its value as zero within its interval",
                    about=key,
                )
            )
    elsewhere = [n for n, kind in enumerate(layout.kinds) if kind is StructureKind.OTHER]
    held = centre.concentration * sizes
    fraction = float(held[elsewhere].sum() / held.sum()) if elsewhere else 0.0
    return CompartmentUptake(tuple(compartments), fwhm, tuple(findings), counts, image.counts.total, fraction)
