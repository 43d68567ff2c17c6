"""A command line that cannot be understood: one message with what was probably meant, and one document under ``--json``."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperGroup

from opensirt.cli.exit_codes import ExitCode
from opensirt.cli.talk import Manner, refuse
from opensirt.vocabulary.offers import nearest

UsageError: Any = typer.BadParameter.__base__
"""What every fault of a command line is; the library has no public name for it."""
KIND = "UsageError"
_CHOICE = re.compile(r"'([^']*)' is not one of (.*)")
_QUOTED = re.compile(r"'([^']*)'")


class Commands(TyperGroup):
    """The commands; what they cannot understand they refuse as every other input: on stderr, under ``--json`` also on stdout."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Options of the program itself."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except UsageError as error:
            if not given:  # asked for nothing: the help says what there is
                raise
            raise typer.Exit(_refused(error, given, self)) from error

    def invoke(self, ctx: Any) -> Any:
        """The command with its options."""
        given = [*ctx._protected_args, *ctx.args]
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise typer.Exit(_refused(error, given, self)) from error


def _refused(error: Any, given: list[str], commands: Commands) -> int:
    name = given[0] if given and given[0] in commands.commands else ""
    before = given[: given.index("--")] if "--" in given else given
    parts = _parts(error, given, commands, name)
    return int(refuse(KIND, parts, ExitCode.USAGE, Manner(name, as_json="--json" in before)))


def _parts(error: Any, given: list[str], commands: Commands, name: str) -> tuple[str, str, str]:
    see = f"see opensirt {name} --help" if name else "see opensirt --help"
    if not name and not given[0].startswith("-"):
        return f"there is no command {given[0]!r}", "", _meant(given[0], list(commands.commands), see)
    if hasattr(error, "option_name") and hasattr(error, "possibilities"):
        parameters = error.ctx.command.params if error.ctx else ()
        options = [option for parameter in parameters for option in parameter.opts if option.startswith("--")]
        return f"there is no option {error.option_name}", "", _meant(error.option_name, [*options, "--help"], see)
    return _what(error, given), "", _meant(*_choice(error), see)


def _what(error: Any, given: list[str]) -> str:
    """The library's message without its preambles, with the option and what was given for it."""
    text = " ".join(str(error.format_message()).split()).rstrip(".")
    for preamble in ("Invalid value: ", "Value error, "):
        text = text.replace(preamble, "")
    option, separator, reason = text.removeprefix("Invalid value for ").partition(": ")
    if separator and text.startswith("Invalid value for "):
        option = option.strip("'")
        value = "" if repr(_given(option, given)) in reason else f" {_given(option, given)!r}"
        return f"{option}{value}: {reason[:1].lower()}{reason[1:]}"
    return text[:1].lower() + text[1:] if text[:2].istitle() else text


def _given(option: str, given: list[str]) -> str:
    for n, word in enumerate(given):
        if word == option and n + 1 < len(given):
            return given[n + 1]
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return ""


def _choice(error: Any) -> tuple[str, list[str]]:
    """A value that is none of the choices, and the choices."""
    found = _CHOICE.search(str(error.format_message()))
    return (found.group(1), _QUOTED.findall(found.group(2))) if found else ("", [])


def _meant(word: str, known: list[str], see: str) -> str:
    near = nearest(word, known) if word else ""
    return f"did you mean {near}? {see}" if near else see
