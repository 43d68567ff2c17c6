"""How many spheres carry a dose, and how uneven that alone makes it: shot noise of point sources.

Spheres (or clusters of them) thrown independently and evenly through tissue give a dose at a point that is a sum of kernels over a
Poisson number of sources. Its mean is that of even activity; by Campbell's theorem its variance is ``n ∫ d² dV`` and its characteristic
function ``exp(n ∫ (e^{iωd} − 1) dV)``, from which the whole distribution follows. Clusters of ``c`` spheres multiply the variance by c.

What it cannot say: vessels do not throw spheres independently. Heterogeneity of perfusion on the scale of arterioles, the larger part in
tissue, is not in it.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt
from scipy import special

from opensirt.radioembolisation.dosimetry.models.checks import require_not_negative, require_positive
from opensirt.radioembolisation.transport.point_kernels import PointKernel, point_kernel
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.products import Product
from opensirt.vocabulary.units import BQ_PER_GBQ, G_PER_KG, MM3_PER_ML, PERCENT

NAME = "shot noise of spheres"
VERSION = "1"
DENSITY_FORMULA = "n = A / (V · a),  A / V = D · ρ / K"
FORMULA = "SD = √(n · c · ∫ d · d · dV);  distribution from its characteristic function (Campbell, Rice)"
SOURCES = ("Campbell 1909", "Rice 1944", "Walrand et al. 2014")

UM_PER_MM = 1000.0
FEWEST_CLUSTERS_PER_ML = 10.0
"""Below it some points lie out of reach of every source, and a smooth distribution no longer describes them."""
_WINDOW_SD = 10.0
"""Half-width of the window in which the distribution is found, in standard deviations of the dose."""
_POINTS = 2048
"""Doses in the window: 0.02 standard deviations apart."""
_RADII = 800
"""Shells between sphere and electron reach, evenly in the logarithm: dose changes by 2 % from one to the next."""
_ROUNDING = 1e-9
_NEAR_NUMBER = 0.5
"""Clusters expected within the radius that the gamma distribution leaves out: tissue with one that near receives much and is no part of
the low tail. At 0.5 its D90 to D99 lie within 3 % of the exact ones for 100 clusters per mL and more."""

FloatArray = npt.NDArray[np.float64]


@attrs.frozen
class SphereCloud:
    """Spheres thrown evenly and independently through tissue.

    Attributes
    ----------
    nuclide : str
        ``"Y-90"`` or ``"Ho-166"``.
    spheres_per_ml : float
        Number density, 1/mL.
    radius_mm : float
        Radius of a sphere, mm: no tissue is nearer to its centre.
    cluster_number : float
        Spheres that lie together, 1 for none; where clusters differ in size, the mean of the square over the mean.
    density_g_per_ml : float
        Density of the tissue, g/mL.

    Raises
    ------
    InvalidValue
        If a number is not finite and above 0, clusters hold less than one sphere, or there are fewer than 10 clusters per mL.
    """

    nuclide: str
    spheres_per_ml: float
    radius_mm: float
    cluster_number: float = 1.0
    density_g_per_ml: float = 1.04

    def __attrs_post_init__(self) -> None:
        require_positive(self.spheres_per_ml, "number of spheres", "per mL")
        require_positive(self.radius_mm, "radius of a sphere", "mm")
        require_positive(self.density_g_per_ml, "density", "g/mL")
        if not 1.0 <= self.cluster_number < math.inf:
            raise InvalidValue(f"clusters of {self.cluster_number} spheres", "", "give 1 for spheres that lie alone, or more")
        if self.clusters_per_ml < FEWEST_CLUSTERS_PER_ML:
            raise InvalidValue(
                f"{self.clusters_per_ml:.3g} clusters per mL",
                f"below {FEWEST_CLUSTERS_PER_ML:g} some tissue is out of reach of every source",
                "judge such tissue sphere by sphere",
            )

    @property
    def clusters_per_ml(self) -> float:
        """Number density of clusters, 1/mL."""
        return self.spheres_per_ml / self.cluster_number

    @property
    def kernel(self) -> PointKernel:
        """Point kernel in soft tissue of this density."""
        return point_kernel(self.nuclide, "soft").at_density(self.density_g_per_ml)

    @property
    def relative_sd(self) -> float:
        """Standard deviation of dose over tissue, relative to the mean: ``√(c/n ∫ κ² dV)`` outside the spheres.

        Within a shell of the kernel energy per radius is even, so that ``κ = f / (4πr²)`` and the integral is closed.
        """
        return self._relative_sd_beyond(self.radius_mm)

    @property
    def core(self) -> tuple[float, float]:
        """Mean and standard deviation of dose, both over the mean of all tissue, where no cluster lies nearer than half a one is expected."""
        radius_mm = (3.0 * _NEAR_NUMBER * MM3_PER_ML / (4.0 * math.pi * self.clusters_per_ml)) ** (1.0 / 3.0)
        return 1.0 - float(self.kernel.cumulative(radius_mm)), self._relative_sd_beyond(radius_mm)

    def _relative_sd_beyond(self, radius_mm: float) -> float:
        kernel = self.kernel
        inner = np.maximum(kernel.edges_mm[:-1], radius_mm)
        outer = np.maximum(kernel.edges_mm[1:], radius_mm)
        per_mm = kernel.fraction / np.diff(kernel.edges_mm)
        integral_per_mm3 = float(np.sum(per_mm**2 * (1.0 / inner - 1.0 / outer))) / (4.0 * math.pi)
        return math.sqrt(integral_per_mm3 * MM3_PER_ML / self.clusters_per_ml)


@attrs.frozen(eq=False)
class SphereTail:
    """Distribution of dose over evenly perfused tissue that the number of spheres alone makes.

    Attributes
    ----------
    mean_gy : float
        Mean dose, Gy.
    relative_sd : float
        Standard deviation over the mean: most of it comes from the little tissue next to spheres.
    core_relative_mean, core_relative_sd : float
        The same without what lies next to spheres (:attr:`SphereCloud.core`), both over ``mean_gy``.
    relative_dose : ndarray, float64
        Doses over the mean, rising.
    cumulative : ndarray, float64
        Fraction of tissue at or below each; does not reach 1 where tissue next to spheres lies above the window.
    """

    mean_gy: float
    relative_sd: float
    core_relative_mean: float
    core_relative_sd: float
    relative_dose: FloatArray
    cumulative: FloatArray

    def fraction_below(self, dose_gy: float) -> float:
        """Fraction of tissue that receives less than a dose.

        Raises
        ------
        InvalidValue
            For a negative dose, or one so far above the mean that the distribution was not computed there.
        """
        require_not_negative(dose_gy, "dose", "Gy")
        relative = dose_gy / self.mean_gy
        if relative > self.relative_dose[-1]:
            highest = self.relative_dose[-1] * self.mean_gy
            raise InvalidValue(
                f"a dose of {dose_gy} Gy", f"the distribution is known up to {highest:.4g} Gy", "ask for a lower dose"
            )
        return float(np.interp(relative, self.relative_dose, self.cumulative, left=0.0))

    def dose_reached_gy(self, percent: float) -> float:
        """``D_x``: dose that ``percent`` % of the tissue reaches, Gy.

        Raises
        ------
        InvalidValue
            If the percentage is not between 0 and 100, or so low that its dose lies above the window.
        """
        below = 1.0 - _share(percent)
        if below > self.cumulative[-1]:
            raise InvalidValue(
                f"D_x of x = {percent} %", "its dose lies next to spheres, above the window", "ask for a larger percentage"
            )
        return float(np.interp(below, self.cumulative, self.relative_dose)) * self.mean_gy

    def gamma_dose_reached_gy(self, percent: float) -> float:
        """``D_x`` by the gamma distribution of the mean and variance without what lies next to spheres, Gy; a check on the low tail.

        The gamma distribution of the *full* variance is useless here: that variance belongs to hot spots, not to the tail.

        Raises
        ------
        InvalidValue
            If the percentage is so low that its dose belongs to tissue next to spheres.
        """
        below = (1.0 - _share(percent)) * math.exp(_NEAR_NUMBER)
        if below >= 1.0:
            raise InvalidValue(
                f"D_x of x = {percent} %", "the gamma distribution describes the low tail only", "ask for 50 % or more"
            )
        order = (self.core_relative_mean / self.core_relative_sd) ** 2
        return float(special.gammaincinv(order, below)) / order * self.core_relative_mean * self.mean_gy


def _share(percent: float) -> float:
    if not 0.0 < percent < PERCENT:
        raise InvalidValue(f"D_x of x = {percent} %", "", "give a percentage between 0 and 100")
    return percent / PERCENT


def sphere_radius_mm(product: Product) -> float:
    """Radius of a sphere in the middle of the product's range of diameters, mm."""
    return sum(product.diameter_um) / 4.0 / UM_PER_MM


