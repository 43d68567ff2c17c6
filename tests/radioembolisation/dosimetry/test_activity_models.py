"""Every activity model answers the same questions; what is not known is a reason and never a guess.

Oracles: hand-worked formulas (each beside its test), the pure functions of mono-compartment, partition and count partition, and identities.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings

from opensirt.radioembolisation.dosimetry.models import count_partition, mono, partition, predictive_partition, resin_shunt
from opensirt.radioembolisation.dosimetry.models.catalogue import MODELS
from opensirt.radioembolisation.dosimetry.models.facts import NOT_STATED, CompartmentFacts, InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import VOLUMES, DoseAim, Goal, goal_of
from opensirt.radioembolisation.dosimetry.models.protocol import ActivityModel, ModelDoses, Prescription
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput
from opensirt.vocabulary.limits import DoseRule
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.products import GLASS, HOLMIUM, RESIN
from radioembolisation.dosimetry.patients import GOAL, LIMIT, TARGET, aim, holmium, m, patient, patients

BALANCE = 1e-9
"""What the fact sheet asks of sums of activities."""
INVERSE = 1e-12
"""A handful of double-precision operations there and back."""
DERIVATIVE = 1e-5
"""Central differences over a thousandth of a standard uncertainty."""
DOSE_MODELS = ("mird", "partition", "predictive-partition", "multi-compartment", "ho166-scout")
RULES = ("empirical", "bsa", "bsa-modified")
every = pytest.mark.parametrize("key", list(MODELS))
dose_model = pytest.mark.parametrize("key", DOSE_MODELS)


def facts_for(key: str, **changed) -> InjectionFacts:
    return holmium(**changed) if key == "ho166-scout" else patient(**changed)


def prescribed(key: str, facts: InjectionFacts, goal: Goal = GOAL) -> Prescription:
    found = MODELS[key].activity(facts, goal)
    assert isinstance(found, Prescription), found
    return found


def doses(key: str, facts: InjectionFacts, gbq: float) -> ModelDoses:
    found = MODELS[key].doses(facts, m(gbq))
    assert isinstance(found, ModelDoses), found
    return found


def gray(found: ModelDoses, volume: StructureKind) -> float:
    dose = found.dose_gy[volume]
    assert isinstance(dose, Measured), dose
    return dose.value


@every
def test_answers_all_questions(key):
    model: ActivityModel = MODELS[key]
    facts = facts_for(key)
    assert model.key == key and model.name and model.version and model.formula and model.sources and model.needs
    assert model.missing(facts) == ()
    assert all(constant.source for constant in model.constants(facts)) and model.constants(facts)
    answer = prescribed(key, facts)
    assert answer.delivered_gbq.value > 0.0
    found = model.doses(facts, answer.delivered_gbq)
    assert isinstance(found, ModelDoses) and set(found.dose_gy) == set(VOLUMES)
    assert all(isinstance(each, Measured) or each.reason for each in found.dose_gy.values())


@every
def test_nothing_known_is_a_reason_and_never_a_guess(key):
    model = MODELS[key]
    empty = InjectionFacts(product=HOLMIUM if key == "ho166-scout" else RESIN)
    missing = model.missing(empty)
    assert missing and all(each.reason for each in missing)
    answer = model.activity(empty, GOAL)
    assert isinstance(answer, Unknown)
    assert all(each.quantity in answer.reason for each in missing)
    assert isinstance(model.doses(empty, m(1.0)), Unknown)
    assert isinstance(model.validity(empty), tuple)


@pytest.mark.parametrize(
    ("key", "lacking"),
    [
        ("empirical", "liver_tumour_ml"),
        ("bsa", "height_cm"),
        ("bsa", "lung_shunt_fraction"),
        ("bsa-modified", "perfused_normal_ml"),
        ("mird", "lung_shunt_fraction"),
        ("partition", "tumour_to_normal"),
        ("partition", "perfused_tumour_ml"),
        ("predictive-partition", "tumour_to_normal"),
        ("predictive-partition", "lung_shunt_fraction"),
        ("multi-compartment", "compartments"),
    ],
)
def test_one_missing_quantity_is_named_with_its_reason(key, lacking):
    facts = patient(**{lacking: Unknown("the scout image was not read")})
    assert [each.quantity for each in MODELS[key].missing(facts)] == [lacking]
    answer = MODELS[key].activity(facts, GOAL)
    assert isinstance(answer, Unknown) and "the scout image was not read" in answer.reason


@every
def test_a_quantity_that_is_not_needed_changes_nothing(key):
    """Drop each fact in turn: a model that does not miss it gives the same activity, but for aims on lungs and whole normal liver."""
    kept = Goal(tuple(a for a in GOAL.aims if a.volume not in (StructureKind.LUNGS, StructureKind.NORMAL_LIVER)))
    facts = facts_for(key)
    before = prescribed(key, facts, kept).delivered_gbq.value
    model = MODELS[key]
    for name in ("lung_mass_kg", "height_cm", "liver_normal_ml", "tumour_to_normal", "compartments", "perfused_normal_ml"):
        changed = facts_for(key, **{name: NOT_STATED})
        if not model.missing(changed):
            assert prescribed(key, changed, kept).delivered_gbq.value == before, name


@settings(deadline=None, max_examples=60)
@given(patients())
def test_activity_balances_and_the_aim_is_met(facts):
    """Sum of compartments = delivered (with the scout), and the activity of a goal gives back the dose that set it."""
    for key in DOSE_MODELS:
        answer = MODELS[key].activity(facts, GOAL)
        if isinstance(answer, Unknown):
            assert key == "ho166-scout" or answer.reason
            continue
        found = MODELS[key].doses(facts, answer.delivered_gbq)
        assert isinstance(found, ModelDoses)
        scout = facts.scout_gbq.value if key == "ho166-scout" else 0.0
        total = math.fsum(each.value for each in found.activity_gbq.values())
        assert total == pytest.approx(answer.delivered_gbq.value + scout, rel=BALANCE)
        bound = min(answer.bounds, key=lambda each: each.delivered_gbq.value)
        assert bound.aim.name == answer.binding
        assert gray(found, bound.aim.volume) == pytest.approx(bound.aim.dose_gy.value, rel=INVERSE)
        for each in answer.bounds:
            assert gray(found, each.aim.volume) <= each.aim.dose_gy.value * (1.0 + INVERSE), "no aim is exceeded"


@settings(deadline=None, max_examples=60)
@given(patients())
def test_inverse_of_forward_is_the_activity(facts):
    for key in DOSE_MODELS:
        found = MODELS[key].doses(facts, m(1.7))
        if isinstance(found, Unknown):
            continue
        for volume, dose in found.dose_gy.items():
            if isinstance(dose, Measured) and dose.value > 1e-9:
                answer = prescribed(key, facts, Goal((aim(volume, TARGET, dose.value),)))
                assert answer.delivered_gbq.value == pytest.approx(1.7, rel=INVERSE), (key, volume)


@settings(deadline=None, max_examples=60)
@given(patients())
def test_energy_of_the_liver_is_conserved(facts):
    """D_T·m_T + D_N·m_N = K·A·(1 − L); whole normal liver holds the same energy as its perfused part."""
    found = MODELS["partition"].doses(facts, m(2.0))
    assert isinstance(found, ModelDoses)
    constant = facts.dose_constant(partition.PUBLISHED_CONSTANTS).value
    rho = facts.density(Measured(1.05)).value / 1000.0
    tumour, normal = facts.known("perfused_tumour_ml").value * rho, facts.known("perfused_normal_ml").value * rho
    energy = gray(found, StructureKind.TUMOUR) * tumour + gray(found, StructureKind.PERFUSED_NORMAL_LIVER) * normal
    assert energy == pytest.approx(constant * 2.0 * (1.0 - facts.known("lung_shunt_fraction").value), rel=BALANCE)
    whole = gray(found, StructureKind.NORMAL_LIVER) * facts.known("liver_normal_ml").value * rho
    assert whole == pytest.approx(gray(found, StructureKind.PERFUSED_NORMAL_LIVER) * normal, rel=BALANCE)
    assert gray(found, StructureKind.TERRITORY) == pytest.approx(energy / (tumour + normal), rel=BALANCE)


@settings(deadline=None, max_examples=60)
@given(patients())
def test_classes_and_pure_functions_agree(facts):
    """Partition and count partition, written twice; predictive partition against its own forward form."""
    found = MODELS["partition"].doses(facts, m(2.0))
    assert isinstance(found, ModelDoses)
    rho = facts.density(Measured(1.05)).value / 1000.0
    constant = facts.dose_constant(partition.PUBLISHED_CONSTANTS).value
    volumes = [facts.known(name).value * rho for name in ("perfused_tumour_ml", "perfused_normal_ml")]
    numbers = [facts.known(name).value for name in ("tumour_to_normal", "lung_shunt_fraction", "lung_mass_kg")]
    twin = partition.doses(partition.PartitionInputs(*volumes, *numbers), 2.0, constant)
    assert gray(found, StructureKind.TUMOUR) == pytest.approx(twin.tumour_gy, rel=BALANCE)
    assert gray(found, StructureKind.PERFUSED_NORMAL_LIVER) == pytest.approx(twin.normal_gy, rel=BALANCE)
    assert gray(found, StructureKind.LUNGS) == pytest.approx(twin.lung_gy, rel=BALANCE, abs=1e-300)
    parts = facts.compartments
    assert not isinstance(parts, Unknown)
    counts = count_partition.InjectionCounts({name: each.counts.value for name, each in parts.items()}, numbers[1])
    masses = {name: each.volume_ml.value * rho for name, each in parts.items()}
    multi = MODELS["multi-compartment"].doses(facts, m(2.0))
    assert isinstance(multi, ModelDoses)
    for name, dose in count_partition.doses_gy({"j": counts}, {"j": 2.0}, masses, constant).items():
        assert multi.compartment_gy[name].value == pytest.approx(dose, rel=BALANCE)


@settings(deadline=None, max_examples=60)
@given(patients())
def test_predictive_partition_from_the_same_ratios_is_the_partition_model(facts):
    """Where R and TLSF follow from TN and L, nothing but the dose constant may differ."""
    derived = patient(
        product=facts.product,
        constant=facts.product.nuclide.dose_constant(),
        density_g_per_ml=m(1.05),
        **{
            name: getattr(facts, name)
            for name in ("perfused_tumour_ml", "perfused_normal_ml", "tumour_to_normal", "lung_shunt_fraction")
        },
    )
    goal = Goal((aim(StructureKind.TUMOUR, TARGET, 120.0),))
    ours = prescribed("predictive-partition", derived, goal).delivered_gbq.value
    assert ours == pytest.approx(prescribed("partition", derived, goal).delivered_gbq.value, rel=BALANCE)
    mt, mn = derived.known("perfused_tumour_ml").value * 1.05e-3, derived.known("perfused_normal_ml").value * 1.05e-3
    ratio = derived.known("tumour_to_normal").value * mt / mn
    share = ratio / (1.0 + ratio)
    shunt = predictive_partition.artery_shunt_from(share, derived.known("lung_shunt_fraction").value)
    inputs = predictive_partition.PredictiveInputs(mt, mn, ratio, shunt)
    constant = derived.product.nuclide.dose_constant().value
    assert predictive_partition.for_tumour_dose(inputs, 120.0, constant).delivered_gbq == pytest.approx(ours, rel=BALANCE)
    assert predictive_partition.for_activity(inputs, ours, constant).tumour_gy == pytest.approx(120.0, rel=BALANCE)


def test_partition_at_ratio_one_is_mird_and_at_no_normal_liver_the_tumour_alone():
    common = {"constant": GLASS.nuclide.dose_constant("49.67"), "density_g_per_ml": m(1.05), "product": GLASS}
    even = patient(tumour_to_normal=m(1.0), **common)
    mean = gray(doses("mird", even, 2.0), StructureKind.TERRITORY)
    for volume in (StructureKind.TUMOUR, StructureKind.PERFUSED_NORMAL_LIVER, StructureKind.TERRITORY):
        assert gray(doses("partition", even, 2.0), volume) == pytest.approx(mean, rel=INVERSE)
    alone = patient(perfused_normal_ml=m(0.0), tumour_to_normal=Unknown("infinite: no normal liver is perfused"), **common)
    found = doses("partition", alone, 2.0)
    assert gray(found, StructureKind.TUMOUR) == pytest.approx(49.67 * 2.0 * 0.94 / 0.315, rel=INVERSE)
    assert isinstance(found.dose_gy[StructureKind.PERFUSED_NORMAL_LIVER], Unknown)
    assert "perfusion.no_normal_liver" in {f.code for f in MODELS["partition"].validity(alone)}
    near = patient(perfused_normal_ml=m(1e-9), tumour_to_normal=m(1.0), **common)
    assert gray(doses("partition", near, 2.0), StructureKind.TUMOUR) == pytest.approx(
        gray(found, StructureKind.TUMOUR), rel=BALANCE
    )


@pytest.mark.parametrize(("ratio", "flagged"), [(0.7, True), (1.0, True), (1.49, True), (1.5, False), (5.0, False)])
def test_low_uptake_is_flagged(ratio, flagged):
    facts = patient(tumour_to_normal=m(ratio))
    for key in ("partition", "predictive-partition"):
        assert ("perfusion.low_uptake" in {f.code for f in MODELS[key].validity(facts)}) is flagged
    if ratio < 1.0:
        assert any("less than normal liver" in f.message for f in MODELS["partition"].validity(facts))


def test_a_ratio_measured_from_counts_is_flagged_too():
    cold = {
        "T": CompartmentFacts(StructureKind.TUMOUR, m(100.0), m(300.0)),
        "N": CompartmentFacts(StructureKind.PERFUSED_NORMAL_LIVER, m(900.0), m(900.0)),
    }
    assert "perfusion.low_uptake" in {f.code for f in MODELS["multi-compartment"].validity(patient(compartments=cold))}
    alone = {"T": cold["T"]}
    assert "perfusion.no_normal_liver" in {f.code for f in MODELS["multi-compartment"].validity(patient(compartments=alone))}


@pytest.mark.parametrize("bad", [0.0, -2.0, math.inf, math.nan])
def test_a_ratio_that_cannot_be_is_refused(bad):
    with pytest.raises(InvalidValue):
        patient(tumour_to_normal=Measured(bad))


@pytest.mark.parametrize("key", RULES)
@pytest.mark.parametrize(("shunt", "given"), [(0.20, True), (math.nextafter(0.20, 1.0), False), (0.35, False)])
def test_above_twenty_percent_shunt_no_resin_activity(key, shunt, given):
    facts = patient(lung_shunt_fraction=m(shunt))
    answer = MODELS[key].activity(facts, GOAL)
    assert isinstance(answer, Prescription) is given
    assert ("lung_shunt.above_limit" in {f.code for f in MODELS[key].validity(facts)}) is not given
    assert isinstance(answer, Prescription) or "no resin is given" in answer.reason


@pytest.mark.parametrize(("shunt", "factor"), [(0.0, 1.0), (0.10, 1.0), (0.1001, 0.8), (0.15, 0.8), (0.1501, 0.6), (0.20, 0.6)])
def test_resin_steps_begin_strictly_above_their_edges(shunt, factor):
    assert resin_shunt.reduction_factor(shunt) == factor
    base = prescribed("bsa", patient(lung_shunt_fraction=m(0.01))).delivered_gbq.value
    reduced = prescribed("bsa", patient(lung_shunt_fraction=m(shunt))).delivered_gbq.value
    assert reduced == pytest.approx(base * factor, rel=INVERSE)
    codes = {f.code for f in MODELS["bsa"].validity(patient(lung_shunt_fraction=m(shunt)))}
    assert ("resin_shunt.on_the_edge" in codes) is (shunt in (0.10, 0.15, 0.20))
    assert ("resin_shunt.reduced" in codes) is (factor < 1.0)


def test_an_interval_across_a_step_is_said():
    """9 % ± 1 %: the 90 % interval reaches 10.6 % and crosses the edge at 10 %; 9 % ± 0.5 % ends at 9.8 %."""
    for spread, crossed in ((0.01, True), (0.005, False)):
        facts = patient(lung_shunt_fraction=Measured(0.09, {"shunt": spread}))
        assert ("model.step_within_interval" in {f.code for f in MODELS["bsa"].validity(facts)}) is crossed


@pytest.mark.parametrize(("weight", "outside"), [(75.0, False), (30.0, True), (220.0, True)])
def test_body_surface_outside_the_adult_range(weight, outside):
    facts = patient(weight_kg=m(weight))
    assert ("bsa.outside_adult_range" in {f.code for f in MODELS["bsa"].validity(facts)}) is outside
    assert isinstance(MODELS["bsa"].activity(facts, GOAL), Prescription), "a finding, not a clamp"


@pytest.mark.parametrize("key", RULES)
def test_a_rule_reads_no_goal_and_answers_doses_through_another_model(key):
    answer = prescribed(key, patient())
    assert answer.binding == "" and "model.goal_not_read" in {f.code for f in answer.findings}
    assert answer.delivered_gbq == prescribed(key, patient(), Goal()).delivered_gbq
    assert doses(key, patient(), 2.0).through == "partition"
    assert doses(key, patient(tumour_to_normal=NOT_STATED), 2.0).through == "mird"
    nothing = patient(tumour_to_normal=NOT_STATED, perfused_tumour_ml=NOT_STATED, perfused_normal_ml=NOT_STATED)
    reason = MODELS[key].doses(nothing, m(2.0))
    assert isinstance(reason, Unknown) and "no dose model" in reason.reason


@pytest.mark.parametrize("key", RULES)
def test_a_resin_rule_for_glass_is_flagged(key):
    assert "model.other_product" in {f.code for f in MODELS[key].validity(patient(product=GLASS))}
    assert "model.other_product" not in {f.code for f in MODELS[key].validity(patient())}


def test_lobar_body_surface_of_the_whole_liver_is_the_whole_rule():
    facts = patient(perfused_tumour_ml=m(350.0), perfused_normal_ml=m(1500.0))
    assert prescribed("bsa-modified", facts).delivered_gbq.value == pytest.approx(
        prescribed("bsa", facts).delivered_gbq.value, rel=INVERSE
    )


def test_mird_takes_a_perfused_volume_without_its_parts():
    """120 Gy · 1.03 kg / (50 · 0.94) = 2.6298 GBq delivered, / 0.97 = 2.7111 GBq dispensed."""
    facts = patient(perfused_tumour_ml=NOT_STATED, perfused_normal_ml=NOT_STATED, perfused_ml=m(1000.0), product=GLASS)
    answer = prescribed("mird", facts, Goal((aim(StructureKind.TERRITORY, TARGET, 120.0),)))
    assert answer.delivered_gbq.value == pytest.approx(2.6298, abs=5e-5)
    assert answer.prescribed_gbq.value == pytest.approx(2.7111, abs=5e-5)
    wrong = 120.0 * 1.03 * 0.94 / 50.0
    assert abs(answer.delivered_gbq.value - wrong) > 0.2, "the shunt divides, it does not multiply"


def test_holmium_counts_the_scout_in_every_dose():
    """60 Gy to 1.8 kg: 6.8053 GBq in all by 15.87, of which 0.25 were the scout's; lungs 15.87 · 6.8053/0.95 · 0.05."""
    facts = holmium(perfused_tumour_ml=m(300.0), perfused_normal_ml=m(1500.0), density_g_per_ml=m(1.0), lung_shunt_fraction=m(0.0))
    goal = Goal((aim(StructureKind.TERRITORY, TARGET, 60.0),))
    assert prescribed("ho166-scout", facts, goal).delivered_gbq.value == pytest.approx(6.8053 - 0.25, abs=5e-5)
    shunted = holmium(
        perfused_tumour_ml=m(300.0), perfused_normal_ml=m(1500.0), density_g_per_ml=m(1.0), lung_shunt_fraction=m(0.05)
    )
    answer = prescribed("ho166-scout", shunted, goal)
    found = doses("ho166-scout", shunted, answer.delivered_gbq.value)
    assert gray(found, StructureKind.LUNGS) == pytest.approx(15.87 * 6.80529 / 0.95 * 0.05, rel=1e-5)
    assert isinstance(found.dose_gy[StructureKind.TUMOUR], Unknown)


