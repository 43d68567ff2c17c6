"""``calc --explain``: the same answer in words, or the same document with ``--json``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from opensirt.cli.exit_codes import ExitCode
from opensirt.cli.main import app
from opensirt.workflow.calc import calc_example

RUNNER = CliRunner()


def run(*arguments: object, stdin: str | None = None):
    return RUNNER.invoke(app, [str(argument) for argument in arguments], input=stdin)


@pytest.mark.parametrize("more", [(), ("--example",)], ids=["alone", "with --example"])
def test_the_example_is_explained(more: tuple[str, ...]):
    done = run("calc", "partition-dose", "--explain", *more)
    assert done.exit_code == 0, done.stderr
    assert "(delivered_gbq, example)" in done.stdout
    assert done.stderr == ""


def test_an_input_is_explained_from_file_and_stdin(tmp_path: Path):
    payload = json.dumps(calc_example("partition-dose") | {"delivered_gbq": 3.0})
    (tmp_path / "in.json").write_text(payload)
    done = run("calc", "partition-dose", "--explain", "--input", tmp_path / "in.json")
    assert done.exit_code == 0, done.stderr
    assert "3\u202fGBq" in done.stdout
    assert "(delivered_gbq, stated)" in done.stdout
    assert run("calc", "partition-dose", "--explain", "--input", "-", stdin=payload).stdout == done.stdout


def test_json_is_the_same_document_with_and_without_explain():
    payload = json.dumps(calc_example("lung-dose"))
    without = run("calc", "lung-dose", "--input", "-", "--json", stdin=payload)
    assert run("calc", "lung-dose", "--explain", "--input", "-", "--json", stdin=payload).stdout == without.stdout
    assert run("calc", "lung-dose", "--explain", "--example", "--json").stdout == without.stdout


def test_findings_are_told_once_and_strict_still_asks_to_look():
    payload = json.dumps(calc_example("lung-dose") | {"delivered_gbq": 8.0})
    done = run("calc", "lung-dose", "--explain", "--input", "-", "--strict", stdin=payload)
    assert done.exit_code == ExitCode.LOOK
    assert done.stdout.count("dose.lung_above_limit") == 1
    assert done.stderr == ""


def test_explain_needs_a_formula():
    assert run("calc", "--explain").exit_code == ExitCode.USAGE
    assert run("calc", "lung-dose", "--explain", "--list").exit_code == ExitCode.USAGE
