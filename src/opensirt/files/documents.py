"""Text documents that a site writes by hand."""

from __future__ import annotations

from pathlib import Path

from opensirt.vocabulary.errors import InvalidValue, MissingInput


def read_document(path: Path) -> str:
    """The text of a file.

    Raises
    ------
    MissingInput
        If there is no such file.
    InvalidValue
        If it is not UTF-8.
    """
    if not path.is_file():
        raise MissingInput(f"there is no file {path.name}", path.parent.name, "check the path")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidValue(f"{path.name} is not UTF-8 text", f"byte {error.start}", "save it as UTF-8") from error
