"""Formulas of biological effect for ``calc``: equivalent uniform doses, probability of tumour control and of harm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.dosimetry.radiobiology import bed, eud, ntcp, tcp
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.limits import INDICATIONS
from opensirt.vocabulary.measured import Z_90, Measured, propagate
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.provenance import Constant
from opensirt.vocabulary.radiobiology import ALPHA_FITTED_PER_GY, IN_VIVO_FITS, RESPONSES, ResponseParameters, response_named
from opensirt.workflow.calc_fields import Field, Kind, Values
from opensirt.workflow.calc_model import CalcModel, Method, Outcome, inputs_of
from opensirt.workflow.calc_radiobiology import (
    BED_RANGE_GY,
    DOSE_RANGE_GY,
    HALF_LIFE_FIELDS,
    TISSUE_FIELDS,
    bed_of,
    factor_of,
    from_constant,
    model_parameters,
    parameter,
    tissue_of,
    unverified,
)

FloatArray = npt.NDArray[np.float64]

_WEIGHTS = Field("volumes_ml", Kind.NUMBERS, "volume (or mass) of each voxel; equal ones where not stated", None, None)
_ALPHA = Field("alpha_per_gy", Kind.POSITIVE, "α; that of the tissue where not stated", None, None, ALPHA_FITTED_PER_GY)
_TUMOUR = replace(TISSUE_FIELDS[0], example="tumour-10")
EUD_FIELDS = (
    Field("doses_gy", Kind.NUMBERS, "dose of each voxel", [20, 60, 100, 140, 180]),
    _WEIGHTS,
    Field("exponent", Kind.NUMBER, "a: 1 for the mean, negative for tumours", -5.0, plausible=(-50.0, 50.0)),
)
EUBED_FIELDS = (
    Field("doses_gy", Kind.NUMBERS, "dose of each voxel", [20, 60, 100, 140, 180]),
    _WEIGHTS,
    _ALPHA,
    *HALF_LIFE_FIELDS,
    _TUMOUR,
    *(replace(field, example=None) for field in TISSUE_FIELDS[1:]),
)
EUBED_OF_BEDS_FIELDS = (Field("beds_gy", Kind.NUMBERS, "BED of each voxel", [20, 60, 100, 140, 180]), _WEIGHTS, _ALPHA, _TUMOUR)
_WHERE = (
    Field("product", Kind.TEXT, "product the dose comes from: glass, resin or ho166", "glass", None),
    Field("indication", Kind.TEXT, f"one of {', '.join(INDICATIONS)}", "HCC", None),
)
_GAMMA = Field("gamma50", Kind.POSITIVE, "normalised slope at D50; no source states it, a person does", 1.0, plausible=(0.1, 10.0))
TCP_FIELDS = (
    Field(
        "eud_gy",
        Kind.NOT_NEGATIVE,
        "equivalent uniform dose, or the mean where D50 was found on means",
        292.0,
        plausible=DOSE_RANGE_GY,
    ),
    Field("d50_gy", Kind.POSITIVE, "dose of 50 %; that of the named parameters where not stated", 292.0, None, (1.0, 1000.0)),
    Field("parameters", Kind.TEXT, "named parameters (glass-dose-292, …); or state D50", None, None),
    _GAMMA,
    *_WHERE,
)
NTCP_FIELDS = (
    Field("eud_gy", Kind.NOT_NEGATIVE, "equivalent uniform dose of the organ, or its mean", 40.0, plausible=DOSE_RANGE_GY),
    Field("td50_gy", Kind.POSITIVE, "dose of 50 %; that of the named parameters where not stated", 52.0, None, (1.0, 1000.0)),
    Field("parameters", Kind.TEXT, "named parameters (resin-liver-52); or state TD50", None, None),
    _GAMMA,
    *_WHERE,
)
POISSON_FIELDS = (
    Field("eubed_gy", Kind.NOT_NEGATIVE, "EUBED, or the BED of an even dose", 441.0, plausible=BED_RANGE_GY),
    Field(
        "clonogen_number",
        Kind.POSITIVE,
        "clonogens before treatment; no source states it, a person does",
        1e7,
        plausible=(1.0, 1e13),
    ),
    replace(_ALPHA, example=0.036),
    replace(_TUMOUR, example=None),
)


def _voxels(values: Values, key: str) -> tuple[FloatArray, FloatArray]:
    doses = np.array(values.numbers(key))
    weights = np.array(values.numbers("volumes_ml")) if values.has("volumes_ml") else np.ones_like(doses)
    if weights.shape != doses.shape or weights.min() <= 0.0:
        raise InvalidValue(
            f"{len(doses)} voxels and {len(weights)} volumes", "each voxel needs a volume above 0", "give one volume per voxel"
        )
    return doses, weights


def _run_eud(values: Values) -> Outcome:
    doses, weights = _voxels(values, "doses_gy")
    method = Method("gEUD", eud.VERSION, eud.GEUD_FORMULA, eud.SOURCES[:1], inputs=inputs_of(values, EUD_FIELDS))
    found = propagate(lambda a: eud.geud_gy(doses, weights, a), a=values.measured("exponent"))
    mean = Measured(float(np.average(doses, weights=weights)))
    return Outcome(
        (
            method.number("eud_gy", "generalised equivalent uniform dose", found, "Gy"),
            method.number("mean_gy", "mean dose", mean, "Gy"),
        )
    )


def _alpha_of(values: Values) -> tuple[Measured, tuple[Constant, ...]]:
    tissue = tissue_of(values)
    return parameter(values, "alpha_per_gy", tissue, tissue.alpha_per_gy if tissue else None)


def _run_eubed(values: Values) -> Outcome:
    doses, weights = _voxels(values, "doses_gy")
    alpha, alpha_constants = _alpha_of(values)
    known = model_parameters(values)

    def beds(**rest: float) -> FloatArray:
        return np.asarray(doses * (1.0 + doses * (factor_of(**rest) / rest["ratio_gy"])))

    def eubed(alpha: float, **rest: float) -> float:
        return eud.eubed_gy(beds(**rest), weights, alpha)

    def mean_bed(**rest: float) -> float:
        return float(np.average(beds(**rest), weights=weights))

    def bed_of_mean(**rest: float) -> float:
        return bed_of(float(np.average(doses, weights=weights)), **rest)

    constants = (*known.constants, *alpha_constants)
    formula = f"{eud.EUBED_FORMULA};  {bed.FORMULA}"
    method = Method("EUBED", eud.VERSION, formula, eud.SOURCES, constants, inputs_of(values, EUBED_FIELDS))
    naive = propagate(bed_of_mean, **known.inputs)
    numbers = (
        method.number("eubed_gy", "equivalent uniform BED", propagate(eubed, alpha=alpha, **known.inputs), "Gy"),
        method.number("mean_bed_gy", "mean of voxel BED", propagate(mean_bed, **known.inputs), "Gy"),
        method.number("bed_of_mean_dose_gy", "BED of the mean dose: too low for an uneven dose", naive, "Gy"),
    )
    return Outcome(numbers, findings=(*known.findings, *_open_alpha(alpha_constants)))


def _run_eubed_of_beds(values: Values) -> Outcome:
    beds, weights = _voxels(values, "beds_gy")
    alpha, constants = _alpha_of(values)
    shown = inputs_of(values, EUBED_OF_BEDS_FIELDS)
    method = Method("EUBED", eud.VERSION, eud.EUBED_FORMULA, eud.SOURCES, constants, shown)
    eubed = propagate(lambda a: eud.eubed_gy(beds, weights, a), a=alpha)
    mean = Measured(float(np.average(beds, weights=weights)))
    numbers = (
        method.number("eubed_gy", "equivalent uniform BED", eubed, "Gy"),
        method.number("mean_bed_gy", "mean of voxel BED", mean, "Gy"),
    )
    return Outcome(numbers, findings=_open_alpha(constants))


def _open_alpha(constants: Sequence[Constant]) -> tuple[Finding, ...]:
    """A finding where α is that of a named tissue."""
    if not constants:
        return ()
    message = (
        "α of tumours is not identifiable in SIRT patients: fits leave 0.001 to 1 per Gy open, and the interval carries that · "
        "do not read the result as absolute"
    )
    return (Finding("radiobiology.parameters_open", Severity.NOTE, message, "alpha_per_gy", IN_VIVO_FITS),)


def _response(values: Values, key: str, endpoint: str) -> tuple[Measured, tuple[Constant, ...], tuple[Finding, ...]]:
    if values.has("parameters") == values.has(key):
        raise InvalidValue(f"parameters and {key}", "exactly one of them is needed", f"name a parameter set or state {key}")
    product = values.text("product") if values.has("product") else ""
    indication = values.text("indication") if values.has("indication") else ""
    if indication and indication not in INDICATIONS:
        raise UnsupportedInput(f"no indication is called {indication!r}", "", offer(indication, INDICATIONS))
    if values.has(key):
        stated = values.measured(key)
        same = [each for each in RESPONSES.values() if each.endpoint == endpoint and each.d50_gy.value == stated.value]
        foreign = [f for each in same for f in _belongs(each, product, indication) if f.code != "radiobiology.no_spread"]
        return stated, tuple(each.d50_gy for each in same), (*_stated_findings(indication), *foreign)
    found = response_named(values.text("parameters"), endpoint)
    if indication == "NET":
        raise UnsupportedInput(
            f"no parameters of {endpoint} were found for NET",
            f"{found.key} was found in other tumours",
            f"state {key} and γ50 of the centre, or show none",
        )
    findings = (*_belongs(found, product, indication), *unverified((found.d50_gy,)))
    return from_constant(found.d50_gy), (found.d50_gy,), findings


def _stated_findings(indication: str) -> tuple[Finding, ...]:
    if indication != "NET":
        return ()
    message = "no parameters were found for NET in any source; those stated are the centre's own · say where they come from"
    return (Finding("radiobiology.no_parameters", Severity.WARNING, message, "NET"),)


def _belongs(found: ResponseParameters, product: str, indication: str) -> tuple[Finding, ...]:
    findings = []
    if product != found.product:
        theirs, ours = found.product or "external beam", product or "a product that was not stated"
        message = (
            f"{found.key} was found with {theirs}, and is used for {ours} · doses of 50 % differ fourfold between products · "
            "use the set that belongs"
        )
        findings.append(Finding("radiobiology.other_product", Severity.WARNING, message, found.key, found.d50_gy.source))
    if indication not in found.indications:
        theirs = ", ".join(found.indications) or "tumours not stated in what was read"
        message = (
            f"{found.key} was found in {theirs}; for {indication or 'an indication that was not stated'} it stands by analogy only · "
            "decide whether it holds"
        )
        findings.append(Finding("radiobiology.other_indication", Severity.WARNING, message, found.key, found.d50_gy.source))
    if found.d50_gy.standard_uncertainty == 0.0:
        message = f"no spread of D50 was read for {found.key} · the interval leaves it out and is too narrow"
        findings.append(Finding("radiobiology.no_spread", Severity.NOTE, message, found.key))
    return tuple(findings)


def _within_one(found: Measured) -> dict[str, list[float]]:
    """90 % interval of a probability, found on the logit scale so that it stays between 0 and 1."""
    share = found.value * (1.0 - found.value)
    if not found.contributions or share == 0.0:
        return {}
    centre, half = math.log(found.value / (1.0 - found.value)), Z_90 * found.standard_uncertainty / share
    return {"logit_interval_90": [1.0 / (1.0 + math.exp(-x)) for x in (centre - half, centre + half)]}


def _gamma_finding() -> Finding:
    message = (
        "γ50 was stated by the user; no source was found for it · the steepness of the curve, and the probability away from D50, "
        "rest on it · say where it comes from"
    )
    return Finding("radiobiology.gamma_stated", Severity.NOTE, message, "gamma50")


def _run_tcp(values: Values) -> Outcome:
    d50, constants, findings = _response(values, "d50_gy", "tumour control")
    shown = inputs_of(values, TCP_FIELDS)
    method = Method(tcp.LOGISTIC_NAME, tcp.VERSION, tcp.LOGISTIC_FORMULA, tcp.LOGISTIC_SOURCES, constants, shown)
    found = propagate(tcp.logistic_probability, eud_gy=values.measured("eud_gy"), d50_gy=d50, gamma50=values.measured("gamma50"))
    number = method.number("tcp", "probability of tumour control", found, "1")
    return Outcome((number,), _within_one(found), (*findings, _gamma_finding()))


def _run_ntcp(values: Values) -> Outcome:
    td50, constants, findings = _response(values, "td50_gy", "toxicity")
    method = Method(ntcp.NAME, ntcp.VERSION, ntcp.FORMULA, ntcp.SOURCES, constants, inputs_of(values, NTCP_FIELDS))
    found = propagate(ntcp.ntcp, eud_gy=values.measured("eud_gy"), td50_gy=td50, gamma50=values.measured("gamma50"))
    number = method.number("ntcp", "probability of harm", found, "1")
    return Outcome((number,), _within_one(found), (*findings, _gamma_finding()))


def _run_poisson(values: Values) -> Outcome:
    alpha, constants = _alpha_of(values)
    method = Method(tcp.POISSON_NAME, tcp.VERSION, tcp.POISSON_FORMULA, (), constants, inputs_of(values, POISSON_FIELDS))
    found = propagate(
        lambda b, n, a: tcp.poisson_probability(b, n, a),
        b=values.measured("eubed_gy"),
        n=values.measured("clonogen_number"),
        a=alpha,
    )
    message = (
        "the Poisson form and the number of clonogens were not read in a source for SIRT · the result is an illustration, "
        "not a prediction · do not plan by it"
    )
    finding = Finding("radiobiology.unverified", Severity.WARNING, message, "clonogen_number")
    number = method.number("tcp", "probability of tumour control", found, "1")
    return Outcome((number,), _within_one(found), (finding, *_open_alpha(constants)))


PROBABILITY_MODELS = (
    CalcModel("eud", "generalised equivalent uniform dose of a list of voxels", EUD_FIELDS, _run_eud),
    CalcModel("eubed", "equivalent uniform BED of a list of voxels, and their mean BED", EUBED_FIELDS, _run_eubed),
    CalcModel("eubed-from-beds", "equivalent uniform BED of a list of voxel BEDs", EUBED_OF_BEDS_FIELDS, _run_eubed_of_beds),
    CalcModel("tcp-logistic", "probability of tumour control, logistic", TCP_FIELDS, _run_tcp),
    CalcModel("tcp-poisson", "probability that no clonogen survives", POISSON_FIELDS, _run_poisson),
    CalcModel("ntcp-logistic", "probability of harm to normal tissue, logistic", NTCP_FIELDS, _run_ntcp),
)
