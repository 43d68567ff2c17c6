"""``calc`` from outside: every example answers, every number explains itself, every fault is told at once, uncertainty passes through."""

from __future__ import annotations

import json
import math

import pytest

from opensirt.vocabulary.errors import InvalidValue, MissingInput, OpensirtError, UnsupportedInput
from opensirt.vocabulary.measured import Z_90
from opensirt.workflow.calc import MODELS, calc, calc_example, calc_list

names = pytest.mark.parametrize("name", list(MODELS))
LUNG = {"nuclide": "Y-90", "dose_constant": "49.67", "delivered_gbq": 2.0, "lung_shunt_fraction": 0.1, "lung_mass_kg": 1.0}
PARTITION = {
    "nuclide": "Y-90",
    "delivered_gbq": 2.0,
    "tumour_mass_kg": 0.3,
    "normal_mass_kg": 1.5,
    "tumour_to_normal": 5.0,
    "lung_shunt_fraction": 0.05,
    "lung_mass_kg": 1.0,
}


@names
def test_every_example_answers_and_explains_itself(name):
    answer = json.loads(json.dumps(calc(name, json.loads(json.dumps(calc_example(name)))), allow_nan=False))
    assert answer["model"] == name
    assert (answer["schema"], answer["version"]) == ("opensirt.calc", 1)
    assert answer["result"] and answer["method"] and answer["method_version"] and answer["formula"]
    assert {key for key, value in answer["result"].items() if isinstance(value, float)} >= set(answer["units"])
    assert all(constant["source"] for constant in answer["constants"])
    assert {each["name"] for each in answer["inputs"]} >= set(calc_example(name))


@names
def test_the_same_payload_gives_the_same_bytes(name):
    first, second = (json.dumps(calc(name, calc_example(name)), sort_keys=True) for _ in range(2))
    assert first == second


@names
def test_an_empty_payload_names_all_that_is_missing(name):
    required = [field["key"] for model in calc_list() if model["model"] == name for field in model["fields"] if field["required"]]
    assert required
    with pytest.raises(InvalidValue) as error:
        calc(name, {})
    assert all(f"{key} is missing" in str(error.value) for key in required)


@names
def test_an_unknown_key_is_refused(name):
    with pytest.raises(InvalidValue, match="activity_in_furlongs is not known"):
        calc(name, calc_example(name) | {"activity_in_furlongs": 1.0})


@names
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, True, "2.0", [], {}, {"value": 1.0, "sd": 0.1}])
def test_no_field_takes_what_is_no_number(name, bad):
    for key, example in calc_example(name).items():
        if isinstance(example, bool) or not isinstance(example, int | float):
            continue
        with pytest.raises(InvalidValue, match=key):
            calc(name, calc_example(name) | {key: bad})


def test_all_faults_at_once():
    with pytest.raises(InvalidValue) as error:
        calc("lung-dose", {"nuclid": "Y-90", "delivered_gbq": -2, "lung_shunt_fraction": 8, "lung_mass_kg": 0})
    text = str(error.value)
    for part in (
        "nuclid is not known (did you mean nuclide?)",
        "nuclide is missing",
        "delivered_gbq: -2",
        "give 0.08 for 8 %",
        "lung_mass_kg: 0",
        "lung-dose",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("payload", "expected"),
    [({"value": 2.0, "standard_uncertainty": 0.1}, 0.05), ({"value": 2.0, "relative_uncertainty": 0.07}, 0.07)],
)
def test_uncertainty_of_a_factor_passes_through(payload, expected):
    answer = calc("lung-dose", LUNG | {"delivered_gbq": payload})
    dose = answer["result"]["lung_dose_gy"]
    assert answer["contributions"]["lung_dose_gy"]["delivered_gbq"] / dose == pytest.approx(expected, rel=1e-6)


def test_the_interval_is_log_normal_with_all_contributions():
    payload = LUNG | {
        "lung_mass_kg": {"value": 1.0, "relative_uncertainty": 0.1},
        "lung_shunt_fraction": {"value": 0.1, "relative_uncertainty": 0.2},
    }
    answer = calc("lung-dose", payload)
    dose, shares = answer["result"]["lung_dose_gy"], answer["contributions"]["lung_dose_gy"]
    assert set(shares) == {"lung_mass_kg", "lung_shunt_fraction", "dose_constant"}
    relative = math.hypot(0.1, 0.2, shares["dose_constant"] / dose)
    factor = math.exp(Z_90 * math.sqrt(math.log1p(relative**2)))
    assert answer["interval_90"]["lung_dose_gy"] == [pytest.approx(dose / factor, rel=1e-6), pytest.approx(dose * factor, rel=1e-6)]


