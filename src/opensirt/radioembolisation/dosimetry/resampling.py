"""Intervals of dose-volume metrics: the chain of errors drawn again and again, without a new convolution.

Dose is linear in what each compartment holds, so dose per compartment is laid out once and every draw is a sum of them. What moves
means (counts, shunt, blur, contours, registration, density, dose constant, transport …) is taken from the budget of the means, source by
source, so that both tell the same. What moves the shape of a histogram is drawn in the dose domain: displacement of contours and images by the
gradient of the blurred image, unevenness that the camera cannot resolve by one product with the kernel's spectrum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.dosimetry._fine_liver import fine_liver, fine_masks, kernel_fraction
from opensirt.radioembolisation.dosimetry._pieces import (
    LARGEST_FINE_ML,
    Emission,
    Piece,
    emission_of,
    liver_piece,
    plain_piece,
    residual_of,
    tumour_piece,
)
from opensirt.radioembolisation.dosimetry._texture import Residual, Texture, TexturePrior, field_of, fitted_texture
from opensirt.radioembolisation.dosimetry.dvh import Dvh, dvh
from opensirt.radioembolisation.workup.compartments import CompartmentUptake, ScoutImage
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue, MissingInput
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.threads import each
from opensirt.vocabulary.units import PERCENT
from opensirt.vocabulary.volumes import DoseMap, Occupancy

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

RESAMPLING_VERSION = "1"
UNEVEN = "uneven_uptake.unresolved"
"""Source: unevenness below the camera's resolution, count noise of single voxels, and contours that are wrong in places only."""
_PAD_MM = 24.0
_MODES = 24
_FEWEST = 20


@attrs.frozen
class ShapeErrors:
    """Standard uncertainties that move the shape of a histogram, beside those of the means.

    Attributes
    ----------
    contour_mm : float
        Placement of a whole contour along its normal, as in the budget of the means.
    contour_local_mm : float
        Displacement of parts of a contour against the whole: half of the above, assumed.
    contour_length_mm : float
        Distance over which a displaced contour stays displaced. Assumed: a few slices, the size of a brush.
    noise_factor : float
        Variance of the counts over that of Poisson counts.
    tumour_prior, liver_prior : TexturePrior
        Unevenness of uptake within tumours and liver before the image was asked. Assumed.
    """

    contour_mm: float = 1.0
    contour_local_mm: float = 0.5
    contour_length_mm: float = 14.0
    noise_factor: float = 1.0
    tumour_prior: TexturePrior = TexturePrior(0.30, 0.5)
    liver_prior: TexturePrior = TexturePrior(0.20, 0.5)


@attrs.frozen(eq=False)
class Metric:
    """One number read from the histogram of one structure.

    Attributes
    ----------
    structure : str
        Key of the structure.
    name : str
        ``"D95"``, ``"V30"``, ``"mean"`` …
    unit : str
        Of the number.
    read : callable
        Takes the histogram, gives the number.
    """

    structure: str
    name: str
    unit: str
    read: Callable[[Dvh], float]


def d_percent(structure: str, percent: float) -> Metric:
    """``D_x``: lowest dose of the hottest ``percent`` % of the volume, Gy."""
    return Metric(structure, f"D{percent:g}", "Gy", lambda histogram: histogram.d_gy(percent))


def v_dose(structure: str, dose_gy: float) -> Metric:
    """``V_x``: share of the volume that receives at least ``dose_gy``, %."""
    return Metric(structure, f"V{dose_gy:g}", "%", lambda histogram: PERCENT * histogram.v(dose_gy))


def mean_dose(structure: str) -> Metric:
    """Mean dose, Gy."""
    return Metric(structure, "mean", "Gy", lambda histogram: histogram.mean_gy)


def geud(structure: str, exponent: float) -> Metric:
    """Generalised equivalent uniform dose, Gy."""
    return Metric(structure, f"gEUD({exponent:g})", "Gy", lambda histogram: histogram.geud_gy(exponent))


def tcp(structure: str, name: str, model: Callable[[Dvh], float]) -> Metric:
    """Probability of tumour control by a model of the histogram, 1."""
    return Metric(structure, name, "1", model)


