"""Formulas of tumour control and harm for ``calc``: to be written again by the engineer of radiobiology (this name was taken twice; RECIST went to ``calc_tumour_response``)."""

from __future__ import annotations

from opensirt.workflow.calc_model import CalcModel

RESPONSE_MODELS: tuple[CalcModel, ...] = ()
