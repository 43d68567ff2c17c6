"""Every fault an import can report, and the book they are written in.

The page ``docs/reference/faults.md`` lists the same codes; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.findings import Fault


@dataclass(frozen=True)
class FaultKind:
    """What a fault code means and what a person can do about it.

    Attributes
    ----------
    meaning : str
        One clause.
    remedy : str
        One clause in the imperative.
    refused : str
        What is not imported because of it; empty where the fault only warns.
    """

    meaning: str
    remedy: str
    refused: str = ""


_EXPORT = "export the series again from the archive"

FAULTS = MappingProxyType(
    {
        "file.not_dicom": FaultKind(
            "a file that is named or marked as DICOM but is none", "remove it or export it again", "the file"
        ),
        "file.unreadable": FaultKind("a DICOM file whose header cannot be parsed", "export it again", "the file"),
        "file.no_preamble": FaultKind("a DICOM file without preamble and prefix; read all the same", "export it as a Part 10 file"),
        "file.duplicate": FaultKind("the same object twice; the first in order of path is used", "remove the copy", "the copy"),
        "file.too_large": FaultKind(
            "a header claims more data than a series can have",
            "check the file; raise the limit if it is true",
            "the file or series",
        ),
        "header.attribute_invalid": FaultKind(
            "an attribute breaks the rules of its value representation", "correct it at the source"
        ),
        "header.attribute_missing": FaultKind("an attribute that is needed is not there", _EXPORT, "the series or structure"),
        "header.uid_supplied": FaultKind(
            "an identifier that is empty (emptied by a de-identification) was supplied", "keep UIDs, replaced"
        ),
        "header.modality_mismatch": FaultKind(
            "Modality (0008,0060) contradicts the SOP Class", "correct it at the source: one of the two is wrong", "the file"
        ),
        "study.several_patients": FaultKind(
            "the folder holds objects of more than one patient",
            "import each patient's folder by itself; match by hand what is left",
        ),
        "series.not_used": FaultKind(
            "a kind of object that this import does not use", "nothing, unless it was needed", "the series"
        ),
        "series.value_map": FaultKind(
            "a map of real-world values, which is not applied: each image is read in the units that it states itself",
            "nothing where the image itself states counts or Bq/mL; else export it with the map applied (Bq/mL by its own rescale)",
            "the map",
        ),
        "series.localiser": FaultKind("localiser images, set apart", "nothing", "those images"),
        "series.mixed": FaultKind(
            "one series holds images of different size, spacing, orientation or frame",
            "export one reconstruction a series",
            "the series",
        ),
        "series.no_frame": FaultKind(
            "no Frame of Reference UID: nothing says how this volume lies to any other; it stands in a frame of its own",
            "export it with its frame",
        ),
        "series.no_geometry": FaultKind("no position, orientation or spacing, or values that cannot be", _EXPORT, "the series"),
        "series.duplicate_position": FaultKind(
            "several images at one position (phases or copies in one series)", "export one phase a series", "the series"
        ),
        "series.incomplete": FaultKind("some images of the series cannot be read; each has its own fault", _EXPORT, "the series"),
        "series.gap": FaultKind("slices are missing", "fetch the missing slices from the archive", "the series"),
        "series.irregular": FaultKind(
            "slice positions are not evenly spaced", "export a regularly spaced reconstruction", "the series"
        ),
        "series.sheared": FaultKind(
            "slices are shifted sideways from one to the next (tilted gantry)", "export a reconstruction without tilt", "the series"
        ),
        "series.single_slice": FaultKind(
            "a volume of a single slice; its thickness is taken from the header", "check that this is all"
        ),
        "pixels.length": FaultKind("pixel data shorter or longer than rows × columns × frames", _EXPORT, "the series"),
        "pixels.syntax": FaultKind("a transfer syntax without a decoder here", "export uncompressed", "the series"),
        "pixels.undecodable": FaultKind("pixel data that the decoder refuses", _EXPORT, "the series"),
        "pixels.kind": FaultKind(
            "pixels that are not one grey value of 8, 16 or 32 bits", "export the original images", "the series"
        ),
        "ct.rescale_missing": FaultKind("a CT without Rescale Slope and Intercept", _EXPORT, "the series"),
        "ct.not_hounsfield": FaultKind("a CT whose values are not Hounsfield units", "export the HU reconstruction", "the series"),
        "ct.hu_range": FaultKind("CT numbers outside −32768 … 32767 HU", "check rescale slope and intercept", "the series"),
        "counts.negative": FaultKind(
            "negative counts or activities", "export without signed filters or background subtraction", "the series"
        ),
        "counts.not_finite": FaultKind("NaN or infinite counts or activities", _EXPORT, "the series"),
        "counts.empty": FaultKind(
            "an emission image without a single count", "check that the right series was exported", "the series"
        ),
        "nm.not_reconstructed": FaultKind(
            "SPECT projections, not a reconstructed volume", "export the reconstruction", "the series"
        ),
        "nm.kind": FaultKind(
            "a dynamic, gated or multi-rotation NM image", "export the static or reconstructed image", "the series"
        ),
        "nm.view_unknown": FaultKind(
            "nothing says whether a planar frame is anterior or posterior", "export with view codes", "the frame"
        ),
        "nm.view_from_angle": FaultKind(
            "anterior or posterior taken from the detector's start angle", "check left and right by eye"
        ),
        "nm.views_incomplete": FaultKind("not exactly one anterior and one posterior view in the study", "export both views once"),
        "nm.window_ambiguous": FaultKind(
            "several energy windows and nothing says which holds the photopeak", "export the photopeak window alone", "the series"
        ),
        "nm.windows_set_aside": FaultKind("frames of other energy windows (scatter) were set aside", "nothing"),
        "nm.units": FaultKind("units that are neither counts nor Bq/mL", "export counts or Bq/mL", "the series"),
        "nm.nuclide_conflict": FaultKind(
            "the header's nuclide is not the one stated by the caller", "correct one of the two", "the series"
        ),
        "pet.units": FaultKind("PET values that are not Bq/mL (BQML)", "export the series in Bq/mL", "the series"),
        "pet.intercept": FaultKind("a PET with a Rescale Intercept other than 0", _EXPORT, "the series"),
        "pet.decay_reference_missing": FaultKind(
            "Decay Correction is not NONE, START or ADMIN", "export with its decay correction stated", "the series"
        ),
        "pet.decay_reference_unproven": FaultKind(
            "the times in the header do not prove to which instant the values were decay-corrected",
            "export with Decay Factor (0054,1321), or without decay correction",
            "the series",
        ),
        "pet.decay_inconsistent": FaultKind(
            "decay factor, half-life and times contradict each other", "correct the header at the source", "the series"
        ),
        "pet.time_missing": FaultKind("no acquisition time or frame duration", _EXPORT, "the series"),
        "pet.administration_time": FaultKind(
            "the radiopharmaceutical's start is missing where it is needed, after the scan, or contradicts itself",
            "correct it at the source",
            "the series",
        ),
        "pet.nuclide_missing": FaultKind(
            "neither the nuclide nor its half-life is stated", "state the true nuclide, correct the header", "the series"
        ),
        "pet.nuclide_inconsistent": FaultKind(
            "nuclide, half-life and positron fraction in the header do not belong together",
            "correct the header at the source",
            "the series",
        ),
        "pet.nuclide_unknown": FaultKind(
            "a nuclide without record here",
            "state the true nuclide if the scan was recorded under another one's name",
            "the series",
        ),
        "pet.positron_fraction_missing": FaultKind(
            "the scan was recorded under another nuclide and its positron fraction is not stated",
            "export with Radionuclide Positron Fraction (0018,1076)",
            "the series",
        ),
        "pet.not_corrected": FaultKind("a PET without attenuation correction is not quantitative", "export the corrected series"),
        "pet.enhanced": FaultKind(
            "a multi-frame (Enhanced) PET, whose header does not prove whether decay within the frame was corrected",
            "export or convert it as PET Image Storage, one file a slice, in Bq/mL with Decay Correction and Decay Factor",
            "the series",
        ),
        "pet.kind": FaultKind("a dynamic or gated PET", "export a static image", "the series"),
        "facts.injected_implausible": FaultKind(
            "an injected activity outside 1 MBq … 50 GBq, most likely in another unit",
            "type the injected activity by hand",
            "that number",
        ),
        "time.zone_missing": FaultKind(
            "an instant without time zone",
            "state the zone of the department's clocks (time_zone)",
            "the instant; for activities the series",
        ),
        "time.invalid": FaultKind("a date or time that cannot be read", "correct it at the source", "the instant"),
        "time.ambiguous": FaultKind(
            "an instant in the hour that the clocks repeat in autumn", "state the offset from UTC", "the instant"
        ),
        "structure.empty": FaultKind("a structure without contour or voxel", "draw it or remove it", "the structure"),
        "structure.off_grid": FaultKind(
            "a structure that lies wholly outside the image", "check what it was drawn on", "the structure"
        ),
        "structure.cut": FaultKind("a structure that reaches beyond the image; the part inside is kept", "import the whole series"),
        "structure.other_frame": FaultKind(
            "a structure of another frame of reference", "register it, or import its image", "the structure"
        ),
        "structure.reference_missing": FaultKind(
            "a structure whose image series is not in the folder", "add the series it was drawn on", "the structure"
        ),
        "structure.slice_missing": FaultKind(
            "a contour names an image that is not in the series", "check that all slices are there"
        ),
        "structure.not_in_plane": FaultKind(
            "contours that do not lie in the planes of the image", "redraw on the image's slices", "the structure"
        ),
        "structure.planes_missing": FaultKind(
            "contours leave out planes between their first and last; not bridged", "check whether the structure has separate parts"
        ),
        "structure.contour_type": FaultKind(
            "contours that enclose nothing (points, open lines)", "draw closed contours", "those contours"
        ),
        "structure.threshold": FaultKind("a fractional segmentation, cut at one half", "check the volume"),
        "seg.reference_missing": FaultKind(
            "a segmentation whose image series is not in the folder; it stays on its own grid", "add the series it was drawn on"
        ),
        "seg.geometry": FaultKind(
            "a segmentation whose frames do not lie on one regular grid", "export on the image's grid", "the segment"
        ),
        "seg.kind": FaultKind("a kind of segmentation that this import does not know", "export BINARY", "the series"),
    }
)
"""Code → meaning, remedy and what is refused."""


class Refused(UnsupportedInput):
    """A series, file or structure that cannot be imported; the reader turns it into a fault and carries on."""

    def __init__(self, code: str, what: str, instance: str = "") -> None:
        self.code = code
        self.instance = instance
        super().__init__(what)


@dataclass
class FaultBook:
    """Collects faults in the order in which they are found; equal faults are entered once."""

    entries: list[Fault] = field(default_factory=list)
    _known: set[Fault] = field(default_factory=set, repr=False)

    def add(self, code: str, what: str, *, series_uid: str = "", instance: str = "") -> None:
        """Enter a fault: ``what`` with its values; meaning and remedy come from :data:`FAULTS`.

        Raises
        ------
        KeyError
            For a code that :data:`FAULTS` does not hold.
        """
        kind = FAULTS[code]
        refused = f"not imported: {kind.refused}" if kind.refused else "imported all the same"
        fault = Fault(code, f"{what} · {kind.meaning}; {refused} · {kind.remedy}", series_uid, instance)
        if fault not in self._known:
            self._known.add(fault)
            self.entries.append(fault)

    def refuse(self, refusal: Refused, series_uid: str, instance: str = "") -> None:
        """Enter a :class:`Refused` as a fault of ``series_uid``, of ``instance`` where it names none itself."""
        self.add(refusal.code, refusal.what, series_uid=series_uid, instance=refusal.instance or instance)


@dataclass
class Tally:
    """Counts the images of a series that are refused one by one, so that all are named before the series is given up."""

    book: FaultBook
    series_uid: str
    refused: int = 0

    @contextmanager
    def image(self, name: str, instance: str) -> Iterator[None]:
        """Within this context a refusal becomes a fault of the image and the next image is tried."""
        try:
            yield
        except Refused as refusal:
            self.refused += 1
            what = refusal.what if name in refusal.what else f"file {name}: {refusal.what}"
            self.book.add(refusal.code, what, series_uid=self.series_uid, instance=instance)

    def require_all(self, images: int) -> None:
        """Refuse the series if any image was refused."""
        if self.refused:
            raise Refused("series.incomplete", f"{self.refused} of {images} images")
