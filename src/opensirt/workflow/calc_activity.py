"""Rules of activity for ``calc``: empirical, body surface, lung limit, residual, uptake ratios."""

from __future__ import annotations

from opensirt.outcomes.body_surface import du_bois_m2
from opensirt.radioembolisation.dosimetry.models import bsa, bsa_modified, empirical, mono, predictive_partition, resin_shunt
from opensirt.radioembolisation.dosimetry.models.facts import Unknown
from opensirt.radioembolisation.dosimetry.models.validity import RESIN_SHUNT_SOURCE, uptake_findings
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.units import GBQ_PER_MILLICURIE
from opensirt.workflow.calc_fields import Field, Kind, Values
from opensirt.workflow.calc_model import (
    ACTIVITY_RANGE_GBQ,
    DOSE_CONSTANT,
    LUNG_MASS,
    LUNG_SHUNT,
    MASS_RANGE_KG,
    NUCLIDE,
    CalcModel,
    Method,
    Outcome,
    constant_measured,
    dose_constant,
    inputs_of,
    lung_mass,
    one_of,
)

CM_PER_M = 100.0
_LIVER = (
    Field("tumour_volume_ml", Kind.NOT_NEGATIVE, "tumour in the whole liver", 300.0, plausible=(0.0, 5000.0)),
    Field(
        "liver_volume_ml", Kind.POSITIVE, "whole liver with its tumours; or give normal_volume_ml", 1800.0, None, (300.0, 8000.0)
    ),
    Field(
        "normal_volume_ml", Kind.POSITIVE, "whole liver without its tumours; or give liver_volume_ml", None, None, (200.0, 8000.0)
    ),
)
_PERSON = (
    Field("height_cm", Kind.POSITIVE, "height; or give it in m", 170.0, None, (120.0, 215.0)),
    Field("height_m", Kind.POSITIVE, "height; or give it in cm", None, None, (1.2, 2.15)),
    Field("weight_kg", Kind.POSITIVE, "weight", 70.0, plausible=(30.0, 250.0)),
)
_RESIN_SHUNT = Field("lung_shunt_fraction", Kind.FRACTION, "lung shunt fraction", 0.05, plausible=(0.0, 0.4))
EMPIRICAL_FIELDS = (
    *_LIVER,
    Field(
        "lung_shunt_fraction",
        Kind.FRACTION,
        "lung shunt fraction; looked at only for the bound of 20 %",
        None,
        None,
        LUNG_SHUNT.plausible,
    ),
)
BSA_FIELDS = (*_PERSON, *_LIVER, _RESIN_SHUNT)
BSA_MODIFIED_FIELDS = (
    *_PERSON,
    Field("lobe_tumour_volume_ml", Kind.NOT_NEGATIVE, "tumour in the treated lobe", 200.0, plausible=(0.0, 5000.0)),
    Field("lobe_volume_ml", Kind.POSITIVE, "treated lobe with its tumours", 1100.0, plausible=(50.0, 6000.0)),
    Field("liver_volume_ml", Kind.POSITIVE, "whole liver with its tumours", 1800.0, plausible=(300.0, 8000.0)),
    _RESIN_SHUNT,
)
LUNG_LIMIT_ACTIVITY_FIELDS = (
    NUCLIDE,
    DOSE_CONSTANT,
    Field("lung_limit_gy", Kind.POSITIVE, "lung dose not to be exceeded", 30.0, plausible=(1.0, 50.0)),
    LUNG_SHUNT,
    LUNG_MASS,
)
DISPENSED_FIELDS = (
    Field("delivered_gbq", Kind.POSITIVE, "activity to reach the patient", 2.304, plausible=ACTIVITY_RANGE_GBQ),
    Field("residual_fraction", Kind.FRACTION, "share of the dispensed activity that stays behind", 0.1, plausible=(0.0, 0.25)),
)
RATIO_FIELDS = (
    Field("tumour_counts", Kind.POSITIVE, "counts or activity in tumour, any unit", 500.0),
    Field("normal_counts", Kind.POSITIVE, "counts or activity in perfused normal liver, same unit", 450.0),
    Field("lung_counts", Kind.NOT_NEGATIVE, "counts or activity in the lungs, same unit", 50.0, None),
    Field("tumour_mass_kg", Kind.POSITIVE, "mass of tumour", 0.3, plausible=MASS_RANGE_KG),
    Field("normal_mass_kg", Kind.POSITIVE, "mass of perfused normal liver", 1.5, plausible=MASS_RANGE_KG),
)


