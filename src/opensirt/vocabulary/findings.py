"""Findings: results that a person must weigh. They are returned, shown and signed; never raised, never logged away."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How much a finding asks of the person who reads it."""

    NOTE = "note"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Finding:
    """Something a person must weigh before using a result.

    Attributes
    ----------
    code : str
        Stable, dotted, lower case: ``"lung_shunt.above_limit"``. Tests and reports refer to it.
    severity : Severity
        Note, warning or critical.
    message : str
        What, with the values; where or why it matters; what to do. No patient's name.
    about : str
        What it concerns: a structure, a series, an injection, a quantity; may be empty.
    source : str
        The guideline, paper or rule behind it; may be empty.
    """

    code: str
    severity: Severity
    message: str
    about: str = ""
    source: str = ""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input file, series or structure, found by an import that carried on.

    Attributes
    ----------
    code : str
        Stable, dotted, lower case: ``"dicom.unreadable"``, ``"ct.slice_missing"``.
    message : str
        What, the values, why it matters, what to do.
    series_uid : str
        Series Instance UID, empty where unknown.
    instance : str
        SOP Instance UID or, where there is none, the file name (never a full path); empty for a fault of the series.
    """

    code: str
    message: str
    series_uid: str = ""
    instance: str = ""
