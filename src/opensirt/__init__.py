"""opensirt: selective internal radiation therapy from DICOM to an explained, personalised plan.

The names below load their modules when they are first used (PEP 562), so that ``import opensirt`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from opensirt._version import __version__

_FACE = {
    "calc": ("opensirt.workflow.calc", "calc"),
    "demo": ("opensirt.synthetic.demo", "run_demo"),
    "doctor": ("opensirt.workflow.doctor", "run_doctor"),
    "dose": ("opensirt.workflow.dose", "run_dose"),
    "dvh": ("opensirt.workflow.dvh", "run_dvh"),
    "import_study": ("opensirt.workflow.import_study", "run_import"),
    "plan": ("opensirt.workflow.plan", "run_plan"),
    "virtual_patient": ("opensirt.synthetic.write", "run_virtual_patient"),
    "workup": ("opensirt.workflow.workup", "run_workup"),
}

__all__ = ["__version__", *_FACE]


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module 'opensirt' has no attribute {name!r}")
    if name != "doctor":  # which says itself what is wrong with them
        import_module("opensirt.settings").apply_settings()
    module, attribute = _FACE[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