def _liver_ml(values: Values) -> Measured:
    """Whole liver with its tumours."""
    if one_of(values, "liver_volume_ml", "normal_volume_ml") == "liver_volume_ml":
        return values.measured("liver_volume_ml")
    parts = {"tumour": values.measured("tumour_volume_ml"), "normal": values.measured("normal_volume_ml")}
    return propagate(lambda tumour, normal: tumour + normal, **parts)


def _surface_m2(values: Values) -> Measured:
    key = one_of(values, "height_cm", "height_m")
    scale = 1.0 if key == "height_cm" else CM_PER_M
    return propagate(
        lambda height, weight: du_bois_m2(height * scale, weight), height=values.measured(key), weight=values.measured("weight_kg")
    )


def _none_given(reason: Unknown) -> Finding:
    message = f"{reason.reason} · no activity is given · find the cause of the shunt, or choose another treatment"
    return Finding("activity.none", Severity.CRITICAL, message, "lungs", RESIN_SHUNT_SOURCE)


def _empirical(values: Values) -> Outcome:
    share = propagate(
        lambda tumour, liver: empirical.involvement(tumour, liver),
        tumour=values.measured("tumour_volume_ml"),
        liver=_liver_ml(values),
    )
    method = Method(
        empirical.NAME,
        empirical.VERSION,
        empirical.FORMULA,
        empirical.SOURCES,
        empirical.CONSTANTS,
        inputs_of(values, EMPIRICAL_FIELDS),
    )
    involved = method.number("involvement_fraction", "tumour over whole liver", share, "1")
    findings = empirical.involvement_findings(share)
    if values.has("lung_shunt_fraction"):
        factor = resin_shunt.reduction_factor(values.number("lung_shunt_fraction"))
        if isinstance(factor, Unknown):
            return Outcome((involved,), {"activity_gbq": None}, (*findings, _none_given(factor)))
    activity = Measured(empirical.activity_gbq(share.value))
    return Outcome((method.number("activity_gbq", "activity", activity, "GBq"), involved), findings=findings)


def _ruled(method: Method, surface: Measured, shunt: Measured, unreduced: Measured, others: tuple[Finding, ...]) -> Outcome:
    """What both body-surface rules answer."""
    numbers = (
        method.number("unreduced_gbq", "activity before lung shunt is looked at", unreduced, "GBq"),
        method.number("body_surface_m2", "body surface, Du Bois", surface, "m²"),
    )
    findings = (*others, *bsa.surface_findings(surface), *resin_shunt.reduction_findings(shunt))
    factor = resin_shunt.reduction_factor(shunt.value)
    if isinstance(factor, Unknown):
        return Outcome(numbers, {"activity_gbq": None, "shunt_factor": None}, (*findings, _none_given(factor)))
    activity = propagate(lambda a: a * factor, a=unreduced)
    return Outcome((method.number("activity_gbq", "activity", activity, "GBq"), *numbers), {"shunt_factor": factor}, findings)


def _bsa(values: Values) -> Outcome:
    surface, shunt = _surface_m2(values), values.measured("lung_shunt_fraction")
    unreduced = propagate(
        lambda surface, tumour, liver: bsa.unreduced_gbq(bsa.SurfaceInputs(surface, tumour, liver, shunt.value)),
        surface=surface,
        tumour=values.measured("tumour_volume_ml"),
        liver=_liver_ml(values),
    )
    constants = (bsa.OFFSET, *resin_shunt.CONSTANTS)
    method = Method(bsa.NAME, bsa.VERSION, bsa.FORMULA, bsa.SOURCES, constants, inputs_of(values, BSA_FIELDS))
    return _ruled(method, surface, shunt, unreduced, ())


def _bsa_modified(values: Values) -> Outcome:
    surface, shunt = _surface_m2(values), values.measured("lung_shunt_fraction")
    unreduced = propagate(
        lambda surface, tumour, lobe, liver: bsa_modified.unreduced_lobe_gbq(
            bsa_modified.LobeInputs(surface, tumour, lobe, liver, shunt.value)
        ),
        surface=surface,
        tumour=values.measured("lobe_tumour_volume_ml"),
        lobe=values.measured("lobe_volume_ml"),
        liver=values.measured("liver_volume_ml"),
    )
    method = Method(
        bsa_modified.NAME,
        bsa_modified.VERSION,
        bsa_modified.FORMULA,
        bsa_modified.SOURCES,
        (bsa.OFFSET, *resin_shunt.CONSTANTS),
        inputs_of(values, BSA_MODIFIED_FIELDS),
    )
    return _ruled(method, surface, shunt, unreduced, (bsa_modified.UNVERIFIED,))


