"""Which pixel decoders this installation has, without decoding anything."""

from __future__ import annotations

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from opensirt.dicom.decoders import DECODER_OF, NATIVE


def available_decoders() -> list[tuple[str, bool]]:
    """Each compressed transfer syntax with its pinned decoder (``"JPEG 2000 Image Compression (pylibjpeg)"``), and whether it is here."""
    found = []
    for syntax, plugin in DECODER_OF.items():
        if plugin != NATIVE:
            found.append((f"{UID(syntax).name} ({plugin})", plugin in get_decoder(UID(syntax)).available_plugins))
    return found
