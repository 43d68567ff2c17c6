"""What a refused name was probably meant to be, and what is on offer: for the last part of an error's text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_ALIKE = 0.6
"""Names alike by less than this (ratio of :mod:`difflib`) are not suggested."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like ``name``, whatever the case of its letters; empty where none is.

    Parameters
    ----------
    name : str
        What somebody wrote.
    known : iterable of str
        What could have been meant.
    """
    by_folded = {str(each).casefold(): str(each) for each in known}
    found = difflib.get_close_matches(str(name).casefold(), list(by_folded), n=1, cutoff=_ALIKE)
    return by_folded[found[0]] if found else ""


def meant(name: str, known: Iterable[str]) -> str:
    """The start of a remedy: ``"did you mean glass? "``, or nothing."""
    near = nearest(name, known)
    return f"did you mean {near}? " if near else ""


def offer(name: str, known: Iterable[str]) -> str:
    """A remedy: ``"did you mean glass? choose one of glass, resin, ho166"``."""
    names = [str(each) for each in known]
    return meant(name, names) + (f"choose one of {', '.join(names)}" if names else "there is none to choose from")
