"""``python -m htr_lightning compare``: compare two models that were evaluated on the same lines."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import UsageError, exit_with_message, print_result
from htr_lightning.cli.options import add_overwrite_option
from htr_lightning.files import check_writable, report_write_errors, write_json
from htr_lightning.report.outputs import Output, check_outputs, json_kind
from htr_lightning.text import escape_unprintable, format_count

if TYPE_CHECKING:
    from htr_lightning.evaluation.difference import Comparison, Pair

_NAMES = {"cer": "CER", "wer": "WER", "wer_tokens": "WER (tokens)"}


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Compare two evaluations, and print their differences.

    Raises:
        SystemExit: they cannot be read or compared; 2 for a wrong command line.
    """
    options = build_parser().parse_args(argv)
    if options.top < 0:
        raise UsageError("the number is negative", key="--top", value=options.top, remedy="give 0 or more")
    if options.out is not None:
        check_writable(options.out, "--out", is_file=True)

    from htr_lightning.evaluation.difference import compare, pair_rows
    from htr_lightning.evaluation.table import TABLE_FILE, read_table

    if options.out is not None:
        inputs = [folder / TABLE_FILE if folder.is_dir() else folder for folder in (options.a, options.b)]
        check_outputs([Output(options.out, json_kind("lines"))], inputs, overwrite=options.overwrite)

    comparison = compare(pair_rows(read_table(options.a), read_table(options.b), common=options.common))
    if options.out is not None:
        with report_write_errors(options.out, "--out", is_file=True):
            write_json(options.out, comparison.to_json() | {"a": str(options.a), "b": str(options.b)})
    print_result(f"A: {options.a}\nB: {options.b}\n\n{render_comparison(comparison, options.top)}")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning compare",
        description="Compare two models that were evaluated on the same lines: the differences of their error rates "
        "with 95 % confidence intervals (paired bootstrap over writers or pages), and the lines that differ most.",
    )
    parser.add_argument("a", type=Path, metavar="A", help="folder that evaluate --out wrote for one model")
    parser.add_argument("b", type=Path, metavar="B", help="the same for the other model")
    parser.add_argument(
        "--common",
        action="store_true",
        help="compare the lines that both folders have, and ignore the others (default: exit if the lines differ)",
    )
    parser.add_argument(
        "--top", type=int, default=5, metavar="N", help="print the N lines that differ most (default: 5)"
    )
    parser.add_argument("--out", type=Path, metavar="JSON", help="also write the complete comparison to this file")
    add_overwrite_option(parser)
    return parser


def render_comparison(comparison: "Comparison", num_lines: int) -> str:
    """Render the differences as a table of text, and the lines that differ most."""
    over = format_count(comparison.groups, "group" if comparison.has_groups else "line")
    missing = comparison.missing_intervals
    method = missing or f"paired bootstrap over {over}"
    rows = [f"{'':<14}{'A':>9}{'B':>9}{'B - A':>10}" + ("" if missing else f"   {'95 % interval':<20}B better")]
    for name, rate in comparison.rates.items():
        row = f"{_NAMES[name]:<14}{100 * rate.a:>8.2f}%{100 * rate.b:>8.2f}%{100 * rate.difference:>+10.2f}"
        if rate.low is not None and rate.high is not None and rate.fraction_b_better is not None:
            interval = f"[{100 * rate.low:+.2f}, {100 * rate.high:+.2f}]"
            row += f"   {interval:<20}{100 * rate.fraction_b_better:.1f} % of samples"
        rows.append(row)
    lines = format_count(comparison.lines, "line")
    head = f"{lines}; {method}; B - A in percentage points, below 0 if B is better"
    parts = [head, "", *rows]
    shown = comparison.differing_lines[:num_lines]
    if shown:
        fewer = sum(b.errors["cer"].edits < a.errors["cer"].edits for a, b in comparison.differing_lines)
        more = len(comparison.differing_lines) - fewer
        parts += ["", f"B has fewer edits in {fewer:,} lines, A in {more:,}. Largest differences:"]
        parts += [text for pair in shown for text in _render_pair(pair)]
    return "\n".join(parts)


def _render_pair(pair: "Pair") -> list[str]:
    a, b = pair
    return [
        f"  {escape_unprintable(a.id)}",
        f"    reference   {escape_unprintable(a.reference)}",
        f"    A {a.errors['cer'].edits:>3} edits {escape_unprintable(a.hypothesis)}",
        f"    B {b.errors['cer'].edits:>3} edits {escape_unprintable(b.hypothesis)}",
    ]


if __name__ == "__main__":
    main()
