"""Perfusion and extrahepatic uptake: concentration ratios by hand, and every finding from a case that must raise it."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from opensirt.radioembolisation.workup.compartments import Compartment, CompartmentUptake, ErrorModel, compartment_uptake
from opensirt.radioembolisation.workup.extrahepatic import extrahepatic_findings, hot_spots
from opensirt.radioembolisation.workup.perfusion import perfusion_findings, perfusions
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.volumes import CountsMap
from radioembolisation.workup.phantom import GRID, Contents, ball, occupancy, scout

pytestmark = pytest.mark.slow


def compartment(key: str, kind: StructureKind, territory: str, share: float, volume_ml: float) -> Compartment:
    label = key.partition(".")[2]
    measured = Measured(share, {"count_noise": 0.01 * share})
    return Compartment(key, kind, label, territory, measured, measured, Measured(volume_ml), 0.9)


def uptake_of(*compartments: Compartment, elsewhere: float = 0.0) -> CompartmentUptake:
    return CompartmentUptake(compartments, Measured(12.0), (), np.zeros(GRID.shape, np.float32), 1e6, elsewhere)


TUMOUR, NORMAL, ORGAN = StructureKind.TUMOUR, StructureKind.NORMAL_LIVER, StructureKind.EXTRAHEPATIC


def test_ratio_is_of_concentrations_not_of_activities() -> None:
    """0.3 in 100 mL against 0.6 in 1000 mL: activities 1 : 2, concentrations 5 : 1."""
    uptake = uptake_of(
        compartment("tumour.T1", TUMOUR, "right", 0.1, 40.0),
        compartment("tumour.T2", TUMOUR, "right", 0.2, 60.0),
        compartment("normal_liver.right", NORMAL, "right", 0.6, 1000.0),
        compartment("normal_liver.left", NORMAL, "left", 0.1, 500.0),
    )
    right, left = perfusions(uptake)
    assert right.tumour_to_normal is not None and right.tumour_to_normal.value == pytest.approx(5.0, rel=1e-12)
    assert (right.volume_ml.value, right.tumour_volume_ml.value, right.normal_volume_ml.value) == (1100.0, 100.0, 1000.0)
    assert right.share.value == pytest.approx(0.9)
    assert left.tumour_to_normal is None and left.tumours == ()


@pytest.mark.parametrize(("normal", "tumour"), [(0.0, 0.4), (-0.01, 0.4), (0.5, -0.01)])
def test_a_ratio_that_would_be_infinite_or_negative_is_a_finding(normal: float, tumour: float) -> None:
    uptake = uptake_of(
        compartment("tumour.T1", TUMOUR, "right", tumour, 40.0), compartment("normal_liver.right", NORMAL, "right", normal, 900.0)
    )
    assert perfusions(uptake)[0].tumour_to_normal is None
    assert "perfusion.ratio_undefined" in [f.code for f in perfusion_findings(uptake)]


def test_segmentectomy_has_no_normal_liver_and_says_so() -> None:
    uptake = uptake_of(compartment("tumour.T1", TUMOUR, "S7", 0.9, 90.0))
    assert perfusions(uptake)[0].tumour_to_normal is None
    assert [f.code for f in perfusion_findings(uptake)] == ["perfusion.no_normal_liver"]


@pytest.mark.parametrize(("share", "flagged"), [(0.149, True), (0.151, False)])
def test_low_uptake_is_flagged_below_one_and_a_half(share: float, flagged: bool) -> None:
    uptake = uptake_of(
        compartment("tumour.T1", TUMOUR, "right", share, 100.0), compartment("normal_liver.right", NORMAL, "right", 1.0, 1000.0)
    )
    assert ("perfusion.low_uptake" in [f.code for f in perfusion_findings(uptake)]) is flagged


@pytest.mark.parametrize(("outside", "flagged"), [(0.09, False), (0.11, True)])
def test_liver_counts_outside_every_territory(outside: float, flagged: bool) -> None:
    uptake = uptake_of(
        compartment("normal_liver.right", NORMAL, "right", 1.0 - outside, 900.0),
        compartment("normal_liver.unperfused", NORMAL, "", outside, 300.0),
    )
    assert ("perfusion.outside_territories" in [f.code for f in perfusion_findings(uptake)]) is flagged


def test_a_lesion_that_no_territory_feeds() -> None:
    image, _ = scout(unfed=True)
    uptake = compartment_uptake(image, ErrorModel(), lambda _: None)
    critical = [f for f in perfusion_findings(uptake) if f.code == "perfusion.lesion_not_fed"]
    assert [f.about for f in critical] == ["tumour.T2"]


def test_ratio_of_the_phantom_is_the_one_put_in() -> None:
    """Lesion 5 times normal liver, recovered; without recovery the small lesion's ratio would be near 3."""
    uptake = compartment_uptake(scout()[0], ErrorModel(), lambda _: None)
    for perfusion in perfusions(uptake):
        assert perfusion.tumour_to_normal is not None and perfusion.tumour_to_normal.value == pytest.approx(5.0, rel=0.06)


@pytest.mark.parametrize(("share", "warned"), [(0.19, False), (0.32, True)])
def test_extrahepatic_share_is_warned_of_above_a_fifth(share: float, warned: bool) -> None:
    """32 of 100 counts outside the liver: warned."""
    uptake = uptake_of(
        compartment("extrahepatic.stomach", ORGAN, "", share, 50.0), compartment("normal_liver.a", NORMAL, "a", 1 - share, 900.0)
    )
    codes = [f.code for f in extrahepatic_findings(scout()[0], uptake)]
    assert ("extrahepatic.share" in codes) is warned
    assert "extrahepatic.organ" in codes


def test_a_focus_nobody_named_is_found_where_it_lies() -> None:
    image, _ = scout(Contents(focus=0.0))
    centre = (64.0, 10.0, -68.0)
    focus = occupancy(ball(centre, 12.0))
    level = float(image.counts.counts[image.liver.fraction > 0.9].mean())
    seen = CountsMap(image.counts.counts + np.float32(3.0 * level) * focus, GRID)
    (spot,) = hot_spots(attrs.evolve(image, counts=seen))
    assert spot.centre_mm == pytest.approx(centre, abs=2.0)
    assert spot.counts_fraction == pytest.approx(3.0 * level * float(focus.sum()) / seen.total, rel=0.1)
    codes = [
        f.code
        for f in extrahepatic_findings(attrs.evolve(image, counts=seen), compartment_uptake(image, ErrorModel(), lambda _: None))
    ]
    assert "extrahepatic.spot" in codes


def test_blur_of_the_liver_is_no_spot() -> None:
    assert hot_spots(scout(Contents(focus=0.0))[0]) == ()
