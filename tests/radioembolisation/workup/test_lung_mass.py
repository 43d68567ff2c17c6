"""Lung mass: whole lungs by density, cut or missing lungs by a declared value with its source, never the sliver."""

from __future__ import annotations

import pytest

from opensirt.radioembolisation.workup.lung_mass import CT_MASS_RELATIVE, DECLARED, KAO_2013, lung_mass, with_contour
from opensirt.vocabulary.measured import Measured, propagate


def test_whole_lungs_weigh_what_the_ct_says() -> None:
    mass = lung_mass(0.94, 3_600.0, ())
    assert mass.kg.value == 0.94
    assert mass.kg.relative_uncertainty == pytest.approx(CT_MASS_RELATIVE)
    assert mass.origin == "CT density" and mass.findings == () and mass.constants == ()


def test_published_limits_of_agreement_make_the_uncertainty() -> None:
    """Kao 2013: −194.6 to +151.2 g on 822 g is ±1.96 standard deviations."""
    assert (151.2 + 194.6) / 2.0 / 1.96 / 822.0 == pytest.approx(CT_MASS_RELATIVE, rel=0.01)


@pytest.mark.parametrize("declared", [DECLARED, KAO_2013])
def test_cut_lungs_fall_back_to_the_declared_mass(declared) -> None:
    mass = lung_mass(0.11, 420.0, ("superior",), declared)
    assert mass.kg.value == declared.value
    assert mass.kg.contributions == {"declared_lung_mass": declared.standard_uncertainty}
    assert mass.constants == (declared,)
    (finding,) = mass.findings
    assert finding.code == "lung_mass.cut" and "420 mL" in finding.message and finding.source == declared.source


@pytest.mark.parametrize("ct_kg", [None, 0.0])
def test_no_lungs_is_a_finding(ct_kg) -> None:
    mass = lung_mass(ct_kg, 0.0, ())
    assert mass.kg.value == 1.0
    assert [f.code for f in mass.findings] == ["lung_mass.no_lungs"]


def test_declared_values_are_the_cited_ones() -> None:
    assert (DECLARED.value, KAO_2013.value, KAO_2013.standard_uncertainty) == (1.0, 0.822, 0.103)


def test_contour_cancels_in_the_dose_of_uptake_over_mass() -> None:
    """Uptake and mass that both grow 5 % with the contour leave their quotient alone; density stays."""
    mass = with_contour(lung_mass(1.0, 4_000.0, ()), Measured(4_000.0, {"contour.lungs": 200.0}))
    assert mass.kg.contributions["contour.lungs"] == pytest.approx(0.05)
    share = Measured(0.06, {"contour.lungs": 0.003})
    dose = propagate(lambda share, kg: share / kg, share=share, kg=mass.kg)
    assert abs(dose.contributions.get("contour.lungs", 0.0)) < 1e-9
    assert dose.relative_uncertainty == pytest.approx(CT_MASS_RELATIVE, rel=1e-6)


def test_a_declared_mass_knows_no_contour() -> None:
    mass = lung_mass(None, 0.0, ())
    assert with_contour(mass, Measured(4_000.0, {"contour.lungs": 200.0})) is mass
