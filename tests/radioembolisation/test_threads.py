"""Results are the same bit for bit on one thread and on several."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from opensirt.imaging.recovery import Region, recover
from opensirt.radioembolisation.transport.engines import COMPARED, ENGINES
from opensirt.radioembolisation.transport.result import silent
from opensirt.vocabulary.nuclides import Y90
from opensirt.vocabulary.threads import threads, use_threads
from opensirt.vocabulary.volumes import ActivityMap, DensityMap
from strategies import grid_about

GRID = grid_about((3.0, -20.0, 70.0), (19, 23, 27), (4.4, 3.1, 5.2), (7.0, -4.0, 11.0))
AT = datetime(2026, 3, 11, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    before = threads()
    yield
    use_threads(before)


def bodies() -> tuple[ActivityMap, DensityMap]:
    generator = np.random.default_rng(5)
    bq = generator.gamma(1.0, 1e6, GRID.shape).astype(np.float32)
    bq[:, :4], bq[:3] = 0.0, 0.0
    rho = np.full(GRID.shape, 1.04, np.float32)
    rho[:, :, 15:] = 0.26
    return ActivityMap(bq, GRID, Y90, AT), DensityMap(rho, GRID)


@pytest.mark.parametrize("name", COMPARED)
def test_dose_engines(name: str):
    activity, density = bodies()
    maps, books = [], []
    for count in (1, 2, 3):
        use_threads(count)
        done = ENGINES[name].dose(activity, density, Y90.dose_constant(), silent)
        maps.append(done.dose.dose_gy.tobytes())
        books.append(done.energy)
    assert maps[0] == maps[1] == maps[2]
    assert books[0] == books[1] == books[2]


def test_recovery_of_blurred_regions():
    generator = np.random.default_rng(6)
    maps = [generator.random(GRID.shape, dtype=np.float32) for _ in range(3)]
    regions = [Region(str(n), part, part) for n, part in enumerate(maps)]
    counts = generator.poisson(20.0 * sum(maps)).astype(np.float32)
    answers = []
    for count in (1, 2, 3):
        use_threads(count)
        answers.append(recover(counts, regions, GRID.spacing_mm, 9.0).concentration.tobytes())
    assert answers[0] == answers[1] == answers[2]