@attrs.frozen(eq=False)
class ResampledMetric:
    """A metric with its interval and what it comes from.

    Attributes
    ----------
    metric : Metric
        What was read.
    unit : str
        Of every number here.
    on_map : float
        Read from the dose map as it stands: even where the camera blurs, uneven where counts are noisy.
    value : float
        Median of the draws: the value to report.
    low, high : float
        5 % and 95 % quantiles of the draws.
    variance_share : mapping of str to float
        Source → share of the variance of the draws, largest first; sums to 1 (to 0 for a metric that does not move).
    draws : ndarray, shape (samples,)
        What was drawn.
    """

    metric: Metric
    unit: str
    on_map: float
    value: float
    low: float
    high: float
    variance_share: Mapping[str, float]
    draws: FloatArray

    @property
    def standard_uncertainty(self) -> float:
        """Standard deviation of the draws."""
        return float(self.draws.std())

    @property
    def largest_source(self) -> str:
        """What would have to be known better first; empty for a metric that does not move."""
        return next(iter(self.variance_share), "")


@attrs.frozen(eq=False)
class ResampledMetrics:
    """Every metric asked for, and how many draws it rests on."""

    metrics: tuple[ResampledMetric, ...]
    samples: int

    def of(self, structure: str, name: str) -> ResampledMetric:
        """The metric of that name; KeyError if there is none."""
        for found in self.metrics:
            if (found.metric.structure, found.metric.name) == (structure, name):
                return found
        raise KeyError((structure, name))


@attrs.frozen(eq=False)
class ResamplingState:
    """All that a draw needs; made once per plan by :func:`resampling_state`.

    Attributes
    ----------
    pieces : mapping of str to Piece
        By key of the structure.
    means : mapping of str to Measured
        Planned mean dose (Gy) of compartments and structures with its budget.
    textures : mapping of str to Texture
        What the image tells about unevenness in tumours and liver.
    on_map : mapping of str to Dvh
        Histograms of the dose map as it stands.
    """

    pieces: Mapping[str, Piece]
    means: Mapping[str, Measured]
    textures: Mapping[str, Texture]
    on_map: Mapping[str, Dvh]
    shape: ShapeErrors
    sources: tuple[str, ...]


def resampling_state(
    image: ScoutImage,
    uptake: CompartmentUptake,
    dose: DoseMap,
    means: Mapping[str, Measured],
    structures: Sequence[Occupancy],
    shape: ShapeErrors,
    nuclide: str,
) -> ResamplingState:
    """Lay out what every draw needs.

    Parameters
    ----------
    image, uptake
        The scout image and its recovered compartments.
    dose : DoseMap
        Planned dose, Gy: metrics are read from it as it stands, and structures outside the liver are resampled on it.
    means : mapping of str to Measured
        Planned mean dose, Gy, of every compartment of the liver and of every structure outside it, with its budget (calibration and residual
        of the activity included where they matter).
    structures : sequence of Occupancy
        Structures whose metrics will be asked for.
    shape : ShapeErrors
        What moves the shape of histograms.
    nuclide : str
        Therapeutic nuclide.

    Raises
    ------
    MissingInput
        If a mean dose is missing.
    InvalidValue
        If a structure is empty.
    """
    emission = emission_of(image, uptake, shape.noise_factor)
    fine = fine_liver(fine_masks(emission.layout, emission.box, emission.spacing), means, nuclide)
    pieces: dict[str, Piece] = {}
    on_map: dict[str, Dvh] = {}
    for region in structures:
        key = region.structure.key
        on_map[key] = dvh(dose, region)
        if region.structure.kind in (StructureKind.LUNGS, StructureKind.EXTRAHEPATIC):
            if key not in means:
                raise MissingInput(f"no mean dose of {key}", f"given are {', '.join(sorted(means))}", "give its planned mean")
            pieces[key] = plain_piece(key)
        elif region.structure.kind is StructureKind.TUMOUR and key in fine.gy and region.volume_ml <= LARGEST_FINE_ML:
            pieces[key] = tumour_piece(key, emission, fine, uptake.shift_mm, shape.contour_mm)
        else:
            tumour = region.structure.kind is StructureKind.TUMOUR
            source = f"contour.{key}" if tumour else f"contour.{image.liver.structure.key}"
            pieces[key] = liver_piece(region, emission, fine, uptake.shift_mm, (source, shape.contour_mm))
        pieces[key] = pieces[key].scaled_to(means[key].value if key in means else on_map[key].mean_gy, on_map[key].mean_gy)
    textures, pieces = _with_unevenness(emission, pieces, shape, nuclide)
    kept = {key: measured for key, measured in means.items() if key in emission.layout.keys or key in pieces}
    sources = tuple(dict.fromkeys(source for measured in kept.values() for source in measured.contributions))
    more = tuple(dict.fromkeys(name for piece in pieces.values() for name in piece.scored if name not in sources))
    return ResamplingState(pieces, kept, textures, on_map, shape, (*sources, *more))


