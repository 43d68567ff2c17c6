"""Quantitative SPECT: NM images in Bq/mL as activity at a stated instant."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from opensirt.dicom.attributes import items, text, texts
from opensirt.dicom.faults import Refused
from opensirt.dicom.scan import Header
from opensirt.dicom.study import NOT_STATED, ReadOptions, SeriesFacts
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import NUCLIDES, Nuclide
from opensirt.vocabulary.volumes import ActivityMap

_COUNTS = frozenset({"", "CNTS"})
_BQ_PER_ML = "BQML"
_MAPPED_UNITS = frozenset({"BQ/ML", "BQML"})


def is_activity(data: Dataset) -> bool:
    """True for Bq/mL, false for counts.

    Raises
    ------
    Refused
        ``nm.units`` for anything else, and for units that only a real-world value map states.
    """
    units = text(data, "Units").upper()
    for mapping in items(data, "RealWorldValueMappingSequence"):
        for unit in items(mapping, "MeasurementUnitsCodeSequence"):
            if text(unit, "CodeValue").upper() in _MAPPED_UNITS and units != _BQ_PER_ML:
                raise Refused("nm.units", "Bq/mL by a real-world value map only, which is not applied")
    if units == _BQ_PER_ML:
        return True
    if units not in _COUNTS:
        raise Refused("nm.units", f"Units (0054,1001) is {units}")
    return False


def _nuclide(facts: SeriesFacts, options: ReadOptions) -> Nuclide:
    stated = facts.radionuclide
    if options.true_nuclide is not None:
        if stated is not NOT_STATED and stated != options.true_nuclide.name:
            raise Refused("nm.nuclide_conflict", f"the header says {stated}, the caller {options.true_nuclide.name}")
        return options.true_nuclide
    if stated is NOT_STATED:
        raise Refused("pet.nuclide_missing", "an image in Bq/mL without radionuclide")
    if str(stated) not in NUCLIDES:
        raise Refused("pet.nuclide_unknown", f"the header says {stated}; known are {', '.join(NUCLIDES)}")
    return NUCLIDES[str(stated)]


def activity_map(
    values: npt.NDArray[np.float32], grid: Grid, header: Header, facts: SeriesFacts, options: ReadOptions
) -> tuple[ActivityMap, str]:
    """Bq/mL at the instant that Decay Correction names: start of the acquisition, or administration.

    Without decay correction the values are a mean over an acquisition of many minutes whose course the header does not hold: refused.

    Raises
    ------
    Refused
        If nuclide, decay reference or instant are not stated.
    """
    data = header.data
    nuclide = _nuclide(facts, options)
    reference = text(data, "DecayCorrection").upper()
    if reference not in ("START", "ADMIN"):
        corrected = "DECY" in {part.upper() for part in texts(data, "CorrectedImage")}
        stated = reference or ("DECY without a reference" if corrected else "not stated")
        raise Refused("pet.decay_reference_missing", f"Decay Correction (0054,1102) of an NM image in Bq/mL is {stated}")
    at = facts.acquired_at if reference == "START" else facts.administered_at
    if at is NOT_STATED or not hasattr(at, "isoformat"):
        raise Refused("pet.time_missing", f"decay correction {reference} without that instant")
    return ActivityMap(values, grid, nuclide, at), f"decay correction {reference}: activity at {at.isoformat()}"
