"""Voxel dose per GBq of each injection, by every engine, and the means over structures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import attrs
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from opensirt.radioembolisation.transport.engines import engine_named
from opensirt.radioembolisation.transport.result import EngineDose, added, silent
from opensirt.radioembolisation.workup.compartments import CompartmentUptake, ScoutImage
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.nuclides import DoseConstant, Nuclide
from opensirt.vocabulary.units import BQ_PER_GBQ
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, DoseMap, Occupancy

Float32Array = npt.NDArray[np.float32]

VOXEL_DOSE_VERSION = "2"
SPILL_REACH_MM = 20.0
"""Counts within this distance of the liver, outside lung and named organs, are taken as blurred out of it and go to the nearest
territory: 1.5 widths of a camera with 13 mm FWHM."""


@attrs.frozen(eq=False)
class UnitActivity:
    """Activity for 1 GBq delivered at each position, in two parts, and the counts behind it that were left out.

    Attributes
    ----------
    own : mapping of str to ActivityMap
        Per territory what liver and extrahepatic organs hold.
    lungs : ActivityMap or None
        What the lungs hold: the same map for every position, so that an engine need spread it but once. ``None`` without a shunt.
    counts_used, counts_left_out : float
        Counts laid out, and counts further away.
    """

    own: Mapping[str, ActivityMap]
    lungs: ActivityMap | None
    counts_used: float
    counts_left_out: float

    @property
    def maps(self) -> dict[str, ActivityMap]:
        """The whole activity per territory: 1 GBq each."""
        if self.lungs is None:
            return dict(self.own)
        shunted = self.lungs.bq_per_ml
        return {t: attrs.evolve(part, bq_per_ml=part.bq_per_ml + shunted) for t, part in self.own.items()}


def _nearest_territory(image: ScoutImage) -> npt.NDArray[np.int16]:
    """For every voxel within reach of the liver the number (from 1) of the nearest territory; 0 beyond."""
    spacing = image.counts.grid.spacing_mm
    label = np.zeros(image.counts.grid.shape, dtype=np.int16)
    for number, territory in enumerate(image.territories, start=1):
        label[(territory.fraction >= 0.5) & (image.liver.fraction >= 0.5) & (label == 0)] = number
    if not label.any():
        raise InvalidValue("no voxel of the liver belongs to a territory", "", "check the territories' contours")
    distance, nearest = ndimage.distance_transform_edt(label == 0, sampling=spacing, return_indices=True)
    filled = label[tuple(nearest)]
    inside_liver = image.liver.fraction >= 0.5
    filled[(distance > SPILL_REACH_MM) & ~inside_liver] = 0
    for organ in (*image.lungs, *image.extrahepatic):
        filled[(organ.fraction >= 0.5) & ~inside_liver] = 0
    return np.asarray(filled)


def unit_activity(
    image: ScoutImage, uptake: CompartmentUptake, counts: Float32Array, nuclide: Nuclide, at: datetime
) -> UnitActivity:
    """Activity maps of 1 GBq delivered at each position.

    Counts of the liver and its spill go to the nearest territory and are scaled to what remains after lung and organs; the lungs' share
    is laid out by density, that of an organ by its counts.

    Parameters
    ----------
    image : ScoutImage
        Geometry and structures.
    uptake : CompartmentUptake
        Shares of lungs and organs.
    counts : ndarray, float32
        Seen or recovered counts on the grid.
    nuclide, at
        Therapeutic nuclide and the instant of administration.
    """
    grid = image.counts.grid
    label = _nearest_territory(image)
    shunted = np.zeros(grid.shape, dtype=np.float64)
    organs = np.zeros(grid.shape, dtype=np.float64)
    taken = 0.0
    for organ in (*image.lungs, *image.extrahepatic):
        share = max(0.0, uptake.compartment(organ.structure.key).share.value) if _has(uptake, organ.structure.key) else 0.0
        is_lung = organ.structure.kind is StructureKind.LUNGS
        weight = organ.fraction * (image.density.g_per_ml if is_lung else counts)
        weight = np.where(image.liver.fraction >= 0.5, 0.0, weight).astype(np.float64)
        if share > 0.0 and weight.sum() > 0.0:
            (shunted if is_lung else organs)[...] += weight * (share / weight.sum())
            taken += share

    def as_activity(per_voxel: npt.NDArray[np.float64]) -> ActivityMap:
        return ActivityMap((per_voxel * (BQ_PER_GBQ / grid.voxel_volume_ml)).astype(np.float32), grid, nuclide, at)

    own = {}
    used = 0.0
    for number, territory in enumerate(image.territories, start=1):
        part = np.where(label == number, counts, np.float32(0.0)).astype(np.float64)
        total = float(part.sum())
        if total <= 0.0:
            raise InvalidValue(
                f"territory {territory.structure.label!r} holds no counts", "", "check its contour and the emission image"
            )
        used += total
        own[territory.structure.label] = as_activity(organs + part * ((1.0 - taken) / total))
    lungs = as_activity(shunted) if shunted.any() else None
    return UnitActivity(own, lungs, used, float(counts.sum(dtype=np.float64)) - used)


def _has(uptake: CompartmentUptake, key: str) -> bool:
    return any(compartment.key == key for compartment in uptake.compartments)


def lung_dose_per_gbq(activity: UnitActivity, density: DensityMap, constant: DoseConstant, engine: str) -> EngineDose | None:
    """Dose of what the lungs hold of 1 GBq, by one engine; ``None`` without a shunt."""
    if activity.lungs is None:
        return None
    return engine_named(engine).dose(activity.lungs, density, constant, silent)


def doses_per_gbq(
    activity: UnitActivity,
    density: DensityMap,
    constant: DoseConstant,
    engine: str,
    report: Callable[[float], None],
    *,
    lungs: EngineDose | None = None,
) -> dict[str, EngineDose]:
    """Run one engine for 1 GBq at each position: dose is linear in activity, so the lungs' part is spread once and added.

    Parameters
    ----------
    activity : UnitActivity
        What each position delivers.
    density, constant, engine, report
        As engines take them.
    lungs : EngineDose, optional
        Dose of ``activity.lungs`` by this engine where it is known already (:func:`lung_dose_per_gbq`).
    """
    chosen = engine_named(engine)
    shunted = lung_dose_per_gbq(activity, density, constant, engine) if lungs is None else lungs
    result = {}
    count = len(activity.own)
    for n, (territory, part) in enumerate(activity.own.items()):
        dose = chosen.dose(part, density, constant, lambda x, n=n: report((n + x) / count))  # type: ignore[misc]
        result[territory] = dose if shunted is None else added(dose, shunted)
    return result


def combined(per_gbq: Mapping[str, EngineDose], activities_gbq: Mapping[str, float]) -> DoseMap:
    """Dose of several injections together: ``Σ_j A_j · d_j``, Gy."""
    first = next(iter(per_gbq.values()))
    total = np.zeros(first.dose.grid.shape, dtype=np.float32)
    for territory, activity in activities_gbq.items():
        total += np.float32(activity) * per_gbq[territory].dose.dose_gy
    return DoseMap(total, first.dose.grid)


def mean_gy(dose: DoseMap, density: DensityMap, region: Occupancy) -> float:
    """Mean absorbed dose of a structure: energy over mass, ``Σ D ρ o / Σ ρ o``, Gy.

    Raises
    ------
    InvalidValue
        If the structure has no mass on this grid.
    """
    weight = density.g_per_ml.astype(np.float64) * region.fraction
    total = float(weight.sum())
    if total <= 0.0:
        raise InvalidValue(
            f"{region.structure.key} has no mass on the dose grid", dose.grid.describe(), "check its contour and the density"
        )
    return float((weight * dose.dose_gy).sum()) / total


def transport_factors(
    engine: Mapping[str, EngineDose], local: Mapping[str, EngineDose], density: DensityMap, regions: Sequence[tuple[str, Occupancy]]
) -> dict[str, dict[str, float]]:
    """Ratio of an engine's mean to local deposition on the same activity, per structure and position; left out where local is 0."""
    factors: dict[str, dict[str, float]] = {}
    for key, region in regions:
        row = {}
        for territory, result in engine.items():
            below = mean_gy(local[territory].dose, density, region)
            row[territory] = mean_gy(result.dose, density, region) / below if below > 0.0 else 1.0
        factors[key] = row
    return factors


