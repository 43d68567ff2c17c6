"""Every activity model by key: the one place where they are chosen."""

from __future__ import annotations

from types import MappingProxyType

from opensirt.radioembolisation.dosimetry.models.bsa import BodySurface
from opensirt.radioembolisation.dosimetry.models.bsa_modified import LobarBodySurface
from opensirt.radioembolisation.dosimetry.models.empirical import Empirical
from opensirt.radioembolisation.dosimetry.models.ho166_scout import HolmiumScout
from opensirt.radioembolisation.dosimetry.models.mono import Mono
from opensirt.radioembolisation.dosimetry.models.multi_compartment import MultiCompartment
from opensirt.radioembolisation.dosimetry.models.partition import Partition
from opensirt.radioembolisation.dosimetry.models.predictive_partition import PredictivePartition
from opensirt.radioembolisation.dosimetry.models.protocol import ActivityModel

MODELS: MappingProxyType[str, ActivityModel] = MappingProxyType(
    {
        "empirical": Empirical(),
        "bsa": BodySurface(),
        "bsa-modified": LobarBodySurface(),
        "mird": Mono(),
        "partition": Partition(),
        "predictive-partition": PredictivePartition(),
        "multi-compartment": MultiCompartment(),
        "ho166-scout": HolmiumScout(),
    }
)
