"""Media from contours and densities; the map of clear cubes against a search voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.radioembolisation.transport.montecarlo.media_map import MediaMap, clear_voxels, media_by_name, media_by_tissue
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch, InvalidValue, UnsupportedInput
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import DensityMap, Mask

TEXTBOOK = {"air": 0.0012, "lung": 0.26, "adipose": 0.95, "soft": 1.05, "bone": 1.92}
"""Densities of ICRU Report 44 in g/mL."""
LIPIODOL_G_PER_ML = 1.28


def _grid(shape=(3, 4, 5)):
    return Grid(shape, np.diag([3.0, 2.0, 2.5, 1.0]))


def _named(media, index):
    return media.media[media.number[index]].name


@pytest.mark.parametrize(("name", "g_per_ml"), TEXTBOOK.items())
def test_textbook_densities_name_their_tissue(name, g_per_ml):
    media = media_by_tissue(DensityMap(np.full((3, 4, 5), g_per_ml), _grid()), ())
    assert [medium.name for medium in media.media] == [name]


@pytest.mark.parametrize("kind", [StructureKind.LIVER, StructureKind.TUMOUR, StructureKind.VESSELS])
def test_contrast_lipiodol_and_gas_inside_the_contour_stay_liver(kind):
    g_per_ml = np.full((3, 4, 5), 1.05)
    inside = np.zeros((3, 4, 5), dtype=bool)
    inside[1] = True
    g_per_ml[:, 1, 1] = LIPIODOL_G_PER_ML
    g_per_ml[:, 2, 2] = 0.001
    media = media_by_tissue(DensityMap(g_per_ml, _grid()), [Mask(inside, _grid(), Structure(kind))])
    assert {_named(media, (1, 1, 1)), _named(media, (1, 2, 2)), _named(media, (1, 0, 0))} == {"liver"}
    assert _named(media, (0, 1, 1)) == "bone" and _named(media, (0, 2, 2)) == "air"


def test_other_contours_change_nothing():
    inside = np.ones((3, 4, 5), dtype=bool)
    media = media_by_tissue(DensityMap(np.full((3, 4, 5), 0.3), _grid()), [Mask(inside, _grid(), Structure(StructureKind.LUNGS))])
    assert [medium.name for medium in media.media] == ["lung"]


def test_a_mask_of_another_grid_is_refused():
    other = Grid((3, 4, 5), np.diag([3.0, 2.0, 2.0, 1.0]))
    with pytest.raises(GridMismatch):
        media_by_tissue(
            DensityMap(np.ones((3, 4, 5)), _grid()), [Mask(np.ones((3, 4, 5), bool), other, Structure(StructureKind.LIVER))]
        )


@pytest.mark.parametrize("bad", [np.nan, -0.1])
def test_densities_that_cannot_be_are_refused(bad):
    g_per_ml = np.ones((3, 4, 5))
    g_per_ml[1, 1, 1] = bad
    with pytest.raises(InvalidValue):
        media_by_tissue(DensityMap(g_per_ml, _grid()), ())


def test_unknown_media_are_refused():
    with pytest.raises(UnsupportedInput, match="kryptonite"):
        media_by_name(("liver", "kryptonite"), np.zeros((3, 4, 5)), _grid())
    with pytest.raises(InvalidValue, match="number 2"):
        media_by_name(("liver", "lung"), np.full((3, 4, 5), 2), _grid())
    with pytest.raises(InvalidValue, match="shape"):
        MediaMap(np.zeros((3, 4, 4)), media_by_name(("liver",), np.zeros((3, 4, 5)), _grid()).media, _grid())


@given(st.integers(0, 2**32 - 1), st.tuples(st.integers(1, 9), st.integers(3, 9), st.integers(2, 9)))
def test_clear_cubes_are_the_largest_that_are_uniform(seed, shape):
    random = np.random.default_rng(seed)
    number = (random.random(shape) < 0.01).astype(np.uint8)
    g_per_ml = np.where(random.random(shape) < 0.01, np.float32(0.3), np.float32(1.05))
    clear = clear_voxels(number, g_per_ml)
    for place in np.ndindex(shape):
        largest = 0
        for n in range(1, max(shape)):
            low, high = np.array(place) - n, np.array(place) + n
            if low.min() < 0 or (high >= shape).any():
                break
            cube = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
            if np.ptp(number[cube]) > 0 or np.ptp(g_per_ml[cube]) > 0:
                break
            largest = n
        assert clear[place] == largest
