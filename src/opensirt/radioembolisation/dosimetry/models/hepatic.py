"""Tumour, perfused normal liver, lungs: the compartments that mono-compartment, partition and predictive partition share.

With s the tumour's share of what reaches the liver, L the shunt, K the dose constant and ρ the density:
``D_T = K·A·(1 − L)·s/(ρ·V_T)``, ``D_N = K·A·(1 − L)·(1 − s)/(ρ·V_N)``, whole normal liver the same activity over all normal liver,
perfused volume ``K·A·(1 − L)/(ρ·(V_T + V_N))``, lungs ``K·A·L/m_L``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opensirt.radioembolisation.dosimetry.models.facts import InjectionFacts
from opensirt.radioembolisation.dosimetry.models.linear import Linear, PerGbq
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.units import G_PER_KG

NO_LUNG_MASS = "the lung mass is not known"
Share = Callable[[Mapping[str, float]], float]
"""From the inputs of a model by name to a fraction."""


def constant_of(constant: DoseConstant) -> Measured:
    """A dose constant with its spread, Gy·kg/GBq."""
    return Measured(constant.value, {"dose_constant": constant.gy_kg_per_gbq.standard_uncertainty})


def inputs_of(
    facts: InjectionFacts, constant: DoseConstant, density_g_per_ml: Measured, names: tuple[str, ...]
) -> dict[str, Measured]:
    """Dose constant, density and these quantities, with those that would add further volumes where they are known."""
    found = {"k": constant_of(constant), "rho": density_g_per_ml} | {name: facts.known(name) for name in names}
    for name in ("liver_normal_ml", "lung_mass_kg", "lung_shunt_fraction"):
        value = getattr(facts, name)
        if isinstance(value, Measured):
            found[name] = value
    return found


def kg(values: Mapping[str, float], volume: str) -> float:
    """Mass of a volume named among the inputs."""
    return values["rho"] * values[volume] / G_PER_KG


def split(key: str, inputs: Mapping[str, Measured], tumour: Share, shunt: Share) -> Linear:
    """Doses of tumour, normal liver, perfused volume and lungs from the tumour's share of the liver's activity and the lung shunt.

    Parameters
    ----------
    key : str
        Of the model.
    inputs : mapping
        With ``k``, ``rho``, ``perfused_tumour_ml``, ``perfused_normal_ml``; ``liver_normal_ml`` and ``lung_mass_kg`` where known.
    tumour, shunt : callable
        Shares, from the inputs.
    """
    has_tumour, has_normal = inputs["perfused_tumour_ml"].value > 0.0, inputs["perfused_normal_ml"].value > 0.0
    gy: dict[StructureKind, PerGbq] = {
        StructureKind.TERRITORY: lambda **v: v["k"] * (1.0 - shunt(v)) / (kg(v, "perfused_tumour_ml") + kg(v, "perfused_normal_ml"))
    }
    silent: dict[StructureKind, str] = {}
    if has_tumour:
        gy[StructureKind.TUMOUR] = lambda **v: v["k"] * (1.0 - shunt(v)) * tumour(v) / kg(v, "perfused_tumour_ml")
    else:
        silent[StructureKind.TUMOUR] = "no tumour is perfused"
    if has_normal:
        gy[StructureKind.PERFUSED_NORMAL_LIVER] = lambda **v: (
            v["k"] * (1.0 - shunt(v)) * (1.0 - tumour(v)) / kg(v, "perfused_normal_ml")
        )
    else:
        silent[StructureKind.PERFUSED_NORMAL_LIVER] = "no normal liver is perfused"
    if "liver_normal_ml" in inputs and inputs["liver_normal_ml"].value > 0.0:
        gy[StructureKind.NORMAL_LIVER] = lambda **v: v["k"] * (1.0 - shunt(v)) * (1.0 - tumour(v)) / kg(v, "liver_normal_ml")
    else:
        silent[StructureKind.NORMAL_LIVER] = "the volume of the whole normal liver is not known"
    if "lung_mass_kg" in inputs:
        gy[StructureKind.LUNGS] = lung_gy_per_gbq(shunt)
    else:
        silent[StructureKind.LUNGS] = NO_LUNG_MASS
    held: dict[str, PerGbq] = {
        "tumour": lambda **v: (1.0 - shunt(v)) * tumour(v),
        "normal_liver": lambda **v: (1.0 - shunt(v)) * (1.0 - tumour(v)),
        "lungs": lambda **v: shunt(v),
    }
    return Linear(key, inputs, gy, silent, held, {})


def lung_gy_per_gbq(shunt: Share) -> PerGbq:
    """Mean dose of the lungs per activity delivered, Gy/GBq: K · L / m_L."""
    return lambda **v: v["k"] * shunt(v) / v["lung_mass_kg"]


def stated_shunt(values: Mapping[str, float]) -> float:
    """The lung shunt fraction among the inputs."""
    return values["lung_shunt_fraction"]
