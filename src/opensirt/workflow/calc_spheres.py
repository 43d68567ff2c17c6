"""Formulas of spheres for ``calc``: how many per mL carry a dose, and what their number does to the low-dose tail."""

from __future__ import annotations

from dataclasses import replace

from opensirt.imaging.tissue import SOFT_TISSUE
from opensirt.radioembolisation.dosimetry.radiobiology import sphere_number
from opensirt.radioembolisation.dosimetry.radiobiology.sphere_number import SphereCloud
from opensirt.radioembolisation.treatment.vials import decay_since_calibration
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.products import Product, product_named
from opensirt.vocabulary.provenance import Constant
from opensirt.vocabulary.units import BQ_PER_GBQ
from opensirt.workflow.calc_fields import Field, Kind, Values
from opensirt.workflow.calc_model import (
    ACTIVITY_RANGE_GBQ,
    DOSE_CONSTANT,
    CalcModel,
    Method,
    Outcome,
    constant_measured,
    dose_constant,
    inputs_of,
)

_PRODUCT = (
    Field("product", Kind.TEXT, "glass, resin or ho166", "glass"),
    Field(
        "elapsed_h",
        Kind.NUMBER,
        "hours from calibration to administration; negative for resin used before it",
        0.0,
        0.0,
        (-96.0, 300.0),
    ),
    Field(
        "bq_per_sphere",
        Kind.POSITIVE,
        "activity per sphere at calibration; the product's where not stated",
        None,
        None,
        (10.0, 10000.0),
    ),
)
_DENSITY = Field(
    "density_g_per_ml", Kind.POSITIVE, "density of the tissue; that of soft tissue where not stated", None, None, (0.9, 1.2)
)
DENSITY_FIELDS = (
    *_PRODUCT,
    Field(
        "activity_gbq",
        Kind.NOT_NEGATIVE,
        "activity in the volume at administration; or give its dose",
        1.0,
        None,
        ACTIVITY_RANGE_GBQ,
    ),
    Field("volume_ml", Kind.POSITIVE, "volume that holds the activity", 500.0, None, (0.5, 5000.0)),
    Field("mean_dose_gy", Kind.NOT_NEGATIVE, "mean dose of the volume; or give activity and volume", None, None, (0.1, 2000.0)),
    replace(DOSE_CONSTANT, example=None),
    _DENSITY,
)
TAIL_FIELDS = (
    *_PRODUCT,
    Field("mean_dose_gy", Kind.POSITIVE, "mean dose of the evenly perfused volume", 120.0, plausible=(0.1, 2000.0)),
    Field(
        "spheres_per_ml",
        Kind.POSITIVE,
        "spheres per mL; from dose and activity per sphere where not stated",
        None,
        None,
        (10.0, 1e6),
    ),
    Field("cluster_number", Kind.POSITIVE, "spheres that lie together; 1 where they lie alone", 1.0, 1.0, (1.0, 500.0)),
    Field("below_gy", Kind.NUMBERS, "fraction of tissue below these doses is answered", [40, 100], ()),
    Field("d_percent", Kind.NUMBERS, "D_x is answered at these x", [95, 70, 50], (95.0, 70.0, 50.0)),
    DOSE_CONSTANT,
    _DENSITY,
)


def _each(values: Values, product: Product) -> tuple[Measured, tuple[Constant, ...]]:
    """Activity of one sphere at administration, Bq."""
    left = decay_since_calibration(product, values.number("elapsed_h"))
    if values.has("bq_per_sphere"):
        return propagate(lambda each: each * left, each=values.measured("bq_per_sphere")), (product.nuclide.half_life_h,)
    record = product.bq_per_sphere
    each = Measured(record.value, {"activity_per_sphere": record.standard_uncertainty})
    return propagate(lambda each: each * left, each=each), (record, product.nuclide.half_life_h)


def _density(values: Values) -> tuple[Measured, tuple[Constant, ...]]:
    if values.has("density_g_per_ml"):
        return values.measured("density_g_per_ml"), ()
    return Measured(SOFT_TISSUE.value, {"liver_density": SOFT_TISSUE.standard_uncertainty}), (SOFT_TISSUE,)


def _constant(values: Values, product: Product) -> tuple[Measured, Constant]:
    held = Values({"nuclide": product.nuclide.name, "dose_constant": values.raw("dose_constant")}, frozenset())
    constant = dose_constant(held)
    return constant_measured(constant), constant.gy_kg_per_gbq


def _of_dose(values: Values, product: Product) -> tuple[Measured, tuple[Constant, ...]]:
    """Spheres per mL that give the mean dose."""
    each, each_constants = _each(values, product)
    density, density_constants = _density(values)
    k, constant = _constant(values, product)

    def value(dose: float, rho: float, k: float, each: float) -> float:
        return sphere_number.sphere_density_per_ml(sphere_number.concentration_bq_per_ml(dose, rho, k), each)

    found = propagate(value, dose=values.measured("mean_dose_gy"), rho=density, k=k, each=each)
    return found, (*each_constants, *density_constants, constant)


