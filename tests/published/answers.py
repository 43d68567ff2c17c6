"""How the published cases ask: from outside, through ``calc``."""

from __future__ import annotations

from opensirt.workflow.calc import calc


def results(model: str, **payload) -> dict:
    """``result`` of a formula."""
    return calc(model, payload)["result"]


def codes(model: str, **payload) -> set[str]:
    """Codes of the findings of a formula."""
    return {finding["code"] for finding in calc(model, payload)["findings"]}
