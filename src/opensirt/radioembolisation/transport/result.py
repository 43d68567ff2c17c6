"""What every dose engine takes and gives back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.geometry import require_same_grid
from opensirt.vocabulary.nuclides import CLEARED, THERAPEUTIC, DoseConstant, require_half_life_of_dose
from opensirt.vocabulary.units import BQ_PER_GBQ, G_PER_KG, JOULE_PER_MEV
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, DoseMap

Report = Callable[[float], None]


@dataclass(frozen=True)
class EnergyBook:
    """Where the emitted energy went, in J over full decay.

    ``emitted = deposited + left_grid + rounded`` for engines that conserve energy; ``difference`` says by how much one that scales
    with density does not. No entry is computed from the others.

    Attributes
    ----------
    emitted_j : float
        K · A.
    deposited_j : float
        Held by the dose map, in the masses the engine assumes.
    left_grid_j : float
        Carried out of the grid.
    rounded_j : float
        Sum (signed) of dose values that were rounding of a single-precision transform and were set to zero.
    """

    emitted_j: float
    deposited_j: float
    left_grid_j: float
    rounded_j: float = 0.0

    @property
    def difference_j(self) -> float:
        """Energy that is neither deposited nor booked as having left, nor rounding."""
        return self.emitted_j - self.deposited_j - self.left_grid_j - self.rounded_j


@dataclass(frozen=True)
class DensitiesBeyond:
    """Voxels that an engine reached with electrons and whose density lies beyond what it was made for.

    Attributes
    ----------
    thinner_voxels, denser_voxels : int
        Their number on either side; 0 for engines that need no density.
    thinnest_g_per_ml, densest_g_per_ml : float
        The ends of what the engine was made for: paths of a mean density beyond them are read as of the end.
    """

    thinner_voxels: int = 0
    denser_voxels: int = 0
    thinnest_g_per_ml: float = 0.0
    densest_g_per_ml: float = math.inf

    def findings(self) -> tuple[Finding, ...]:
        """A finding for each side that holds voxels."""
        found = []
        for voxels, limit, side, what in (
            (self.thinner_voxels, self.thinnest_g_per_ml, "thinner", "gas in bowel or airways"),
            (self.denser_voxels, self.densest_g_per_ml, "denser", "metal, or its streaks in the CT"),
        ):
            if voxels:
                message = (
                    f"{voxels} voxels that electrons reach are {side} than {limit:g} g/mL ({what}) · along such paths they are followed as at that density: "
                    "dose in and behind these voxels is not to be relied on · look where they lie; correct the density map there if it matters"
                )
                found.append(Finding(f"dose.density_{side}_than_table", Severity.WARNING, message, "density"))
        return tuple(found)


@attrs.frozen(eq=False)
class EngineDose:
    """A dose map with the engine, its version, and the energy book."""

    dose: DoseMap
    energy: EnergyBook
    engine: str
    version: str
    relative_kernel_uncertainty: float
    """Relative standard uncertainty of the dose in soft tissue that comes from the engine itself."""
    relative_lung_uncertainty: float
    """The same for mean doses in lung."""
    beyond: DensitiesBeyond = DensitiesBeyond()
    """Voxels whose density the engine was not made for; of two doses added, the larger numbers."""


def added(first: EngineDose, second: EngineDose) -> EngineDose:
    """Dose of two activities together, from the dose of each: engines are linear.

    Raises
    ------
    InvalidValue
        If they come from different engines.
    """
    if (first.engine, first.version) != (second.engine, second.version):
        raise InvalidValue(f"doses by {first.engine} and {second.engine} are added", "", "compute both with one engine")
    require_same_grid(first.dose.grid, second.dose.grid, "two doses")
    one, other = first.energy, second.energy
    book = EnergyBook(
        one.emitted_j + other.emitted_j,
        one.deposited_j + other.deposited_j,
        one.left_grid_j + other.left_grid_j,
        one.rounded_j + other.rounded_j,
    )
    beyond = replace(
        first.beyond,
        thinner_voxels=max(first.beyond.thinner_voxels, second.beyond.thinner_voxels),
        denser_voxels=max(first.beyond.denser_voxels, second.beyond.denser_voxels),
    )
    total = DoseMap(first.dose.dose_gy + second.dose.dose_gy, first.dose.grid)
    return attrs.evolve(first, dose=total, energy=book, beyond=beyond)


class DoseEngine(Protocol):
    """An engine turns activity at administration into dose after full decay."""

    name: str
    version: str

    def dose(self, activity: ActivityMap, density: DensityMap, constant: DoseConstant, report: Report) -> EngineDose:
        """Absorbed dose on the activity's grid.

        Parameters
        ----------
        activity : ActivityMap
            At the instant of administration, Bq/mL.
        density : DensityMap
            On the same grid, g/mL.
        constant : DoseConstant
            Gy·kg/GBq of the same nuclide: fixes the energy per decay for every engine alike.
        report : callable
            Takes progress from 0 to 1.
        """
        ...


def silent(_: float) -> None:
    """A progress report that nobody reads."""


def require_dosimetric(activity: ActivityMap, density: DensityMap) -> None:
    """Refuse what no engine can turn into dose.

    Raises
    ------
    GridMismatch
        If activity and density lie on different grids.
    UnsupportedInput
        If the nuclide makes images only.
    MissingInput
        If the nuclide is not permanently trapped with its microsphere, and has no effective half-life.
    InvalidValue
        If there is no activity, or a voxel holds activity but no mass.
    """
    require_same_grid(activity.grid, density.grid, "activity and density")
    require_half_life_of_dose(activity.nuclide, "state one")
    if activity.nuclide not in THERAPEUTIC and not activity.nuclide.effective:
        names = ", ".join(nuclide.name for nuclide in (*THERAPEUTIC, *CLEARED))
        raise UnsupportedInput(f"full-decay dose of {activity.nuclide.name}", "it makes images only", f"use one of {names}")
    if float(activity.bq_per_ml.max()) == 0.0:
        raise InvalidValue("the activity map holds no activity", activity.grid.describe(), "check the emission image and the masks")
    if float(density.g_per_ml.min()) > 0.0:
        return
    massless = (activity.bq_per_ml > 0) & (density.g_per_ml <= 0)
    count = int(np.count_nonzero(massless))
    if count:
        where = activity.grid.lps_mm(np.argwhere(massless)[0])
        raise InvalidValue(
            f"{count} voxels hold activity but no mass",
            f"the first lies at LPS {np.round(where, 1).tolist()} mm; their dose would be infinite",
            "check the density map, or cut the activity to the body",
        )


def energy_j(dose_gy: npt.NDArray[np.float32], g_per_ml: npt.NDArray[np.float32] | float, voxel_volume_ml: float) -> float:
    """Energy held by a dose map, J: ``Σ D ρ V``."""
    total = np.sum(dose_gy.astype(np.float64) * np.asarray(g_per_ml, dtype=np.float64))
    return float(total) * voxel_volume_ml / G_PER_KG


def emitted_j(activity: ActivityMap, constant: DoseConstant) -> float:
    """Energy emitted over full decay under a dose constant, J: ``K · A`` (1 Gy·kg = 1 J)."""
    return constant.value * activity.total_bq / BQ_PER_GBQ


def energy_per_decay_mev(activity: ActivityMap, constant: DoseConstant) -> float:
    """Energy per decay that a dose constant stands for with the record's half-life, MeV."""
    return constant.value / (activity.nuclide.decays_per_gbq * JOULE_PER_MEV)
