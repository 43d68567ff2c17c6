"""Which numbers of a label map make up which structure, as a person states it in JSON: ``{"liver": [1], "tumour.T1": [2, 3]}``."""

from __future__ import annotations

from pathlib import Path

from opensirt.encoding import parse_json, structure
from opensirt.vocabulary.anatomy import Structure, StructureKind, structure_from_key
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.offers import offer


def read_numbers(path: Path) -> dict[Structure, tuple[int, ...]]:
    """Label numbers by structure.

    Raises
    ------
    InvalidValue
        If the file is not such JSON, or names a structure that opensirt does not know.
    """
    if not path.exists():
        raise InvalidValue(f"there is no file {path.name}", path.parent.name, "check the path")
    stated = structure(parse_json(path.read_text("utf-8")), dict[str, tuple[int, ...]])
    found = {}
    for key, numbers in stated.items():
        try:
            found[structure_from_key(key)] = numbers
        except ValueError as error:
            kinds = offer(key.partition(".")[0], (kind.value for kind in StructureKind))
            raise InvalidValue(f"no structure is called {key!r}", path.name, f"{kinds}, with .LABEL where needed") from error
    return found
