"""Local deposition: every voxel absorbs what it emits, ``D = K · A / (ρ V)``."""

from __future__ import annotations

import numpy as np

from opensirt.radioembolisation.transport.result import EnergyBook, EngineDose, Report, emitted_j, energy_j, require_dosimetric
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.units import BQ_PER_GBQ, G_PER_KG
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, DoseMap

SOFT_UNCERTAINTY = 0.03
"""Mikell 2015: within 5 % of Monte Carlo in tumour and normal liver; as the half-width of a uniform distribution, 5 % / √3."""
LUNG_UNCERTAINTY = 0.16
"""+17 % (right lung, Mikell 2015) and −27 % (lung phantom, d'Andrea 2024) against Monte Carlo; 27 % as the half-width of a uniform
distribution, 27 % / √3."""


class LocalDeposition:
    """Local energy deposition (LED, LDM).

    A safe choice where the image is blurred by more than the beta range (EANM SOP, Chiesa et al. 2021); wrong at interfaces:
    published lung doses −27 % to +17 % against Monte Carlo (d'Andrea 2024, Mikell 2015).
    """

    name = "local"
    version = "1"

    def dose(self, activity: ActivityMap, density: DensityMap, constant: DoseConstant, report: Report) -> EngineDose:
        """See :class:`opensirt.radioembolisation.transport.result.DoseEngine`."""
        require_dosimetric(activity, density)
        gy_g_per_bq = constant.value * G_PER_KG / BQ_PER_GBQ
        dose = np.zeros(activity.grid.shape, dtype=np.float32)
        active = activity.bq_per_ml > 0
        dose[active] = gy_g_per_bq * activity.bq_per_ml[active] / density.g_per_ml[active]
        report(1.0)
        emitted = emitted_j(activity, constant)
        book = EnergyBook(emitted, energy_j(dose, density.g_per_ml, activity.grid.voxel_volume_ml), 0.0)
        return EngineDose(DoseMap(dose, activity.grid), book, self.name, self.version, SOFT_UNCERTAINTY, LUNG_UNCERTAINTY)
