"""What a person states about a run; every default is written into the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from opensirt.radioembolisation.treatment.delivery_calendar import DeliveryCalendar
from opensirt.vocabulary.site_limits import SiteLimits
from opensirt.workflow.patient import PatientFacts


@dataclass(frozen=True)
class ImportOptions:
    """How a study is read.

    Attributes
    ----------
    case_id : str
        Pseudonym of the case; derived from the study where empty. Never a patient's name or number.
    time_zone : str
        IANA zone of the department's clocks, for files that state no offset; empty: such instants are faults.
    true_nuclide : str
        What was injected, where PET headers name another nuclide; empty: the header's.
    labels : Path, optional
        Label map (NIfTI or MetaImage) on the CT.
    labels_map : Path, optional
        JSON that says which numbers make up which structure; TotalSegmentator's numbers where ``None``.
    structures_from : str
        Kind of object that a structure is taken from where several hold it: ``"rtstruct"``, ``"seg"`` or ``"label-map"``; in this order
        where empty.
    """

    case_id: str = ""
    time_zone: str = ""
    true_nuclide: str = ""
    labels: Path | None = None
    labels_map: Path | None = None
    structures_from: str = ""


@dataclass(frozen=True)
class WorkupOptions:
    """How the work-up is computed.

    Attributes
    ----------
    spacing_mm : float or None
        Spacing of the working grid; the emission voxel's moved into 3–4 mm where ``None``.
    density : str
        ``"Schneider 2000"`` or ``"(HU + 1000)/1000"``.
    lung_margin_mm : float
        Rim of lung beside the liver in which lung counts are not read.
    declared_lung_mass : str
        ``"conventional"`` (1 kg) or ``"kao-2013"``, where lungs are cut or missing.
    contour_mm, registration_mm : float
        Standard uncertainties of contours and of the shift between emission image and CT.
    lung_quantification, noise_factor : float
        Relative standard uncertainty of lung counts; variance of the counts over Poisson's.
    """

    spacing_mm: float | None = None
    density: str = "Schneider 2000"
    lung_margin_mm: float = 20.0
    declared_lung_mass: str = "conventional"
    contour_mm: float = 1.0
    registration_mm: float = 2.0
    lung_quantification: float = 0.065
    noise_factor: float = 1.0


@dataclass(frozen=True)
class StatedRule:
    """A limit or target that a person states: structure (``tumour``, ``normal_liver``, ``lungs``), Gy, and why."""

    role: str
    structure: str
    value_gy: float
    reason: str


FEWEST_SAMPLES = 20
"""Draws below which there is no interval of 90 %."""


@dataclass(frozen=True)
class PlanOptions:
    """What a plan is made for.

    Attributes
    ----------
    product : str
        ``"glass"``, ``"resin"`` or ``"ho166"``.
    treatment_at : datetime or None
        Planned instant of administration, with time zone; the next Wednesday 10:00 UTC after now where ``None`` (a finding says so).
    indication : str
        ``"NET"``, ``"HCC"``, ``"ICC"`` or ``"mCRC"``.
    setting : str
        Setting of the product's limits; the strictest extent, bilobar, where empty.
    intent : str
        ``"up-to-limits"``, ``"reach-target"`` or ``"given"``.
    activities_gbq : mapping
        For ``"given"``: territory → GBq.
    rules : tuple of StatedRule
        Limits and targets of the person, beside (targets) or instead of (limits on the same structure) the published ones.
    engine : str
        Dose engine for voxel dose and DVH.
    dose_constant : str
        Name of the dose constant; the nuclide's default where empty.
    residual_fraction : float or None
        Share that stays in vial and tubing; the product's published median where ``None``.
    calibration_fraction : float or None
        Relative standard uncertainty of the activity meter; 0.05, assumed, where ``None``.
    workup : WorkupOptions
        How the work-up is computed.
    patient : PatientFacts
        What is stated about the patient.
    site_limits : SiteLimits or None
        Values of the site, or of a person for this patient, in place of published limits.
    calendar : DeliveryCalendar or None
        When products reach the site; the packaged default, which is unverified, where ``None``.
    samples : int
        Draws behind the intervals of dose-volume metrics; 0 leaves them out.
    """

    product: str = "glass"
    treatment_at: datetime | None = None
    indication: str = "NET"
    setting: str = ""
    intent: str = "up-to-limits"
    activities_gbq: Mapping[str, float] = field(default_factory=dict)
    rules: tuple[StatedRule, ...] = ()
    engine: str = "kernel-density"
    dose_constant: str = ""
    residual_fraction: float | None = None
    calibration_fraction: float | None = None
    workup: WorkupOptions = field(default_factory=WorkupOptions)
    patient: PatientFacts = field(default_factory=PatientFacts)
    site_limits: SiteLimits | None = None
    calendar: DeliveryCalendar | None = None
    samples: int = 200
