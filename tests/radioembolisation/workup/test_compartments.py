"""Recovered compartments against a phantom whose contents are known and whose blur nobody is told."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from scipy import ndimage

from opensirt.radioembolisation.workup.compartments import ErrorModel, compartment_uptake, lung_density
from opensirt.radioembolisation.workup.lung_shunt import recovered_lung_shunt, seen_lung_shunt
from opensirt.radioembolisation.workup.regions import host_territory
from opensirt.vocabulary.anatomy import StructureKind
from radioembolisation.workup.phantom import FWHM_MM, Contents, scout

pytestmark = pytest.mark.slow

SUM_TOLERANCE = 1e-9
"""clinical invariant: compartments, lung and extrahepatic share add to the whole."""
SHARE_TOLERANCE = 0.03
"""Relative, noise-free: an error of 0.3 mm in the width changes a lesion of 14 mm radius by 2 %."""
LUNG_TOLERANCE = 0.05
"""Relative, noise-free: the blur's tail beyond the rim of 20 mm."""


@pytest.fixture(scope="module")
def known():
    image, shares = scout()
    return image, shares, compartment_uptake(image, ErrorModel(), lambda _: None)


def counted(uptake):
    return [c for c in uptake.compartments if c.kind is not StructureKind.OTHER]


def test_shares_add_to_the_whole(known) -> None:
    _, _, uptake = known
    assert sum(c.share.value for c in counted(uptake)) == pytest.approx(1.0, abs=SUM_TOLERANCE)
    assert sum(c.share_seen.value for c in counted(uptake)) == pytest.approx(1.0, abs=SUM_TOLERANCE)


def test_every_source_moves_the_shares_by_zero_in_all(known) -> None:
    """What one compartment gains by an error the others lose: contributions of one source add to nothing."""
    _, _, uptake = known
    sources = {source for c in counted(uptake) for source in c.share.contributions if not source.startswith("uneven_uptake")}
    assert len(sources) > 10
    for source in sources:
        assert sum(c.share.contributions.get(source, 0.0) for c in counted(uptake)) == pytest.approx(0.0, abs=1e-9), source


@pytest.mark.parametrize("key", ["tumour.T1", "tumour.T2", "normal_liver.right", "normal_liver.left"])
def test_recovered_shares_are_the_ones_put_in(known, key: str) -> None:
    _, shares, uptake = known
    assert uptake.compartment(key).share.value == pytest.approx(shares[key], rel=SHARE_TOLERANCE)


def test_without_recovery_lesions_lose_and_their_recovery_coefficient_says_so(known) -> None:
    _, shares, uptake = known
    small, large = uptake.compartment("tumour.T2"), uptake.compartment("tumour.T1")
    assert small.share_seen.value < 0.85 * shares["tumour.T2"]
    assert 0.4 < small.recovery < large.recovery < 1.0


def test_lung_and_focus(known) -> None:
    _, shares, uptake = known
    assert uptake.compartment("lungs").share.value == pytest.approx(shares["lungs"], rel=LUNG_TOLERANCE)
    assert uptake.compartment("extrahepatic.stomach").share.value == pytest.approx(shares["extrahepatic.stomach"], rel=0.06)
    assert abs(uptake.elsewhere_fraction) < 0.01


def test_lung_shunt_recovered_and_as_seen(known) -> None:
    """Liver counts that spill over the dome make the shunt as seen too high; the recovered one is what was put in."""
    _, shares, uptake = known
    truth = shares["lungs"] / (1.0 - shares["extrahepatic.stomach"])
    assert recovered_lung_shunt(uptake).value == pytest.approx(truth, rel=LUNG_TOLERANCE)
    assert abs(recovered_lung_shunt(uptake).value - truth) < abs(seen_lung_shunt(uptake).value - truth)


def test_blur_is_found(known) -> None:
    assert known[2].fwhm_mm.value == pytest.approx(FWHM_MM, abs=0.4)


def test_a_shifted_emission_image_gives_the_same_shares() -> None:
    moved = (4.0, -3.0, 5.0)
    image, shares = scout(shift_mm=moved)
    uptake = compartment_uptake(image, ErrorModel(), lambda _: None)
    assert [s.value for s in uptake.shift_mm] == pytest.approx(moved, rel=0.12)
    for key in ("tumour.T1", "tumour.T2", "normal_liver.right"):
        assert uptake.compartment(key).share.value == pytest.approx(shares[key], rel=0.05), key
    assert [f.code for f in uptake.findings] == ["registration.shifted"]


