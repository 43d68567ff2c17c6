"""Formulas of the work-up for ``calc``: lung shunt, lung mass and dose, counts outside the liver."""

from __future__ import annotations

from opensirt.imaging.tissue import CONVERSIONS, LINEAR_HU, DensityConversion, density_table
from opensirt.radioembolisation.dosimetry.models import mono
from opensirt.radioembolisation.workup import extrahepatic, lung_shunt
from opensirt.radioembolisation.workup.lung_mass import LUNG_MASS_VERSION
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.limits import LUNG_SINGLE
from opensirt.vocabulary.measured import propagate
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.units import G_PER_KG
from opensirt.workflow.calc_fields import Field, Kind, Values
from opensirt.workflow.calc_model import (
    ACTIVITY_RANGE_GBQ,
    DOSE_CONSTANT,
    LUNG_MASS,
    LUNG_SHUNT,
    NUCLIDE,
    CalcModel,
    Method,
    Outcome,
    constant_measured,
    dose_constant,
    inputs_of,
    lung_findings,
    lung_mass,
)

HIGH_SHUNT_FRACTION = 0.20
"""Above this lung shunt no resin is given (van Roekel thesis p. 21, 30)."""

PLANAR_FIELDS = (
    Field("lung_anterior_counts", Kind.NOT_NEGATIVE, "lung counts, anterior view", 12000),
    Field("lung_posterior_counts", Kind.NOT_NEGATIVE, "lung counts, posterior view", 15000),
    Field("liver_anterior_counts", Kind.POSITIVE, "liver counts, anterior view", 150000),
    Field("liver_posterior_counts", Kind.POSITIVE, "liver counts, posterior view", 140000),
)
BACKGROUND_FIELDS = (
    Field("background_anterior_counts", Kind.NOT_NEGATIVE, "counts of the background region, anterior view", None, None),
    Field(
        "background_posterior_counts", Kind.NOT_NEGATIVE, "counts of the same region mirrored into the posterior view", None, None
    ),
    Field("background_anterior_pixels", Kind.POSITIVE, "pixels of the background region, anterior view", None, None),
    Field("background_posterior_pixels", Kind.POSITIVE, "pixels of it in the posterior view: as many", None, None),
    Field("lung_pixels", Kind.POSITIVE, "pixels of the lung region", None, None),
    Field("liver_pixels", Kind.POSITIVE, "pixels of the liver region", None, None),
)
"""All or none: background is subtracted from lung and liver in both views alike, or from nothing."""
SPECT_FIELDS = (
    Field("lung_counts", Kind.NOT_NEGATIVE, "lung counts; a voxel shared with the liver is not among them", 40),
    Field("liver_counts", Kind.POSITIVE, "liver counts, shared voxels included", 720),
)
LUNG_DOSE_FIELDS = (
    NUCLIDE,
    DOSE_CONSTANT,
    Field("delivered_gbq", Kind.NOT_NEGATIVE, "activity delivered to the patient", 2.0, plausible=ACTIVITY_RANGE_GBQ),
    LUNG_SHUNT,
    LUNG_MASS,
)
LUNG_LIMIT_FIELDS = (
    NUCLIDE,
    DOSE_CONSTANT,
    Field("lung_limit_gy", Kind.POSITIVE, "lung dose not to be exceeded", 30.0, LUNG_SINGLE.value_gy, (1.0, 50.0)),
    LUNG_MASS,
)
LUNG_MASS_FIELDS = (
    Field("volume_ml", Kind.POSITIVE, "volume", 1000.0, plausible=(1.0, 10000.0)),
    Field("mean_hu", Kind.NUMBER, "mean CT number", -700.0, plausible=(-1000.0, 200.0)),
    Field("conversion", Kind.TEXT, "linear or schneider", "linear", "linear"),
)
EXTRAHEPATIC_FIELDS = (
    Field("extrahepatic_counts", Kind.NOT_NEGATIVE, "counts outside liver and lungs", 32),
    Field("total_counts", Kind.POSITIVE, "all counts", 100),
)
_CONVERSIONS: dict[str, DensityConversion] = {
    "linear": LINEAR_HU,
    "schneider": next(c for name, c in CONVERSIONS.items() if name != LINEAR_HU.name),
}


