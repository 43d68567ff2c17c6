"""Kernel convolution in homogeneous soft tissue: every source spreads its energy by the voxel kernel of the grid's own spacing."""

from __future__ import annotations

import numpy as np

from opensirt.radioembolisation.transport.result import EnergyBook, EngineDose, Report, emitted_j, energy_j, require_dosimetric
from opensirt.radioembolisation.transport.spread import SOFT_TISSUE_G_PER_ML, electron_energy, photon_energy
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.units import BQ_PER_GBQ, G_PER_KG
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, DoseMap


class KernelConvolution:
    """Convolution with the voxel kernel of homogeneous soft tissue (1.04 g/mL), full decay.

    Within 5 % of Monte Carlo in tumour and normal liver, −60 % in lung (Mikell 2015).
    """

    name = "kernel"
    version = "1"

    def dose(self, activity: ActivityMap, density: DensityMap, constant: DoseConstant, report: Report) -> EngineDose:
        """See :class:`opensirt.radioembolisation.transport.result.DoseEngine`."""
        require_dosimetric(activity, density)
        energy = electron_energy(activity.bq_per_ml, activity.grid, activity.nuclide.name, SOFT_TISSUE_G_PER_ML)
        report(0.7)
        energy += photon_energy(activity.bq_per_ml, activity.grid, activity.nuclide.name)
        energy *= np.float32(constant.value * G_PER_KG / BQ_PER_GBQ / SOFT_TISSUE_G_PER_ML)
        emitted = emitted_j(activity, constant)
        deposited = energy_j(energy, SOFT_TISSUE_G_PER_ML, activity.grid.voxel_volume_ml)
        report(1.0)
        return EngineDose(
            DoseMap(energy, activity.grid), EnergyBook(emitted, deposited, emitted - deposited), self.name, self.version, 0.02, 0.40
        )