def _with_unevenness(
    emission: Emission, pieces: Mapping[str, Piece], shape: ShapeErrors, nuclide: str
) -> tuple[dict[str, Texture], dict[str, Piece]]:
    classes: dict[str, list[tuple[str, Residual, tuple[int, ...]]]] = {"tumour": [], "liver": []}
    rows = list(zip(emission.layout.keys, emission.layout.kinds, strict=True))
    normal = [key for key, kind in rows if kind is StructureKind.NORMAL_LIVER]
    for name, keys in (*((key, [key]) for key, kind in rows if kind is StructureKind.TUMOUR), ("", normal)):
        found = residual_of(emission, keys) if keys else None
        if found is not None:
            classes["tumour" if name else "liver"].append((name, found[0], tuple(s.start for s in found[1])))
    spacing, sigma = emission.spacing, emission.sigma_mm
    priors = {"tumour": shape.tumour_prior, "liver": shape.liver_prior}
    textures = {name: fitted_texture([r for _, r, _ in of_it], spacing, sigma, priors[name]) for name, of_it in classes.items()}
    fraction = kernel_fraction(nuclide, spacing)
    padding = np.ceil(_PAD_MM / spacing).astype(int).tolist()
    result = dict(pieces)
    fields = {}
    for key, piece in pieces.items():
        for name, residual, start in classes.get(piece.texture, []):
            if name in ("", key):
                if (piece.texture, name) not in fields:
                    fields[piece.texture, name] = field_of(residual, spacing, sigma, fraction, padding)
                result[key] = piece.with_field(fields[piece.texture, name], start)
    return textures, result


@attrs.frozen(eq=False)
class _Draw:
    """What one draw decides: a standard score per source, spread and length of unevenness; and where further randomness comes from."""

    scores: Mapping[str, float]
    unevenness: Mapping[str, tuple[float, float]]
    generator: np.random.Generator


