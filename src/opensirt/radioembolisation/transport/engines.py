"""The choice among dose engines: one literal dict."""

from __future__ import annotations

from types import MappingProxyType

from opensirt.radioembolisation.transport.convolution import KernelConvolution
from opensirt.radioembolisation.transport.density import DensityKernel
from opensirt.radioembolisation.transport.local import LocalDeposition
from opensirt.radioembolisation.transport.montecarlo.engine import MonteCarlo
from opensirt.radioembolisation.transport.result import DoseEngine
from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.offers import offer

ENGINES: MappingProxyType[str, DoseEngine] = MappingProxyType(
    {
        "local": LocalDeposition(),
        "kernel": KernelConvolution(),
        "kernel-density": DensityKernel(),
        "montecarlo": MonteCarlo(),
    }
)
COMPARED = ("local", "kernel", "kernel-density")
"""Engines that take seconds at most, whose doses a plan compares."""


def engine_named(name: str) -> DoseEngine:
    """The engine of that name.

    Raises
    ------
    UnsupportedInput
        If there is none.
    """
    if name not in ENGINES:
        raise UnsupportedInput(f"no dose engine is called {name!r}", "", offer(name, ENGINES))
    return ENGINES[name]
