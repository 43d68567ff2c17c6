"""Structure names: stable keys, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.vocabulary.anatomy import Structure, StructureKind, structure_from_key

structures = st.builds(Structure, st.sampled_from(StructureKind), st.text(max_size=12))


def test_keys_are_what_files_and_reports_say():
    assert Structure(StructureKind.TUMOUR, "T1").key == "tumour.T1"
    assert Structure(StructureKind.LIVER).key == "liver"
    assert Structure(StructureKind.EXTRAHEPATIC, "stomach").key == "extrahepatic.stomach"


@given(structures)
def test_a_key_leads_back_to_its_structure(structure):
    assert structure_from_key(structure.key) == structure


@given(st.lists(structures, max_size=6))
def test_structures_sort_by_key(several):
    assert [s.key for s in sorted(several)] == sorted(s.key for s in several)


@pytest.mark.parametrize("key", ["", "spleen", "Liver", "liver "])
def test_an_unknown_kind_is_refused(key):
    with pytest.raises(ValueError, match="StructureKind"):
        structure_from_key(key)
