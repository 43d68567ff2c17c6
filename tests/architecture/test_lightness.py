"""Asking for help, or importing the package, loads no heavy library."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

import opensirt

HEAVY = {"numpy", "numba", "scipy", "pydicom", "highdicom", "SimpleITK", "nibabel", "matplotlib", "skimage"}
MOST_NAMES = 12
MODULES_A_LIGHT_IMPORT_MAY_ADD = 40

_LOADED = "import json, sys; sys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))"


def _loaded_after(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads(done.stderr.rstrip().splitlines()[-1]))


def test_importing_the_package_is_light():
    added = _loaded_after(f"import opensirt; {_LOADED}") - _loaded_after(_LOADED)
    assert added & HEAVY == set()
    assert len(added) <= MODULES_A_LIGHT_IMPORT_MAY_ADD


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_help_and_version_load_nothing_heavy(arguments: list[str], need):
    need(find_spec("opensirt.cli.main") is not None, "the command line is not written yet")
    code = f"""
import sys
sys.argv = ["opensirt", *{arguments!r}]
from opensirt.cli.main import run
try:
    run()
except SystemExit as end:
    assert not end.code, end.code
{_LOADED}
"""
    assert _loaded_after(code) & HEAVY == set()


def test_the_face_has_a_dozen_names_at_most():
    assert len(opensirt.__all__) <= MOST_NAMES
    assert set(opensirt.__all__) == set(dir(opensirt))
    assert opensirt.__version__


@pytest.mark.parametrize("name", [name for name in opensirt.__all__ if not name.startswith("__")])
def test_every_name_of_the_face_is_there(name: str, need):
    module, _ = opensirt._FACE[name]
    package = module.rpartition(".")[0]
    need(find_spec(package) is not None and find_spec(module) is not None, f"{module} is not written yet")
    assert callable(getattr(opensirt, name))


def test_a_name_that_is_not_there_says_so():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        opensirt.nothing  # noqa: B018
