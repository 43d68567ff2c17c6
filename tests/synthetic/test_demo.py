"""The demo replaces an earlier one only when the new one is whole, and never anything else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from opensirt.synthetic import demo
from opensirt.vocabulary.errors import InvalidValue


def silent(_: float) -> None:
    pass


def put(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The three stages, each writing one file that says which seed it was made with."""
    state = {"seed": "", "fail": ""}

    def patient(out: Path, options, report) -> SimpleNamespace:
        state["seed"] = str(options.seed)
        put(out, "truth.json", state["seed"])
        return SimpleNamespace(dicom_folder=out / "dicom")

    def plan(source: Path, options, out: Path, report) -> str:
        if state["fail"]:
            raise InvalidValue(state["fail"])
        put(out, "report.html", (source / "case.json").read_text())
        return "proposal"

    monkeypatch.setattr(demo, "run_virtual_patient", patient)
    monkeypatch.setattr(demo, "run_import", lambda folder, case, options, report: put(case, "case.json", state["seed"]))
    monkeypatch.setattr(demo, "run_plan", plan)
    return state


def seeds(out: Path) -> set[str]:
    return {(out / name).read_text() for name in ("patient/truth.json", "case/case.json", "plan/report.html")}


def test_an_earlier_demo_is_replaced_when_the_new_one_is_whole(tmp_path: Path, stages: dict[str, str]):
    assert demo.run_demo(tmp_path / "out", 1, silent) == "proposal"
    assert seeds(tmp_path / "out") == {"1"}
    stages["fail"] = "no plan"
    with pytest.raises(InvalidValue, match="no plan"):
        demo.run_demo(tmp_path / "out", 2, silent)
    assert seeds(tmp_path / "out") == {"1"}
    stages["fail"] = ""
    put(tmp_path / "out" / ".demo-cut-off", "half", "x")  # of a run that was killed
    demo.run_demo(tmp_path / "out", 3, silent)
    assert seeds(tmp_path / "out") == {"3"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["case", "patient", "plan"]


def test_a_folder_with_other_things_is_refused_and_kept(tmp_path: Path, stages: dict[str, str]):
    put(tmp_path / "case", "mine.txt", "x")
    with pytest.raises(InvalidValue, match="not empty"):
        demo.run_demo(tmp_path, 1, silent)
    assert (tmp_path / "case" / "mine.txt").read_text() == "x"
