"""The decoder on the command line of the commands that read lines."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from htr_lightning.device import Precision

if TYPE_CHECKING:
    from htr_lightning.charset import Charset
    from htr_lightning.decode.decoder import Decoder


def add_decoder_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--lm``, ``--lexicon``, ``--beam`` and the weights."""
    group = parser.add_argument_group("decoding", "greedy, or a beam search, with a language model, a lexicon or both "
                                      "if they are named")  # fmt: skip
    group.add_argument("--lm", type=Path, metavar="FILE", help="ARPA file of characters (see the command lm)")
    group.add_argument("--lm-weight", type=float, default=0.5, metavar="X", help="how much the language model counts "
                       "(default: 0.5; the command tune finds it)")  # fmt: skip
    group.add_argument("--insertion-bonus", type=float, default=1.0, metavar="X", help="for each character, with a "
                       "language model (default: 1)")  # fmt: skip
    group.add_argument("--lexicon", type=Path, metavar="FILE", help="read only words of this text file, or of this "
                       "manifest's texts (.tsv, .csv, .jsonl), also capitalized or in capitals; what is no letter is "
                       "free")  # fmt: skip
    group.add_argument("--unknown-word-cost", type=float, metavar="X", help="allow other words, each for so many nats "
                       "of probability; 6 suits a lexicon that lacks words (default: forbidden)")  # fmt: skip
    group.add_argument("--beam", type=int, metavar="WIDTH", help="texts kept in view (default: 16 with --lm or "
                       "--lexicon, else greedy decoding)")  # fmt: skip


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--tta`` to a command that reads lines as well as it can."""
    parser.add_argument("--tta", action="store_true", help="read each line three times, as it is, narrower and "
                        "wider, and keep the reading that the model is surest of: fewer errors in hands that it does "
                        "not know, a third of the speed; confidences are then a little too high")  # fmt: skip


def decoder_of(options: argparse.Namespace, charset: "Charset") -> "Decoder":
    """Return the decoder that the options name.

    Raises:
        SystemExit: with a message; language model or lexicon cannot be used, or a value is out of its range.
    """
    from htr_lightning.decode.decoder import build_beam_decoder, build_greedy_decoder
    from htr_lightning.decode.lexicon import LexiconError
    from htr_lightning.lm.ngram import LanguageModelError

    if options.lm is None and options.lexicon is None and options.beam is None:
        return build_greedy_decoder(charset)
    try:
        return build_beam_decoder(
            charset,
            lm=None if options.lm is None else str(options.lm),
            lm_weight=options.lm_weight,
            insertion_bonus=options.insertion_bonus,
            lexicon=None if options.lexicon is None else str(options.lexicon),
            unknown_word_cost=options.unknown_word_cost,
            beam_width=16 if options.beam is None else options.beam,
        )
    except LanguageModelError as error:
        raise SystemExit(f"--lm {error}") from None
    except LexiconError as error:
        raise SystemExit(f"--lexicon {error}") from None
    except ValueError as error:
        raise SystemExit(str(error)) from None


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--device`` to a command that computes with a model."""
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")


def add_precision_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--precision`` to a command that reads with a model."""
    parser.add_argument("--precision", choices=get_args(Precision), default="fp32", help="bf16: multiply in 16 bits, "
                        "which is faster on processors and GPUs that can, and reads a few lines otherwise "
                        "(default: fp32)")  # fmt: skip