def test_a_scout_that_alone_reaches_the_goal_leaves_no_activity():
    small = holmium(perfused_tumour_ml=m(20.0), perfused_normal_ml=m(30.0))
    answer = MODELS["ho166-scout"].activity(small, Goal((aim(StructureKind.TERRITORY, LIMIT, 60.0),)))
    assert isinstance(answer, Unknown) and "scout" in answer.reason


def test_holmium_alone_has_a_scout():
    answer = MODELS["ho166-scout"].activity(patient(product=GLASS), GOAL)
    assert isinstance(answer, Unknown) and "holmium" in answer.reason


@pytest.mark.parametrize(("gbq", "code"), [(0.0, "ho166_scout.none"), (0.225, ""), (2.5, "ho166_scout.unusual")])
def test_scouts_that_are_unusual(gbq, code):
    facts = patient(product=HOLMIUM, scout_gbq=m(gbq))
    found = {f.code for f in MODELS["ho166-scout"].validity(facts)}
    assert found & {"ho166_scout.none", "ho166_scout.unusual"} == ({code} if code else set())


def test_aims_that_a_model_cannot_read_are_said_and_open_ones_too():
    answer = MODELS["mird"].activity(patient(), Goal((aim(StructureKind.TUMOUR, TARGET, 120.0),)))
    assert isinstance(answer, Unknown) and "mean over tumour and normal liver" in answer.reason
    goal = Goal((aim(StructureKind.TUMOUR, TARGET, 120.0), aim(StructureKind.LUNGS, LIMIT, 30.0)))
    unshunted = prescribed("partition", patient(lung_shunt_fraction=m(0.0)), goal)
    assert "model.aim_open" in {f.code for f in unshunted.findings}
    assert [each.aim.volume for each in unshunted.bounds] == [StructureKind.TUMOUR]


