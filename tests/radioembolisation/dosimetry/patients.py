"""Patients for the activity models: facts drawn over what clinics see, by seedless Hypothesis strategies."""

from __future__ import annotations

from hypothesis import strategies as st

from opensirt.radioembolisation.dosimetry.models.facts import AS_PUBLISHED, NOT_STATED, CompartmentFacts, InjectionFacts
from opensirt.radioembolisation.dosimetry.models.goals import DoseAim, Goal
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.limits import Role
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import Y90
from opensirt.vocabulary.products import GLASS, HOLMIUM, RESIN

LIMIT, TARGET = Role.LIMIT, Role.TARGET


def m(value: float, **sources: float) -> Measured:
    """A number; sources as relative standard uncertainties."""
    return Measured(value, {name: value * relative for name, relative in sources.items()})


def aim(volume: StructureKind, role: Role, gy: float, *models: str) -> DoseAim:
    return DoseAim(volume, role, Measured(gy), models)


GOAL = Goal(
    (
        aim(StructureKind.TERRITORY, TARGET, 80.0, "mird", "ho166-scout"),
        aim(StructureKind.TUMOUR, TARGET, 120.0),
        aim(StructureKind.PERFUSED_NORMAL_LIVER, LIMIT, 40.0),
        aim(StructureKind.NORMAL_LIVER, LIMIT, 35.0),
        aim(StructureKind.LUNGS, LIMIT, 30.0),
    )
)


def patient(**changed) -> InjectionFacts:
    """A right lobe with two tumours, everything known."""
    facts = {
        "product": RESIN,
        "perfused_tumour_ml": m(300.0, tumour_contour=0.1),
        "perfused_normal_ml": m(900.0, liver_contour=0.05),
        "liver_tumour_ml": m(350.0),
        "liver_normal_ml": m(1500.0),
        "tumour_to_normal": m(4.0, ratio=0.2),
        "lung_shunt_fraction": m(0.06, shunt=0.1),
        "lung_mass_kg": m(1.0),
        "height_cm": m(172.0),
        "weight_kg": m(75.0),
        "residual_fraction": m(0.03),
        "compartments": {
            "tumour.T1": CompartmentFacts(StructureKind.TUMOUR, m(400.0), m(200.0)),
            "tumour.T2": CompartmentFacts(StructureKind.TUMOUR, m(100.0), m(100.0)),
            "normal": CompartmentFacts(StructureKind.PERFUSED_NORMAL_LIVER, m(450.0), m(900.0)),
            "stomach": CompartmentFacts(StructureKind.EXTRAHEPATIC, m(10.0), m(50.0)),
        },
    }
    return InjectionFacts(**(facts | changed))


def holmium(**changed) -> InjectionFacts:
    """The same lobe with holmium after a scout of 0.25 GBq."""
    return patient(product=HOLMIUM, scout_gbq=m(0.25), **changed)


_ML = st.floats(5.0, 2500.0)
_SHUNTS = st.just(0.0) | st.floats(1e-4, 0.19)


@st.composite
def patients(draw) -> InjectionFacts:
    """Any patient, product, constant, with or without measured R and TLSF."""
    tumour, normal = draw(_ML), draw(_ML)
    rest_tumour, rest_normal = draw(st.floats(0.0, 500.0)), draw(st.floats(0.0, 1500.0))
    counts = draw(st.tuples(*[st.floats(1.0, 1e5)] * 3))
    return patient(
        product=draw(st.sampled_from([GLASS, RESIN, HOLMIUM])),
        density_g_per_ml=draw(st.sampled_from([AS_PUBLISHED, m(1.03), m(1.06)])),
        perfused_tumour_ml=m(tumour),
        perfused_normal_ml=m(normal),
        liver_tumour_ml=m(tumour + rest_tumour),
        liver_normal_ml=m(normal + rest_normal),
        tumour_to_normal=m(draw(st.floats(0.3, 25.0))),
        activity_ratio=draw(st.just(NOT_STATED) | st.floats(0.1, 20.0).map(m)),
        artery_shunt_fraction=draw(st.just(NOT_STATED) | st.floats(1e-4, 0.4).map(m)),
        lung_shunt_fraction=m(draw(_SHUNTS)),
        lung_mass_kg=m(draw(st.floats(0.5, 1.5))),
        height_cm=m(draw(st.floats(145.0, 200.0))),
        weight_kg=m(draw(st.floats(40.0, 130.0))),
        residual_fraction=m(draw(st.floats(0.0, 0.2))),
        scout_gbq=m(draw(st.floats(0.0, 0.05))),
        compartments={
            "T": CompartmentFacts(StructureKind.TUMOUR, m(counts[0]), m(tumour)),
            "N": CompartmentFacts(StructureKind.PERFUSED_NORMAL_LIVER, m(counts[1]), m(normal)),
            "gut": CompartmentFacts(StructureKind.EXTRAHEPATIC, m(counts[2]), m(30.0)),
        },
    )


CONSTANTS = st.sampled_from([AS_PUBLISHED, *Y90.dose_constants])
