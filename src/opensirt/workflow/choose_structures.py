"""Which of several drawings of one structure a case uses: by kind of object, said to the person with volumes and overlap."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.volumes import Mask

LABEL_MAP = "label map"
ORIGINS = {"rtstruct": "RTSTRUCT", "seg": "SEG", "label-map": LABEL_MAP}
"""Kinds of objects in the order in which they are used: contours lie between the voxels and are usually drawn by a person, a segmentation is
bound to voxels, a label map is usually made by a program."""
AGREE_ABOVE_DICE = 0.9
"""Two drawings with less overlap than this are pointed out with a warning; a convention of ours, not a published limit."""


@attrs.frozen(eq=False)
class Offered:
    """One drawing of a structure: mask, its name in the file, kind of object."""

    mask: Mask
    label: str
    origin: str


def require_known_origin(structures_from: str) -> None:
    """Refuse a kind of object that is none.

    Raises
    ------
    UnsupportedInput
        With what is on offer.
    """
    if structures_from and structures_from not in ORIGINS:
        raise UnsupportedInput(f"structures cannot be taken from {structures_from!r}", "", offer(structures_from, ORIGINS))


def choose_structures(offered: Sequence[Offered], structures_from: str = "") -> tuple[tuple[Offered, ...], tuple[Finding, ...]]:
    """One drawing of each structure, and a finding for each that was drawn more than once.

    Parameters
    ----------
    offered : sequence of Offered
        In order of their files.
    structures_from : str
        Key of :data:`ORIGINS` that comes first; the order of :data:`ORIGINS` where empty.

    Raises
    ------
    UnsupportedInput
        For a kind that is not known.
    """
    require_known_origin(structures_from)
    order = sorted(ORIGINS, key=lambda kind: kind != structures_from)
    ranks = {ORIGINS[kind]: n for n, kind in enumerate(order)}
    chosen, findings = [], []
    for key in dict.fromkeys(each.mask.structure.key for each in offered):
        used, *others = sorted((each for each in offered if each.mask.structure.key == key), key=lambda each: ranks[each.origin])
        chosen.append(used)
        if others:
            findings.append(_doubled(key, used, others, structures_from))
    if structures_from and not any(each.origin == ORIGINS[structures_from] for each in offered):
        message = f"structures were to be taken from {ORIGINS[structures_from]}, but no such object holds one · others are used where they do · check the option or add the object"
        findings.append(Finding("import.structures_from_none", Severity.WARNING, message, structures_from))
    return tuple(chosen), tuple(findings)


def _doubled(key: str, used: Offered, others: Sequence[Offered], structures_from: str) -> Finding:
    overlaps = [_dice(used.mask, other.mask) for other in others]
    told = ", ".join(
        f"{other.origin} ({other.mask.volume_ml:.1f} mL, {'another grid' if dice is None else f'overlap {dice:.2f}'})"
        for other, dice in zip(others, overlaps, strict=True)
    )
    if used.origin == others[0].origin:
        why = f"the first {used.origin} in order of path counts"
    elif structures_from:
        why = f"{structures_from} was asked for"
    else:
        why = "contours come before segmentations, these before label maps"
    agree = all(dice is not None and dice >= AGREE_ABOVE_DICE for dice in overlaps)
    act = "nothing needs to be done" if agree else "look at both, and choose with --structures-from or remove one"
    message = (
        f"{key} was drawn {len(others) + 1} times: {used.origin} ({used.mask.volume_ml:.1f} mL) is used, not {told} · {why} · {act}"
    )
    return Finding("import.structure_doubled", Severity.NOTE if agree else Severity.WARNING, message, key)


def _dice(first: Mask, second: Mask) -> float | None:
    """Overlap of two masks on one grid, ``2 |A ∩ B| / (|A| + |B|)``; ``None`` where the grids differ."""
    if not first.grid.is_same_as(second.grid):
        return None
    both = np.count_nonzero(first.inside & second.inside)
    either = first.voxels + second.voxels
    return 2.0 * both / either if either else None