LUNG_INFLOW_DEFICIT_FRACTION = 7e-4
"""What the density-corrected kernel at 4 mm misses of the energy that crosses from liver into lung of 0.26 g/mL (16 % of it, against a
closed form), as a fraction of all energy emitted in the patient: 7 % of lung dose at a lung share of 1 %, 0.7 % at 10 %."""


def transport_relative(structure: str, factors: Mapping[str, float], result: EngineDose, *, lung_share_fraction: float) -> float:
    """Relative standard uncertainty of a structure's mean that comes from transport.

    In lung most of the dose is the lung's own activity, which a kernel of the lung's density deposits rightly; uncertain is what crosses
    its surface. The transport factor (mean over local deposition) says how much that is on balance: its distance from 1 is taken as the
    half-width of a uniform distribution (/√3). Beside it stands what the engine is known to miss of the liver's energy, which weighs the
    more the smaller the shunt. Together at most what the engine states for lung.

    Parameters
    ----------
    structure : str
        Key of the structure.
    factors : mapping
        Its transport factor per position.
    result : EngineDose
        For the engine's own statement.
    lung_share_fraction : float
        Share of the activity in lung, above 0.
    """
    if structure != "lungs":
        return result.relative_kernel_uncertainty
    departure = max(abs(factor - 1.0) for factor in factors.values()) / np.sqrt(3.0)
    inflow = LUNG_INFLOW_DEFICIT_FRACTION / max(lung_share_fraction, LUNG_INFLOW_DEFICIT_FRACTION)
    return float(min(result.relative_lung_uncertainty, np.hypot(inflow, departure)))