def _lung_limit_activity(values: Values) -> Outcome:
    constant = dose_constant(values)
    mass, constants, findings = lung_mass(values)
    shunt = values.measured("lung_shunt_fraction")
    if shunt.value == 0.0:
        raise InvalidValue("a lung shunt of 0", "nothing reaches the lungs: their limit sets no bound", "look at the other limits")
    activity = propagate(
        lambda d, m, k, shunt: d * m / (k * shunt),
        d=values.measured("lung_limit_gy"),
        m=mass,
        k=constant_measured(constant),
        shunt=shunt,
    )
    method = Method(
        "activity at a lung dose limit",
        mono.VERSION,
        "A = D_lung · m_lung / (K · L)",
        mono.SOURCES,
        (constant.gy_kg_per_gbq, *constants),
        inputs_of(values, LUNG_LIMIT_ACTIVITY_FIELDS),
    )
    return Outcome((method.number("delivered_gbq", "activity delivered at the limit", activity, "GBq"),), findings=findings)


def _dispensed(values: Values) -> Outcome:
    inputs = {"a": values.measured("delivered_gbq"), "r": values.measured("residual_fraction")}
    dispensed = propagate(lambda a, r: a / (1.0 - r), **inputs)
    method = Method(
        "residual",
        mono.VERSION,
        "A_dispensed = A_delivered / (1 − R);  A_residual = R · A_dispensed",
        mono.SOURCES,
        inputs=inputs_of(values, DISPENSED_FIELDS),
    )
    numbers = (
        method.number("dispensed_gbq", "activity to dispense", dispensed, "GBq"),
        method.number("residual_gbq", "activity that stays behind", propagate(lambda a, r: a * r / (1.0 - r), **inputs), "GBq"),
    )
    return Outcome(numbers, {"dispensed_mci": dispensed.value / GBQ_PER_MILLICURIE})


def _ratios(values: Values) -> Outcome:
    held = {"t": values.measured("tumour_counts"), "n": values.measured("normal_counts")}
    masses = {"mt": values.measured("tumour_mass_kg"), "mn": values.measured("normal_mass_kg")}
    tn = propagate(lambda t, n, mt, mn: (t / mt) / (n / mn), **held, **masses)
    method = Method(
        "uptake ratios",
        predictive_partition.VERSION,
        "TN = (A_T/m_T) / (A_N/m_N);  R = A_T/A_N;  L = A_L/(A_L + A_T + A_N);  TLSF = A_L/(A_L + A_T)",
        (*predictive_partition.SOURCES, "van Roekel thesis p. 30"),
        inputs=inputs_of(values, RATIO_FIELDS),
    )
    numbers = [
        method.number("tumour_to_normal", "ratio of concentrations", tn, "1"),
        method.number("activity_ratio", "ratio of activities R", propagate(lambda t, n: t / n, **held), "1"),
    ]
    if values.has("lung_counts"):
        lung = held | {"l": values.measured("lung_counts")}
        numbers += [
            method.number("lung_shunt_fraction", "lung shunt fraction", propagate(lambda t, n, l: l / (l + t + n), **lung), "1"),
            method.number("artery_shunt_fraction", "TLSF", propagate(lambda t, n, l: l / (l + t), **lung), "1"),
        ]
    return Outcome(tuple(numbers), findings=uptake_findings(tn, Measured(1.0)))


ACTIVITY_MODELS = (
    CalcModel("empirical", "activity by tumour involvement (resin; for comparison only)", EMPIRICAL_FIELDS, _empirical),
    CalcModel("bsa", "activity by body surface, with lung shunt steps (resin)", BSA_FIELDS, _bsa),
    CalcModel("bsa-modified", "activity by body surface for one lobe (resin; unverified)", BSA_MODIFIED_FIELDS, _bsa_modified),
    CalcModel("lung-limit-activity", "activity at a lung dose limit", LUNG_LIMIT_ACTIVITY_FIELDS, _lung_limit_activity),
    CalcModel("dispensed-activity", "activity to dispense from activity to deliver and residual", DISPENSED_FIELDS, _dispensed),
    CalcModel("uptake-ratios", "TN, R, lung shunt fraction and TLSF from counts and masses", RATIO_FIELDS, _ratios),
)
