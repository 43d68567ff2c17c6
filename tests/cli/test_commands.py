"""The command line: results on stdout, the rest on stderr, one clear message for what is wrong, an exit status that says which."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command
from typer.testing import CliRunner

import strategies
from opensirt.cli import talk
from opensirt.cli.exit_codes import ExitCode
from opensirt.cli.main import app
from opensirt.files.images import write_image
from opensirt.vocabulary.errors import OpensirtError
from opensirt.vocabulary.findings import Fault, Finding, Severity

COMMANDS = ("demo", "virtual-patient", "import", "workup", "status", "plan", "calc", "dose", "dvh", "doctor")
GRID = strategies.grid_about((10.0, 20.0, -30.0), (5, 6, 7), (4.4, 3.1, 2.3), (12, -7, 30))
RUNNER = CliRunner()


def run(*arguments: object, stdin: str | None = None):
    return RUNNER.invoke(app, [str(argument) for argument in arguments], input=stdin)


def one_document(text: str) -> dict:
    document = json.loads(text)  # fails if there is anything else on stdout
    assert document["schema"].startswith("opensirt.")
    assert isinstance(document["version"], int)
    return document


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_image(tmp_path / "activity.nii.gz", np.full(GRID.shape, 1e6, np.float32), GRID)
    write_image(tmp_path / "density.nii.gz", np.full(GRID.shape, 1.05, np.float32), GRID)
    write_image(tmp_path / "mask.nii.gz", np.ones(GRID.shape, np.uint8), GRID)
    return tmp_path


def dose_arguments(files: Path, out: str = "dose.nii.gz") -> list[object]:
    inputs = ["--activity", files / "activity.nii.gz", "--density", files / "density.nii.gz"]
    return ["dose", *inputs, "--nuclide", "Y-90", "--engine", "local", "--out", files / out]


def test_help_names_every_command_and_every_command_has_json():
    top = run("--help")
    assert top.exit_code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", top.stdout, re.MULTILINE), command
        page = run(command, "--help")
        assert page.exit_code == 0
        assert "--json" in page.stdout
        assert "--debug" in page.stdout


def test_version():
    from opensirt import __version__

    assert run("--version").stdout == f"opensirt {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_offered_for_every_shell(shell: str):
    words = {
        "COMP_WORDS": "opensirt d",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "opensirt d",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    program = Path(sys.executable).with_name("opensirt")
    done = subprocess.run(
        [program], env={"_OPENSIRT_COMPLETE": f"complete_{shell}"} | words, capture_output=True, text=True, check=False
    )
    assert {"demo", "dose", "dvh", "doctor"} <= set(re.findall(r"\b[a-z]+\b", done.stdout)), done.stderr
    assert "import" not in done.stdout  # it does not begin with d


def test_dose_then_dvh(files: Path):
    done = run(*dose_arguments(files), "--json")
    assert done.exit_code == 0, done.stderr
    document = one_document(done.stdout)
    assert document["schema"] == "opensirt.dose"
    assert document["mean_gy"] == pytest.approx(49.67 / 1.05, rel=1e-6)
    done = run("dvh", "--dose", files / "dose.nii.gz", "--mask", files / "mask.nii.gz", "--d", 90, "--v", 40, "--v", 50, "--json")
    document = one_document(done.stdout)
    assert document["d"] == [{"percent": 90.0, "dose_gy": pytest.approx(49.67 / 1.05, rel=1e-6)}]
    assert [point["percent"] for point in document["v"]] == [100.0, 0.0]


def test_without_json_people_read_words_and_findings_go_to_stderr(files: Path):
    done = run(*dose_arguments(files))
    assert done.exit_code == 0
    assert "47.3 Gy" in done.stdout
    assert "dose.activity_implausible" in done.stderr
    assert "dose.activity_implausible" not in done.stdout


def test_a_refused_input_is_one_message_and_one_document(files: Path):
    write_image(files / "activity.nii.gz", np.full(GRID.shape, -1.0, np.float32), GRID)
    done = run(*dose_arguments(files))
    assert done.exit_code == ExitCode.REFUSED
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "negative" in done.stderr
    assert "Traceback" not in done.stderr
    done = run(*dose_arguments(files), "--json")
    document = one_document(done.stdout)
    assert document["schema"] == "opensirt.error"
    assert document["kind"] == "InvalidValue"
    assert document["exit_code"] == done.exit_code == ExitCode.REFUSED
    assert "negative" in document["what"]
    assert document["remedy"]
    assert not (files / "dose.nii.gz").exists()


def test_debug_shows_where(files: Path):
    write_image(files / "activity.nii.gz", np.full(GRID.shape, -1.0, np.float32), GRID)
    assert "Traceback" in run(*dose_arguments(files), "--debug").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["dose", "--engine", "magic"],
        ["dvh"],
        ["calc"],
        ["calc", "--list", "partition-dose"],
        ["calc", "partition-dose"],
        ["calc", "partition-dose", "--example", "--input", "-"],
        ["plan", ".", "--product", "sand", "--out", "x"],
        ["plan", ".", "--product", "glass", "--out", "x", "--treatment-at", "2026-03-04T10:00:00"],
        ["plan", ".", "--product", "glass", "--out", "x", "--treatment-at", "soon"],
        ["plan", ".", "--product", "glass", "--out", "x", "--target", "tumour"],
        ["plan", ".", "--product", "glass", "--out", "x", "--target", "tumour=-5"],
        ["plan", ".", "--product", "glass", "--out", "x", "--limit", "lungs=nan"],
        ["plan", ".", "--product", "glass", "--out", "x", "--activity", "right=1", "--activity", "right=2"],
        ["virtual-patient", "--out", "x", "--seed", "-1"],
    ],
    ids=lambda arguments: " ".join(arguments)[:60],
)
def test_a_command_line_that_cannot_be_understood(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == ExitCode.USAGE
    assert list(tmp_path.iterdir()) == []


def test_calc_from_file_and_stdin(tmp_path: Path):
    assert "partition-dose" in run("calc", "--list").stdout
    models = [model["model"] for model in one_document(run("calc", "--list", "--json").stdout)["models"]]
    example = run("calc", "decay", "--example")
    assert example.exit_code == 0
    (tmp_path / "in.json").write_text(example.stdout)
    from_file = run("calc", "decay", "--input", tmp_path / "in.json", "--json")
    from_pipe = run("calc", "decay", "--input", "-", stdin=example.stdout)
    assert from_file.exit_code == from_pipe.exit_code == 0
    assert one_document(from_file.stdout) == one_document(from_pipe.stdout)
    for model in models:
        done = run("calc", model, "--input", "-", stdin=run("calc", model, "--example").stdout)
        assert done.exit_code == 0, (model, done.stderr)
        assert one_document(done.stdout)["model"] == model


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": NaN}', '{"a": 1, "a": 2}', '{"unknown": 1}', "\ufeff{}"])
def test_calc_refuses_what_is_no_input(text: str):
    done = run("calc", "decay", "--input", "-", "--json", stdin=text)
    assert done.exit_code == ExitCode.REFUSED
    assert one_document(done.stdout)["schema"] == "opensirt.error"


def test_calc_refuses_a_file_that_is_not_there_or_not_text(tmp_path: Path):
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    for name in ("none.json", "latin.json"):
        assert run("calc", "decay", "--input", tmp_path / name).exit_code == ExitCode.REFUSED
    assert run("calc", "nothing", "--example").exit_code == ExitCode.REFUSED


@pytest.mark.parametrize("command", ["workup", "plan"])
def test_what_is_no_case_is_refused(command: str, tmp_path: Path):
    (tmp_path / "a").mkdir()
    more = ["--product", "glass", "--out", tmp_path / "out"] if command == "plan" else []
    done = run(command, tmp_path / "a", *more, "--json")
    assert done.exit_code == ExitCode.REFUSED, done.stderr
    assert one_document(done.stdout)["schema"] == "opensirt.error"
    assert run(command, tmp_path / "none", *more).exit_code == ExitCode.REFUSED


def test_an_import_without_volumes_tells_every_fault_and_is_refused(tmp_path: Path):
    (tmp_path / "a").mkdir()
    for number in range(12):
        (tmp_path / "a" / f"x{number}.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 64)
    done = run("import", tmp_path / "a", "--case", tmp_path / "case", "--json")
    assert done.exit_code == ExitCode.REFUSED
    document = one_document(done.stdout)
    assert document["schema"] == "opensirt.import"
    assert len(document["faults"]) >= 12
    done = run("import", tmp_path / "a", "--case", tmp_path / "case")
    assert done.exit_code == ExitCode.REFUSED
    assert "x11.dcm" in done.stderr
    assert not (tmp_path / "case").exists()


def test_doctor_is_content():
    done = run("doctor", "--json")
    assert done.exit_code == 0, done.stdout
    assert one_document(done.stdout)["healthy"] is True
    assert "all is well" in run("doctor").stdout


class Result:
    def __init__(self, findings: tuple[Finding, ...] = (), faults: tuple[Fault, ...] = ()) -> None:
        self.findings, self.faults = findings, faults


def status_of(work, **manner) -> int:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - typer.Exit is what ends a command
        talk.answer(work, lambda _: ["done"], talk.Manner("test", **manner))
    return caught.value.exit_code


def test_strict_asks_to_look(capsys: pytest.CaptureFixture[str]):
    critical = Result((Finding("a.b", Severity.CRITICAL, "look"),))
    assert status_of(lambda _: critical) == ExitCode.DONE
    assert status_of(lambda _: critical, strict=True) == ExitCode.LOOK
    assert status_of(lambda _: Result((Finding("a.b", Severity.WARNING, "look"),)), strict=True) == ExitCode.DONE
    assert status_of(lambda _: Result(faults=(Fault("c.d", "bad"),)), strict=True) == ExitCode.LOOK
    assert capsys.readouterr().err.count("look") == 3


def raising(error: BaseException):
    def work(_: object) -> None:
        raise error

    return work


def test_every_kind_of_end_has_its_status(capsys: pytest.CaptureFixture[str]):
    assert status_of(raising(OpensirtError("what", "where", "remedy"))) == ExitCode.REFUSED
    assert status_of(raising(OSError(28, "No space left on device", "/secret/Planted^Name/x"))) == ExitCode.MACHINE
    assert status_of(raising(KeyboardInterrupt())) == ExitCode.INTERRUPTED
    assert status_of(raising(ZeroDivisionError("Planted^Name"))) == ExitCode.UNEXPECTED
    told = capsys.readouterr().err
    assert "what · where · remedy" in told
    assert "No space left on device · x" in told
    assert "ZeroDivisionError" in told
    assert "Planted^Name" not in told  # texts of unexpected errors may hold anything


def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    with talk.progress("working") as report:
        report(0.5)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with talk.progress("working") as report:
        report(0.5)
    out, err = capsys.readouterr()
    assert out == ""
    assert "working" in err


def test_a_closed_pipe_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m opensirt calc --list --json | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_the_page_on_exit_codes_tells_the_same(root: Path):
    page = (root / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    told = {int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert told == {int(code) for code in ExitCode}


def test_the_page_on_commands_names_every_option(root: Path):
    page = (root / "docs" / "reference" / "cli.md").read_text("utf-8")
    commands = get_command(app).commands
    assert set(commands) == set(COMMANDS)
    for name, command in commands.items():
        section = page.split(f"## `opensirt {name}", 1)[1].split("\n## ", 1)[0]
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        assert {"--json", "--debug"} <= options
        common = {"--help", "--json", "--strict", "--debug"}
        assert {option for option in options - common if f"`{option}" not in section} == set(), name
