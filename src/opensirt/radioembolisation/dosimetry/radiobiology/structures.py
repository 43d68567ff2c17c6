"""Radiobiology of the structures of a plan: mean voxel BED, EQD2, gEUD, EUBED and spheres per mL, each with its interval.

Voxels weigh by mass, as they do in the plan's mean doses, so that gEUD with a = 1 *is* the mean dose. What no source supports is not
computed: no probability of control or harm (no slope was read), nothing of the kind for metastases of neuroendocrine tumours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.dosimetry.radiobiology import bed, eud, sphere_number
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue, MissingInput, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.geometry import require_same_grid
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.nuclides import HO166, Nuclide
from opensirt.vocabulary.products import Product, product_named
from opensirt.vocabulary.provenance import Constant, Input, Mark, ReportedNumber
from opensirt.vocabulary.radiobiology import (
    IN_VIVO_FITS,
    JNM_2020,
    NORMAL_EUD_EXPONENT,
    TISSUE_OF,
    TUMOUR_EUD_EXPONENT,
    TissueParameters,
    tumour_control_for,
)
from opensirt.vocabulary.volumes import DensityMap, DoseMap, Occupancy

LOW_SPHERES_PER_ML = 20000.0
"""J Nucl Med 2016;57:1020: below it D70 of a tumour falls with the number of spheres."""
SPHERES_SOURCE = "J Nucl Med 2016;57:1020"
_LUNGS = (StructureKind.LUNGS, StructureKind.LEFT_LUNG, StructureKind.RIGHT_LUNG)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RadiobiologyResult:
    """Explained numbers of every structure, and what a person must weigh."""

    numbers: tuple[ReportedNumber, ...]
    findings: tuple[Finding, ...]


@attrs.frozen(eq=False)
class _Structure:
    """Voxels of one structure with the parameters that hold for it."""

    key: str
    kind: StructureKind
    dose_gy: FloatArray
    mass_g: FloatArray
    volume_ml: float
    scale: Measured
    tissue: TissueParameters
    nuclide: Nuclide

    @property
    def unknowns(self) -> dict[str, Measured]:
        """Dose scale, α/β, repair half-time and half-life, each with its own source of uncertainty."""
        return {
            "scale": self.scale,
            "ratio_gy": as_measured(self.tissue.alpha_beta_gy),
            "repair_h": as_measured(self.tissue.repair_half_time_h),
            "half_life_h": Measured(self.nuclide.half_life_h.value, {"half_life": self.nuclide.half_life_h.standard_uncertainty}),
        }

    @property
    def constants(self) -> tuple[Constant, ...]:
        return self.tissue.alpha_beta_gy, self.tissue.repair_half_time_h, self.nuclide.half_life_h

    def number(
        self, what: str, label: str, measured: Measured, how: tuple[str, str], constants: tuple[Constant, ...]
    ) -> ReportedNumber:
        """A number of this structure; ``how`` is formula and method."""
        unit = "1/mL" if what == "spheres_per_ml" else "Gy"
        sources = {bed.NAME: bed.SOURCES, eud.NAME: eud.SOURCES, sphere_number.NAME: sphere_number.SOURCES}[how[1]]
        shown = (Input("structure", self.key), Input("tissue", self.tissue.name), Input("nuclide", self.nuclide.name))
        return ReportedNumber(
            f"{what}.{self.key}",
            f"{label}, {self.key}",
            measured,
            unit,
            how[0],
            how[1],
            _VERSIONS[how[1]],
            shown,
            constants,
            sources=sources,
        )


_VERSIONS = {bed.NAME: bed.VERSION, eud.NAME: eud.VERSION, sphere_number.NAME: sphere_number.VERSION}


def as_measured(constant: Constant) -> Measured:
    """A parameter with its spread, under its own key: equal parameters of two structures are fully correlated."""
    return Measured(constant.value, {constant.key: constant.standard_uncertainty})


def plan_radiobiology(
    dose: DoseMap,
    density: DensityMap,
    regions: Sequence[tuple[str, Occupancy]],
    nuclide: Nuclide,
    product_key: str,
    indication: str,
    planned: Mapping[str, Measured],
) -> RadiobiologyResult:
    """Radiobiological numbers of every structure whose tissue has parameters.

    Parameters
    ----------
    dose : DoseMap
        Gy after full decay.
    density : DensityMap
        g/mL, on the same grid.
    regions : sequence of (str, Occupancy)
        Key and occupancy; the kind of the occupancy's structure picks the parameters. Volumes of mixed tissue are left out with a finding.
    nuclide : Nuclide
        What decays.
    product_key : str
        Key of :data:`opensirt.vocabulary.products.PRODUCTS`.
    indication : str
        e.g. ``"NET"``, ``"HCC"``.
    planned : mapping of str to Measured
        Planned mean dose of each region, Gy, by its key, with its sources: the map gives the shape, scaled so that its mean is the planned one.

    Returns
    -------
    RadiobiologyResult
        Numbers with keys ``bed.<key>``, ``eqd2.<key>``, ``geud.<key>``, and for tumours ``eubed.<key>`` and ``spheres_per_ml.<key>``
        (the latter for perfused liver too).

    Raises
    ------
    GridMismatch
        If the grids differ.
    InvalidValue
        If a region is empty or has no mass, its planned mean is negative, or the map gives nothing to what should get dose.
    MissingInput
        If a region has no planned mean.
    UnsupportedInput
        For an unknown product, or a nuclide that is not the product's.
    """
    product = product_named(product_key)
    if product.nuclide.name != nuclide.name:
        raise UnsupportedInput(
            f"{product.name} carries {product.nuclide.name}", f"asked for {nuclide.name}", "state the right product"
        )
    require_same_grid(dose.grid, density.grid, "dose and density")
    numbers: list[ReportedNumber] = []
    mixed: list[str] = []
    few: list[str] = []
    for key, occupancy in regions:
        if occupancy.structure.kind not in TISSUE_OF:
            mixed.append(key)
            continue
        structure = _structure(key, occupancy, dose, density, _planned_mean(key, planned), nuclide)
        numbers += _numbers(structure, product)
        few += _few_spheres(structure, numbers[-1])
    return RadiobiologyResult(tuple(numbers), _findings(product, indication, mixed, few))


def _planned_mean(key: str, planned: Mapping[str, Measured]) -> Measured:
    if key not in planned:
        raise MissingInput(f"no planned mean dose of {key}", "radiobiology stands on it", "give it by the key of the region")
    if planned[key].value < 0.0:
        raise InvalidValue(f"a planned mean dose of {planned[key].value} Gy for {key}", "", "give 0 or more")
    return planned[key]


def _structure(
    key: str, occupancy: Occupancy, dose: DoseMap, density: DensityMap, planned: Measured, nuclide: Nuclide
) -> _Structure:
    require_same_grid(dose.grid, occupancy.grid, f"dose and {key}")
    share = occupancy.fraction.ravel()
    inside = np.flatnonzero(share)
    volume_ml = share[inside].astype(np.float64) * dose.grid.voxel_volume_ml
    mass_g = volume_ml * density.g_per_ml.ravel()[inside]
    dose_gy = dose.dose_gy.ravel()[inside].astype(np.float64)
    heavy = mass_g > 0.0
    if not heavy.any():
        raise InvalidValue(
            f"{key} holds no mass on the dose grid", dose.grid.describe(), "check the contour, its frame and the density"
        )
    kind = occupancy.structure.kind
    mean_gy = float(np.dot(mass_g[heavy], dose_gy[heavy]) / mass_g[heavy].sum())
    if planned.value == 0.0:
        none = np.zeros_like(mass_g[heavy])
        return _Structure(key, kind, none, mass_g[heavy], float(volume_ml.sum()), Measured(1.0), TISSUE_OF[kind], nuclide)
    if mean_gy <= 0.0:
        raise InvalidValue(f"the dose map gives nothing to {key}", dose.grid.describe(), "check the map and the contour")
    shaped = dose_gy[heavy] * (planned.value / mean_gy)
    scale = Measured(1.0, {source: u / planned.value for source, u in planned.contributions.items()})
    return _Structure(key, kind, shaped, mass_g[heavy], float(volume_ml.sum()), scale, TISSUE_OF[kind], nuclide)


def _numbers(structure: _Structure, product: Product) -> list[ReportedNumber]:
    weight = structure.mass_g / structure.mass_g.sum()
    mean_gy = float(np.dot(weight, structure.dose_gy))
    square_gy2 = float(np.dot(weight, structure.dose_gy**2))

    def mean_bed(scale: float, ratio_gy: float, repair_h: float, half_life_h: float) -> float:
        # mean of s·D + (s·D)²·G/(α/β) over voxels: exact from two moments
        return scale * mean_gy + scale**2 * square_gy2 * bed.repair_factor(half_life_h, repair_h) / ratio_gy

    def eqd2(scale: float, ratio_gy: float, repair_h: float, half_life_h: float) -> float:
        return bed.eqd_gy(mean_bed(scale, ratio_gy, repair_h, half_life_h), ratio_gy)

    constants = structure.constants
    tumour = structure.kind is StructureKind.TUMOUR
    exponent = TUMOUR_EUD_EXPONENT if tumour else NORMAL_EUD_EXPONENT
    geud_gy = eud.geud_gy(structure.dose_gy, weight, exponent.value) if tumour else mean_gy
    geud = propagate(lambda scale: scale * geud_gy, scale=structure.scale)
    found = [
        structure.number("bed", "mean of voxel BED", propagate(mean_bed, **structure.unknowns), (bed.FORMULA, bed.NAME), constants),
        structure.number("eqd2", "EQD2 of mean BED", propagate(eqd2, **structure.unknowns), (bed.EQD_FORMULA, bed.NAME), constants),
        structure.number("geud", f"gEUD, a = {exponent.value:g}", geud, (eud.GEUD_FORMULA, eud.NAME), (exponent,)),
    ]
    alpha = structure.tissue.alpha_per_gy
    if alpha is not None:
        eubed = propagate(_eubed(structure, weight), alpha_per_gy=as_measured(alpha), **structure.unknowns)
        how = (eud.EUBED_FORMULA, eud.NAME)
        found.append(structure.number("eubed", "EUBED", eubed, how, (*constants, alpha)))
    if structure.kind not in _LUNGS and structure.kind is not StructureKind.EXTRAHEPATIC:
        found.append(_spheres(structure, mean_gy, product))
    return found


def _eubed(structure: _Structure, weight: FloatArray) -> Callable[..., float]:
    def value(alpha_per_gy: float, scale: float, ratio_gy: float, repair_h: float, half_life_h: float) -> float:
        scaled_gy = scale * structure.dose_gy
        each_gy = scaled_gy * (1.0 + scaled_gy * (bed.repair_factor(half_life_h, repair_h) / ratio_gy))
        return eud.eubed_gy(each_gy, weight, alpha_per_gy)

    return value


def _spheres(structure: _Structure, mean_gy: float, product: Product) -> ReportedNumber:
    constant = structure.nuclide.dose_constant().gy_kg_per_gbq
    density = float(structure.mass_g.sum()) / structure.volume_ml

    def value(scale: float, each_bq: float, k: float) -> float:
        return sphere_number.sphere_density_per_ml(sphere_number.concentration_bq_per_ml(scale * mean_gy, density, k), each_bq)

    measured = propagate(
        value,
        scale=structure.scale,
        each_bq=Measured(product.bq_per_sphere.value, {"activity_per_sphere": product.bq_per_sphere.standard_uncertainty}),
        k=Measured(constant.value, {"dose_constant": constant.standard_uncertainty}),
    )
    how = (sphere_number.DENSITY_FORMULA, sphere_number.NAME)
    label = "spheres per mL, each with its activity at calibration"
    return structure.number("spheres_per_ml", label, measured, how, (product.bq_per_sphere, constant))


def _few_spheres(structure: _Structure, last: ReportedNumber) -> list[str]:
    low = last.key.startswith("spheres_per_ml.") and 0.0 < last.measured.value < LOW_SPHERES_PER_ML
    return [f"{structure.key} ({last.measured.value:.0f})"] if low and structure.kind is StructureKind.TUMOUR else []


def _findings(product: Product, indication: str, mixed: Sequence[str], few: Sequence[str]) -> tuple[Finding, ...]:
    found = [
        Finding(
            "radiobiology.parameters_open",
            Severity.NOTE,
            "α and α/β of tumours cannot be told from SIRT patients: fits leave 0.001 to 1 per Gy and 1 to 49 Gy open, and the intervals of tumour "
            "BED, EQD2 and EUBED carry that · compare plans of one patient by them, do not read them as absolute",
            source=IN_VIVO_FITS,
        ),
        _probability_finding(product, indication),
    ]
    if TUMOUR_EUD_EXPONENT.mark is Mark.UNVERIFIED:
        message = (
            f"gEUD of tumours uses a = {TUMOUR_EUD_EXPONENT.value:g}, which was not read in a source and never fitted for SIRT · "
            "read it as weight on cold parts"
        )
        found.append(Finding("radiobiology.unverified", Severity.NOTE, message, source=TUMOUR_EUD_EXPONENT.source))
    if product.nuclide.name == HO166.name:
        message = (
            "at equal dose Ho-166 has a larger BED than Y-90 because it decays faster (60 Gy in normal liver: 183 against 114 Gy at α/β 2.5 Gy) · "
            "limits and targets of the two are not interchangeable"
        )
        found.append(Finding("radiobiology.nuclide_matters", Severity.NOTE, message))
    if mixed:
        message = (
            f"no BED for {', '.join(mixed)}: tumour and normal tissue together, or of no known tissue · read the BED of their parts"
        )
        found.append(Finding("radiobiology.not_computed", Severity.NOTE, message))
    if few:
        message = (
            f"few spheres per mL at their activity at calibration in {', '.join(few)}: below {LOW_SPHERES_PER_ML:g} per mL the dose to 70 % of a "
            "tumour falls with their number, in clinical terms below 5000 · spheres used later hold less activity each and are more for the same dose (Y-90: twice as many after 64 h)"
        )
        found.append(Finding("spheres.few", Severity.NOTE, message, source=SPHERES_SOURCE))
    return tuple(found)


def _probability_finding(product: Product, indication: str) -> Finding:
    sets = tumour_control_for(product.key, indication)
    if not sets:
        message = (
            f"no parameters of tumour control or toxicity were found for {indication} with {product.name}; no probability is shown · "
            "none is to be inferred from those of another product or tumour"
        )
        return Finding("radiobiology.no_parameters", Severity.NOTE, message)
    doses = ", ".join(f"{each.d50_gy.value:g} Gy ({each.metric})" for each in sets)
    message = (
        f"half of the tumours responded at {doses}, but no slope γ50 was read in a source; no probability is shown · "
        "state γ50 of the centre to compute one"
    )
    return Finding("radiobiology.no_slope", Severity.NOTE, message, source=JNM_2020)
