"""300 CT slices of 512 × 512 into a volume: opensirt against SimpleITK's series reader, in turn, each in its own process.

Run: ``python benchmarks/bench_ct_read.py [--slices N] [--repeats N]``. Prints the median, the ratio to the peer and the peak memory, and
ends with status 1 if opensirt is slower. The series is written to a temporary folder (page cache warm for both).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZE = 512
KIB_PER_MIB = 1024


def write_series(folder: Path, slices: int) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    random = np.random.default_rng(1)
    for k in range(slices):
        data = Dataset()
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, f"1.2.3.4.{k + 1}"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "1.2.3.1", "1.2.3.2", "1.2.3.3"
        data.Modality, data.ImageType, data.PatientID, data.PatientName = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], "B", "Bench"
        data.InstanceNumber, data.SliceThickness, data.PixelSpacing = k + 1, "1.5", ["0.8", "0.8"]
        data.ImagePositionPatient, data.ImageOrientationPatient = ["-204.4", "-204.4", f"{1.5 * k}"], ["1", "0", "0", "0", "1", "0"]
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = "1", "-1024", "HU"
        data.Rows = data.Columns = SIZE
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
        data.PixelData = random.integers(0, 3000, (SIZE, SIZE)).astype("<u2").tobytes()
        data["PixelData"].VR = "OW"
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta = meta
        data.save_as(folder / f"{(k * 7) % slices:04d}.dcm", enforce_file_format=True)


def read_with_opensirt(folder: Path) -> np.ndarray:
    from opensirt.dicom.read import read_study

    return read_study(folder, lambda fraction: None).volumes[0].map.hu


def read_with_simpleitk(folder: Path) -> np.ndarray:
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()  # kept: a view does not own the pixels
    return sitk.GetArrayViewFromImage(image).copy()


READERS = {"opensirt": read_with_opensirt, "SimpleITK": read_with_simpleitk}


def measure(name: str, folder: Path) -> dict[str, float]:
    """Seconds of one read after one that imports, peak memory in MiB, and a sum to compare."""
    READERS[name](folder)
    start = time.perf_counter()
    volume = READERS[name](folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB
    return {"seconds": seconds, "peak_mib": peak, "sum": int(volume.sum(dtype=np.int64))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("READER", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], Path(options.one[1]))))
        return 0
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in READERS}
    with tempfile.TemporaryDirectory() as folder:
        write_series(Path(folder), options.slices)
        for _ in range(options.repeats):
            for name in READERS:
                done = subprocess.run([sys.executable, __file__, "--one", name, folder], capture_output=True, text=True, check=True)
                runs[name].append(json.loads(done.stdout))
    assert len({run["sum"] for found in runs.values() for run in found}) == 1, "the readers disagree on the pixels"
    median = {name: statistics.median(run["seconds"] for run in found) for name, found in runs.items()}
    print(f"{options.slices} CT slices of {SIZE} × {SIZE}, int16, uncompressed, median of {options.repeats}")
    for name, found in runs.items():
        peak = max(run["peak_mib"] for run in found)
        print(
            f"{name:10s} {median[name]:6.3f} s   peak {peak:6.0f} MiB   {median['SimpleITK'] / median[name]:5.2f} × SimpleITK's speed"
        )
    return 0 if median["opensirt"] <= median["SimpleITK"] else 1


if __name__ == "__main__":
    sys.exit(main())
