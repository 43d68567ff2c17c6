"""A small smoke of the study of electron transport: it runs, writes its page and plots, and names what made them."""

from __future__ import annotations

import importlib.util
import sys

import pytest


@pytest.mark.slow
def test_page_and_plots_are_written(root, tmp_path):
    spec = importlib.util.spec_from_file_location("montecarlo_kernels", root / "studies" / "montecarlo_kernels.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    assert module.main(["--histories", "20000", "--out", str(tmp_path / "page.md")]) == 0
    text = (tmp_path / "page.md").read_text("utf-8")
    assert text.count("\n| Y90 ") + text.count("\n| Ho166 ") + text.count("\n| Lu177 ") == len(module.KERNELS)
    for name in ("page-shells.svg", "page-interface.svg"):
        assert name in text
        assert (tmp_path / name).stat().st_size > 5000
