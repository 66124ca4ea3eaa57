"""``python -m htr_lightning lm``: learn a character n-gram from texts."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from htr_lightning.lm.texts import read_texts


def main(argv: Sequence[str] | None = None) -> None:
    """Read texts, write an ARPA file, say how well it fits.

    Raises:
        SystemExit: with a message when a text cannot be read or the file cannot be written.
    """
    parser = parser_of_lm()
    options = parser.parse_args(argv)

    from htr_lightning.image.files import DataError
    from htr_lightning.lm.arpa import write_arpa
    from htr_lightning.lm.kneser_ney import train_ngram
    from htr_lightning.lm.ngram import LanguageModelError

    try:
        column, form = options.text_column, options.normalization
        texts = [text for path in options.texts for text in read_texts(path, column, form)]
        measured = list(read_texts(options.on, column, form)) if options.on else []
        model = train_ngram(texts, options.order)
        write_arpa(model, options.out)
    except (DataError, LanguageModelError) as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(f"-o {options.out}: cannot be written ({error.strerror})") from None
    print(
        f"{options.out}: {len(model):,} n-grams up to order {model.order} of {len(model.symbols) - 3} characters, "
        f"from {len(texts):,} lines of {sum(map(len, texts)):,} characters"
    )
    if options.on:
        bits = -sum(map(model.log_probability, measured)) / math.log(2)
        number = sum(len(text) + 1 for text in measured)
        print(f"{options.on}: {bits / max(1, number):.3f} bits a character (the ends of lines included)")


def parser_of_lm() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning lm",
        description="Learn a character n-gram (interpolated modified Kneser-Ney) from lines of text, and write it as "
        "an ARPA file, with spaces written as <space>. Give texts like those to be read, but none that a model "
        "is measured on.",
    )
    parser.add_argument("texts", type=Path, nargs="+", help="manifests (.tsv, .csv, .jsonl), or UTF-8 text files, "
                        "each line by itself")  # fmt: skip
    parser.add_argument("-o", "--out", type=Path, required=True, help="the ARPA file; gzipped if it ends in .gz")
    parser.add_argument("--order", type=int, default=6, help="longest n-gram, 1 to 10 (default: 6)")
    parser.add_argument("--text-column", default="text", help="of manifests (default: text)")
    parser.add_argument("--normalization", default="NFC", choices=("NFC", "NFD", "NFKC", "NFKD", "none"),
                        help="Unicode form, that of the recognizer (default: NFC)")  # fmt: skip
    parser.add_argument("--on", type=Path, metavar="TEXT", help="also say how well it foretells this text, unseen")
    return parser


if __name__ == "__main__":
    main()
