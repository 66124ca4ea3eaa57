"""``python -m htr_lightning compare``: whether one model reads the same lines better than another."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.evaluation.difference import Comparison, Pair, PairingError, compare, pair_rows
from htr_lightning.evaluation.table import TableError, read_table
from htr_lightning.files import write_json
from htr_lightning.text import escape_unprintable

_NAMES = {"cer": "CER", "wer": "WER", "wer_tokens": "WER (tokens)"}


def main(argv: Sequence[str] | None = None) -> None:
    """Compare two evaluations, and print what sets them apart.

    Raises:
        SystemExit: with a message when they cannot be read or compared; 2 for a wrong command line.
    """
    parser = parser_of_compare()
    options = parser.parse_args(argv)
    if options.lines < 0:
        parser.error(f"--lines {options.lines}: must not be negative")
    try:
        pairs = pair_rows(read_table(options.a), read_table(options.b), common=options.common)
    except (TableError, PairingError) as error:
        raise SystemExit(str(error)) from None
    found = compare(pairs)
    print(f"A: {options.a}\nB: {options.b}\n\n{described(found, options.lines)}")
    if options.out is not None:
        try:
            write_json(options.out, found.to_json() | {"a": str(options.a), "b": str(options.b)})
        except OSError as error:
            raise SystemExit(f"--out {options.out}: cannot be written ({error.strerror})") from None


def parser_of_compare() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning compare",
        description="Compare two models on the same lines: the difference of their error rates, its 95 %% interval "
        "(paired bootstrap over writers or pages), and the lines that they read most differently.",
    )
    parser.add_argument("a", type=Path, metavar="A", help="folder that evaluate --out wrote, for the one model")
    parser.add_argument("b", type=Path, metavar="B", help="the same for the other")
    parser.add_argument("--common", action="store_true", help="leave out the lines that the two do not share")
    parser.add_argument("--lines", type=int, default=5, metavar="N", help="print so many lines (default: 5)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all to this JSON file")
    return parser


def described(found: Comparison, num_lines: int) -> str:
    """Say what was found."""
    over = f"{found.groups:,} groups" if found.has_groups else f"{found.groups:,} lines"
    rows = [f"{'':<14}{'A':>9}{'B':>9}{'B - A':>10}   {'95 % interval':<20}B better"]
    for name, rate in found.rates.items():
        interval = f"[{100 * rate.low:+.2f}, {100 * rate.high:+.2f}]"
        rows.append(
            f"{_NAMES[name]:<14}{100 * rate.a:>8.2f}%{100 * rate.b:>8.2f}%{100 * rate.difference:>+10.2f}   "
            f"{interval:<20}{100 * rate.fraction_b_better:.1f} % of samples"
        )
    head = f"{found.lines:,} lines; paired bootstrap over {over}; B - A in percentage points, below 0 if B is better"
    parts = [head, "", *rows]
    shown = found.differing_lines[:num_lines]
    if shown:
        fewer = sum(b.errors["cer"].edits < a.errors["cer"].edits for a, b in found.differing_lines)
        parts += [
            "",
            f"B has fewer edits in {fewer:,} lines, A in {len(found.differing_lines) - fewer:,}. Furthest apart:",
        ]
        parts += [text for pair in shown for text in _line(pair)]
    return "\n".join(parts)


def _line(pair: Pair) -> list[str]:
    a, b = pair
    return [
        f"  {escape_unprintable(a.id)}",
        f"    written     {escape_unprintable(a.reference)}",
        f"    A {a.errors['cer'].edits:>3} edits {escape_unprintable(a.hypothesis)}",
        f"    B {b.errors['cer'].edits:>3} edits {escape_unprintable(b.hypothesis)}",
    ]


if __name__ == "__main__":
    main()
