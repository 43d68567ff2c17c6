"""A virtual patient as a folder: genuine DICOM that says everywhere that nobody is ill, and the truth beside it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from opensirt.dicom.write_common import SeriesIdentity, StudyIdentity, derived_uid
from opensirt.dicom.write_ct import write_ct
from opensirt.dicom.write_nm import EmissionContext, write_planar, write_spect
from opensirt.dicom.write_structures import DrawnOn, write_rtstruct, write_seg
from opensirt.encoding import to_json
from opensirt.files.images import TOTALSEGMENTATOR, read_label_map
from opensirt.synthetic.patient import PatientOptions, VirtualPatient, virtual_patient
from opensirt.synthetic.real_ct import virtual_patient_on_ct
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InconsistentInput, MissingInput
from opensirt.vocabulary.geometry import UNSTATED_FRAME
from opensirt.vocabulary.volumes import HounsfieldMap
from opensirt.workflow.read_maps import read_hounsfield

TRUTH_SCHEMA = "opensirt.virtual_patient_truth"
TRUTH_VERSION = 1
TRUTH_FILE = "truth.json"
DICOM_FOLDER = "dicom"

_DAY = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=1)))
"""Day of every virtual study: a winter's Monday at 09:00, one hour east of Greenwich."""
_SCOUTS = {
    "Y-90": (("72454006", "SCT", "^99m^Technetium"), "Tc-99m MAA", 0.150, (126.45, 154.55)),
    "Ho-166": (("C1943", "NCIt", "^166^Holmium"), "Ho-166 microspheres, scout dose", 0.225, (74.5, 86.6)),
}
"""Nuclide of the scout, its name, GBq injected, energy window in keV: 140.5 keV ± 10 % and 80.6 keV ± 7.5 %."""


@dataclass(frozen=True)
class WrittenPatient:
    """Where a virtual patient was written: the DICOM folder, the truth, and the number of DICOM files."""

    dicom_folder: Path
    truth_path: Path
    files: int


def study_of(patient: VirtualPatient) -> StudyIdentity:
    """The identity that marks a virtual patient in every object."""
    seed = patient.options.seed
    uid = derived_uid("virtual patient", str(seed), patient.options.nuclide, patient.images.ct.sha256)
    description = f"virtual patient, seed {seed}, {patient.options.nuclide} work-up"
    return StudyIdentity(f"SYNTHETIC^opensirt {seed}", f"SYNTHETIC-{seed}", uid, description, _DAY, synthetic=True)


def scout_of(nuclide: str) -> EmissionContext:
    """What was injected as a scout before treatment with ``nuclide``, 45 minutes after the start of the study."""
    code, name, injected_gbq, window_kev = _SCOUTS[nuclide]
    return EmissionContext(code, name, injected_gbq, _DAY + timedelta(minutes=45), window_kev, 300_000)


def _write_objects(patient: VirtualPatient, folder: Path, report: Callable[[float], None], *, segmentation: bool) -> None:
    study, images = study_of(patient), patient.images
    scout, frame = scout_of(patient.options.nuclide), images.ct.grid.frame
    ct = SeriesIdentity("ct", 1, "CT arterial phase - NOT A PATIENT", _DAY, frame)
    planar = SeriesIdentity("planar", 2, f"{scout.radiopharmaceutical} planar - NOT A PATIENT", _DAY + timedelta(minutes=75), frame)
    spect = SeriesIdentity("spect", 3, f"{scout.radiopharmaceutical} SPECT - NOT A PATIENT", _DAY + timedelta(minutes=90), frame)
    structures = SeriesIdentity("structures", 4, "structures - NOT A PATIENT", _DAY + timedelta(hours=3), frame)
    (folder / "ct").mkdir(parents=True)
    write_ct(images.ct, folder / "ct", study, ct, lambda x: report(0.3 * x))
    write_planar((images.anterior, images.posterior), folder / "planar.dcm", study, planar, scout)
    write_spect(images.spect, folder / "spect.dcm", study, spect, scout)
    report(0.4)
    drawn_on = DrawnOn(images.ct, ct)
    write_rtstruct(
        images.structures,
        folder / "structures.dcm",
        study,
        structures,
        drawn_on,
        lambda x: report(0.4 + (0.3 if segmentation else 0.6) * x),
    )
    if segmentation:
        segments = [mask for mask in images.structures if mask.structure.kind is not StructureKind.BODY]
        series = SeriesIdentity("segmentation", 5, "segmentation - NOT A PATIENT", _DAY + timedelta(hours=3), frame)
        write_seg(segments, folder / "segmentation.dcm", study, series, drawn_on)
        report(1.0)


