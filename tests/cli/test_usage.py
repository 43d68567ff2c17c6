"""A command line that cannot be understood: status 2, one line on stderr, one document under ``--json``, and what was probably meant."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from opensirt.cli.exit_codes import ExitCode
from opensirt.cli.main import app

RUNNER = CliRunner()
PLAN = ["plan", ".", "--product", "glass", "--out", "x"]
WRONG = {
    "unknown command": (["pln"], "pln", "did you mean plan?"),
    "no such thing": (["zzz"], "zzz", ""),
    "unknown option": ([*PLAN, "--indicaton", "NET"], "--indicaton", "did you mean --indication?"),
    "unknown option of the program": (["--versoin"], "--versoin", "did you mean --version?"),
    "missing argument": (["plan", "--product", "glass", "--out", "x"], "CASE|DIR", ""),
    "missing option": (["plan", ".", "--out", "x"], "--product", ""),
    "option without value": (["plan", ".", "--out", "x", "--product"], "--product", ""),
    "extra argument": ([*PLAN, "extra"], "extra", ""),
    "wrong choice": (["plan", ".", "--product", "galss", "--out", "x"], "galss", "did you mean glass?"),
    "wrong intent": ([*PLAN, "--intent", "uptolimits"], "uptolimits", "did you mean up-to-limits?"),
    "no number": ([*PLAN, "--spacing-mm", "four"], "four", ""),
    "out of range": (["virtual-patient", "--out", "x", "--seed", "-1"], "-1", ""),
    "naive instant": ([*PLAN, "--treatment-at", "2026-03-04T10:00:00"], "2026-03-04T10:00:00", ""),
    "no pair": ([*PLAN, "--target", "tumour"], "tumour", ""),
    "neither input nor example": (["calc", "decay"], "--input", ""),
}


def run(*arguments: str):
    return RUNNER.invoke(app, list(arguments))


@pytest.mark.parametrize(("arguments", "said", "meant"), WRONG.values(), ids=WRONG)
def test_one_line_that_says_what_and_what_was_meant(arguments: list[str], said: str, meant: str):
    done = run(*arguments)
    assert done.exit_code == ExitCode.USAGE
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert meant in done.stderr
    assert "--help" in done.stderr
    if not meant:
        assert "did you mean" not in done.stderr


@pytest.mark.parametrize(("arguments", "said", "meant"), WRONG.values(), ids=WRONG)
def test_one_document_under_json(arguments: list[str], said: str, meant: str):
    done = run(arguments[0], "--json", *arguments[1:]) if not arguments[0].startswith("--") else run(*arguments, "--json")
    assert done.exit_code == ExitCode.USAGE
    document = json.loads(done.stdout)  # fails if there is anything else on stdout
    assert list(document) == ["schema", "version", "command", "kind", "exit_code", "what", "where", "remedy"]
    assert document["schema"] == "opensirt.error"
    assert document["kind"] == "UsageError"
    assert document["exit_code"] == ExitCode.USAGE
    assert document["command"] == (arguments[0] if arguments[0] in ("plan", "calc", "virtual-patient") else "")
    assert said in document["what"]
    assert meant in document["remedy"]
    assert done.stderr.count("\n") == 1


def test_no_document_unless_it_is_asked_for():
    assert run("plan", "--", "--json").stdout == ""  # after -- it is an argument


def test_asking_for_nothing_shows_what_there_is():
    done = run()
    assert done.exit_code == ExitCode.USAGE
    assert "virtual-patient" in done.stdout + done.stderr