def test_named_sources_stay_correlated():
    """One contour error makes the tumour bigger and the normal liver smaller by the same mass."""
    payload = PARTITION | {
        "tumour_mass_kg": {"value": 0.3, "contributions": {"contour": 0.03}},
        "normal_mass_kg": {"value": 1.5, "contributions": {"contour": -0.03}},
    }
    answer = calc("partition-dose", payload)
    # D_N = K A (1-L) / (TN m_T + m_N): the denominator moves by 5 · 0.03 − 0.03 = 0.12 of 3
    relative = answer["contributions"]["normal_dose_gy"]["contour"] / answer["result"]["normal_dose_gy"]
    assert relative == pytest.approx(-0.12 / 3.0, rel=1e-5)


def test_injections_have_uncertainties_of_their_own():
    payload = calc_example("count-partition")
    for name in ("right", "left"):
        payload["injections"][name]["delivered_gbq"] = {"value": 1.0, "standard_uncertainty": 0.1}
    sources = calc("count-partition", payload)["contributions"]["normal_liver.dose_gy"]
    assert {"delivered_gbq.right", "delivered_gbq.left"} <= set(sources)


def test_an_uncertainty_that_leaves_the_range_is_refused():
    with pytest.raises(InvalidValue, match="lung_shunt_fraction"):
        calc("lung-dose", LUNG | {"lung_shunt_fraction": {"value": 0.0, "standard_uncertainty": 0.02}})


@pytest.mark.parametrize(
    ("name", "key", "slipped"),
    [
        ("lung-dose", "delivered_gbq", 2000.0),
        ("lung-dose", "lung_mass_kg", 822.0),
        ("partition-dose", "tumour_mass_kg", 300.0),
        ("mird-activity", "perfused_volume_ml", 0.9),
    ],
)
def test_a_slip_of_unit_is_a_finding(name, key, slipped):
    clean = {finding["code"] for finding in calc(name, calc_example(name))["findings"]}
    found = calc(name, calc_example(name) | {key: slipped})["findings"]
    assert "calc.unusual_value" not in clean
    assert [finding["about"] for finding in found if finding["code"] == "calc.unusual_value"] == [key]


def test_a_percentage_for_a_fraction_is_told_apart():
    with pytest.raises(InvalidValue, match=r"give 0\.05 for 5 %"):
        calc("partition-dose", PARTITION | {"lung_shunt_fraction": 5})


@pytest.mark.parametrize("shunt", [1.0, 1, 1.0000001])
def test_a_shunt_of_one_is_refused(shunt):
    with pytest.raises(InvalidValue, match="lung_shunt_fraction"):
        calc("mird-activity", calc_example("mird-activity") | {"lung_shunt_fraction": shunt})


@pytest.mark.parametrize("instant", ["2026-03-11T15:00:00", "yesterday", 20260311, "2026-02-30T10:00:00+01:00"])
def test_instants_need_a_zone_and_a_calendar(instant):
    with pytest.raises(InvalidValue, match="treatment_at"):
        calc("vial-glass", calc_example("vial-glass") | {"treatment_at": instant})


def test_a_vial_after_its_expiry_is_refused():
    with pytest.raises(InvalidValue, match="expiry"):
        calc("vial-activity", calc_example("vial-activity") | {"at": "2026-03-21T15:00:00+01:00"})


def test_what_is_not_verified_is_said():
    findings = calc("vial-glass", calc_example("vial-glass"))["findings"]
    assert "vials.unverified" in {finding["code"] for finding in findings}


def test_the_vials_of_the_example():
    """Sunday 8 March 12:00 in New York (16:00 UTC) to Wednesday 15:00 in Berlin (14:00 UTC): 70 h; the week before 237 h."""
    answer = calc("vial-glass", calc_example("vial-glass"))["result"]
    assert answer["week1_calibration_gbq"] == pytest.approx(2.4 * 2.0 ** (70.0 / 64.1), rel=1e-12)
    assert answer["week2_calibration_gbq"] == pytest.approx(2.4 * 2.0 ** (237.0 / 64.1), rel=1e-12)
    assert answer["options"][0]["size_gbq"] == 5.0


def test_a_constant_that_nobody_published_is_the_users():
    answer = calc("lung-dose", LUNG | {"dose_constant": 48.98})
    assert answer["result"]["lung_dose_gy"] == pytest.approx(48.98 * 0.2)
    assert answer["constants"][0]["source"] == "stated by the user"
    assert calc("lung-dose", LUNG | {"dose_constant": 49.67})["constants"][0]["source"] != "stated by the user"