def require_room(folder: Path, *, replace: bool = False) -> None:
    """Refuse to write a virtual patient over what lies in a folder already, unless it is one and may be replaced.

    Raises
    ------
    InconsistentInput
        If the folder holds a virtual patient that is not to be replaced, or a ``dicom`` or ``truth.json`` of another origin.
    """
    final, truth = folder / DICOM_FOLDER, folder / TRUTH_FILE
    held = [path.name for path in (final, truth) if path.exists()]
    if folder.exists() and not folder.is_dir():
        raise InconsistentInput(f"{folder.name!r} is a file", "a virtual patient is written into a folder", "give another name")
    if len(held) == 1:
        other = TRUTH_FILE if held[0] == DICOM_FOLDER else DICOM_FOLDER
        raise InconsistentInput(
            f"{folder.name!r} already holds {held[0]!r} and no {other!r}",
            "it is no whole virtual patient and will not be replaced",
            "choose another folder, or remove it by hand",
        )
    if held and not replace:
        raise InconsistentInput(
            f"{folder.name!r} already holds a virtual patient", "it would be lost", "choose another folder, or write --replace"
        )


def write_virtual_patient(
    patient: VirtualPatient, folder: Path, report: Callable[[float], None], *, segmentation: bool = False, replace: bool = False
) -> WrittenPatient:
    """Write a virtual patient; the DICOM folder and the truth appear whole, the truth last.

    Parameters
    ----------
    patient : VirtualPatient
        The same patient gives the same bytes.
    folder : Path
        Made if missing. A virtual patient that was written there before stays, unless ``replace`` is true; anything else called
        ``dicom`` is never touched.
    report : callable
        Takes progress from 0 to 1.
    segmentation : bool
        Also write the structures as a DICOM segmentation (an import then finds each of them twice).
    replace : bool
        Whether an earlier virtual patient in the folder gives way, once the new one is whole.

    Raises
    ------
    InconsistentInput
        As :func:`require_room`.
    OSError
        If a file cannot be written.
    """
    final, truth = folder / DICOM_FOLDER, folder / TRUTH_FILE
    require_room(folder, replace=replace)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{DICOM_FOLDER}.{uuid.uuid4().hex}"
    try:
        _write_objects(patient, partial, report, segmentation=segmentation)
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    beside = folder / f".{TRUTH_FILE}.{uuid.uuid4().hex}"
    beside.write_text(to_json(patient.truth, TRUTH_SCHEMA, TRUTH_VERSION), "utf-8")
    beside.replace(truth)
    return WrittenPatient(final, truth, sum(1 for _ in final.rglob("*.dcm")))


def _on_ct(options: PatientOptions, ct: Path, labels: Path, report: Callable[[float], None]) -> VirtualPatient:
    read, _ = read_hounsfield(ct, report)
    image = HounsfieldMap(read.hu, read.grid.in_frame(UNSTATED_FRAME), read.padding_hu)  # the patient's own frame must not live on
    masks = tuple(read_label_map(labels, TOTALSEGMENTATOR))
    return virtual_patient_on_ct(image, masks, options, report)


def run_virtual_patient(
    out: Path,
    options: PatientOptions,
    report: Callable[[float], None],
    *,
    ct: Path | None = None,
    labels: Path | None = None,
    segmentation: bool = False,
    replace: bool = False,
) -> WrittenPatient:
    """Make and write one virtual patient, wholly synthetic or on a real CT.

    Parameters
    ----------
    out : Path
        Folder; ``dicom/`` and ``truth.json`` are made in it.
    options : PatientOptions
        Seed, nuclide, what is fixed in advance.
    report : callable
        Takes progress from 0 to 1.
    ct, labels : Path, optional
        A real CT and its label map with TotalSegmentator numbers (NIfTI or MetaImage), both or neither.
    segmentation : bool
        Also write a DICOM segmentation.
    replace : bool
        Whether an earlier virtual patient in ``out`` gives way, once the new one is whole.

    Raises
    ------
    MissingInput
        If one of CT and labels is given without the other, or the labels hold no liver.
    InconsistentInput
        As :func:`require_room`, before anything is computed.
    """
    require_room(out, replace=replace)
    if (ct is None) != (labels is None):
        raise MissingInput("a CT needs its label map, and a label map its CT", "", "give both --ct and --labels")
    if ct is not None and labels is not None:
        patient = _on_ct(options, ct, labels, lambda x: report(0.5 * x))
    else:
        patient = virtual_patient(options, lambda x: report(0.5 * x))
    return write_virtual_patient(patient, out, lambda x: report(0.5 + 0.5 * x), segmentation=segmentation, replace=replace)
