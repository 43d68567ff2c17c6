"""Which drawing of a structure is used, and what a person is told about the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from opensirt.synthetic.camera import ImagingOptions
from opensirt.synthetic.patient import PatientOptions, virtual_patient
from opensirt.synthetic.write import write_virtual_patient
from opensirt.vocabulary.anatomy import structure_from_key
from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.findings import Severity
from opensirt.vocabulary.volumes import Mask
from opensirt.workflow.choose_structures import AGREE_ABOVE_DICE, Offered, choose_structures
from opensirt.workflow.import_study import run_import
from opensirt.workflow.options import ImportOptions
from strategies import grid_about

GRID = grid_about((0.0, 0.0, 0.0), (10, 12, 14), (3.0, 2.0, 2.5), (4.0, 5.0, 6.0))
OTHER = grid_about((0.0, 0.0, 0.0), (10, 12, 14), (3.1, 2.0, 2.5), (4.0, 5.0, 6.0))


def drawn(key: str, origin: str, stop: int = 8, grid=GRID) -> Offered:
    inside = np.zeros(grid.shape, bool)
    inside[2:8, 2:8, 2:stop] = True
    return Offered(Mask(inside, grid, structure_from_key(key)), f"{key} {origin}", origin)


@pytest.mark.parametrize(
    ("structures_from", "used"), [("", "RTSTRUCT"), ("rtstruct", "RTSTRUCT"), ("seg", "SEG"), ("label-map", "label map")]
)
def test_which_kind_is_used(structures_from: str, used: str):
    offered = [drawn("liver", origin) for origin in ("label map", "SEG", "RTSTRUCT")]
    chosen, findings = choose_structures(offered, structures_from)
    assert [each.origin for each in chosen] == [used]
    assert [finding.code for finding in findings] == ["import.structure_doubled"]
    assert findings[0].about == "liver"


def test_the_finding_tells_volumes_overlap_and_reason():
    # 6 · 6 · 6 voxels of 15 mm³ are 3.24 mL, 6 · 6 · 9 are 4.86 mL; Dice 2 · 216 / (216 + 324) = 0.80
    _, (finding,) = choose_structures([drawn("liver", "SEG", 11), drawn("liver", "RTSTRUCT")])
    assert finding.severity is Severity.WARNING
    assert "RTSTRUCT (3.2 mL) is used, not SEG (4.9 mL, overlap 0.80)" in finding.message
    assert "--structures-from" in finding.message
    _, (finding,) = choose_structures([drawn("liver", "SEG"), drawn("liver", "RTSTRUCT")])
    assert finding.severity is Severity.NOTE
    assert 2 * 216 / (216 + 324) < AGREE_ABOVE_DICE < 1.0


def test_every_structure_is_chosen_by_itself():
    offered = [drawn("liver", "RTSTRUCT"), drawn("tumour.T1", "SEG"), drawn("liver", "SEG"), drawn("lungs", "label map")]
    chosen, findings = choose_structures(offered, "seg")
    assert [(each.mask.structure.key, each.origin) for each in chosen] == [
        ("liver", "SEG"),
        ("tumour.T1", "SEG"),
        ("lungs", "label map"),
    ]
    assert len(findings) == 1


def test_two_of_one_kind_and_two_grids():
    first, second = drawn("liver", "RTSTRUCT"), drawn("liver", "RTSTRUCT", 11)
    (used,), (finding,) = choose_structures([first, second])
    assert used is first
    assert "the first RTSTRUCT in order of path" in finding.message
    _, (finding,) = choose_structures([first, drawn("liver", "SEG", grid=OTHER)])
    assert finding.severity is Severity.WARNING
    assert "another grid" in finding.message


def test_a_kind_that_is_not_there_or_not_known():
    chosen, (finding,) = choose_structures([drawn("liver", "RTSTRUCT")], "seg")
    assert [each.origin for each in chosen] == ["RTSTRUCT"]
    assert finding.code == "import.structures_from_none"
    with pytest.raises(UnsupportedInput, match=r"did you mean rtstruct\?"):
        choose_structures([], "rtstuct")


@pytest.mark.slow
def test_a_virtual_patient_with_both_agrees_with_itself(tmp_path: Path):
    options = PatientOptions(seed=31, imaging=ImagingOptions(ct_matrix=96, ct_slice_mm=6.0), truth_decays=2_000)
    written = write_virtual_patient(virtual_patient(options, lambda _: None), tmp_path, lambda _: None, segmentation=True)
    for structures_from, origin in (("", "RTSTRUCT"), ("seg", "SEG")):
        reading = ImportOptions(structures_from=structures_from)
        summary = run_import(written.dicom_folder, tmp_path / f"case{structures_from}", reading, lambda _: None)
        doubled = [f for f in summary.findings if f.code == "import.structure_doubled"]
        assert {f.about for f in doubled} == set(summary.structures) - {"body"}
        assert {f.severity for f in doubled} == {Severity.NOTE}
        assert all(f"{origin} (" in f.message for f in doubled)
