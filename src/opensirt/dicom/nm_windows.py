"""Which frames of an NM image belong to the photopeak."""

from __future__ import annotations

import re
from types import MappingProxyType

from pydicom.dataset import Dataset

from opensirt.dicom.attributes import items, number, numbers, text
from opensirt.dicom.faults import FaultBook, Refused
from opensirt.dicom.radionuclides import nuclide_of
from opensirt.dicom.scan import Header
from opensirt.dicom.study import NOT_STATED

PHOTOPEAK_KEV = MappingProxyType({"Tc-99m": 140.511, "Ho-166": 80.574, "Lu-177": 208.37, "I-131": 364.49})
"""Line that each nuclide is imaged by, in keV, ICRP Publication 107 (2008). Y-90 has none: its bremsstrahlung window must be the only one."""

_SCATTER = re.compile(r"scat|comp|lower|upper|down|_sc\b|\bsc\b", re.IGNORECASE)


def _windows(data: Dataset) -> list[tuple[str, float, float]]:
    found = []
    for window in items(data, "EnergyWindowInformationSequence"):
        ranges = [
            (number(part, "EnergyWindowLowerLimit", 0.0), number(part, "EnergyWindowUpperLimit", 0.0))
            for part in items(window, "EnergyWindowRangeSequence")
        ]
        low = min((part[0] for part in ranges), default=0.0)
        high = max((part[1] for part in ranges), default=0.0)
        found.append((text(window, "EnergyWindowName"), low, high))
    return found


def _primary(windows: list[tuple[str, float, float]], line_kev: float | None) -> int | None:
    """Index of the one window that holds the line, or the one that is not named as scatter; ``None`` if that is not exactly one."""
    if line_kev is not None:
        holding = [k for k, (_, low, high) in enumerate(windows) if low <= line_kev <= high]
        if holding:
            return min(holding, key=lambda k: windows[k][2] - windows[k][1])
    plain = [k for k, (name, _, _) in enumerate(windows) if name and not _SCATTER.search(name)]
    return plain[0] if len(plain) == 1 else None


def photopeak_frames(data: Dataset, frames: int, header: Header, book: FaultBook) -> tuple[list[int], str]:
    """Indices of the frames in the photopeak window, and a note on the window.

    The window is the narrowest one that holds the line of the header's nuclide; where the nuclide or the limits are not stated, the
    only one whose name does not say scatter.

    Raises
    ------
    Refused
        ``nm.window_ambiguous`` if several windows remain.
    """
    vector = [int(part) for part in numbers(data, "EnergyWindowVector")]
    if len(vector) != frames:
        vector = [1] * frames
    windows = _windows(data)
    used = sorted(set(vector))
    if len(used) == 1:
        if not 1 <= used[0] <= len(windows):
            return list(range(frames)), ""
        name, low, high = windows[used[0] - 1]
        return list(range(frames)), f"energy window {name or used[0]} ({low:g}–{high:g} keV)"
    nuclide = nuclide_of(data)
    line = None if nuclide is NOT_STATED else PHOTOPEAK_KEV.get(str(nuclide))
    primary = _primary(windows, line)
    if primary is None or primary + 1 not in used:
        stated = ", ".join(f"{name or k + 1} ({low:g}–{high:g} keV)" for k, (name, low, high) in enumerate(windows))
        raise Refused("nm.window_ambiguous", f"file {header.name} has windows {stated or len(used)}", header.instance)
    name, low, high = windows[primary]
    others = ", ".join(f"{other or k + 1} ({a:g}–{b:g} keV)" for k, (other, a, b) in enumerate(windows) if k != primary)
    series_uid = text(data, "SeriesInstanceUID")
    what = f"file {header.name}: window {name or primary + 1} ({low:g}–{high:g} keV) is used, not {others}"
    book.add("nm.windows_set_aside", what, series_uid=series_uid, instance=header.instance)
    return [k for k in range(frames) if vector[k] == primary + 1], f"energy window {name or primary + 1} ({low:g}–{high:g} keV)"
