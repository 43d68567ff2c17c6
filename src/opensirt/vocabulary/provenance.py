"""Where a number comes from: sources, constants, and the number that explains itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from opensirt.vocabulary.measured import Measured


class Mark(Enum):
    """How far a fact can be trusted; the marks of the project's fact sheets."""

    FOUND = "found"
    DERIVED = "derived"
    UNVERIFIED = "unverified"
    ASSUMED = "assumed"


@dataclass(frozen=True)
class Constant:
    """A named number with its unit, spread and source.

    Attributes
    ----------
    key : str
        Stable name, e.g. ``"y90.half_life_h"``.
    value : float
        In ``unit``.
    unit : str
        e.g. ``"h"``, ``"Gy·kg/GBq"``, ``"1"``.
    source : str
        Author, title or guideline, year, table or page.
    standard_uncertainty : float
        In ``unit``; 0 for numbers that are exact by definition or by declared convention.
    mark : Mark
        Found, derived, unverified or assumed.
    """

    key: str
    value: float
    unit: str
    source: str
    standard_uncertainty: float = 0.0
    mark: Mark = Mark.FOUND


class Shape(Enum):
    """The distribution assumed when a 90 % interval is drawn from a standard uncertainty."""

    NORMAL = "normal"
    LOGNORMAL = "lognormal"


@dataclass(frozen=True)
class Input:
    """One input of a reported number, as it is shown to a person: ``name = value unit``, and where it came from."""

    name: str
    value: str
    unit: str = ""
    origin: str = ""


@dataclass(frozen=True)
class ReportedNumber:
    """A number that explains itself: value, interval, formula, inputs, constants, method and version.

    Attributes
    ----------
    key : str
        Unique within a result, dotted: ``"dose.tumour.T1.kernel"``.
    label : str
        What a physician calls it.
    measured : Measured
        Value and signed contributions to its uncertainty.
    unit : str
        Unit of the value.
    formula : str
        The equation in plain text or LaTeX-free Unicode.
    method : str
        Name of the model, e.g. ``"count partition"``.
    method_version : str
        Version of the model (not of the program).
    inputs, constants : tuple
        What went in.
    shape : Shape
        Distribution for the 90 % interval; log-normal for positive quantities with a wide spread.
    sources : tuple of str
        Literature behind the method.
    input_sha256 : tuple of str
        Content hashes of the volumes that went in.
    """

    key: str
    label: str
    measured: Measured
    unit: str
    formula: str
    method: str
    method_version: str
    inputs: tuple[Input, ...] = ()
    constants: tuple[Constant, ...] = ()
    shape: Shape = Shape.LOGNORMAL
    sources: tuple[str, ...] = ()
    input_sha256: tuple[str, ...] = field(default=())
    drawn_interval_90: tuple[float, float] | None = None
    """Quantiles of draws (5 % and 95 %), where the number was resampled; ``None`` where the interval follows from the shape."""

    @property
    def interval_90(self) -> tuple[float, float]:
        """Lower and upper end of the 90 % interval, in ``unit``."""
        if self.drawn_interval_90 is not None:
            return self.drawn_interval_90
        if self.shape is Shape.LOGNORMAL and self.measured.value > 0:
            return self.measured.lognormal_interval_90
        return self.measured.normal_interval_90


def content_sha256(parts: Iterable[bytes | memoryview]) -> str:
    """SHA-256 over a sequence of byte strings, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