def test_a_target_beyond_a_limit_is_a_conflict_and_the_limit_stands():
    goal = Goal((aim(StructureKind.TUMOUR, TARGET, 400.0), aim(StructureKind.PERFUSED_NORMAL_LIVER, LIMIT, 40.0)))
    answer = prescribed("partition", patient(), goal)
    assert answer.binding == "limit 40 Gy to perfused normal liver"
    assert "plan.goals_in_conflict" in {f.code for f in answer.findings}


def test_published_constants_or_one_for_all():
    own = {key: MODELS[key].constants(patient())[0].value for key in ("mird", "partition", "predictive-partition")}
    assert own == {"mird": 50.0, "partition": 49.67, "predictive-partition": 50.0}
    one = patient(constant=RESIN.nuclide.dose_constant("49.38"))
    assert {MODELS[key].constants(one)[0].value for key in DOSE_MODELS if key != "ho166-scout"} == {49.38}


def test_uncertainty_reaches_the_activity():
    """D_T target: A ∝ (TN·m_T + m_N)/TN = m_T + m_N/TN: 20 % of TN moves 225 of 525, 10 % of m_T moves 300 of 525."""
    answer = prescribed("partition", patient(), Goal((aim(StructureKind.TUMOUR, TARGET, 120.0),)))
    gbq = answer.delivered_gbq
    assert gbq.contributions["ratio"] / gbq.value == pytest.approx(-0.2 * 225.0 / 525.0, rel=DERIVATIVE)
    assert gbq.contributions["tumour_contour"] / gbq.value == pytest.approx(0.1 * 300.0 / 525.0, rel=DERIVATIVE)
    assert gbq.contributions["shunt"] / gbq.value == pytest.approx(0.1 * 0.06 / 0.94, rel=DERIVATIVE)


