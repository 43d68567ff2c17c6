"""Cut what the tests of electron transport need out of the Monte Carlo reference: ``python pack.py FOLDER``.

FOLDER holds the reference runs (kernels, S values, spectra). What comes out: energy spectra as inverse cumulatives, the electron
component of point kernels to 12 mm of density 1, and of voxel S values to 15 mm, all as fractions of the energy of the electrons emitted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import numpy as np

from opensirt.radioembolisation.transport.montecarlo.spectra import energy_by_fraction
from opensirt.radioembolisation.transport.point_kernels import point_kernel
from opensirt.radioembolisation.transport.voxel_kernel import build_voxel_kernel
from opensirt.vocabulary.decay_data import EmissionLine

HERE = Path(__file__).parent
REACH_MM = 12.0
J_PER_MEV = 1.602176634e-13
TRANSPORTED_MEV = 0.010
NODES = 4096


def _spectrum(file: Path) -> tuple[np.ndarray, float, float]:
    """Inverse cumulative of electrons from 10 keV, their number per decay, and the energy per decay of those below."""
    table = np.loadtxt(file, delimiter=",", comments="#")
    low, high, betas = table[:, 0], table[:, 1], table[:, 2].copy()
    lines = []
    below = 0.0
    if table.shape[1] > 3:
        number, energy = table[:, 3], table[:, 4]
        middle = 0.5 * (low + high)
        slow = high <= TRANSPORTED_MEV + 1e-9
        below = float(energy[slow].sum())
        betas[slow] = 0.0
        for k in np.flatnonzero(~slow & (number > 0.0)):
            place = min(
                max((energy[k] - betas[k] * middle[k]) / number[k], low[k]), high[k]
            )  # printed digits leave faint lines astray
            lines.append(EmissionLine(float(place), float(number[k])))
    energies, per_decay = energy_by_fraction(np.append(low[:1], high), betas, lines, NODES)
    return energies, per_decay, below


def main(folder: Path) -> None:
    """Write ``electrons.npz`` beside this file."""
    out: dict[str, np.ndarray] = {}
    emitted = {}
    for nuclide, name in (("Y90", "y90_spectrum"), ("Ho166", "ho166_electron_spectrum"), ("Lu177", "lu177_electron_spectrum")):
        energies, per_decay, below = _spectrum(folder / f"{name}_sampled.csv")
        mean = float(np.mean(0.5 * (energies[1:] + energies[:-1])))
        emitted[nuclide] = mean * per_decay + below
        print(nuclide, "electrons per decay", per_decay, "MeV", emitted[nuclide], "below 10 keV", below)
        out[f"spectrum_{nuclide}"] = energies.astype(np.float32)
        out[f"origin_{nuclide}"] = np.array(below / emitted[nuclide])
    for file in sorted(folder.glob("kernel_*.npz")):
        _, nuclide, medium = file.stem.split("_")
        if medium == "waterICRU90":
            continue
        run = np.load(file)
        density = float(run["rho_g_cm3"])
        if nuclide == "Y90":
            low, high, sd, total = run["r_lo_mm"], run["r_hi_mm"], run["E_dep_sd_MeV"], float(run["E_emitted_MeV"])
            deposited = run["E_dep_MeV"] - run["E_dep_photon_component_MeV"]
        else:
            low, high, sd, total = run["e_r_lo_mm"], run["e_r_hi_mm"], run["e_sd"], emitted[nuclide]
            deposited = run["e_E_dep_MeV_per_decay"] - run["e_brems_component"]
            deposited[0] += float(run["E_below_1keV_MeV"])
        keep = high * density <= REACH_MM * 1.0001
        out[f"edges_{nuclide}_{medium}"] = np.append(low[:1], high[keep])
        out[f"kernel_{nuclide}_{medium}"] = (deposited[keep] / total).astype(np.float32)
        out[f"sd_{nuclide}_{medium}"] = (sd[keep] / total).astype(np.float32)
        out[f"density_{nuclide}_{medium}"] = np.array(density)
    for file in sorted(folder.glob("svalue_*.npz")):
        run = np.load(file)
        nuclide = file.stem.split("_")[1]
        side = float(run["voxel_mm_xyz"][0])
        scale = 1.04 * (side / 10.0) ** 3 / 1000.0 / J_PER_MEV
        energy, sd = run["S_Gy_per_decay"] * scale, run["sd_Gy_per_decay"] * scale
        centre, reach = energy.shape[0] // 2, int(15.0 / side)
        cut = (slice(centre, centre + reach + 1),) * 3
        energy, sd = energy[cut], sd[cut]
        if nuclide == "Lu177":
            energy = energy - run["S_photons_only"][cut] * scale
            total = emitted[nuclide]
        else:
            kernel = point_kernel({"Y90": "Y-90", "Ho166": "Ho-166"}[nuclide], "soft").at_density(1.04)
            photons = build_voxel_kernel(
                attrs.evolve(kernel, fraction=kernel.photon_fraction, origin_fraction=0.0), (side,) * 3, 60.0
            )
            all_mev = float(run["E_emitted_MeV"]) if nuclide == "Y90" else 0.72641275
            middle = photons.fraction.shape[0] // 2
            part = (slice(middle, middle + reach + 1),) * 3
            energy = energy - all_mev * photons.fraction[part]
            total = all_mev if nuclide == "Y90" else emitted[nuclide]
        out[f"svalue_{nuclide}_{side:.0f}"] = (energy / total).astype(np.float32)
        out[f"svalue_sd_{nuclide}_{side:.0f}"] = (sd / total).astype(np.float32)
    np.savez_compressed(HERE / "electrons.npz", **out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
