"""CT volume → a series of CT images, one file a slice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from opensirt.dicom.write_common import (
    SeriesIdentity,
    StudyIdentity,
    decimals,
    derived_uid,
    object_base,
    require_orthogonal,
    save_whole,
    set_pixels,
)
from opensirt.vocabulary.volumes import HounsfieldMap


def ct_instance_uids(study: StudyIdentity, series: SeriesIdentity, slices: int) -> list[str]:
    """SOP Instance UIDs of the slices that :func:`write_ct` writes, in the order of the grid's k axis."""
    uid = study.series_uid(series.name)
    return [derived_uid(uid, str(k + 1)) for k in range(slices)]


def ct_template(ct: HounsfieldMap, study: StudyIdentity, series: SeriesIdentity) -> Dataset:
    """All attributes of a CT series that do not change from slice to slice.

    Raises
    ------
    GeometryError
        If the grid is sheared.
    """
    axes, spacing = require_orthogonal(ct.grid), ct.grid.spacing_mm
    data = object_base(study, series, "CT", CTImageStorage, 1)
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.BodyPartExamined = study.body_part
    data.PatientPosition = "HFS"
    data.KVP, data.ConvolutionKernel = "120", "NONE"
    data.ContrastBolusAgent = "Iodinated contrast medium, arterial phase"
    data.AcquisitionNumber = 1
    data.AcquisitionDate, data.AcquisitionTime = series.at.strftime("%Y%m%d"), series.at.strftime("%H%M%S")
    data.ContentDate, data.ContentTime = data.AcquisitionDate, data.AcquisitionTime
    data.ImageOrientationPatient = decimals(np.concatenate([axes[:, 2], axes[:, 1]]))
    data.PixelSpacing = decimals(spacing[1:])
    data.SliceThickness = data.SpacingBetweenSlices = decimals([spacing[0]])[0]
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "0", "1", "HU"
    data.WindowCenter, data.WindowWidth = "60", "400"
    if ct.padding_hu is not None:
        data.PixelPaddingValue = ct.padding_hu
    return data


def write_ct(
    ct: HounsfieldMap, folder: Path, study: StudyIdentity, series: SeriesIdentity, report: Callable[[float], None]
) -> tuple[Path, ...]:
    """Write a CT volume as one signed 16-bit image a slice.

    Parameters
    ----------
    ct : HounsfieldMap
        CT numbers in HU on an orthogonal (possibly oblique) grid.
    folder : Path
        An existing folder; files are named ``ct_0001.dcm`` … along the grid's k axis.
    study, series
        Identity.
    report : callable
        Takes progress from 0 to 1.

    Returns
    -------
    tuple of Path
        One file a slice, in the order of k.

    Raises
    ------
    GeometryError
        If the grid is sheared.
    OSError
        If a file cannot be written.
    """
    data = ct_template(ct, study, series)
    uids = ct_instance_uids(study, series, ct.grid.shape[0])
    normal = np.cross(ct.grid.directions[:, 2], ct.grid.directions[:, 1])
    paths = []
    for k, uid in enumerate(uids):
        position = ct.grid.lps_mm((k, 0, 0))
        data.SOPInstanceUID, data.InstanceNumber = uid, k + 1
        data.ImagePositionPatient = decimals(position)
        data.SliceLocation = decimals([position @ normal])[0]
        set_pixels(data, ct.hu[k])
        path = folder / f"ct_{k + 1:04d}.dcm"
        save_whole(data, path)
        paths.append(path)
        report((k + 1) / len(uids))
    return tuple(paths)