def bq_per_sphere_after(product: Product, elapsed_h: float) -> float:
    """Activity of one sphere a time after calibration, Bq.

    Raises
    ------
    InvalidValue
        For a negative time: spheres are delivered at or after calibration in this formula.
    """
    require_not_negative(elapsed_h, "time after calibration", "h")
    return product.bq_per_sphere.value * product.nuclide.decay_factor(elapsed_h)


def concentration_bq_per_ml(mean_gy: float, density_g_per_ml: float, gy_kg_per_gbq: float) -> float:
    """Activity concentration at administration that gives a mean dose if all its energy stays, Bq/mL: ``D · ρ / K``.

    Raises
    ------
    InvalidValue
        For a negative dose, or a density or constant of 0 or less.
    """
    require_not_negative(mean_gy, "dose", "Gy")
    require_positive(density_g_per_ml, "density", "g/mL")
    require_positive(gy_kg_per_gbq, "dose constant", "Gy·kg/GBq")
    return mean_gy * density_g_per_ml / G_PER_KG / gy_kg_per_gbq * BQ_PER_GBQ


def sphere_density_per_ml(bq_per_ml: float, bq_per_sphere: float) -> float:
    """Spheres per mL that carry an activity concentration.

    Raises
    ------
    InvalidValue
        For a negative concentration, or an activity per sphere of 0 or less.
    """
    require_not_negative(bq_per_ml, "activity concentration", "Bq/mL")
    require_positive(bq_per_sphere, "activity per sphere", "Bq")
    return bq_per_ml / bq_per_sphere