def test_limits_and_targets_of_a_product_are_a_goal():
    rules = (
        DoseRule("lungs", LIMIT, StructureKind.LUNGS, 30.0, "van Roekel thesis"),
        DoseRule("stomach", LIMIT, StructureKind.EXTRAHEPATIC, 20.0, "made up here: no activity model knows it"),
        DoseRule("tumour", TARGET, StructureKind.TUMOUR, 100.0, "EANM 2022"),
    )
    told = [(each.volume, each.role, each.dose_gy.value, each.source) for each in goal_of(rules).aims]
    assert told == [
        (StructureKind.LUNGS, LIMIT, 30.0, "van Roekel thesis"),
        (StructureKind.TUMOUR, TARGET, 100.0, "EANM 2022"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"perfused_tumour_ml": Measured(-1.0)},
        {"lung_shunt_fraction": Measured(1.0)},
        {"lung_shunt_fraction": Measured(-0.01)},
        {"residual_fraction": Measured(1.0)},
        {"lung_mass_kg": Measured(0.0)},
        {"height_cm": Measured(0.0)},
        {"density_g_per_ml": Measured(0.0)},
        {"scout_gbq": Measured(-0.2)},
    ],
)
def test_facts_that_cannot_be_are_refused(wrong):
    with pytest.raises(InvalidValue):
        patient(**wrong)


