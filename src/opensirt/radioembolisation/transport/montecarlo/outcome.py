"""What a Monte Carlo run is asked for, tells on the way, and gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.transport.montecarlo.spectra import ElectronSpectrum
from opensirt.radioembolisation.transport.montecarlo.tables import Physics
from opensirt.radioembolisation.transport.result import EngineDose
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import Mask

MONTE_CARLO_VERSION = "1"
LEAST_BATCHES = 20


class Reduction(Enum):
    """How noise is reduced."""

    NONE = "none"
    """Analogue: every history is one decay, drawn in proportion to activity, and scored as it is."""
    CONTROL_VARIATE = "control-variate"
    """Only the difference from the homogeneous medium is drawn, and only where there is one."""


@dataclass(frozen=True)
class Wanted:
    """A relative uncertainty wanted in a mask: root mean square over its voxels of standard uncertainty over dose."""

    mask: Mask
    relative_uncertainty: float

    def __post_init__(self) -> None:
        if not 0.0 < self.relative_uncertainty < 1.0:
            raise InvalidValue(
                f"a relative uncertainty of {self.relative_uncertainty:g} in {self.mask.structure.key}",
                "",
                "give one between 0 and 1",
            )
        if self.mask.voxels == 0:
            raise InvalidValue(
                f"the mask of {self.mask.structure.key} is empty", "an uncertainty is wanted in it", "give another mask"
            )


@dataclass(frozen=True)
class Goal:
    """When a run ends.

    Attributes
    ----------
    wanted : tuple of Wanted
        All must be reached. Where empty, ``relative_uncertainty`` is wanted in all voxels whose own activity alone would give them a
        tenth of the largest dose.
    relative_uncertainty : float
        For an empty ``wanted``.
    largest_histories_number : int
        Ends the run, with a finding.
    allowed_s : float
        The same; a goal that would take more than :data:`FAR_TOO_LONG_RATIO` times as long is refused after the pilot run.
    """

    wanted: tuple[Wanted, ...] = ()
    relative_uncertainty: float = 0.02
    largest_histories_number: int = 4_000_000_000
    allowed_s: float = 1800.0

    def __post_init__(self) -> None:
        if not 0.0 < self.relative_uncertainty < 1.0 or self.largest_histories_number < 1 or not self.allowed_s > 0.0:
            raise InvalidValue(
                f"a goal of {self.relative_uncertainty:g} with {self.largest_histories_number} histories in {self.allowed_s:g} s",
                "",
                "give an uncertainty between 0 and 1, at least one history and some time",
            )


FAR_TOO_LONG_RATIO = 4.0


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    done_fraction : float
        Of the histories that the goal is thought to take.
    elapsed_s, left_s : float
        Since the start; until the goal, at the present rate.
    histories : int
        Scored so far.
    """

    done_fraction: float
    elapsed_s: float
    left_s: float
    histories: int


Watch = Callable[[Progress], None]


def unwatched(_: Progress) -> None:
    """Progress that nobody reads."""


@attrs.frozen(eq=False)
class Run:
    """Everything a run is fixed by beside patient and nuclide: the same run gives the same bits on any number of threads.

    Attributes
    ----------
    spectrum : ElectronSpectrum
        Electrons of the nuclide.
    goal : Goal
        Where it ends. (A run that ends for its time gives what was scored by then.)
    seed : int
        Of the random numbers.
    reduction : Reduction
        Of noise.
    physics : Physics
        Settings of the transport.
    """

    spectrum: ElectronSpectrum
    goal: Goal = Goal()
    seed: int = 1
    reduction: Reduction = Reduction.CONTROL_VARIATE
    physics: Physics = Physics()


def _owned(value: npt.ArrayLike) -> npt.NDArray[np.float32]:
    array = np.ascontiguousarray(value, dtype=np.float32)
    array.setflags(write=False)
    return array


@attrs.frozen(eq=False)
class UncertaintyMap:
    """Standard uncertainty of the dose in every voxel, Gy: statistics of the run, and of the kernel where one was used.

    What is not in it: the physics (within 1 % of the reference code), the nuclide's data, and the photons' dose.
    """

    uncertainty_gy: npt.NDArray[np.float32] = attrs.field(converter=_owned)
    grid: Grid


@dataclass(frozen=True)
class Reached:
    """Uncertainty of one region at the end.

    Attributes
    ----------
    region : str
        Key of the structure.
    wanted_relative, rms_relative, quantile95_relative : float
        Asked for; root mean square, and 95th percentile over the region's voxels, of standard uncertainty over dose.
    """

    region: str
    wanted_relative: float
    rms_relative: float
    quantile95_relative: float


@attrs.frozen(eq=False)
class MonteCarloDose:
    """A dose with its uncertainty.

    Attributes
    ----------
    result : EngineDose
        Dose, energy book, engine, version.
    uncertainty : UncertaintyMap
        Of the dose.
    histories, batches : int
        Scored, the pilot run not counted.
    reached : tuple of Reached
        For every region that was asked for.
    findings : tuple of Finding
        What a person must weigh.
    elapsed_s : float
        Time taken.
    """

    result: EngineDose
    uncertainty: UncertaintyMap
    histories: int
    batches: int
    reached: tuple[Reached, ...]
    findings: tuple[Finding, ...]
    elapsed_s: float
