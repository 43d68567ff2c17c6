"""Formulas of response, toxicity, liver function and liver volume for ``calc``, gathered."""

from __future__ import annotations

from opensirt.workflow.calc_liver import LIVER_MODELS
from opensirt.workflow.calc_tumour_response import TUMOUR_RESPONSE_MODELS

OUTCOMES_MODELS = (*TUMOUR_RESPONSE_MODELS, *LIVER_MODELS)