def test_a_perfused_volume_that_contradicts_its_parts_is_refused():
    with pytest.raises(InconsistentInput, match=r"1500 mL, and 300 mL tumour \+ 900 mL"):
        patient(perfused_ml=m(1500.0))
    patient(perfused_ml=m(1205.0))


@pytest.mark.parametrize("kind", [StructureKind.LUNGS, StructureKind.LIVER, StructureKind.TERRITORY])
def test_compartments_lie_side_by_side(kind):
    with pytest.raises(InvalidValue, match="counts? twice"):
        CompartmentFacts(kind, m(10.0), m(100.0))


def test_what_is_not_known_is_asked_for_by_name():
    with pytest.raises(MissingInput, match="tumour_to_normal is not known: no tumour contour"):
        patient(tumour_to_normal=Unknown("no tumour contour")).known("tumour_to_normal")


def test_a_dose_aim_on_an_organ_is_no_activity_models_matter():
    with pytest.raises(InvalidValue):
        DoseAim(StructureKind.EXTRAHEPATIC, LIMIT, m(20.0))


def test_mono_pure_functions_still_stand():
    assert mono.activity_gbq(mono.MonoInputs(1.03, 0.1), 100.0, 49.67) == pytest.approx(2.3041, abs=5e-5)


@settings(deadline=None, max_examples=40)
@given(patients())
def test_more_shunt_needs_more_activity_and_more_uptake_needs_less(facts):
    """The shunt divides (the slip ``× (1 − L)`` would turn this round); a tumour that takes up more needs less for its target."""
    tumour = Goal((aim(StructureKind.TUMOUR, TARGET, 120.0),))
    mean = Goal((aim(StructureKind.TERRITORY, TARGET, 120.0),))
    shunt = facts.known("lung_shunt_fraction").value
    more = replace(facts, lung_shunt_fraction=m(shunt + 0.05), artery_shunt_fraction=NOT_STATED)
    less = replace(facts, artery_shunt_fraction=NOT_STATED)
    for key, goal in (("mird", mean), ("partition", tumour), ("predictive-partition", tumour), ("multi-compartment", tumour)):
        ratio = prescribed(key, more, goal).delivered_gbq.value / prescribed(key, less, goal).delivered_gbq.value
        assert ratio == pytest.approx((1.0 - shunt) / (0.95 - shunt), rel=BALANCE), key
    hotter = replace(less, tumour_to_normal=m(facts.known("tumour_to_normal").value * 1.2))
    assert prescribed("partition", hotter, tumour).delivered_gbq.value < prescribed("partition", less, tumour).delivered_gbq.value


