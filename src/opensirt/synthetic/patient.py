"""A virtual patient: anatomy, uptake, images, contours and the truth that an estimator must find."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.synthetic.anatomy import Anatomy, synthetic_anatomy
from opensirt.synthetic.camera import (
    CameraSecrets,
    ImagingOptions,
    acquire_ct,
    acquire_planar,
    acquire_spect,
    draw_contour,
    draw_secrets,
)
from opensirt.synthetic.transport import energy_shares
from opensirt.synthetic.uptake import LOBES, Uptake, UptakeOptions, place_uptake
from opensirt.vocabulary.anatomy import structure_from_key
from opensirt.vocabulary.nuclides import nuclide_named
from opensirt.vocabulary.units import G_PER_KG
from opensirt.vocabulary.volumes import CountsMap, HounsfieldMap, Mask

_SPACE = uuid.UUID("73796e74-6865-5469-8063-626f64696573")
TRUTH_DECAYS = 1_500_000


@attrs.frozen
class PatientOptions:
    """What a virtual patient is made of."""

    seed: int = 1
    nuclide: str = "Y-90"
    uptake: UptakeOptions = attrs.field(factory=UptakeOptions)
    imaging: ImagingOptions = attrs.field(factory=ImagingOptions)
    truth_decays: int = TRUTH_DECAYS


@dataclass(frozen=True)
class StructureTruth:
    """What one structure truly is: volume, mass, share of all particles, dose per GBq given at each position."""

    key: str
    volume_ml: float
    mass_g: float
    share: float
    gy_per_gbq: dict[str, float]


@dataclass(frozen=True)
class Truth:
    """Everything that is known because it was made.

    ``gy_per_gbq`` in the structures is dose after full decay per GBq delivered at ``right`` and ``left``, traced decay by decay with the
    dose constant ``gy_kg_per_gbq``. ``lungs_seen_fraction`` is the part of the lungs in the field of view, ``markers_lps_mm`` are the
    centres of the beads on the couch. ``secrets`` are never read by an estimator.
    """

    seed: int
    nuclide: str
    gy_kg_per_gbq: float
    lung_shunt_fraction: float
    extrahepatic_share: float
    injected_share: dict[str, float]
    structures: dict[str, StructureTruth]
    tumour_to_normal: dict[str, float]
    lungs_seen_fraction: float
    markers_lps_mm: tuple[tuple[float, float, float], ...]
    secrets: CameraSecrets


@attrs.frozen(eq=False)
class PatientImages:
    """Images and contours in memory."""

    ct: HounsfieldMap
    spect: CountsMap
    anterior: CountsMap
    posterior: CountsMap
    structures: tuple[Mask, ...]


@attrs.frozen(eq=False)
class VirtualPatient:
    """One virtual patient: truth and how to look at it."""

    options: PatientOptions
    anatomy: Anatomy
    uptake: Uptake
    truth: Truth
    images: PatientImages


def frame_of(seed: int) -> str:
    """Frame of Reference UID of a seed, under the UUID root."""
    return f"2.25.{uuid.uuid5(_SPACE, f'frame {seed}').int}"


def _labels(anatomy: Anatomy, uptake: Uptake) -> tuple[npt.NDArray[np.int16], list[str]]:
    """Disjoint labels: normal liver per territory, lesions over it, lungs, focus."""
    label = np.zeros(anatomy.grid.shape, dtype=np.int16)
    names = ["elsewhere"]
    for lobe in LOBES:
        names.append(f"normal_liver.{lobe}")
        label[(uptake.distance[f"territory.{lobe}"] < 0) & (label == 0)] = len(names) - 1
    if any(not lesion.territory for lesion in uptake.lesions):
        names.append("normal_liver.unfed")
        label[(anatomy.distance["liver"] < 0) & (label == 0)] = len(names) - 1
    for lesion in uptake.lesions:
        names.append(f"tumour.{lesion.label}")
        label[uptake.distance[f"tumour.{lesion.label}"] < 0] = len(names) - 1
    names.append("lungs")
    lung = (anatomy.distance["lung_left"] < 0) | (anatomy.distance["lung_right"] < 0)
    label[lung & (label == 0)] = len(names) - 1
    if "extrahepatic.duodenum" in uptake.distance:
        names.append("extrahepatic.duodenum")
        label[(uptake.distance["extrahepatic.duodenum"] < 0) & (label == 0)] = len(names) - 1
    return label, names


def _truth(options: PatientOptions, anatomy: Anatomy, uptake: Uptake, secrets: CameraSecrets, rng: np.random.Generator) -> Truth:
    label, names = _labels(anatomy, uptake)
    constant = nuclide_named(options.nuclide).dose_constant().value
    energy = energy_shares(anatomy, uptake, label, options.nuclide, rng, decays=options.truth_decays)
    voxel_ml = anatomy.grid.voxel_volume_ml
    voxels = np.bincount(label.ravel(), minlength=len(names))
    mass = np.bincount(label.ravel(), weights=anatomy.g_per_ml.ravel().astype(np.float64), minlength=len(names)) * voxel_ml
    share = np.bincount(label.ravel(), weights=uptake.concentration.ravel().astype(np.float64), minlength=len(names))
    members = {name: [n] for n, name in enumerate(names) if name != "elsewhere"}
    members["normal_liver"] = [n for n, name in enumerate(names) if name.startswith("normal_liver.")]
    for lobe in LOBES:
        fed = {f"normal_liver.{lobe}", *(f"tumour.{lesion.label}" for lesion in uptake.lesions if lesion.territory == lobe)}
        members[f"territory.{lobe}"] = [n for n, name in enumerate(names) if name in fed]
    members["liver"] = members["normal_liver"] + [n for n, name in enumerate(names) if name.startswith("tumour.")]
    structures = {}
    for name, rows in members.items():
        kilograms = float(mass[rows].sum()) / G_PER_KG
        if kilograms == 0.0:
            continue
        dose = {lobe: float(constant * energy[n, rows].sum() / kilograms) for n, lobe in enumerate(LOBES)}
        structures[name] = StructureTruth(
            name, float(voxels[rows].sum()) * voxel_ml, kilograms * G_PER_KG, float(share[rows].sum()), dose
        )
    ratio = {f"tumour.{lesion.label}": lesion.tumour_to_normal for lesion in uptake.lesions}
    return Truth(
        options.seed,
        options.nuclide,
        constant,
        uptake.lung_shunt_fraction,
        options.uptake.extrahepatic_share,
        dict(uptake.injected_share),
        structures,
        ratio,
        anatomy.lungs_seen_fraction,
        anatomy.markers_lps_mm,
        secrets,
    )


def _contours(
    anatomy: Anatomy, uptake: Uptake, ct: HounsfieldMap, secrets: CameraSecrets, rng: np.random.Generator
) -> tuple[Mask, ...]:
    fields = {
        "body": (anatomy.distance["body"], 0.0),
        "liver": (anatomy.distance["liver"], secrets.contour_sd_mm),
        "left_lung": (anatomy.distance["lung_left"], secrets.contour_sd_mm),
        "right_lung": (anatomy.distance["lung_right"], secrets.contour_sd_mm),
    }
    fields |= {
        key: (field, 0.0 if key.startswith("territory") else secrets.contour_sd_mm) for key, field in uptake.distance.items()
    }
    masks = (draw_contour(field, anatomy.grid, ct.grid, structure_from_key(key), sd, rng) for key, (field, sd) in fields.items())
    return tuple(mask for mask in masks if mask.voxels)


def make_patient(
    options: PatientOptions,
    anatomy: Anatomy,
    rng: np.random.Generator,
    report: Callable[[float], None],
    *,
    acquire: Callable[[Anatomy, Uptake, np.random.Generator], HounsfieldMap],
) -> VirtualPatient:
    """Uptake, images, contours and truth in a given body.

    Parameters
    ----------
    options : PatientOptions
        Seed, nuclide, what is fixed in advance.
    anatomy : Anatomy
        Synthetic, or made from a real CT.
    rng : numpy.random.Generator
        Draws everything else.
    report : callable
        Takes progress from 0 to 1.
    acquire : callable
        Makes the CT.
    """
    uptake = place_uptake(anatomy, rng, options.uptake)
    report(0.25)
    secrets = draw_secrets(rng, options.imaging)
    ct = acquire(anatomy, uptake, rng)
    spect = acquire_spect(anatomy, uptake, secrets, rng, options.imaging)
    anterior, posterior = acquire_planar(anatomy, uptake, secrets, rng, options.imaging, nuclide=options.nuclide)
    report(0.6)
    structures = _contours(anatomy, uptake, ct, secrets, rng)
    report(0.8)
    truth = _truth(options, anatomy, uptake, secrets, rng)
    report(1.0)
    return VirtualPatient(options, anatomy, uptake, truth, PatientImages(ct, spect, anterior, posterior, structures))


def virtual_patient(options: PatientOptions, report: Callable[[float], None]) -> VirtualPatient:
    """A fully synthetic patient; the same options give the same patient.

    Parameters
    ----------
    options : PatientOptions
        Seed, nuclide, what is fixed in advance.
    report : callable
        Takes progress from 0 to 1.
    """
    rng = np.random.default_rng(options.seed)
    anatomy = synthetic_anatomy(rng, frame_of(options.seed))
    report(0.1)
    return make_patient(
        options,
        anatomy,
        rng,
        lambda x: report(0.1 + 0.9 * x),
        acquire=lambda body, uptake, draw: acquire_ct(body, uptake, draw, options.imaging),
    )
