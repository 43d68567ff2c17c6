"""Names in structure files → the closed list of structures."""

from __future__ import annotations

import pytest

from opensirt.dicom.names import structure_named


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Liver", "liver"),
        ("WHOLE_LIVER", "liver"),
        ("Leber", "liver"),
        ("liver metastasis 3", "tumour.liver 3"),
        ("Tumour T1", "tumour.T1"),
        ("tumor_T2", "tumour.T2"),
        ("GTV", "tumour.GTV"),
        ("Lesion-4", "tumour.4"),
        ("NET met 2", "tumour.NET 2"),
        ("lungs", "lungs"),
        ("Lung_Left", "left_lung"),
        ("lung r", "right_lung"),
        ("RightLung", "right_lung"),
        ("Territory right", "territory.right"),
        ("perfused volume A", "territory.volume A"),
        ("Stomach", "extrahepatic.Stomach"),
        ("extrahepatic stomach", "extrahepatic.stomach"),
        ("Gallbladder", "extrahepatic.Gallbladder"),
        ("Hepatic artery", "vessels.Hepatic artery"),
        ("External", "body"),
        ("normal liver", "other.normal liver"),
        ("Liver minus GTV", "other.Liver minus GTV"),
        ("Liver segment 4", "other.Liver segment 4"),
        ("left lobe of liver", "other.left lobe of liver"),
        ("Kidney", "other.Kidney"),
        ("Olivers mark", "other.Olivers mark"),
        ("ROI-1", "other.ROI 1"),
    ],
)
def test_names(name, key):
    assert structure_named(name).key == key
