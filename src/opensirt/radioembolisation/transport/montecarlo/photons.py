"""What photons deposit: bremsstrahlung and gamma rays, by the packaged photon kernels in a medium of mean density.

Photons carry 0.4 % of what Y-90 emits and 5 % of Ho-166 over decimetres. Their energy is what the electron transport radiated and what the
nuclide emits as photons; its distribution is the kernels'.
"""

from __future__ import annotations

from functools import lru_cache

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.transport._planes import PlaneConvolution, support
from opensirt.radioembolisation.transport.density import MATTER_ABOVE_G_PER_ML
from opensirt.radioembolisation.transport.point_kernels import point_kernel
from opensirt.radioembolisation.transport.spread import orthogonal_spacing, photon_tail
from opensirt.radioembolisation.transport.voxel_kernel import Spacing, VoxelKernel, build_voxel_kernel
from opensirt.vocabulary.volumes import ActivityMap, DensityMap

Float32Array = npt.NDArray[np.float32]
_CHUNK = 32


def convolved(volume: Float32Array, fraction: npt.NDArray[np.float64]) -> Float32Array:
    """A non-negative volume convolved with a symmetric kernel, cut to the volume's own shape."""
    result = np.zeros(volume.shape, dtype=np.float32)
    planes = PlaneConvolution(volume, fraction, support(volume), _CHUNK)
    for first in range(max(planes.planes.start, 0), min(planes.planes.stop, volume.shape[0]), _CHUNK):
        chunk = range(first, min(first + _CHUNK, planes.planes.stop, volume.shape[0]))
        for k in planes.sources(chunk):
            planes.transform(k)
        for k in chunk:
            plane = planes.plane(k)
            if plane is not None:
                result[k, plane.rows, plane.columns] = plane.values
    return result


@lru_cache(maxsize=16)
def _near(nuclide: str, density_g_per_ml: float, spacing_mm: Spacing) -> tuple[VoxelKernel, float]:
    """Voxel kernel of the photons within the electrons' reach, and the share of all emitted energy that photons carry."""
    point = point_kernel(nuclide, "soft").at_density(density_g_per_ml)
    carried = float(point.photon_fraction.sum()) + point.beyond_fraction
    alone = attrs.evolve(point, fraction=point.photon_fraction, origin_fraction=0.0)
    return build_voxel_kernel(alone, spacing_mm, point.electron_reach_mm), carried


@attrs.frozen(eq=False)
class PhotonDose:
    """Energy that photons leave per mass, for a share of 1 of the emitted energy.

    Attributes
    ----------
    bq_per_g : ndarray, shape of the grid
        Times Gy·g/Bq and the photons' share of the energy: dose.
    density_g_per_ml : float
        Of the medium they were followed in.
    """

    bq_per_g: Float32Array
    density_g_per_ml: float


def photon_dose(activity: ActivityMap, density: DensityMap) -> PhotonDose:
    """Spread a photon energy of 1 per decay over the grid.

    Parameters
    ----------
    activity : ActivityMap
        On an orthogonal grid.
    density : DensityMap
        Its mean over voxels above 0.1 g/mL is the density of the medium, in which the photons are followed as in infinite soft tissue.
    """
    rho, bq = density.g_per_ml, activity.bq_per_ml
    matter = rho > MATTER_ABOVE_G_PER_ML
    mean = float(rho.mean(where=matter, dtype=np.float64)) if matter.any() else MATTER_ABOVE_G_PER_ML
    del matter
    medium = float(f"{mean:.2g}")
    kernel, carried = _near(activity.nuclide.name, medium, orthogonal_spacing(activity.grid))
    tail = photon_tail(bq, activity.grid, activity.nuclide.name, density_g_per_ml=medium, box=support(bq))
    spread = convolved(bq, kernel.fraction)
    for k in range(len(spread)):
        spread[k] += tail.plane(k)
    spread *= np.float32(1.0 / (carried * medium))
    return PhotonDose(spread, medium)