def _shunt_findings(fraction: float) -> tuple[Finding, ...]:
    if fraction <= HIGH_SHUNT_FRACTION:
        return ()
    message = f"lung shunt {fraction:.1%} lies above {HIGH_SHUNT_FRACTION:.0%} · resin is not given above it; with any product look at the lung dose"
    return (Finding("lung_shunt.above_limit", Severity.CRITICAL, message, "lungs", LUNG_SINGLE.source),)


def _plain_counts(values: Values, fields: tuple[Field, ...]) -> list[float]:
    """Counts as numbers; their noise is Poisson's, so that none may be stated beside."""
    uncertain = [field.key for field in fields if values.measured(field.key).contributions]
    if uncertain:
        raise InvalidValue(
            f"an uncertainty of {', '.join(uncertain)}",
            "the noise of counts is taken as that of Poisson counts",
            "state the counts as plain numbers, as they were counted",
        )
    return [values.number(field.key) for field in fields]


def _background(values: Values) -> lung_shunt.PlanarBackground | None:
    stated = [field.key for field in BACKGROUND_FIELDS if values.has(field.key)]
    if not stated:
        return None
    missing = [field.key for field in BACKGROUND_FIELDS if field.key not in stated]
    if missing:
        raise InvalidValue(
            f"background by {', '.join(stated)} without {', '.join(missing)}",
            "it is subtracted from lung and liver in both views alike, or from nothing",
            "state all of them, or none",
        )
    return lung_shunt.PlanarBackground(*_plain_counts(values, BACKGROUND_FIELDS))


def _planar(values: Values) -> Outcome:
    counts = lung_shunt.PlanarCounts(*_plain_counts(values, PLANAR_FIELDS))
    background = _background(values)
    method = Method(
        "planar geometric mean",
        lung_shunt.LUNG_SHUNT_VERSION,
        lung_shunt.PLANAR_FORMULA if background is None else lung_shunt.BACKGROUND_FORMULA,
        ("van Roekel thesis p. 30",),
        inputs=inputs_of(values, (*PLANAR_FIELDS, *BACKGROUND_FIELDS)),
    )
    fraction = lung_shunt.planar_lung_shunt(counts, background)
    number = method.number("lung_shunt_fraction", "lung shunt fraction, planar", fraction, "1")
    net = lung_shunt.net_counts(counts, background)
    means = {
        f"{organ}_geometric_mean_counts": (net[f"{organ}_anterior"].value * net[f"{organ}_posterior"].value) ** 0.5
        for organ in ("lung", "liver")
    }
    findings = (*_shunt_findings(fraction.value), *lung_shunt.background_findings(counts, background))
    return Outcome((number,), means, findings)


def _spect(values: Values) -> Outcome:
    fraction = propagate(
        lambda lung, liver: lung_shunt.spect_lung_shunt(lung, liver),
        lung=values.measured("lung_counts"),
        liver=values.measured("liver_counts"),
    )
    method = Method(
        "SPECT/CT counts",
        lung_shunt.LUNG_SHUNT_VERSION,
        lung_shunt.SPECT_FORMULA,
        ("EANM procedure guideline 2022",),
        inputs=inputs_of(values, SPECT_FIELDS),
    )
    number = method.number("lung_shunt_fraction", "lung shunt fraction, SPECT/CT", fraction, "1")
    return Outcome((number,), findings=_shunt_findings(fraction.value))


def _lung_dose(values: Values) -> Outcome:
    constant = dose_constant(values)
    mass, constants, findings = lung_mass(values)
    dose = propagate(
        lambda a, shunt, m, k: mono.lung_dose_gy(a, shunt, m, k),
        a=values.measured("delivered_gbq"),
        shunt=values.measured("lung_shunt_fraction"),
        m=mass,
        k=constant_measured(constant),
    )
    method = Method(
        "lung mean dose",
        mono.VERSION,
        "D_lung = K · A · L / m_lung",
        mono.SOURCES,
        (constant.gy_kg_per_gbq, *constants),
        inputs_of(values, LUNG_DOSE_FIELDS),
    )
    return Outcome((method.number("lung_dose_gy", "mean lung dose", dose, "Gy"),), findings=(*findings, *lung_findings(dose)))