def test_measured_r_and_tlsf_by_hand():
    """120 Gy to 0.3 kg by 50: A_T 0.72; R 1: A_N 0.72; TLSF 10 %: A_L 0.08; 1.52 GBq, 5.26 % of it in the lungs, whatever TN and L say."""
    facts = patient(
        density_g_per_ml=m(1.0),
        perfused_normal_ml=m(1500.0),
        activity_ratio=m(1.0),
        artery_shunt_fraction=m(0.1),
        tumour_to_normal=m(9.0),
        lung_shunt_fraction=m(0.15),
    )
    answer = prescribed("predictive-partition", facts, Goal((aim(StructureKind.TUMOUR, TARGET, 120.0),)))
    assert answer.delivered_gbq.value == pytest.approx(1.52, rel=INVERSE)
    found = doses("predictive-partition", facts, 1.52)
    held = [found.activity_gbq[name].value for name in ("tumour", "normal_liver", "lungs")]
    assert held == pytest.approx([0.72, 0.72, 0.08], rel=INVERSE)
    assert predictive_partition.shunt_from_artery(0.5, 0.1) == pytest.approx(0.08 / 1.52, rel=INVERSE)
    assert predictive_partition.artery_shunt_from(0.5, 0.08 / 1.52) == pytest.approx(0.1, rel=INVERSE)
