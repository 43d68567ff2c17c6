"""Transport factors of sharp compartments against the closed form of a sphere and the balance of energy."""

from __future__ import annotations

import numpy as np
import pytest

from opensirt.radioembolisation.dosimetry.fine_transport import fine_transport_factors, liver_groups
from opensirt.radioembolisation.dosimetry.influence import Influence
from opensirt.radioembolisation.workup.compartments import ErrorModel, compartment_uptake
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.measured import Measured
from radioembolisation.dosimetry.test_resampling import sphere_keeps
from radioembolisation.workup.phantom import scout

SPHERE_TOLERANCE = 0.02
"""Relative: spheres of 14 and 21 mm in voxels of 2 mm."""


@pytest.fixture(scope="module")
def known():
    image, _ = scout()
    return image, compartment_uptake(image, ErrorModel(), lambda _: None)


def influence(uptake, gy: dict[str, float]) -> Influence:
    """Means without transport: each compartment gets from its own territory alone."""
    keys = [c for c in uptake.compartments if c.kind is not StructureKind.OTHER]
    rows = {c.key: {t: Measured(gy.get(c.key, 0.0) if c.territory in ("", t) else 0.0) for t in ("right", "left")} for c in keys}
    return Influence("even", "1", rows)


def test_a_lone_tumour_keeps_what_a_sphere_keeps(known) -> None:
    image, uptake = known
    for key, radius_mm in (("tumour.T1", 21.0), ("tumour.T2", 14.0)):
        host = uptake.compartment(key).territory
        base = influence(uptake, {key: 100.0})
        found = fine_transport_factors(image, uptake, base, {key: (key,)}, "Y-90")
        assert found[key][host] == pytest.approx(sphere_keeps(radius_mm), rel=SPHERE_TOLERANCE)
        other = next(t for t in ("right", "left") if t != host)
        assert found[key][other] == 1.0


def test_what_tumours_lose_normal_liver_gains(known) -> None:
    """Even uptake in everything but one tumour: what it loses lands in the liver around it, less what leaves the liver."""
    image, uptake = known
    gy = {"tumour.T1": 200.0, "normal_liver.right": 30.0, "normal_liver.left": 30.0, "tumour.T2": 30.0}
    base = influence(uptake, gy)
    groups = liver_groups(uptake)
    found = fine_transport_factors(image, uptake, base, groups, "Y-90")
    host = uptake.compartment("tumour.T1").territory
    assert found["tumour.T1"][host] < 1.0
    assert found[f"normal_liver.{host}"][host] > found["normal_liver"]["left" if host == "right" else "right"]
    whole = found[f"territory.{host}"][host]
    assert 0.93 < whole < 1.0, "only the surface loses"


def test_even_uptake_loses_at_the_surface_only(known) -> None:
    """Everything of one concentration: factors are those of the liver's own edge, as large as its surface over its volume allows."""
    image, uptake = known
    groups = liver_groups(uptake)
    every = {c.key: 50.0 for c in uptake.compartments}
    even = influence(uptake, every)
    both = Influence(
        "even",
        "1",
        {k: {t: Measured(50.0) for t in row} if k.startswith(("tumour", "normal")) else row for k, row in even.gy_per_gbq.items()},
    )
    found = fine_transport_factors(image, uptake, both, groups, "Y-90")
    for key in ("tumour.T1", "tumour.T2"):
        assert found[key]["right"] == pytest.approx(1.0, abs=0.01)
    volumes = np.array(
        [uptake.compartment(k).volume_ml.value for k in ("tumour.T1", "tumour.T2", "normal_liver.right", "normal_liver.left")]
    )
    kept = np.array([found[k]["right"] for k in ("tumour.T1", "tumour.T2", "normal_liver.right", "normal_liver.left")])
    assert float(kept @ volumes / volumes.sum()) == pytest.approx(sphere_keeps(58.0), abs=0.01)