@pytest.mark.parametrize(("nuclide", "constant"), [("Y-90", "15.87"), ("Ho-166", "49.67"), ("Xx-1", "50")])
def test_constants_belong_to_their_nuclide(nuclide, constant):
    with pytest.raises(UnsupportedInput):
        calc("lung-dose", LUNG | {"nuclide": nuclide, "dose_constant": constant})


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("dose-rate", {"dose_gy": 30.0}),
        ("dose-constant", {}),
        ("dose-constant", {"half_life_h": 159.5}),
        ("local-dose-voxel", {"voxel_mm": [4, 4, 4], "density_g_per_ml": 1.04, "activity_bq": 1000.0}),
        ("s-value-dose", {"activity_bq": 1000.0, "s_value_mgy_per_mbq_s": 0.5}),
    ],
)
@pytest.mark.parametrize("nuclide", ["Lu-177", "I-131"])
def test_a_dose_of_what_does_not_stay_needs_an_effective_half_life(name, payload, nuclide):
    with pytest.raises(MissingInput, match=f"{nuclide} without an effective half-life .* state effective_half_life_h"):
        calc(name, payload | {"nuclide": nuclide})
    with pytest.raises(OpensirtError):
        calc(name, payload | {"nuclide": "Y-90", "effective_half_life_h": 50.0})


def test_a_dose_with_an_effective_half_life():
    """K of the electrons of Lu-177 after physical decay, 19.636 Gy·kg/GBq, times 70/159.528; 1 kBq in 0.06656 g; ln 2/70 h⁻¹."""
    share = 70.0 / 159.528
    lutetium = {"nuclide": "Lu-177", "effective_half_life_h": 70.0}
    voxel = calc("local-dose-voxel", lutetium | {"voxel_mm": [4, 4, 4], "density_g_per_ml": 1.04, "activity_bq": 1000.0})
    assert voxel["result"]["dose_gy"] == pytest.approx(19.636 * share * 1e-6 / 0.06656e-3, rel=1e-4)
    constant = calc("dose-constant", lutetium | {"effective_half_life_h": {"value": 70.0, "standard_uncertainty": 7.0}})
    assert constant["result"]["dose_constant_gy_kg_per_gbq"] == pytest.approx(132.7469 * 0.183021 * share, rel=1e-4)
    spread = constant["contributions"]["dose_constant_gy_kg_per_gbq"]["effective_half_life_h"]
    assert spread == pytest.approx(0.1 * constant["result"]["dose_constant_gy_kg_per_gbq"], rel=1e-6)
    rate = calc("dose-rate", lutetium | {"dose_gy": 30.0})["result"]["initial_dose_rate_gy_per_h"]
    assert rate == pytest.approx(30.0 * math.log(2) / 70.0, rel=1e-12)
    s_value = calc("s-value-dose", lutetium | {"activity_bq": 1e6, "s_value_mgy_per_mbq_s": 0.75})["result"]["dose_gy"]
    assert s_value == pytest.approx(70.0 * 3600.0 / math.log(2) * 0.75e-3, rel=1e-12)


def test_activity_models_are_for_what_stays():
    with pytest.raises(InvalidValue, match="stays with its microsphere"):
        calc("mird-dose", calc_example("mird-dose") | {"nuclide": "Lu-177"})


def test_an_imaging_nuclide_gives_no_therapy_dose():
    with pytest.raises(OpensirtError, match="no therapy"):
        calc("lung-dose", {key: value for key, value in LUNG.items() if key != "dose_constant"} | {"nuclide": "Tc-99m"})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mird-activity", {"perfused_mass_kg": 1.0}),
        ("mird-activity", {"perfused_volume_ml": None}),
        ("mird-dose", {"perfused_mass_kg": 1.0, "perfused_volume_ml": None}),
        ("partition-dose", {"tumour_volume_ml": 300.0}),
        ("partition-dose", {"density_g_per_ml": 1.03}),
        ("partition-dose", {"tumour_to_normal": None}),
        ("partition-activity", {"tumour_target_gy": None, "normal_limit_gy": None, "lung_limit_gy": None}),
        ("decay", {"elapsed_h": None}),
        ("decay", {"from_at": "2026-03-01T12:00:00Z", "to_at": "2026-03-02T12:00:00Z"}),
        ("local-dose-voxel", {"concentration_bq_per_ml": 1.0}),
        ("local-dose-voxel", {"voxel_mm": [4.0, 4.0]}),
        ("dvh", {"volumes_ml": [1.0, 2.0]}),
        ("extrahepatic-share", {"extrahepatic_counts": 101}),
        ("count-partition", {"mass_kg": {"tumor.T1": 0.1}}),
        ("lung-mass-hu", {"conversion": "guess"}),
    ],
)
def test_contradictions_are_refused(name, change):
    with pytest.raises(OpensirtError):
        calc(name, calc_example(name) | change)


def test_a_compartment_without_mass_is_a_finding():
    example = calc_example("count-partition")
    mass = {key: value for key, value in example["mass_kg"].items() if key != "tumour.T2"}
    findings = calc("count-partition", example | {"mass_kg": mass})["findings"]
    (message,) = [finding["message"] for finding in findings if finding["code"] == "dose.compartment_without_mass"]
    assert "tumour.T2" in message


def test_a_name_that_is_not_there_suggests_one():
    with pytest.raises(UnsupportedInput, match="did you mean partition-dose"):
        calc("partition-doses", {})


def test_a_payload_that_is_no_object():
    with pytest.raises(InvalidValue, match="JSON object"):
        calc("decay", [1, 2])
