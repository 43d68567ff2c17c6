"""Proof of a PET's decay correction, and its replacement by the true nuclide's decay.

A scanner multiplies the mean activity of a frame by a decay factor computed with the half-life of the nuclide it was told. Dividing by
that factor gives back the mean of the frame; the true nuclide's decay then leads to one instant for the whole image::

    a(t0) = v / F_h · f_h / f · λT / (1 − exp(−λT)) · exp(λ (t − t0))

with stored value v, header decay factor F_h, positron fractions f_h (header) and f (true nuclide), decay constant λ of the true nuclide,
frame start t and duration T. Sources: DICOM PS3.3 C.8.9.1 and C.8.9.4 (Decay Correction, Decay Factor, Frame Reference Time).

F_h is Decay Factor (0054,1321) where the header holds it and it agrees with the header's times; it is computed from those times where
they prove the reference. Everything else is refused: a wrong reference is an error of up to a third for Ga-68.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from pydicom.dataset import Dataset

from opensirt.dicom.attributes import first_item, numbers, text, texts
from opensirt.dicom.facts import administered_at
from opensirt.dicom.faults import Refused
from opensirt.dicom.instants import acquisition_start, date_time, seconds_between
from opensirt.dicom.radionuclides import POSITRON_EMITTERS, nuclide_of
from opensirt.dicom.study import NOT_STATED
from opensirt.vocabulary.nuclides import NUCLIDES, Nuclide
from opensirt.vocabulary.units import SECONDS_PER_HOUR

AGREEMENT = 1e-3
"""Two statements on decay agree if they differ by no more than this fraction of the activity: a tenth of a percent, the accuracy that
the activity is wanted with; header times are whole seconds, which is 0.02 % of Ga-68."""

HALF_LIFE_AGREEMENT = 0.02
"""Largest relative difference of a header's half-life from the nuclide's: headers round 67.7 min to 68 and 76.4 s to 75."""

FRACTION_AGREEMENT = 0.10
"""Largest relative difference of a header's positron fraction from the nuclide's: 31.9 to 34 per million are in use for Y-90."""

_MS_PER_S = 1000.0
_REFERENCES = ("NONE", "START", "ADMIN")


@dataclass(frozen=True)
class HeaderNuclide:
    """The nuclide that the scanner was told.

    Attributes
    ----------
    name : str
        As in :data:`POSITRON_EMITTERS`.
    half_life_s : float
        The header's own, in s; 0 where it states none.
    positron_fraction : float
        The header's own; 0 where it states none.
    """

    name: str
    half_life_s: float
    positron_fraction: float

    @property
    def decay_per_s(self) -> float:
        """Decay constant in 1/s."""
        return math.log(2.0) / self.half_life_s


@dataclass(frozen=True)
class Frame:
    """Times of one image.

    Attributes
    ----------
    start : datetime
        Acquisition start as stated.
    duration_s : float
        Actual Frame Duration in s.
    reference_s : float or None
        Frame Reference Time in s after the series' time.
    decay_factor : float or None
        As stated.
    """

    start: datetime
    duration_s: float
    reference_s: float | None
    decay_factor: float | None


@dataclass(frozen=True)
class Undone:
    """How one image leads back to the mean activity of its frame: divide by ``factor``; the frame began at ``start``."""

    factor: float
    start: datetime
    how: str


def header_nuclide(data: Dataset) -> HeaderNuclide:
    """The header's nuclide with its half-life and positron fraction, checked against each other.

    Raises
    ------
    Refused
        ``pet.nuclide_missing``, ``pet.nuclide_unknown`` or ``pet.nuclide_inconsistent``.
    """
    injected = first_item(data, "RadiopharmaceuticalInformationSequence")
    half_life = (numbers(injected, "RadionuclideHalfLife") or (0.0,))[0]
    fraction = (numbers(injected, "RadionuclidePositronFraction") or (0.0,))[0]
    stated = nuclide_of(data)
    if stated is NOT_STATED and half_life <= 0.0:
        raise Refused("pet.nuclide_missing", "no radionuclide and no half-life")
    if stated is NOT_STATED:
        fitting = [
            name
            for name, known in POSITRON_EMITTERS.items()
            if abs(half_life / known.half_life_s.value - 1.0) <= HALF_LIFE_AGREEMENT
        ]
        if len(fitting) != 1:
            raise Refused("pet.nuclide_unknown", f"no radionuclide; half-life {half_life:g} s")
        name = fitting[0]
    else:
        name = str(stated)
    if name not in POSITRON_EMITTERS:
        raise Refused("pet.nuclide_unknown", f"the header says {name}, of which no positron fraction is known here")
    known = POSITRON_EMITTERS[name]
    if half_life > 0.0 and abs(half_life / known.half_life_s.value - 1.0) > HALF_LIFE_AGREEMENT:
        raise Refused(
            "pet.nuclide_inconsistent", f"{name} with a half-life of {half_life:g} s; it has {known.half_life_s.value:g} s"
        )
    expected = known.positron_fraction.value
    if fraction > 0.0 and abs(fraction / expected - 1.0) > FRACTION_AGREEMENT:
        raise Refused("pet.nuclide_inconsistent", f"{name} with a positron fraction of {fraction:g}; it has {expected:g}")
    return HeaderNuclide(name, half_life, fraction)


def true_nuclide(header: HeaderNuclide, stated: Nuclide | None) -> Nuclide:
    """The nuclide that was really in the patient: the caller's statement, or else the header's.

    Raises
    ------
    Refused
        ``pet.nuclide_unknown`` if it is not in the record, or emits no positrons.
    """
    name = header.name if stated is None else stated.name
    if name not in NUCLIDES or name not in POSITRON_EMITTERS:
        imaged = ", ".join(sorted(set(NUCLIDES) & set(POSITRON_EMITTERS)))
        raise Refused("pet.nuclide_unknown", f"activity of {name} in a PET; known here: {imaged}")
    return NUCLIDES[name]


def branching(header: HeaderNuclide, nuclide: Nuclide) -> float:
    """Positron fraction of the header over that of the true nuclide: what a value in Bq/mL of the one is in Bq/mL of the other.

    Raises
    ------
    Refused
        ``pet.positron_fraction_missing`` if the header names another nuclide and states no fraction.
    """
    if header.positron_fraction > 0.0:
        return header.positron_fraction / POSITRON_EMITTERS[nuclide.name].positron_fraction.value
    if header.name != nuclide.name:
        raise Refused("pet.positron_fraction_missing", f"recorded as {header.name}, really {nuclide.name}")
    return 1.0


def decay_reference(data: Dataset) -> str:
    """``"NONE"``, ``"START"`` or ``"ADMIN"``.

    Raises
    ------
    Refused
        ``pet.decay_reference_missing``; ``pet.decay_inconsistent`` if Corrected Image contradicts it.
    """
    reference = text(data, "DecayCorrection").upper()
    if reference not in _REFERENCES:
        raise Refused("pet.decay_reference_missing", f"Decay Correction (0054,1102) is {reference or 'missing'}")
    corrections = {part.upper() for part in texts(data, "CorrectedImage")}
    if corrections and ("DECY" in corrections) == (reference == "NONE"):
        listed = "lists" if "DECY" in corrections else "does not list"
        raise Refused("pet.decay_inconsistent", f"Decay Correction is {reference}, Corrected Image (0028,0051) {listed} DECY")
    return reference


def frame_of_image(data: Dataset, zone: tzinfo | None) -> Frame:
    """Times of one image.

    Raises
    ------
    Refused
        ``pet.time_missing`` without acquisition time or frame duration; ``time.…`` for instants that cannot be told.
    """
    start = acquisition_start(data, zone)
    duration = numbers(data, "ActualFrameDuration")
    if start is None or not duration or not duration[0] > 0.0:
        absent = "acquisition date and time" if start is None else "Actual Frame Duration (0018,1242)"
        raise Refused("pet.time_missing", f"no {absent}")
    reference, factor = numbers(data, "FrameReferenceTime"), numbers(data, "DecayFactor")
    return Frame(start, duration[0] / _MS_PER_S, reference[0] / _MS_PER_S if reference else None, factor[0] if factor else None)


def in_frame_factor(decay_per_s: float, duration_s: float) -> float:
    """Activity at the start of a frame over its mean: λT / (1 − exp(−λT))."""
    exponent = decay_per_s * duration_s
    return exponent / -math.expm1(-exponent)


def _frame_starts(frame: Frame, series_start: datetime | None, decay_per_s: float) -> list[datetime]:
    """When the frame may have begun: as Acquisition Time says, or as Frame Reference Time says (at the start, middle or mean)."""
    starts = [frame.start]
    if series_start is not None and frame.reference_s is not None:
        at = series_start + timedelta(seconds=frame.reference_s)
        mean_at = math.log(in_frame_factor(decay_per_s, frame.duration_s)) / decay_per_s
        starts += [at, at - timedelta(seconds=frame.duration_s / 2.0), at - timedelta(seconds=mean_at)]
    return starts


def _proven_by_factor(
    frame: Frame, stated: float, nuclide: HeaderNuclide, references: Sequence[datetime], series_start: datetime | None
) -> Undone:
    decay = nuclide.decay_per_s
    within = in_frame_factor(decay, frame.duration_s)
    for start in _frame_starts(frame, series_start, decay):
        for reference in references:
            to_start = math.exp(decay * seconds_between(reference, start))
            for inside in (within, 1.0, math.exp(decay * frame.duration_s / 2.0)):
                if abs(stated / (to_start * inside) - 1.0) <= AGREEMENT:
                    how = (
                        "decay factor of the header"
                        if start == frame.start
                        else "decay factor and Frame Reference Time of the header"
                    )
                    return Undone(stated, start, how)
    expected = math.exp(decay * seconds_between(references[0], frame.start)) * within
    raise Refused(
        "pet.decay_inconsistent",
        f"decay factor {stated:.6g}, but half-life {nuclide.half_life_s:g} s and the times give {expected:.6g}",
    )


def _proven_by_times(frame: Frame, nuclide: HeaderNuclide, references: Sequence[datetime], series_start: datetime | None) -> Undone:
    decay = nuclide.decay_per_s
    slack_s = AGREEMENT / decay
    stated = _frame_starts(frame, series_start, decay)[1:]
    if stated and min(abs(seconds_between(start, frame.start)) for start in stated) > slack_s:
        away = min((seconds_between(start, frame.start) for start in stated), key=abs)
        raise Refused(
            "pet.decay_reference_unproven",
            f"no decay factor, and Frame Reference Time and Acquisition Time put the frame {abs(away):.0f} s apart",
        )
    spread = max(abs(seconds_between(references[0], reference)) for reference in references)
    if not stated and spread > slack_s:
        raise Refused(
            "pet.decay_reference_unproven",
            f"no decay factor and no Frame Reference Time; series and first acquisition begin {spread:.0f} s apart",
        )
    factor = math.exp(decay * seconds_between(references[0], frame.start)) * in_frame_factor(decay, frame.duration_s)
    return Undone(factor, frame.start, "times of the header, which agree")


def undo(data: Dataset, frame: Frame, nuclide: HeaderNuclide, earliest: datetime, zone: tzinfo | None) -> Undone:
    """What the scanner multiplied one image by, proven.

    Parameters
    ----------
    data : Dataset
        Header of the image.
    frame : Frame
        Its times.
    nuclide : HeaderNuclide
        What the scanner was told.
    earliest : datetime
        Earliest acquisition start of the series.
    zone : tzinfo or None
        For instants without offset.

    Raises
    ------
    Refused
        If the reference is not stated, not proven, or contradicted by another attribute.
    """
    reference = decay_reference(data)
    factor = frame.decay_factor
    if reference == "NONE":
        if factor is not None and abs(factor - 1.0) > AGREEMENT:
            raise Refused("pet.decay_inconsistent", f"Decay Correction is NONE, decay factor {factor:.6g}")
        return Undone(1.0, frame.start, "no decay correction in the header")
    if nuclide.half_life_s <= 0.0:
        raise Refused("pet.nuclide_missing", "decay-corrected without Radionuclide Half Life (0018,1075)")
    series_start = date_time(data, "SeriesDate", "SeriesTime", zone)
    if reference == "START":
        references = [earliest] if series_start is None else [series_start, earliest]
    else:
        given = administered_at(data, zone)
        dated = text(first_item(data, "RadiopharmaceuticalInformationSequence"), "RadiopharmaceuticalStartDateTime")
        if not isinstance(given, datetime) or (factor is None and not dated):
            raise Refused("pet.administration_time", "decay-corrected to the administration, whose date and time are not stated")
        references = [given]
    if factor is not None:
        return _proven_by_factor(frame, factor, nuclide, references, series_start)
    return _proven_by_times(frame, nuclide, references, series_start)


def to_instant(undone: Undone, duration_s: float, nuclide: Nuclide, at: datetime) -> float:
    """Factor from the stored value of one image to the true nuclide's activity at ``at``, branching left out."""
    decay = math.log(2.0) / (nuclide.half_life_h.value * SECONDS_PER_HOUR)
    return in_frame_factor(decay, duration_s) * math.exp(decay * seconds_between(at, undone.start)) / undone.factor
