"""Formulas of physics and supply for ``calc``: decay, dose constants, voxels, DVH, vials and spheres."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np

from opensirt.radioembolisation.dosimetry.dvh import DVH_VERSION, dvh_of
from opensirt.radioembolisation.treatment.proposal import VialOption
from opensirt.radioembolisation.treatment.vials import (
    VIALS_VERSION,
    calibrations_before,
    decay_since_calibration,
    require_on_shelf,
    vial_activity_gbq,
    vial_options,
)
from opensirt.vocabulary.activity import hours_between
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.nuclides import Nuclide, nuclide_named, require_half_life_of_dose
from opensirt.vocabulary.products import GLASS, product_named
from opensirt.vocabulary.provenance import Constant, Mark
from opensirt.vocabulary.units import (
    BQ_PER_GBQ,
    BQ_PER_MBQ,
    G_PER_KG,
    HOURS_PER_DAY,
    JOULE_PER_MEV,
    MM3_PER_ML,
    PERCENT,
    SECONDS_PER_HOUR,
)
from opensirt.workflow.calc_fields import Field, Kind, Values
from opensirt.workflow.calc_model import (
    ACTIVITY_RANGE_GBQ,
    DOSE_CONSTANT,
    NUCLIDE,
    CalcModel,
    Method,
    Outcome,
    constant_measured,
    dose_constant,
    dose_constant_of,
    inputs_of,
)

PHYSICS_VERSION = "1"
MGY_PER_GY = 1000.0
EFFECTIVE_HALF_LIFE = Field(
    "effective_half_life_h",
    Kind.POSITIVE,
    "decay and clearance together; needed for Lu-177 and I-131, never for microspheres",
    None,
    None,
    (0.5, 300.0),
)
DECAY_FIELDS = (
    NUCLIDE,
    Field("amount_gbq", Kind.NOT_NEGATIVE, "activity at the first instant", 3.0),
    Field("elapsed_h", Kind.NUMBER, "hours from the first instant, negative for before; or give both instants", 70.0, None),
    Field("from_at", Kind.INSTANT, "first instant", None, None),
    Field("to_at", Kind.INSTANT, "second instant", None, None),
)
CONSTANT_FIELDS = (
    NUCLIDE,
    Field("energy_mev", Kind.POSITIVE, "energy absorbed per decay; that of the record where not stated", 0.9336, None, (0.01, 5.0)),
    Field("half_life_h", Kind.POSITIVE, "half-life; that of the record where not stated", 64.1, None, (1.0, 300.0)),
    EFFECTIVE_HALF_LIFE,
)
RATE_FIELDS = (NUCLIDE, Field("dose_gy", Kind.POSITIVE, "dose after full decay", 100.0), EFFECTIVE_HALF_LIFE)
LOCAL_FIELDS = (
    NUCLIDE,
    DOSE_CONSTANT,
    Field("voxel_mm", Kind.NUMBERS, "three voxel sizes", [4.0, 4.0, 4.0]),
    Field("density_g_per_ml", Kind.POSITIVE, "density", 1.04, plausible=(0.001, 3.0)),
    Field("activity_bq", Kind.NOT_NEGATIVE, "activity of the voxel at administration; or its concentration", 1000.0, None),
    Field("concentration_bq_per_ml", Kind.NOT_NEGATIVE, "concentration at administration; or the activity", None, None),
    EFFECTIVE_HALF_LIFE,
)
S_VALUE_FIELDS = (
    NUCLIDE,
    Field("activity_bq", Kind.NOT_NEGATIVE, "activity of the source voxel at administration", 1000.0),
    Field("s_value_mgy_per_mbq_s", Kind.POSITIVE, "S value", 0.858),
    EFFECTIVE_HALF_LIFE,
)
DVH_FIELDS = (
    Field("doses_gy", Kind.NUMBERS, "dose of each voxel", [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
    Field("volumes_ml", Kind.NUMBERS, "volume of each voxel; equal ones where not stated", None, None),
    Field("d_percent", Kind.NUMBERS, "D_x is answered at these x", [95, 90, 70, 50], (95.0, 70.0, 50.0)),
    Field("v_gy", Kind.NUMBERS, "V_x is answered at these x", [50, 100], ()),
)
VIAL_FIELDS = (
    Field("delivered_gbq", Kind.POSITIVE, "activity to deliver at the planned instant", 2.4, plausible=ACTIVITY_RANGE_GBQ),
    Field("treatment_at", Kind.INSTANT, "planned instant", "2026-03-11T15:00:00+01:00"),
    Field(
        "residual_fraction", Kind.FRACTION, "share that stays behind; the published median where not stated", 0.0, None, (0.0, 0.25)
    ),
)
VIAL_ACTIVITY_FIELDS = (
    Field("size_gbq", Kind.POSITIVE, "activity at calibration", 5.0, plausible=(0.5, 30.0)),
    Field("calibrated_at", Kind.INSTANT, "calibration", "2026-03-08T12:00:00-04:00"),
    Field("at", Kind.INSTANT, "administration", "2026-03-11T15:00:00+01:00"),
)
SPHERES_FIELDS = (
    Field("product", Kind.TEXT, "glass, resin or ho166", "glass"),
    Field("activity_gbq", Kind.NOT_NEGATIVE, "activity at the given time", 3.0),
    Field("elapsed_h", Kind.NUMBER, "hours since calibration; negative for resin used before it", 0.0, 0.0, (-96.0, 300.0)),
    Field(
        "bq_per_sphere",
        Kind.POSITIVE,
        "activity per sphere at calibration; the product's where not stated",
        None,
        None,
        (10.0, 10000.0),
    ),
)


def _one_of(values: Values, first: str, second: str) -> str:
    if values.has(first) == values.has(second):
        raise InvalidValue(f"{first} and {second}", "exactly one of them is needed", "state one and leave out the other")
    return first if values.has(first) else second


def nuclide_of_dose(values: Values) -> Nuclide:
    """The nuclide that a payload names, with the half-life that its dose follows: an effective one where it does not stay.

    Raises
    ------
    MissingInput
        For Lu-177 and I-131 without an effective half-life.
    UnsupportedInput
        For an effective half-life of what stays with its microsphere, or an unknown nuclide.
    InvalidValue
        For an effective half-life above the physical one.
    """
    nuclide = nuclide_named(values.text("nuclide"))
    if values.has("effective_half_life_h"):
        stated = values.measured("effective_half_life_h")
        key, source = f"{nuclide.name}.effective_half_life_h", "stated for this patient"
        return nuclide.cleared_with(Constant(key, stated.value, "h", source, stated.standard_uncertainty, Mark.ASSUMED))
    require_half_life_of_dose(nuclide, "state effective_half_life_h")
    return nuclide


def _half_life(nuclide: Nuclide) -> Measured:
    key = "effective_half_life_h" if nuclide.effective else "half_life"
    return Measured(nuclide.half_life_h.value, {key: nuclide.half_life_h.standard_uncertainty})


def _elapsed(values: Values) -> Measured:
    instants = (values.has("from_at"), values.has("to_at"))
    if values.has("elapsed_h") == all(instants) or (any(instants) and not all(instants)):
        raise InvalidValue("the time that passes", "", "give elapsed_h, or both from_at and to_at")
    if values.has("elapsed_h"):
        return values.measured("elapsed_h")
    return Measured(hours_between(values.instant("from_at"), values.instant("to_at")))


def _decay(values: Values) -> Outcome:
    nuclide = nuclide_named(values.text("nuclide"))
    half_life = Measured(nuclide.half_life_h.value, {"half_life": nuclide.half_life_h.standard_uncertainty})
    elapsed = _elapsed(values)
    method = Method(
        "decay", PHYSICS_VERSION, "A = A₀ · 2^(−t/T½)", constants=(nuclide.half_life_h,), inputs=inputs_of(values, DECAY_FIELDS)
    )
    factor = propagate(lambda t, half: 2.0 ** (-t / half), t=elapsed, half=half_life)
    amount = propagate(lambda a, t, half: a * 2.0 ** (-t / half), a=values.measured("amount_gbq"), t=elapsed, half=half_life)
    numbers = (
        method.number("amount_gbq", "activity at the second instant", amount, "GBq"),
        method.number("decay_factor", "fraction left", factor, "1"),
    )
    return Outcome(numbers, {"elapsed_h": elapsed.value, "decayed_percent": PERCENT * (1.0 - factor.value)})


def _constant(values: Values) -> Outcome:
    if values.has("half_life_h") and values.has("effective_half_life_h"):
        raise InvalidValue(
            "half_life_h and effective_half_life_h", "one half-life gives the dose", "state one and leave out the other"
        )
    nuclide = nuclide_of_dose(values)
    energy_constants = () if values.has("energy_mev") else (nuclide.electron_mev, nuclide.photon_mev)
    life_constants = () if values.has("half_life_h") else (nuclide.half_life_h,)
    energy = (
        values.measured("energy_mev")
        if values.has("energy_mev")
        else Measured(
            nuclide.electron_mev.value + nuclide.photon_mev.value,
            {
                "electron_energy": nuclide.electron_mev.standard_uncertainty,
                "photon_energy": nuclide.photon_mev.standard_uncertainty,
            },
        )
    )
    half_life = values.measured("half_life_h") if values.has("half_life_h") else _half_life(nuclide)
    value = propagate(
        lambda half, e: BQ_PER_GBQ * half * SECONDS_PER_HOUR / math.log(2.0) * e * JOULE_PER_MEV, half=half_life, e=energy
    )
    method = Method(
        "dose constant",
        PHYSICS_VERSION,
        "K = 10⁹ · T½ / ln 2 · E",
        constants=(*energy_constants, *life_constants),
        inputs=inputs_of(values, CONSTANT_FIELDS),
    )
    offered = {each.name: each.value for each in nuclide.dose_constants}
    return Outcome(
        (method.number("dose_constant_gy_kg_per_gbq", "mean dose constant", value, "Gy·kg/GBq"),),
        {"published_gy_kg_per_gbq": offered},
    )


def _rate(values: Values) -> Outcome:
    nuclide = nuclide_of_dose(values)
    half_life = _half_life(nuclide)
    method = Method(
        "initial dose rate",
        PHYSICS_VERSION,
        "Ḋ₀ = D · ln 2 / T½",
        constants=(nuclide.half_life_h,),
        inputs=inputs_of(values, RATE_FIELDS),
    )
    rate = propagate(lambda d, half: d * math.log(2.0) / half, d=values.measured("dose_gy"), half=half_life)
    ninety = propagate(lambda half: half * math.log2(10.0), half=half_life)
    return Outcome(
        (
            method.number("initial_dose_rate_gy_per_h", "initial dose rate", rate, "Gy/h"),
            method.number("time_to_90_percent_h", "time until 90 % of the dose is given", ninety, "h"),
        )
    )


def _voxel_ml(values: Values) -> float:
    sizes = values.numbers("voxel_mm")
    if len(sizes) != 3 or min(sizes) <= 0.0:
        raise InvalidValue(f"voxel_mm = {sizes}", "a voxel has three sizes above 0", "give three numbers in mm")
    return math.prod(sizes) / MM3_PER_ML


def _local(values: Values) -> Outcome:
    nuclide = nuclide_of_dose(values)
    constant = dose_constant_of(nuclide, values.raw("dose_constant")) if nuclide.effective else dose_constant(values)
    volume_ml = _voxel_ml(values)
    key = _one_of(values, "activity_bq", "concentration_bq_per_ml")
    per = 1.0 if key == "activity_bq" else volume_ml
    density = values.measured("density_g_per_ml")
    mass = propagate(lambda rho: rho * volume_ml, rho=density)
    dose = propagate(
        lambda a, rho, k: k * (a * per / BQ_PER_GBQ) / (rho * volume_ml / G_PER_KG),
        a=values.measured(key),
        rho=density,
        k=constant_measured(constant),
    )
    method = Method(
        "local deposition",
        PHYSICS_VERSION,
        "D = K · A / (ρ · V)",
        ("EANM SOP, Chiesa et al. 2021",),
        (constant.gy_kg_per_gbq,),
        inputs_of(values, LOCAL_FIELDS),
    )
    return Outcome(
        (method.number("dose_gy", "dose of the voxel", dose, "Gy"), method.number("mass_g", "mass of the voxel", mass, "g"))
    )


def _s_value(values: Values) -> Outcome:
    nuclide = nuclide_of_dose(values)
    half_life = _half_life(nuclide)

    def cumulated(a: float, half: float) -> float:
        return a / BQ_PER_MBQ * half * SECONDS_PER_HOUR / math.log(2.0)

    activity = values.measured("activity_bq")
    dose = propagate(
        lambda a, half, s: cumulated(a, half) * s / MGY_PER_GY,
        a=activity,
        half=half_life,
        s=values.measured("s_value_mgy_per_mbq_s"),
    )
    method = Method(
        "voxel S value",
        PHYSICS_VERSION,
        "D = S · A · T½ / ln 2",
        ("Lanconelli et al. 2012",),
        (nuclide.half_life_h,),
        inputs_of(values, S_VALUE_FIELDS),
    )
    return Outcome(
        (
            method.number("dose_gy", "dose of the target voxel", dose, "Gy"),
            method.number("cumulated_mbq_s", "cumulated activity", propagate(cumulated, a=activity, half=half_life), "MBq·s"),
        )
    )


def _dvh(values: Values) -> Outcome:
    doses = np.array(values.numbers("doses_gy"))
    volumes = np.array(values.numbers("volumes_ml")) if values.has("volumes_ml") else np.ones_like(doses)
    histogram = dvh_of("structure", doses, volumes)
    method = Method(
        "exact DVH",
        DVH_VERSION,
        "D_x: lowest dose of the hottest x % of the volume; V_x: share of the volume that receives at least x",
        inputs=inputs_of(values, DVH_FIELDS),
    )
    numbers = [method.number("mean_gy", "mean dose", Measured(histogram.mean_gy), "Gy")]
    numbers += [
        method.number(f"d{percent:g}_gy", f"D{percent:g}", Measured(histogram.d_gy(percent)), "Gy")
        for percent in values.numbers("d_percent")
    ]
    numbers += [
        method.number(f"v{gy:g}gy_fraction", f"V at {gy:g} Gy", Measured(histogram.v(gy)), "1") for gy in values.numbers("v_gy")
    ]
    numbers += [
        method.number("minimum_gy", "lowest dose", Measured(histogram.minimum_gy), "Gy"),
        method.number("maximum_gy", "highest dose", Measured(histogram.maximum_gy), "Gy"),
    ]
    return Outcome(tuple(numbers), {"volume_ml": histogram.volume_ml} if values.has("volumes_ml") else {})


def _option(option: VialOption) -> dict[str, object]:
    return {
        "size_gbq": option.size_gbq,
        "calibrated_at": option.calibrated_at.isoformat(),
        "holds_gbq": option.activity_at_treatment_gbq,
        "relative_excess": option.relative_excess,
        "equals_plan_at": option.equals_plan_at.isoformat(),
        "age_days": option.days_after_calibration,
        "usable": option.usable,
        "note": option.note,
    }


def _vials(values: Values) -> Outcome:
    at: datetime = values.instant("treatment_at")
    stated = values.measured("residual_fraction") if values.has("residual_fraction") else None
    default = GLASS.residual_fraction
    residual = stated if stated is not None else Measured(default.value, {"residual": default.standard_uncertainty})
    delivered = values.measured("delivered_gbq")
    method = Method(
        "glass vial",
        VIALS_VERSION,
        "A_dispensed = A_delivered / (1 − R);  A_calibration = A_dispensed · 2^(t/T½)",
        constants=(GLASS.nuclide.half_life_h, *(() if stated is not None else (default,))),
        inputs=inputs_of(values, VIAL_FIELDS),
    )
    dispensed = propagate(lambda a, r: a / (1.0 - r), a=delivered, r=residual)
    numbers = [method.number("dispensed_gbq", "activity that the vial must hold at the planned instant", dispensed, "GBq")]
    for week, calibrated in enumerate(calibrations_before(GLASS, at), start=1):
        needed = propagate(
            lambda a, half, calibrated=calibrated: a * 2.0 ** (hours_between(calibrated, at) / half),
            a=dispensed,
            half=Measured(GLASS.nuclide.half_life_h.value, {"half_life": GLASS.nuclide.half_life_h.standard_uncertainty}),
        )
        label = f"activity at calibration on {calibrated.astimezone(UTC).isoformat()}"
        numbers.append(method.number(f"week{week}_calibration_gbq", label, needed, "GBq"))
    options = vial_options(GLASS, "", delivered.value, at, residual_fraction=residual.value)
    return Outcome(tuple(numbers), {"options": [_option(option) for option in options]}, _unverified())


def _unverified() -> tuple[Finding, ...]:
    if GLASS.supply is None or GLASS.supply.mark is not Mark.UNVERIFIED:
        return ()
    message = "calibration day, hour and shelf life of vials were not read in a source · check the manufacturer's current instructions before ordering"
    return (Finding("vials.unverified", Severity.WARNING, message, source=GLASS.supply.source),)


def _vial_activity(values: Values) -> Outcome:
    calibrated, at = values.instant("calibrated_at"), values.instant("at")
    require_on_shelf(GLASS, calibrated, at)
    half_life = Measured(GLASS.nuclide.half_life_h.value, {"half_life": GLASS.nuclide.half_life_h.standard_uncertainty})
    elapsed_h = hours_between(calibrated, at)
    held = propagate(lambda a, half: a * 2.0 ** (-elapsed_h / half), a=values.measured("size_gbq"), half=half_life)
    method = Method(
        "glass vial",
        VIALS_VERSION,
        "A = A_calibration · 2^(−t/T½)",
        constants=(GLASS.nuclide.half_life_h,),
        inputs=inputs_of(values, VIAL_ACTIVITY_FIELDS),
    )
    facts = {
        "elapsed_h": elapsed_h,
        "age_days": elapsed_h / HOURS_PER_DAY,
        "spheres": values.number("size_gbq") * BQ_PER_GBQ / GLASS.bq_per_sphere.value,
        "expected_gbq": vial_activity_gbq(GLASS, values.number("size_gbq"), calibrated, at),
    }
    return Outcome((method.number("holds_gbq", "activity of the vial at administration", held, "GBq"),), facts, _unverified())


def _spheres(values: Values) -> Outcome:
    product = product_named(values.text("product"))
    stated = values.has("bq_per_sphere")
    per_sphere = (
        values.measured("bq_per_sphere")
        if stated
        else Measured(product.bq_per_sphere.value, {"activity_per_sphere": product.bq_per_sphere.standard_uncertainty})
    )
    left = decay_since_calibration(product, values.number("elapsed_h"))
    method = Method(
        "number of spheres",
        PHYSICS_VERSION,
        "N = A / (a₀ · 2^(−t/T½))",
        constants=(product.nuclide.half_life_h, *(() if stated else (product.bq_per_sphere,))),
        inputs=inputs_of(values, SPHERES_FIELDS),
    )
    count = propagate(lambda a, each: a * BQ_PER_GBQ / (each * left), a=values.measured("activity_gbq"), each=per_sphere)
    now = propagate(lambda each: each * left, each=per_sphere)
    return Outcome(
        (
            method.number("spheres", "number of spheres", count, "1"),
            method.number("bq_per_sphere", "activity per sphere now", now, "Bq"),
        ),
        {"published_range_bq_per_sphere": list(product.bq_per_sphere_range)},
    )


PHYSICS_MODELS = (
    CalcModel("decay", "activity at another time", DECAY_FIELDS, _decay),
    CalcModel("dose-constant", "mean dose constant from half-life and energy per decay", CONSTANT_FIELDS, _constant),
    CalcModel("dose-rate", "initial dose rate and time to 90 % of the dose", RATE_FIELDS, _rate),
    CalcModel("local-dose-voxel", "dose of a voxel by local deposition", LOCAL_FIELDS, _local),
    CalcModel("s-value-dose", "dose of a voxel from an S value", S_VALUE_FIELDS, _s_value),
    CalcModel("dvh", "exact D_x, V_x, mean, lowest and highest dose of a list of voxels", DVH_FIELDS, _dvh),
    CalcModel("vial-glass", "glass vials for a planned activity and instant", VIAL_FIELDS, _vials),
    CalcModel("vial-activity", "activity of a glass vial at administration", VIAL_ACTIVITY_FIELDS, _vial_activity),
    CalcModel("spheres", "number of spheres of an activity", SPHERES_FIELDS, _spheres),
)