def _lung_limit(values: Values) -> Outcome:
    constant = dose_constant(values)
    mass, constants, findings = lung_mass(values)
    shunted = propagate(lambda d, m, k: d * m / k, d=values.measured("lung_limit_gy"), m=mass, k=constant_measured(constant))
    method = Method(
        "activity in the lungs at a dose limit",
        mono.VERSION,
        "A · L = D_lung · m_lung / K",
        (LUNG_SINGLE.source,),
        (constant.gy_kg_per_gbq, *constants),
        inputs_of(values, LUNG_LIMIT_FIELDS),
    )
    return Outcome((method.number("shunted_gbq", "activity shunted to the lungs", shunted, "GBq"),), findings=findings)


def _lung_mass_hu(values: Values) -> Outcome:
    name = values.text("conversion")
    if name not in _CONVERSIONS:
        raise UnsupportedInput(f"no conversion is called {name!r}", "", offer(name, _CONVERSIONS))
    conversion = _CONVERSIONS[name]
    hu = values.measured("mean_hu")
    low, high = conversion.hu[0], conversion.hu[-1]
    if not low <= hu.value <= high:
        raise InvalidValue(
            f"{hu.value:g} HU lies beyond the table of {conversion.name} ({low:g} to {high:g})",
            "no density follows",
            "check the CT",
        )

    def density(h: float) -> float:
        below = int(h // 1)
        table = density_table(conversion, below, below + 1)
        return float(table[0] + (h - below) * (table[1] - table[0]))

    rho = propagate(density, h=hu)
    mass = propagate(lambda v, h: v * density(h) / G_PER_KG, v=values.measured("volume_ml"), h=hu)
    method = Method(
        f"mass from CT number, {conversion.name}",
        LUNG_MASS_VERSION,
        "m = V · ρ(HU)",
        (conversion.source,),
        inputs=inputs_of(values, LUNG_MASS_FIELDS),
    )
    numbers = (
        method.number("mass_kg", "mass", mass, "kg"),
        method.number("density_g_per_ml", "density", rho, "g/mL"),
    )
    return Outcome(numbers)


def _extrahepatic(values: Values) -> Outcome:
    outside, total = values.measured("extrahepatic_counts"), values.measured("total_counts")
    if outside.value > total.value:
        raise InvalidValue(f"{outside.value:g} counts outside of {total.value:g} in all", "a part exceeds the whole", "check both")
    share = propagate(lambda o, t: o / t, o=outside, t=total)
    method = Method(
        "extrahepatic share",
        extrahepatic.EXTRAHEPATIC_VERSION,
        "f = C_outside / C_total",
        inputs=inputs_of(values, EXTRAHEPATIC_FIELDS),
    )
    findings: tuple[Finding, ...] = ()
    if share.value > extrahepatic.WARN_ABOVE_FRACTION:
        message = f"{share.value:.0%} of the counts lie outside liver and lungs (warned above {extrahepatic.WARN_ABOVE_FRACTION:.0%}) · free pertechnetate, or particles that went astray · look at the images"
        findings = (Finding("extrahepatic.share", Severity.WARNING, message, source="Taranis convention"),)
    return Outcome(
        (method.number("extrahepatic_fraction", "share of counts outside liver and lungs", share, "1"),), findings=findings
    )


WORKUP_MODELS = (
    CalcModel("lung-shunt-planar", "lung shunt fraction by planar geometric mean", (*PLANAR_FIELDS, *BACKGROUND_FIELDS), _planar),
    CalcModel("lung-shunt-spect", "lung shunt fraction from SPECT/CT counts", SPECT_FIELDS, _spect),
    CalcModel("lung-dose", "mean lung dose of a delivered activity", LUNG_DOSE_FIELDS, _lung_dose),
    CalcModel("lung-limit", "activity in the lungs at a lung dose limit", LUNG_LIMIT_FIELDS, _lung_limit),
    CalcModel("lung-mass-hu", "mass from a volume and its CT number", LUNG_MASS_FIELDS, _lung_mass_hu),
    CalcModel("extrahepatic-share", "share of counts outside liver and lungs", EXTRAHEPATIC_FIELDS, _extrahepatic),
)
