"""Lung mass: from CT density, or a declared value where the lungs are cut by the field of view."""

from __future__ import annotations

import attrs

from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import Constant, Mark

LUNG_MASS_VERSION = "1"
CT_MASS_RELATIVE = 0.107
"""Relative standard uncertainty of a CT lung mass: limits of agreement −194.6 to +151.2 g on 822 g between SPECT/CT's and diagnostic CT,
±1.96 standard deviations (Kao et al. 2013)."""
DECLARED = Constant("lung_mass.declared_kg", 1.0, "kg", "van Roekel thesis p. 30 (convention)", 0.18, Mark.FOUND)
"""Conventional lung mass; its spread covers 0.822 ± 0.103 kg (Kao et al. 2013, n = 30)."""
KAO_2013 = Constant("lung_mass.kao_2013_kg", 0.822, "kg", "Kao et al. 2013: 822 ± 103 g, n = 30", 0.103, Mark.FOUND)
DECLARED_MASSES = {"conventional": DECLARED, "kao-2013": KAO_2013}


@attrs.frozen(eq=False)
class LungMass:
    """Lung mass in kg, how it was found, and what a person must know."""

    kg: Measured
    origin: str
    constants: tuple[Constant, ...]
    findings: tuple[Finding, ...]


def lung_mass(ct_kg: float | None, ct_volume_ml: float, cut: tuple[str, ...], declared: Constant = DECLARED) -> LungMass:
    """CT mass of whole lungs; the declared value where they are cut or missing, never the sliver.

    Parameters
    ----------
    ct_kg : float or None
        Mass from CT density; ``None`` where no lung was found.
    ct_volume_ml : float
        Volume of the lungs in the field, mL.
    cut : tuple of str
        Faces of the field that the lungs touch; empty for whole lungs.
    declared : Constant
        What stands in.
    """
    if ct_kg is not None and ct_kg > 0.0 and not cut:
        return LungMass(Measured(ct_kg, {"lung_density": ct_kg * CT_MASS_RELATIVE}), "CT density", (), ())
    stated = Measured(declared.value, {"declared_lung_mass": declared.standard_uncertainty})
    if ct_kg is None or ct_kg <= 0.0:
        message = f"no lungs were found; lung mass is the declared {declared.value:g} kg · lung dose rests on it · give lung contours or a CT of the chest"
        finding = Finding("lung_mass.no_lungs", Severity.WARNING, message, "lungs", declared.source)
    else:
        message = (
            f"the lungs are cut by the field of view ({', '.join(cut)}); {ct_volume_ml:.0f} mL are a lower limit and {ct_kg:.2f} kg is not their mass · lung mass is "
            f"the declared {declared.value:g} kg · use a CT that covers the chest"
        )
        finding = Finding("lung_mass.cut", Severity.WARNING, message, "lungs", declared.source)
    return LungMass(stated, "declared", (declared,), (finding,))


def with_contour(mass: LungMass, volume_ml: Measured) -> LungMass:
    """A CT lung mass that shares its contour's uncertainty with the lung's uptake, so that both cancel in dose; a declared mass stays.

    Parameters
    ----------
    mass : LungMass
        From :func:`lung_mass`.
    volume_ml : Measured
        Volume of the lungs on the working grid, with its contributions.
    """
    if mass.constants or volume_ml.value <= 0.0:
        return mass
    kg = mass.kg
    for source, u in volume_ml.contributions.items():
        kg = kg.with_contribution(source, kg.value * u / volume_ml.value)
    return attrs.evolve(mass, kg=kg)