def test_a_certain_registration_is_left_alone() -> None:
    image, _ = scout(shift_mm=(4.0, -3.0, 5.0))
    uptake = compartment_uptake(image, ErrorModel(registration_mm=0.0), lambda _: None)
    assert all(s.value == 0.0 for s in uptake.shift_mm)


def test_noisy_shares_lie_within_four_of_their_own_standard_uncertainties() -> None:
    image, shares = scout(seed=11)
    uptake = compartment_uptake(image, ErrorModel(), lambda _: None)
    for key, truth in shares.items():
        share = uptake.compartment(key).share
        assert abs(share.value - truth) < 4.0 * share.standard_uncertainty, key


def test_recovered_counts_keep_the_total_within_a_percent(known) -> None:
    image, _, uptake = known
    assert float(uptake.recovered_counts.sum(dtype=np.float64)) == pytest.approx(image.counts.total, rel=0.01)
    assert float(uptake.recovered_counts.min()) >= 0.0


def test_more_counts_of_the_same_picture_change_nothing_but_the_noise() -> None:
    few = compartment_uptake(scout(Contents(total=1e6))[0], ErrorModel(), lambda _: None)
    many = compartment_uptake(scout(Contents(total=4e6))[0], ErrorModel(), lambda _: None)
    for a, b in zip(few.compartments, many.compartments, strict=True):
        assert a.share.value == pytest.approx(b.share.value, abs=5e-4)
    noise = "count_noise.tumour.T1"
    ratio = few.compartment("tumour.T1").share.contributions[noise] / many.compartment("tumour.T1").share.contributions[noise]
    assert ratio == pytest.approx(2.0, rel=0.02)


def test_host_territory_needs_half_the_lesion() -> None:
    image, _ = scout()
    assert host_territory(image.tumours[0], image.territories) == "right"
    assert host_territory(image.tumours[1], image.territories) == "left"
    assert host_territory(image.tumours[1], image.territories[:1]) == ""


def test_lung_density_is_not_taken_from_its_rim(known) -> None:
    """Voxels half in chest wall (1.04 g/mL) would raise 0.26 by a tenth and more."""
    image, _, _ = known
    lung = image.lungs[0].fraction
    naive = float((lung * image.density.g_per_ml).sum() / lung.sum())
    assert naive > 0.28
    assert lung_density(image) == pytest.approx(0.26, rel=1e-5)


def test_a_contour_moved_by_a_millimetre_gains_its_surface(known) -> None:
    """Sphere of 21 mm: dV/V = 3 · 1 mm / 21 mm; sampled gradients and the square term make 10 %."""
    _, _, uptake = known
    volume = uptake.compartment("tumour.T1").volume_ml
    assert volume.contributions["contour.tumour.T1"] / volume.value == pytest.approx(3.0 / 21.0, rel=0.1)


def test_a_rim_outside_every_territory_keeps_its_compartment_when_contours_move() -> None:
    """Unfed liver near the least size that counts: a change of contour must not drop or add a compartment."""
    image, _ = scout(unfed=True)
    for rim in (0.0, 0.01, 0.03):
        thinner = tuple(
            attrs.evolve(t, fraction=np.maximum(t.fraction - np.float32(rim), np.float32(0.0))) for t in image.territories
        )
        uptake = compartment_uptake(attrs.evolve(image, territories=thinner), ErrorModel(), lambda _: None)
        assert sum(c.share.value for c in counted(uptake)) == pytest.approx(1.0, abs=SUM_TOLERANCE)


def test_breathing_is_a_source_of_its_own() -> None:
    """An image blurred 3 mm wider along slices is off by about what the source says; without movement there is no such source."""
    image, shares = scout()
    quiet = compartment_uptake(image, attrs.evolve(ErrorModel(), respiratory_mm=0.0), lambda _: None)
    assert all("respiratory_blur" not in c.share.contributions for c in quiet.compartments)
    moved = attrs.evolve(image, counts=breathed(image.counts, 3.0))
    uptake = compartment_uptake(moved, ErrorModel(), lambda _: None)
    for key in ("tumour.T1", "tumour.T2"):
        share = uptake.compartment(key).share
        error = abs(share.value - shares[key])
        told = abs(share.contributions["respiratory_blur"])
        assert told > 0.0
        assert error <= 3.0 * told + SHARE_TOLERANCE * shares[key]
    total = sum(c.share.contributions["respiratory_blur"] for c in counted(uptake))
    assert total == pytest.approx(0.0, abs=1e-9)


def breathed(counts, movement_mm: float):
    sigma = (movement_mm / counts.grid.spacing_mm[0], 0.0, 0.0)
    return attrs.evolve(counts, counts=ndimage.gaussian_filter(counts.counts, sigma, mode="nearest"))
