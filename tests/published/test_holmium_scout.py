"""Holmium with a scout of the same spheres: van Roekel thesis p. 29 and 30 (W15, W32), and the scout's own share.

Oracle: the printed 60 Gy ↔ 3780 MBq/kg, worked by hand with 15.87 and 16 Gy·kg/GBq.
"""

from __future__ import annotations

import pytest

from opensirt.vocabulary.errors import InvalidValue, PlanInfeasible
from opensirt.workflow.calc import calc
from published.answers import codes, results

PRINTED = 5e-4
WHOLE_LIVER = {"treated_mass_kg": 1.8, "lung_shunt_fraction": 0.0, "lung_mass_kg": 1.0}


@pytest.mark.parametrize(("constant", "expected"), [("15.87", 6.805), ("16", 6.750), (60.0 / 3.78, 6.804)])
def test_w32_without_a_scout(constant, expected):
    answer = results("ho166-scout-activity", **WHOLE_LIVER, dose_constant=constant, dose_gy=60.0, scout_gbq=0.0)
    assert answer["delivered_gbq"] == pytest.approx(expected, abs=PRINTED)
    assert "ho166_scout.none" in codes("ho166-scout-activity", **WHOLE_LIVER, dose_gy=60.0, scout_gbq=0.0)


def test_w15_a_kilogram():
    case = WHOLE_LIVER | {"treated_mass_kg": 1.0}
    assert results("ho166-scout-activity", **case, dose_gy=60.0, scout_gbq=0.0)["delivered_gbq"] == pytest.approx(
        3.781, abs=PRINTED
    )


@pytest.mark.parametrize("scout_gbq", [0.2, 0.25])
def test_the_scout_is_part_of_the_sixty_gray(scout_gbq):
    answer = results("ho166-scout-activity", **WHOLE_LIVER, dose_gy=60.0, scout_gbq=scout_gbq)
    assert answer["delivered_gbq"] == pytest.approx(6.805 - scout_gbq, abs=PRINTED)
    assert answer["total_gbq"] == pytest.approx(6.805, abs=PRINTED)
    assert answer["scout_dose_gy"] == pytest.approx(15.87 * scout_gbq / 1.8, rel=1e-12)
    back = results("ho166-scout-dose", **WHOLE_LIVER, scout_gbq=scout_gbq, delivered_gbq=answer["delivered_gbq"])
    assert back["dose_gy"] == pytest.approx(60.0, rel=1e-12)


def test_the_scout_reaches_the_lungs_too():
    """5 % of 6.55 + 0.25 GBq in 1 kg: 15.87 · 6.8 · 0.05 = 5.396 Gy; liver 15.87 · 6.8 · 0.95 / 1.8 = 56.956 Gy."""
    case = WHOLE_LIVER | {"lung_shunt_fraction": 0.05}
    answer = results("ho166-scout-dose", **case, delivered_gbq=6.55, scout_gbq=0.25)
    assert answer["lung_dose_gy"] == pytest.approx(5.396, abs=PRINTED)
    assert answer["dose_gy"] == pytest.approx(56.956, abs=PRINTED)


def test_a_scout_that_alone_exceeds_the_goal_is_an_error():
    with pytest.raises(PlanInfeasible, match="scout"):
        calc("ho166-scout-activity", WHOLE_LIVER | {"treated_mass_kg": 0.05, "dose_gy": 60.0, "scout_gbq": 0.25})


def test_yttrium_has_no_holmium_scout():
    with pytest.raises(InvalidValue, match="holmium"):
        calc("ho166-scout-activity", WHOLE_LIVER | {"nuclide": "Y-90", "dose_gy": 60.0, "scout_gbq": 0.25})


def test_megabecquerels_for_gigabecquerels_is_flagged():
    found = codes("ho166-scout-dose", **WHOLE_LIVER, delivered_gbq=6.5, scout_gbq=2.5)
    assert {"ho166_scout.unusual", "calc.unusual_value"} <= found