def sphere_tail(mean_gy: float, cloud: SphereCloud) -> SphereTail:
    """Distribution of dose over evenly perfused tissue, from its characteristic function.

    Electrons are followed shell by shell out to their reach; photons beyond it come from so many spheres that they only add to the
    mean. A sphere so near that it alone lifts a point above the window takes that point out of the distribution, which stays exact
    below.

    Parameters
    ----------
    mean_gy : float
        Mean dose, Gy.
    cloud : SphereCloud
        The spheres.

    Raises
    ------
    InvalidValue
        If the dose is not finite and above 0.
    """
    require_positive(mean_gy, "mean dose", "Gy")
    kernel, spread = cloud.kernel, cloud.relative_sd
    radii = np.geomspace(cloud.radius_mm, kernel.electron_reach_mm, _RADII + 1)
    volume_ml = 4.0 / 3.0 * math.pi * np.diff(radii**3) / MM3_PER_ML
    share = np.diff(kernel.cumulative(radii))
    jump = share / volume_ml / cloud.clusters_per_ml  # dose by one cluster over the mean
    rate = volume_ml * cloud.clusters_per_ml
    beyond = 1.0 - float(kernel.cumulative(kernel.electron_reach_mm))
    centre = float(share.sum())
    start, end = max(0.0, centre - _WINDOW_SD * spread), centre + _WINDOW_SD * spread
    period = 2.0 * (end - start)
    kept = jump <= end - start
    omega = 2.0 * math.pi / period * np.arange(_POINTS + 1)
    log_phi = np.exp(1j * omega[:, None] * jump[None, kept]) @ rate[kept] - rate.sum()
    phi = np.exp(log_phi - 1j * omega * start)
    per_bin = np.fft.irfft(np.conj(phi), 2 * _POINTS)[: _POINTS + 1]
    if per_bin.min() < -_ROUNDING:
        raise InvalidValue(
            f"a distribution with {per_bin.min():.2g} below zero", "the inversion did not resolve it", "report this with the inputs"
        )
    per_bin = np.maximum(per_bin, 0.0)  # rounding alone, as checked above
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (per_bin[1:] + per_bin[:-1]))])
    doses = start + period / (2 * _POINTS) * np.arange(_POINTS + 1)
    return SphereTail(mean_gy, spread, *cloud.core, np.asarray(doses + beyond), np.asarray(cumulative))
