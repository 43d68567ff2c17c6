"""Each transfer syntax: written by an encoder, read by the pinned decoder, compared; none of the decoders is under the GPL."""

from __future__ import annotations

import importlib.metadata
import subprocess

import gdcm
import numpy as np
import pytest
from pydicom import dcmread, uid
from scipy.ndimage import gaussian_filter

from dicom.builders import affine, codes, read, write_ct
from opensirt.dicom.decoders import DECODER_OF

LOSSY_HU = {uid.JPEGLSNearLossless: 3, uid.JPEG2000: 12, uid.JPEGBaseline8Bit: 6, uid.JPEGExtended12Bit: 6}
"""Largest error of the lossy syntaxes as encoded here (near-lossless 2; J2K 90 dB of 16 bits, 2 rms; JPEG at high quality on 8 bits): a wrong
decoder, sign or colour transform is off by hundreds."""


def smooth_stored(low=0, high=3000, dtype=np.uint16, shape=(4, 32, 48)) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(11).normal(size=shape), (0, 3, 3))
    noise = (noise - noise.min()) / np.ptp(noise)
    return (low + noise * (high - low)).astype(dtype)


def compress_with_gdcm(path, syntax) -> None:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def compress_with_pydicom(path, syntax, **options) -> None:
    data = dcmread(path)
    data.compress(syntax, generate_instance_uid=False, **options)
    data.save_as(path)


ENCODERS = {
    uid.JPEGLossless: lambda path: compress_with_gdcm(path, gdcm.TransferSyntax.JPEGLosslessProcess14),
    uid.JPEGLosslessSV1: lambda path: compress_with_gdcm(path, gdcm.TransferSyntax.JPEGLosslessProcess14_1),
    uid.JPEGLSLossless: lambda path: compress_with_pydicom(path, uid.JPEGLSLossless),
    uid.JPEGLSNearLossless: lambda path: compress_with_pydicom(path, uid.JPEGLSNearLossless, jls_error=2),
    uid.JPEG2000Lossless: lambda path: compress_with_pydicom(path, uid.JPEG2000Lossless),
    uid.JPEG2000: lambda path: compress_with_pydicom(path, uid.JPEG2000, j2k_psnr=[90]),
    uid.RLELossless: lambda path: compress_with_pydicom(path, uid.RLELossless),
}


@pytest.mark.parametrize("syntax", ENCODERS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_written_values_come_back(tmp_path, syntax, dtype):
    stored = smooth_stored(-800 if dtype == np.int16 else 0, dtype=dtype)
    for path in write_ct(tmp_path, stored, affine()):
        ENCODERS[syntax](path)
        assert dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax
    study = read(tmp_path)
    assert study.faults == ()
    error = np.abs(study.volumes[0].map.hu - (stored.astype(int) - 1024)).max()
    assert error <= LOSSY_HU.get(syntax, 0)


def encode_with_dcmtk(program, path, option) -> None:
    subprocess.run([program("dcmcjpeg"), option, "+q", "99", "+un", str(path), str(path)], check=True, capture_output=True)


def stored_in(bits):
    def edit(data, k):
        data.BitsStored, data.HighBit = bits, bits - 1

    return edit


@pytest.mark.parametrize(("syntax", "option"), [(uid.JPEGBaseline8Bit, "+eb"), (uid.JPEGExtended12Bit, "+ee")])
def test_lossy_jpeg_of_8_bits_comes_back(tmp_path, program, syntax, option):
    stored = smooth_stored(0, 255, np.uint8)
    for path in write_ct(tmp_path, stored, affine(), stored_in(8)):
        encode_with_dcmtk(program, path, option)
        assert dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax
    study = read(tmp_path)
    assert study.faults == ()
    assert np.abs(study.volumes[0].map.hu - (stored.astype(int) - 1024)).max() <= LOSSY_HU[syntax]


def test_lossy_jpeg_of_12_bits_is_refused_by_name(tmp_path, program):
    """gdcm decodes 12 bits wrongly, so that pydicom does not let it: nothing is better than a wrong HU."""
    paths = write_ct(tmp_path, smooth_stored(0, 4095), affine(), stored_in(12))
    for path in paths:
        encode_with_dcmtk(program, path, "+ee")
    study = read(tmp_path)
    assert study.volumes == ()
    assert codes(study) == ["pixels.undecodable"] * len(paths) + ["series.incomplete"]


def test_deflated(tmp_path):
    stored = smooth_stored()
    for path in write_ct(tmp_path, stored, affine()):
        data = dcmread(path)
        data.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
        data.save_as(path)
    study = read(tmp_path)
    assert study.faults == ()
    assert np.array_equal(study.volumes[0].map.hu, stored.astype(int) - 1024)


def test_a_file_that_inflates_without_end_is_refused(tmp_path):
    stored = np.zeros((2, 512, 512), np.uint16)
    for path in write_ct(tmp_path, stored, affine()):
        data = dcmread(path)
        data.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
        data.save_as(path)
        assert path.stat().st_size < 4000
    study = read(tmp_path, largest_bytes=400_000)
    assert codes(study) == ["file.too_large", "file.too_large"]


def test_big_endian(tmp_path, program):
    stored = smooth_stored()
    for path in write_ct(tmp_path, stored, affine()):
        subprocess.run([program("dcmconv"), "+tb", str(path), str(path)], check=True, capture_output=True)
        assert dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID == uid.ExplicitVRBigEndian
    study = read(tmp_path)
    assert study.faults == ()
    assert np.array_equal(study.volumes[0].map.hu, stored.astype(int) - 1024)


def test_an_unknown_syntax_and_broken_code_streams_are_named(tmp_path):
    paths = write_ct(tmp_path, smooth_stored(), affine())
    for path in paths:
        compress_with_pydicom(path, uid.JPEGLSLossless)
    paths[0].write_bytes(paths[0].read_bytes().replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.99"))
    whole = bytearray(paths[1].read_bytes())
    start = whole.rindex(b"\xff\xd8\xff")
    whole[start + 40 : start + 90] = bytes(50)
    paths[1].write_bytes(whole)
    study = read(tmp_path)
    assert study.volumes == ()
    found = {fault.code: fault.message for fault in study.faults}
    assert paths[0].name in found["pixels.syntax"]
    assert paths[1].name in found["pixels.undecodable"]


def test_no_decoder_is_under_the_gpl():
    installed = {distribution.metadata["Name"].lower() for distribution in importlib.metadata.distributions()}
    assert "pylibjpeg-libjpeg" not in installed
    assert set(DECODER_OF.values()) == {"native", "gdcm", "pyjpegls", "pylibjpeg"}