def resample_metrics(
    state: ResamplingState,
    metrics: Sequence[Metric],
    *,
    samples: int,
    generator: np.random.Generator,
    report: Callable[[float], None],
) -> ResampledMetrics:
    """Draw the chain of errors ``samples`` times and read every metric each time.

    The same seed gives the same numbers for any number of threads: every draw has its own generator, spawned in order.

    Parameters
    ----------
    state : ResamplingState
        From :func:`resampling_state`.
    metrics : sequence of Metric
        What to read.
    samples : int
        Number of draws; at least 20 for an interval of 90 %, 200 for one that is steady to a tenth of its width.
    generator : numpy.random.Generator
        Randomness.
    report : callable
        Takes progress from 0 to 1.

    Raises
    ------
    InvalidValue
        If there are fewer draws than 20, or a metric asks for a structure that was not laid out.
    """
    if samples < _FEWEST:
        raise InvalidValue(f"{samples} draws", f"an interval of 90 % needs {_FEWEST} at least", "ask for more")
    unknown = sorted({m.structure for m in metrics} - set(state.pieces))
    if unknown:
        raise InvalidValue(
            f"metrics of {', '.join(unknown)}", f"laid out are {', '.join(state.pieces)}", "lay the structure out too"
        )
    children = generator.spawn(samples)
    done = 0

    def one(child: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        nonlocal done
        row = _drawn(state, metrics, child)
        done += 1
        report(done / samples)
        return row

    rows = each(one, children)
    scores, values = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    every = _shares(scores, values, (*state.sources, *state.textures))
    found = []
    for n, metric in enumerate(metrics):
        # (n + 1) p: of n draws, the next one falls between these with a probability of 90 %, for any n
        low, middle, high = (float(q) for q in np.quantile(values[:, n], (0.05, 0.5, 0.95), method="weibull"))
        on_map = float(metric.read(state.on_map[metric.structure]))
        found.append(ResampledMetric(metric, metric.unit, on_map, middle, low, high, every[n], values[:, n]))
    return ResampledMetrics(tuple(found), samples)


def _drawn(state: ResamplingState, metrics: Sequence[Metric], generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Scores of one draw and the metrics under them."""
    scores = generator.standard_normal(len(state.sources) + len(state.textures))
    named = dict(zip(state.sources, scores, strict=False))
    pairs = zip(state.textures.items(), scores[len(state.sources) :], strict=True)
    draw = _Draw(named, {name: texture.drawn(float(z)) for (name, texture), z in pairs}, generator)
    fields: dict[int, Float32Array] = {}
    histograms: dict[str, Dvh] = {}
    for key in dict.fromkeys(metric.structure for metric in metrics):
        piece = state.pieces[key]
        if piece.texture:
            histograms[key] = _histogram(key, _dose_gy(state, piece, draw, fields), piece.volume_ml)
        else:
            factor = factor_of(state.means[key], draw.scores)
            histograms[key] = attrs.evolve(state.on_map[key], dose_gy=state.on_map[key].dose_gy * (factor * piece.scale))
    return scores, np.array([metric.read(histograms[metric.structure]) for metric in metrics])


def factor_of(measured: Measured, scores: Mapping[str, float]) -> float:
    """Dose over its stated value under these scores: log-normal about the value, as its interval is shown."""
    u = measured.standard_uncertainty
    if u == 0.0 or measured.value <= 0.0:
        return 1.0
    score = sum(c * scores[source] for source, c in measured.contributions.items()) / u
    return float(np.exp(score * np.sqrt(np.log1p((u / measured.value) ** 2))))


def _dose_gy(state: ResamplingState, piece: Piece, draw: _Draw, fields: dict[int, Float32Array]) -> Float32Array:
    base = np.zeros(piece.gy.shape[1], dtype=np.float32)
    for name, row in zip(piece.compartments, piece.gy, strict=True):
        base += np.float32(factor_of(state.means[name], draw.scores)) * row
    change = np.zeros_like(base)
    for name, pattern in zip(piece.scored, piece.patterns, strict=True):
        change += np.float32(draw.scores[name]) * pattern
    if piece.texture == "tumour" and state.shape.contour_local_mm > 0.0:
        wobble = _wobble(piece.place_mm, state.shape.contour_length_mm, draw.generator)
        change += np.float32(state.shape.contour_local_mm) * wobble * piece.edge
    if piece.field is not None:
        which = id(piece.field)
        if which not in fields:
            fields[which] = piece.field.draw(*draw.unevenness[piece.texture], draw.generator).ravel()
        for index, weight in zip(*piece.corners, strict=True):
            change += fields[which][index] * weight
    # (1 + x/2)²: between a sum of many pieces of uptake (normal) and one piece (log-normal); a place without uptake is the least there is
    change *= np.float32(0.5)
    change += np.float32(1.0)
    np.square(np.maximum(change, np.float32(0.0), out=change), out=change)
    before = float(np.einsum("v,v->", piece.volume_ml, base))  # no BLAS: its threads would spin beside ours
    base *= change
    after = float(np.einsum("v,v->", piece.volume_ml, base))
    base *= np.float32(before / after if after > 0.0 else 1.0)
    return base


def _histogram(key: str, dose_gy: Float32Array, volume_ml: FloatArray) -> Dvh:
    """The exact histogram; doses are put in order first by a sort that need not be stable, which is the quicker one."""
    order = np.argsort(dose_gy)[::-1]
    running = np.cumsum(volume_ml[order])
    return Dvh(key, dose_gy[order].astype(np.float64), running / running[-1], float(running[-1]))


def _wobble(place_mm: Float32Array, length_mm: float, generator: np.random.Generator) -> Float32Array:
    """A Gaussian random field of spread 1 and covariance ``exp(−r²/2ℓ²)`` at given places, by random waves (Rahimi and Recht 2007)."""
    waves = generator.standard_normal((_MODES, 3), dtype=np.float32) / np.float32(length_mm)
    heights = generator.standard_normal((2, _MODES), dtype=np.float32) / np.float32(np.sqrt(_MODES))
    phase = np.einsum("ma,av->mv", waves, place_mm)
    return np.asarray(np.einsum("m,mv->v", heights[0], np.cos(phase)) + np.einsum("m,mv->v", heights[1], np.sin(phase)))


def _shares(scores: FloatArray, values: FloatArray, names: Sequence[str]) -> list[dict[str, float]]:
    """Share of variance per source and metric: least squares on the scores; what they leave is unevenness that was drawn voxel by voxel.

    Of pure noise, least squares finds one part in the number of draws under every score; that is taken off again.
    """
    centred, design = values - values.mean(axis=0), scores - scores.mean(axis=0)
    slopes = np.linalg.lstsq(design, centred, rcond=None)[0]
    free = max(len(values) - design.shape[1] - 1, 1)
    left = np.sum((centred - design @ slopes) ** 2, axis=0) / free
    squares = np.maximum(slopes**2 * design.var(axis=0)[:, None] - left / len(values), 0.0)
    result: list[dict[str, float]] = []
    for n, rest in enumerate(left):
        if float(values[:, n].std()) <= 1e-12 * abs(float(values[:, n].mean())):
            result.append({})
            continue
        shares = dict(zip(names, squares[:, n].tolist(), strict=True))
        shares[UNEVEN] = float(rest) + shares.pop("tumour") + shares.pop("liver")
        total = sum(shares.values())
        result.append({k: v / total for k, v in sorted(shares.items(), key=lambda item: -item[1]) if v > 1e-4 * total})
    return result
