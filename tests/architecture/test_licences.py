"""What the core installs is permissive."""

from __future__ import annotations

import runpy

import pytest

from sources import ROOT

LICENCES = runpy.run_path(str(ROOT / "requirements" / "licences.py"), run_name="licences")


def test_every_installed_part_of_the_core_is_permissive():
    stated = {name: LICENCES["stated_licence"](name) for name in LICENCES["locked_names"](ROOT / "requirements" / "core.txt")}
    installed = {name: licence for name, licence in stated.items() if licence is not None}
    assert len(installed) > 20
    assert {n: licence for n, licence in installed.items() if not LICENCES["is_permissive"](n, licence)} == {}


@pytest.mark.parametrize(
    ("licence", "permissive"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND MIT", True),
        ("Apache Software License", True),
        ("GPL-3.0-or-later", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MIT AND LGPL-2.1", False),
        ("not stated", False),
    ],
)
def test_the_rule_itself(licence: str, permissive: bool):
    assert LICENCES["is_permissive"]("some-package", licence) is permissive
