"""Formulas of response, toxicity, liver function, liver volume and of what a registry scores for ``calc``, gathered."""

from __future__ import annotations

from opensirt.workflow.calc_liver import LIVER_MODELS
from opensirt.workflow.calc_registry import REGISTRY_MODELS
from opensirt.workflow.calc_tumour_response import TUMOUR_RESPONSE_MODELS

OUTCOMES_MODELS = (*TUMOUR_RESPONSE_MODELS, *LIVER_MODELS, *REGISTRY_MODELS)
