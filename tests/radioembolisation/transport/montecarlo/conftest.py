"""What the tests of the electron loop share: the runs, the reference's numbers, and how the two are compared."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SHELL, FAR_SHELL = 0.01, 0.03
"""Allowed per shell of the point kernel, to X95 and to X99, beside three standard deviations."""
CUMULATIVE = 0.002
"""Allowed for the energy within any radius, of all energy."""
SIGMAS = 3.0


@pytest.fixture(scope="session")
def runs(root: Path) -> ModuleType:
    """The driver of electron runs that the study uses too."""
    spec = importlib.util.spec_from_file_location("_electron_runs", root / "studies" / "_electron_runs.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def electrons(root: Path) -> dict[str, np.ndarray]:
    """Electrons of the Monte Carlo reference: spectra, point kernels, voxel S values (tests/reference_data says how they were made)."""
    with np.load(root / "tests" / "reference_data" / "egsnrc_electrons" / "electrons.npz") as stored:
        return {key: stored[key].astype(np.float64) for key in stored.files}


@dataclass(frozen=True)
class KernelDifference:
    """How far a kernel is from the reference: the largest excess over what is allowed, in shells and within radii (≤ 0 passes)."""

    shell: float
    cumulative: float

    @property
    def passes(self) -> bool:
        """Whether all is within what is allowed."""
        return self.shell <= 0.0 and self.cumulative <= 0.0


@pytest.fixture(scope="session")
def kernel_difference(runs, electrons):
    """``kernel_difference(nuclide, medium, how=…, transported=…, stretch=…)``: one kernel against the reference."""
    from opensirt.radioembolisation.transport.montecarlo.media import TRANSPORT_MEDIA

    def compare(nuclide, name, *, how, transported=None, stretch=1.0):
        key = f"{nuclide}_{name}"
        edges, reference, reference_sd = electrons[f"edges_{key}"], electrons[f"kernel_{key}"], electrons[f"sd_{key}"]
        origin = float(electrons[f"origin_{nuclide}"])
        found = runs.shells(
            TRANSPORT_MEDIA[transported or name],
            float(electrons[f"density_{key}"]),
            np.append(edges, 1e5),
            electrons[f"spectrum_{nuclide}"] * stretch,
            how=how,
        )
        assert found.closure_units == 0
        assert found.crowded == 0
        ours = found.fraction[:-1] * (1.0 - origin)
        ours[0] += origin
        sd = np.hypot(found.fraction_sd[:-1] * (1.0 - origin), reference_sd)
        within, reference_within = np.cumsum(ours), np.cumsum(reference)
        share = reference_within / reference_within[-1]
        judged = share <= 0.99
        allowed = np.where(share <= 0.95, SHELL, FAR_SHELL) * reference + SIGMAS * sd
        cumulative_sd = (np.cumsum(found.batches_mev, axis=1) / found.emitted_mev).std(axis=0, ddof=1)[:-1]
        spread = SIGMAS * cumulative_sd / np.sqrt(how.batches)
        return KernelDifference(
            float(np.max((np.abs(ours - reference) / allowed)[judged])) - 1.0,
            float(np.max(np.abs(within - reference_within) - spread)) - CUMULATIVE,
        )

    return compare
