"""Pixel data as stored values: one pinned decoder for each transfer syntax, and a direct way for uncompressed files.

The decoders are pinned because the order in which pydicom tries its plug-ins depends on what is installed, and one of the usual
plug-ins is under the GPL; gdcm, pyjpegls, openjpeg and pylibjpeg-rle are not.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from opensirt.dicom.attributes import PARSER_ERRORS, number, text
from opensirt.dicom.faults import Refused
from opensirt.dicom.scan import Header

NATIVE = "native"

DECODER_OF = MappingProxyType(
    {
        str(uid.ImplicitVRLittleEndian): NATIVE,
        str(uid.ExplicitVRLittleEndian): NATIVE,
        str(uid.DeflatedExplicitVRLittleEndian): NATIVE,
        str(uid.ExplicitVRBigEndian): NATIVE,
        str(uid.JPEGBaseline8Bit): "gdcm",
        str(uid.JPEGExtended12Bit): "gdcm",
        str(uid.JPEGLossless): "gdcm",
        str(uid.JPEGLosslessSV1): "gdcm",
        str(uid.JPEGLSLossless): "pyjpegls",
        str(uid.JPEGLSNearLossless): "pyjpegls",
        str(uid.JPEG2000Lossless): "pylibjpeg",
        str(uid.JPEG2000): "pylibjpeg",
        str(uid.HTJ2KLossless): "pylibjpeg",
        str(uid.HTJ2KLosslessRPCL): "pylibjpeg",
        str(uid.HTJ2K): "pylibjpeg",
        str(uid.RLELossless): "pylibjpeg",
    }
)
"""Transfer syntax → decoder (``pylibjpeg`` stands for openjpeg with JPEG 2000 and for pylibjpeg-rle with RLE)."""

_DIRECT = frozenset({str(uid.ImplicitVRLittleEndian), str(uid.ExplicitVRLittleEndian)})
_BITS_PER_BYTE = 8


@attrs.frozen
class PixelFormat:
    """How pixels are stored.

    Attributes
    ----------
    rows, columns, frames : int
        Size.
    bits_allocated, bits_stored : int
        8, 16 or 32 (1 for binary segmentations), and how many of them count.
    signed : bool
        Two's complement.
    """

    rows: int
    columns: int
    frames: int
    bits_allocated: int
    bits_stored: int
    signed: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy type of a stored value, little endian."""
        return np.dtype(f"<{'i' if self.signed else 'u'}{self.bits_allocated // _BITS_PER_BYTE}")

    @property
    def decoded_bytes(self) -> int:
        """Size in bytes of all frames, one byte at least for each pixel."""
        return self.rows * self.columns * self.frames * max(1, self.bits_allocated // _BITS_PER_BYTE)


def pixel_format(data: Dataset) -> PixelFormat:
    """Size and type of the pixels that the header declares.

    Raises
    ------
    Refused
        If they are not one grey value of 1, 8, 16 or 32 bits.
    """
    allocated = int(number(data, "BitsAllocated"))
    stored = int(number(data, "BitsStored", allocated))
    samples = int(number(data, "SamplesPerPixel", 1))
    colour = text(data, "PhotometricInterpretation")
    if samples != 1 or allocated not in (1, 8, 16, 32) or not 1 <= stored <= allocated or colour not in ("", "MONOCHROME2"):
        raise Refused(
            "pixels.kind", f"{samples} samples of {stored} in {allocated} bits, {colour or 'no photometric interpretation'}"
        )
    frames = int(number(data, "NumberOfFrames", 1))
    rows, columns = int(number(data, "Rows")), int(number(data, "Columns"))
    if min(rows, columns, frames) < 1:
        raise Refused("series.no_geometry", f"{frames} frames of {rows} rows and {columns} columns")
    return PixelFormat(rows, columns, frames, allocated, stored, number(data, "PixelRepresentation", 0) == 1)


def require_size(declared: int, largest_bytes: int, what: str) -> None:
    """Refuse absurd sizes before any memory is taken."""
    if declared > largest_bytes:
        raise Refused("file.too_large", f"{what} claims {declared} bytes of pixels, at most {largest_bytes} are read")


def _require_native_length(header: Header, form: PixelFormat) -> None:
    length = header.pixels_length
    expected = (form.rows * form.columns * form.frames * form.bits_allocated + _BITS_PER_BYTE - 1) // _BITS_PER_BYTE
    padded = expected + expected % 2
    if length not in (expected, padded):
        raise Refused(
            "pixels.length", f"file {header.name} has {length} bytes of pixels, its header needs {expected}", header.instance
        )


def _is_direct(header: Header) -> bool:
    return header.syntax in _DIRECT and header.pixels_at >= 0


def require_pixel_length(header: Header) -> None:
    """Refuse an uncompressed file whose pixels are not as long as its header says; nothing is decoded.

    Raises
    ------
    Refused
        ``pixels.length``.
    """
    if not _is_direct(header) or "Rows" not in header.data:
        return
    _require_native_length(header, pixel_format(header.data))


def _read_direct(header: Header, form: PixelFormat) -> npt.NDArray[Any]:
    """Stored values straight from the file."""
    _require_native_length(header, form)
    stored = np.empty((form.frames, form.rows, form.columns), form.dtype)
    with header.path.open("rb", buffering=0) as stream:
        stream.seek(header.pixels_at)
        if stream.readinto(stored.data.cast("B")) != stored.nbytes:
            raise Refused("pixels.length", f"file {header.name} ends before its pixels do", header.instance)
    return _stored_bits_only(stored, form)


def _stored_bits_only(stored: npt.NDArray[Any], form: PixelFormat) -> npt.NDArray[Any]:
    # bits above BitsStored once held overlays: cleared, or filled with the sign
    unused = form.bits_allocated - form.bits_stored
    if unused == 0:
        return stored
    low, high = int(stored.min()), int(stored.max())
    top = 2 ** (form.bits_stored - (1 if form.signed else 0))
    if high < top and low >= (-top if form.signed else 0):
        return stored
    return np.asarray(np.right_shift(np.left_shift(stored, unused), unused))


def stored_values(header: Header, form: PixelFormat) -> npt.NDArray[Any]:
    """Stored values of all frames, shape (frames, rows, columns).

    Raises
    ------
    Refused
        If there is no decoder for the transfer syntax, the length is wrong, or the decoder gives up.
    """
    decoder = DECODER_OF.get(header.syntax)
    if decoder is None:
        name = uid.UID(header.syntax).name
        raise Refused("pixels.syntax", f"file {header.name} is encoded as {name}", header.instance)
    if _is_direct(header) and form.bits_allocated >= _BITS_PER_BYTE:
        return _read_direct(header, form)
    try:
        pinned = "" if decoder == NATIVE else decoder
        whole = dcmread(header.path, force=True)  # from the path alone pydicom finds no pixels in deflated files
        decoded = np.asarray(pixel_array(whole, raw=True, decoding_plugin=pinned))
    except PARSER_ERRORS as error:
        raise Refused("pixels.undecodable", f"file {header.name} ({type(error).__name__})", header.instance) from error
    if decoded.size != form.rows * form.columns * form.frames:
        raise Refused("pixels.length", f"file {header.name} holds {decoded.size} pixels", header.instance)
    native = decoded.astype(decoded.dtype.newbyteorder("="), copy=False)
    return native.reshape(form.frames, form.rows, form.columns)
