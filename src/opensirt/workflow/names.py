"""Keys of structures in a physician's words."""

from __future__ import annotations


def structure_label(key: str) -> str:
    """A structure's key in a physician's words."""
    kind, _, label = key.partition(".")
    words = {
        "normal_liver": "normal liver, whole" if not label else f"normal liver, {label} (perfused)",
        "tumour": f"tumour {label}",
        "lungs": "lungs",
        "extrahepatic": label,
        "liver": "liver",
        "body": "body",
        "territory": f"territory, {label}",
    }
    return words.get(kind, key)
