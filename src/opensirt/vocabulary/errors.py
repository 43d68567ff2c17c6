"""Every error that opensirt raises on purpose.

::

    OpensirtError
    ├── InvalidValue           a value that cannot be what it claims to be (negative counts, LSF of 1, naive instant)
    ├── UnitError              a unit that is not the one asked for (PROPCPS for Bq/mL)
    ├── GeometryError          a grid that cannot exist, or a transform that cannot be inverted
    │   └── GridMismatch       two volumes that do not share one grid or one frame of reference
    ├── MissingInput           something the computation needs is not there (no lungs, no CT)
    ├── UnsupportedInput       a thing opensirt knows it does not know (nuclide, product, file kind)
    ├── InconsistentInput      two statements that cannot both be true (a decay-corrected image without an instant)
    ├── PlanInfeasible         goals that cannot be met together
    └── CaseError              a case folder that is damaged, of another version, or in use

An error means that the computation cannot be done. Its text reads: *what · the values · where or why it matters · what to
do*. No patient's name and no pixel data ever stand in it. What a person must weigh instead is a
:class:`opensirt.vocabulary.findings.Finding`.
"""

from __future__ import annotations


class OpensirtError(Exception):
    """Base of every error opensirt raises on purpose.

    Parameters
    ----------
    what : str
        One clause: what is wrong, with the values.
    where : str
        Where it was seen or why it matters; may be empty.
    remedy : str
        What the user can do; may be empty.
    """

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(" · ".join(part for part in (what, where, remedy) if part))


class InvalidValue(OpensirtError, ValueError):
    """A value that cannot be what it claims to be."""


class UnitError(OpensirtError, ValueError):
    """A unit other than the one asked for."""


class GeometryError(OpensirtError, ValueError):
    """A grid that cannot exist."""


class GridMismatch(GeometryError):
    """Two volumes that do not share one grid or one frame of reference."""


class MissingInput(OpensirtError, LookupError):
    """Something the computation needs is not there."""


class UnsupportedInput(OpensirtError, ValueError):
    """Something opensirt knows it cannot handle."""


class InconsistentInput(OpensirtError, ValueError):
    """Two statements that cannot both be true."""


class PlanInfeasible(OpensirtError, ValueError):
    """Goals that cannot be met together."""


class CaseError(OpensirtError, RuntimeError):
    """A case folder that is damaged, of another version, or in use."""
