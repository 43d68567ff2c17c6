"""Dose-volume histograms, exact: every voxel counts with the volume it stands for, and nothing is interpolated.

Conventions (clinical.md 5.5, as in Taranis): ``D_x`` is the lowest dose of the hottest x % of the volume, counted up to the voxel that
completes it (``ceil``); ``V_x`` is the fraction that receives at least x Gy.
"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.geometry import require_same_grid
from opensirt.vocabulary.units import PERCENT
from opensirt.vocabulary.volumes import DoseMap, Mask, Occupancy

DVH_VERSION = "1"
_ROUNDING = 1e-9
"""Relative slack when a volume share is compared, so that ten voxels of a tenth make one."""


@attrs.frozen(eq=False)
class Dvh:
    """Doses of one structure, hottest first, each with its share of the volume.

    Attributes
    ----------
    structure : str
        Key of the structure.
    dose_gy : ndarray, float64
        Sorted, highest first.
    cumulative : ndarray, float64
        Share of the volume down to and including each voxel; ends at 1.
    volume_ml : float
        Volume of the structure on this grid.
    """

    structure: str
    dose_gy: npt.NDArray[np.float64]
    cumulative: npt.NDArray[np.float64]
    volume_ml: float

    @property
    def mean_gy(self) -> float:
        """Volume-weighted mean dose, Gy."""
        share = np.diff(self.cumulative, prepend=0.0)
        return float(np.sum(share * self.dose_gy))

    @property
    def minimum_gy(self) -> float:
        """Lowest dose, Gy."""
        return float(self.dose_gy[-1])

    @property
    def maximum_gy(self) -> float:
        """Highest dose, Gy."""
        return float(self.dose_gy[0])

    def d_gy(self, percent: float) -> float:
        """``D_x``: lowest dose of the hottest ``percent`` % of the volume, Gy.

        Raises
        ------
        InvalidValue
            If the percentage is not above 0 and at most 100.
        """
        if not 0.0 < percent <= PERCENT:
            raise InvalidValue(f"D_x of x = {percent} %", "", "give a percentage above 0 and at most 100")
        share = percent / PERCENT * (1.0 - _ROUNDING)
        return float(self.dose_gy[int(np.searchsorted(self.cumulative, share))])

    def v(self, dose_gy: float) -> float:
        """``V_x``: fraction of the volume that receives at least ``dose_gy``.

        Raises
        ------
        InvalidValue
            If the dose is negative or not finite.
        """
        if not 0.0 <= dose_gy < np.inf:
            raise InvalidValue(f"V_x of x = {dose_gy} Gy", "", "give a finite dose of 0 or more")
        return float(self._v(np.array([dose_gy]))[0])

    def _v(self, doses_gy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """``V`` at several doses by one search of the doses, lowest first."""
        count = len(self.dose_gy) - np.searchsorted(self.dose_gy[::-1], doses_gy, side="left")
        return np.where(count > 0, self.cumulative[np.maximum(count, 1) - 1], 0.0)

    def geud_gy(self, exponent: float) -> float:
        """Generalised equivalent uniform dose ``(Σ v_i D_i^a)^(1/a)``, Gy (Niemierko 1997; clinical use: a < 0 for tumours).

        Every voxel counts: a cold voxel takes the value of a negative exponent to 0, as it must.

        Raises
        ------
        InvalidValue
            If the exponent is 0 or not finite.
        """
        if exponent == 0.0 or not np.isfinite(exponent):
            raise InvalidValue(
                f"an exponent of {exponent}",
                "gEUD needs a finite exponent other than 0",
                "give 1 for the mean, a negative one for tumours",
            )
        share = np.diff(self.cumulative, prepend=0.0)
        if self.maximum_gy == 0.0 or (exponent < 0.0 and self.minimum_gy == 0.0):
            return 0.0
        reference_gy = self.minimum_gy if exponent < 0.0 else self.maximum_gy  # no power exceeds 1
        relative = np.sum(share * (self.dose_gy / reference_gy) ** exponent)
        return float(reference_gy * relative ** (1.0 / exponent))

    def curve(self, points: int = 200) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Doses from 0 to the maximum and the exact ``V`` at each, for drawing."""
        doses = np.linspace(0.0, self.maximum_gy, points)
        return doses, self._v(doses)


def dvh(dose: DoseMap, structure: Mask | Occupancy) -> Dvh:
    """The exact cumulative DVH of a structure.

    Parameters
    ----------
    dose : DoseMap
        Gy.
    structure : Mask or Occupancy
        On the same grid; an occupancy weighs each voxel by the share that the structure fills.

    Raises
    ------
    InvalidValue
        If the structure is empty.
    GridMismatch
        If the grids differ.
    """
    require_same_grid(dose.grid, structure.grid, f"dose and {structure.structure.key}")
    weight = structure.inside if isinstance(structure, Mask) else structure.fraction
    inside = weight > 0
    if not inside.any():
        raise InvalidValue(
            f"{structure.structure.key} holds no voxel of the dose grid", dose.grid.describe(), "check the contour and its frame"
        )
    if isinstance(structure, Mask):
        hottest_first = np.sort(dose.dose_gy[inside])[::-1].astype(np.float64)
        count = len(hottest_first)
        share = np.arange(1, count + 1, dtype=np.float64) / count
        return Dvh(structure.structure.key, hottest_first, share, count * dose.grid.voxel_volume_ml)
    share = weight[inside].astype(np.float64)
    return dvh_of(structure.structure.key, dose.dose_gy[inside].astype(np.float64), share * dose.grid.voxel_volume_ml)


def dvh_of(structure: str, dose_gy: npt.NDArray[np.float64], volume_ml: npt.NDArray[np.float64]) -> Dvh:
    """The exact cumulative DVH of doses with the volume that each stands for.

    Parameters
    ----------
    structure : str
        Key of the structure.
    dose_gy : ndarray, float64, shape (n,)
        Gy, not negative, in any order.
    volume_ml : ndarray, float64, shape (n,)
        mL, above 0.

    Raises
    ------
    InvalidValue
        If there are no doses, the two do not match, a dose is negative or not finite, or a volume is not above 0.
    """
    if dose_gy.shape != volume_ml.shape or dose_gy.ndim != 1 or dose_gy.size == 0:
        raise InvalidValue(
            f"doses of shape {dose_gy.shape} and volumes of shape {volume_ml.shape}", structure, "give one volume per dose"
        )
    if not (np.isfinite(dose_gy).all() and np.isfinite(volume_ml).all() and dose_gy.min() >= 0.0 and volume_ml.min() > 0.0):
        raise InvalidValue(
            "a dose is negative or not finite, or a volume is not above 0", structure, "check the dose and the structure"
        )
    order = np.argsort(-dose_gy, kind="stable")
    running = np.cumsum(volume_ml[order])
    cumulative = running / running[-1]
    return Dvh(structure, dose_gy[order], cumulative, float(running[-1]))
