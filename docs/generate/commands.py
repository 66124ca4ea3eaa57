"""The reference of the commands, from their argparse parsers."""

import argparse
import importlib

from generate.markdown import escape_cell
from htr_lightning.__main__ import COMMANDS, render_help

_COLUMNS = 88  # width of the usage lines


def render_commands() -> str:
    """Return the page: training first, then each command with its options."""
    parts = [
        "# Commands",
        "`htr-lightning COMMAND` is short for `python -m htr_lightning COMMAND`. Without a command, it trains. This "
        "page is generated from the parsers: it is what `--help` prints.",
        "## train",
        f"```text\n{render_help()}\n```",
        "[Configuration](configuration.md) lists the groups, their options and all keys.",
    ]
    for name, (module, _) in COMMANDS.items():
        parts += [f"## {name}", *render_parser(find_parser(module))]
    return "\n\n".join(parts) + "\n"


def find_parser(module: str) -> argparse.ArgumentParser:
    """Return the parser of a command; some have it in a module of their own, MODULE_options."""
    for name in (module, f"{module}_options"):
        try:
            build = getattr(importlib.import_module(name), "build_parser", None)
        except ModuleNotFoundError:
            continue
        if build is not None and build.__module__ == name:
            parser = build()
            assert isinstance(parser, argparse.ArgumentParser)
            return parser
    raise LookupError(f"{module} has no build_parser")


def render_parser(parser: argparse.ArgumentParser) -> list[str]:
    """Return the parts of the section of a command: description, usage, a table for each group of arguments."""
    parts = [_escape(parser.description or ""), f"```text\n{_format_usage(parser)}\n```"]
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action.help is not argparse.SUPPRESS]
        if not actions or actions == [a for a in actions if a.dest == "help"]:
            continue
        if group.title not in ("positional arguments", "options"):
            parts.append(
                f"**{(group.title or '').capitalize()}**" + (f": {group.description}" if group.description else "")
            )
        rows = [f"| {_name(parser, action)} | {escape_cell(_explain(parser, action))} |" for action in actions]
        parts.append("\n".join(["| argument | |", "|---|---|", *rows]))
    return [part for part in [*parts, _escape(parser.epilog or "")] if part]


def _format_usage(parser: argparse.ArgumentParser) -> str:
    formatter = argparse.HelpFormatter(parser.prog, width=_COLUMNS)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups)
    return formatter.format_help().strip()


def _name(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    text = parser._get_formatter()._format_action_invocation(action)
    return f"`{text}`"


def _explain(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return parser._get_formatter()._expand_help(action) if action.help else ""


def _escape(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*")