def _run_density(values: Values) -> Outcome:
    product = product_named(values.text("product"))
    of_activity = values.has("activity_gbq") and values.has("volume_ml")
    if of_activity == values.has("mean_dose_gy") or values.has("activity_gbq") != values.has("volume_ml"):
        raise InvalidValue("what the volume holds", "", "give activity_gbq and volume_ml, or mean_dose_gy")
    each, each_constants = _each(values, product)
    facts = {"published_range_bq_per_sphere": list(product.bq_per_sphere_range)}
    if of_activity:
        unused = [key for key in ("density_g_per_ml", "dose_constant") if values.stated(key)]
        if unused:
            raise InvalidValue(
                f"{', '.join(unused)} beside an activity", "it would change nothing", "leave it out, or give mean_dose_gy"
            )
        constants, formula = each_constants, "n = A / (V · a₀ · 2^(−t/T½))"
        found = propagate(
            lambda a, v, each: sphere_number.sphere_density_per_ml(a * BQ_PER_GBQ / v, each),
            a=values.measured("activity_gbq"),
            v=values.measured("volume_ml"),
            each=each,
        )
    else:
        formula = "n = D · ρ / (K · a₀ · 2^(−t/T½))"
        found, constants = _of_dose(values, product)
    method = Method("spheres per volume", sphere_number.VERSION, formula, (), constants, inputs_of(values, DENSITY_FIELDS))
    numbers = [
        method.number("spheres_per_ml", "spheres per mL", found, "1/mL"),
        method.number("bq_per_sphere", "activity per sphere at administration", each, "Bq"),
    ]
    if of_activity:
        count = propagate(lambda a, each: a * BQ_PER_GBQ / each, a=values.measured("activity_gbq"), each=each)
        numbers.append(method.number("spheres", "number of spheres", count, "1"))
    return Outcome(tuple(numbers), facts)


def _run_tail(values: Values) -> Outcome:
    product = product_named(values.text("product"))
    constants: tuple[Constant, ...] = ()
    if values.stated("spheres_per_ml"):
        unused = [key for key in ("bq_per_sphere", "elapsed_h", "dose_constant") if values.stated(key)]
        if unused:
            raise InvalidValue(
                f"{', '.join(unused)} beside spheres_per_ml",
                "the number follows from them or is stated",
                "leave out one or the other",
            )
        count = values.measured("spheres_per_ml")
    else:
        count, constants = _of_dose(values, product)
    density, _ = _density(values)
    dose = values.measured("mean_dose_gy")
    cluster = values.measured("cluster_number")
    radius_mm = sphere_number.sphere_radius_mm(product)

    def cloud(n: float, c: float) -> SphereCloud:
        return SphereCloud(product.nuclide.name, n, radius_mm, c, density.value)

    inputs = {"n": count, "c": cluster}
    shown = inputs_of(values, TAIL_FIELDS)
    method = Method(sphere_number.NAME, sphere_number.VERSION, sphere_number.FORMULA, sphere_number.SOURCES, constants, shown)
    tail = sphere_number.sphere_tail(dose.value, cloud(count.value, cluster.value))
    numbers = [
        method.number("spheres_per_ml", "spheres per mL", count, "1/mL"),
        method.number(
            "relative_sd",
            "standard deviation over mean, hot spots included",
            propagate(lambda n, c: cloud(n, c).relative_sd, **inputs),
            "1",
        ),
    ]
    for percent in values.numbers("d_percent"):
        reached = propagate(
            lambda d, n, c, percent=percent: sphere_number.sphere_tail(d, cloud(n, c)).dose_reached_gy(percent), d=dose, **inputs
        )
        numbers.append(method.number(f"d{percent:g}_gy", f"dose that {percent:g} % of the tissue reaches", reached, "Gy"))
    for gy in values.numbers("below_gy"):
        below = propagate(lambda d, n, c, gy=gy: sphere_number.sphere_tail(d, cloud(n, c)).fraction_below(gy), d=dose, **inputs)
        numbers.append(method.number(f"below_{gy:g}gy_fraction", f"fraction of tissue below {gy:g} Gy", below, "1"))
    facts = {
        "d95_over_mean": tail.dose_reached_gy(95.0) / dose.value,
        "gamma_d95_gy": tail.gamma_dose_reached_gy(95.0),
        "sphere_radius_mm": radius_mm,
    }
    return Outcome(tuple(numbers), facts, (_even_perfusion(),))


def _even_perfusion() -> Finding:
    message = (
        "the tail is that of spheres thrown independently and evenly; uneven perfusion on the scale of arterioles, the larger part in tissue, is not in it · "
        "read it as the least heterogeneity that the number of spheres allows"
    )
    return Finding("spheres.even_perfusion", Severity.NOTE, message, source="Walrand et al. 2014; Högberg et al. 2015")


SPHERE_MODELS = (
    CalcModel("sphere-density", "spheres per mL of an activity in a volume, or of a mean dose", DENSITY_FIELDS, _run_density),
    CalcModel("sphere-tail", "low-dose tail that the number of spheres alone makes", TAIL_FIELDS, _run_tail),
)
