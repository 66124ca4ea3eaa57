"""``python -m htr_lightning train-lm``: train a character n-gram language model."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.cli.console import UsageError, exit_with_message, print_result
from htr_lightning.cli.options import add_overwrite_option, list_inputs, positive_int
from htr_lightning.files import check_writable, report_write_errors
from htr_lightning.report.outputs import ARPA, Output, check_outputs
from htr_lightning.text import format_count


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Train a language model, write it as an ARPA file, and print its size.

    Raises:
        SystemExit: a text cannot be read, or the file cannot be written; 2 for a wrong command line.
    """
    options = build_parser().parse_args(argv)
    check_writable(options.out, "--out", is_file=True)
    inputs = [*options.texts, *list_inputs(options)]
    check_outputs([Output(options.out, ARPA)], inputs, overwrite=options.overwrite)

    from htr_lightning.directions.bidi import to_visual
    from htr_lightning.lm.arpa import write_arpa
    from htr_lightning.lm.kneser_ney import train_ngram
    from htr_lightning.lm.ngram import MAX_ORDER
    from htr_lightning.lm.pruning import prune_ngram
    from htr_lightning.lm.texts import read_texts

    if not 1 <= options.order <= MAX_ORDER:
        raise UsageError("out of range", key="--order", value=options.order, remedy=f"give 1 to {MAX_ORDER}")

    def read(path: Path) -> list[str]:
        texts = read_texts(path, options.text_column, options.normalization)
        return [to_visual(text) for text in texts]  # the order in which recognizers write

    texts = [text for path in options.texts for text in read(path)]
    held_out = [] if options.held_out is None else read(options.held_out)
    model = train_ngram(texts, options.order)
    if options.max_ngrams is not None:
        model = prune_ngram(model, options.max_ngrams)
    with report_write_errors(options.out, "--out", is_file=True):
        write_arpa(model, options.out)
    print_result(
        f"{options.out}: {len(model):,} n-grams up to order {model.order} of {len(model.symbols) - 3} characters, "
        f"from {format_count(len(texts), 'line')} with {format_count(sum(map(len, texts)), 'character')}"
    )
    if options.held_out is not None:
        bits = -sum(map(model.log_probability, held_out)) / math.log(2)
        num_symbols = sum(len(text) + 1 for text in held_out)
        print_result(f"{options.held_out}: {bits / max(1, num_symbols):.3f} bits per character, counting line ends")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning train-lm",
        description="Train a character n-gram language model (interpolated modified Kneser-Ney), and write it as an "
        "ARPA file, in which a space is <space>. Train on texts like those to recognize, but not on test data.",
    )
    parser.add_argument(
        "texts",
        type=Path,
        nargs="+",
        metavar="TEXT",
        help="manifests (.tsv, .csv, .jsonl), or UTF-8 text files, which are read line by line",
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="ARPA", help="file to write; gzipped if it ends in .gz"
    )
    add_overwrite_option(parser)
    parser.add_argument(
        "--order", type=int, default=6, metavar="N", help="maximum length of n-grams, 1 to 10 (default: 6)"
    )
    parser.add_argument(
        "--max-ngrams",
        type=positive_int,
        metavar="N",
        help="prune the model to at most N n-grams, by relative entropy; 300,000 take about 2.5 MB gzipped (default: "
        "keep all)",
    )
    parser.add_argument("--text-column", default="text", metavar="NAME", help="column of the manifests (default: text)")
    parser.add_argument(
        "--normalization",
        default="NFC",
        choices=("NFC", "NFD", "NFKC", "NFKD", "none"),
        help="Unicode normalization; choose that of the recognizer (default: NFC)",
    )
    parser.add_argument(
        "--held-out", type=Path, metavar="TEXT", help="also print the bits per character on this held-out text"
    )
    return parser


if __name__ == "__main__":
    main()
