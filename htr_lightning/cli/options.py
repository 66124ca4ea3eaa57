"""Arguments and options that several commands share."""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from htr_lightning.cli.console import UsageError
from htr_lightning.device import Precision
from htr_lightning.errors import InputError

if TYPE_CHECKING:
    from htr_lightning.charset import Charset
    from htr_lightning.decode.decoder import Decoder
    from htr_lightning.device import Shard
    from htr_lightning.model.info import ModelInfo

MANIFEST = "manifest of line images and their transcriptions (.tsv, .csv or .jsonl)"
AUTO, NO_LM = "auto", "none"
"""Values of ``--lm``: the language models of the model's languages; greedy decoding."""


def add_model_argument(parser: argparse.ArgumentParser, *, onnx: bool = True, default: str | None = None) -> None:
    """Add the model; commands that only recognize also take an ONNX file.

    Args:
        parser: to add it to.
        onnx: whether an ONNX file will do.
        default: makes it the option ``--model``.
    """
    files = "model.safetensors, model.onnx" if onnx else "model.safetensors"
    described = f"zoo:NAME (see the command zoo), {files}, a checkpoint or a run folder"
    if default is None:
        parser.add_argument("model", metavar="MODEL", help=described)
    else:
        parser.add_argument("--model", metavar="MODEL", default=default, help=f"{described} (default: %(default)s)")
    add_trust_option(parser)


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust``."""
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="NAME",
        help="import path of the network's class, or of its module or package, if it is not part of this package; "
        "loading the model runs its code",
    )


def parse_formats(value: str) -> list[str]:
    """Split the names of formats at commas.

    Raises:
        argparse.ArgumentTypeError: there is none.
    """
    names = list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError("name a format")
    return names


def add_decoder_options(parser: argparse.ArgumentParser) -> None:
    """Add the language model, the lexicon, and the settings of the beam search."""
    group = parser.add_argument_group(
        "decoding",
        "as the model file says: greedy, or with a language model if that made fewer errors on its validation lines; "
        "with --lm, --lexicon or --beam-width, a beam search",
    )
    add_lm_option(group)
    group.add_argument(
        "--lm-weight",
        type=float,
        metavar="X",
        help="weight of the language model's log-probability (default: 0.5; the command tune-lm finds the best; only "
        "with --lm)",
    )
    group.add_argument(
        "--insertion-bonus",
        type=float,
        metavar="X",
        help="score added for each character, as language models favor short texts (default: 1.25; only with --lm)",
    )
    group.add_argument(
        "--lexicon",
        type=Path,
        metavar="FILE",
        help="recognize only the words of this text file or manifest, also capitalized or in capitals; digits, spaces "
        "and punctuation are always allowed",
    )
    group.add_argument(
        "--unknown-word-cost",
        type=float,
        metavar="X",
        help="allow words that the lexicon lacks, at a cost of X in log-probability each; try 6, or 2 to 4 with --lm "
        "(default: forbid them; only with --lexicon)",
    )
    group.add_argument(
        "--beam-width",
        type=positive_int,
        metavar="N",
        help="hypotheses kept at each frame of the beam search (default: 16)",
    )


def add_lm_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup, *, required: bool = False) -> None:
    """Add ``--lm``."""
    parser.add_argument(
        "--lm",
        required=required,
        metavar="ARPA",
        help="character language model: a file (see the command train-lm), one that ships (zoo:lm-fr, zoo:lm-en, "
        "zoo:lm-de), or auto for those of the model's languages, of which each line takes the most probable"
        + ("" if required else "; none for greedy decoding"),
    )


def add_tta_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add ``--tta``."""
    parser.add_argument(
        "--tta",
        action="store_true",
        help="test-time augmentation: recognize each line at three widths and keep the most confident prediction; "
        "fewer errors in unfamiliar handwriting, a third of the speed, slightly overconfident",
    )


def add_device_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add ``--device``."""
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: cuda if available, else cpu)")


def add_precision_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add ``--precision``."""
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="fp32",
        help="bf16 is faster on CPUs and GPUs with bf16 instructions, and changes a few predictions (default: fp32)",
    )


def add_overwrite_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup, text: str = "") -> None:
    """Add ``--overwrite``; without it, only earlier results of the same command are replaced."""
    default = "also replace files that this command did not write (default: exit); never its input files"
    parser.add_argument("--overwrite", action="store_true", help=text or default)


def add_layout_options(group: argparse._ArgumentGroup, ignoring: str, parse: Callable[[str], object] = Path) -> None:
    """Add ``--ignore-layouts`` and ``--layouts``.

    Args:
        group: of the parser.
        ignoring: what ``--ignore-layouts`` does.
        parse: turns the folder of ``--layouts`` into a path.
    """
    group.add_argument("--ignore-layouts", action="store_true", help=ignoring)
    group.add_argument(
        "--layouts",
        type=parse,
        metavar="FOLDER",
        help="take the lines from the ALTO or PAGE files in this folder, such as those that the command segment wrote "
        "(default: from those beside the images)",
    )


def check_layout_options(options: argparse.Namespace) -> None:
    """Check that ``--ignore-layouts`` and ``--layouts`` do not contradict each other.

    Raises:
        UsageError: they do.
    """
    if options.layouts is not None and options.ignore_layouts:
        raise UsageError("--layouts cannot be combined with --ignore-layouts", remedy="leave one of them out")


def add_overlay_option(group: argparse.ArgumentParser | argparse._ArgumentGroup, content: str) -> None:
    """Add ``--overlay``, which draws some content on each page."""
    group.add_argument("--overlay", action="store_true", help=f"also write a picture of each page with its {content}")


def check_probability(key: str, value: float) -> None:
    """Check that the value of an option is a probability.

    Raises:
        UsageError: it is not.
    """
    if not 0 <= value <= 1:
        raise UsageError("not a probability", key=key, value=value, remedy="give a number from 0 to 1")


def add_shard_option(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
    effect: str = "work on part I of N of the files, so that several machines, or the tasks of a SLURM array, share "
    "them; each needs the same list of images and the same --out",
) -> None:
    """Add ``--shard``, by which several machines share the work."""
    parser.add_argument("--shard", metavar="I/N", help=effect)


def parse_shard(options: argparse.Namespace) -> "Shard | None":
    """Return the part of the files that ``--shard`` names; None for all.

    Raises:
        InputError: there is no such part.
    """
    from htr_lightning.device import Shard

    return None if options.shard is None else Shard.parse(options.shard)


def list_inputs(options: argparse.Namespace) -> Iterator[Path]:
    """Yield the files that the options name as inputs: the model, tables, texts and the parts of the decoder."""
    from htr_lightning.model.info import ModelFileError, find_model

    for name in ("data", "align", "held_out", "lexicon", "list"):
        if getattr(options, name, None) is not None:
            yield getattr(options, name)
    if getattr(options, "lm", None) not in (None, AUTO, NO_LM):
        yield Path(options.lm)
    if hasattr(options, "model"):
        with contextlib.suppress(ModelFileError):  # reported when it is loaded
            yield find_model(options.model)
    if getattr(options, "finder", "classical") != "classical":
        with contextlib.suppress(ModelFileError):  # likewise
            yield find_model(options.finder, is_finder=True)


def add_config_dir_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--config-dir``."""
    parser.add_argument(
        "--config-dir", type=Path, metavar="FOLDER", help="folder with your own config groups, such as dataset/"
    )


def positive_int(value: str) -> int:
    """Parse a whole number of at least 1."""
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number of at least 1")
    return int(value)


def choose_default_lm(options: argparse.Namespace, info: "ModelInfo") -> None:
    """Set ``--lm`` to the language model that the model file names, unless the options say how to decode."""
    if options.lm is None and options.lexicon is None and options.beam_width is None:
        options.lm = info.lm or None
    elif options.lm == NO_LM:
        options.lm = None


def build_decoder(options: argparse.Namespace, charset: "Charset", info: "ModelInfo") -> "Decoder":
    """Build the decoder that the options describe, or the model file, for a recognizer.

    Args:
        options: of `add_decoder_options`; ``lm`` is set to the language model that is used, None without any.
        charset: of the recognizer.
        info: of the recognizer.

    Raises:
        UsageError: a value is out of range, or belongs to a language model or lexicon that is not given.
        InputError: the language model or the lexicon cannot be used.
    """
    from htr_lightning.decode.decoder import build_beam_decoder, build_greedy_decoder

    choose_default_lm(options, info)
    for part, names in (("lm", ("lm_weight", "insertion_bonus")), ("lexicon", ("unknown_word_cost",))):
        for name in names:
            if getattr(options, part) is None and getattr(options, name) is not None:
                option = f"--{name.replace('_', '-')}"
                remedy = f"add --{part}, or leave {option} out"
                raise UsageError(f"no effect without --{part}", key=option, value=getattr(options, name), remedy=remedy)
    if options.lm is None and options.lexicon is None and options.beam_width is None:
        return build_greedy_decoder(charset)
    settings = ("lm_weight", "insertion_bonus", "beam_width")
    given: dict[str, Any] = {name: value for name in settings if (value := getattr(options, name)) is not None}
    with name_decoder_options(options):
        return build_beam_decoder(
            charset,
            lm=options.lm,
            languages=info.languages,
            lexicon=None if options.lexicon is None else str(options.lexicon),
            unknown_word_cost=options.unknown_word_cost,
            **given,
        )


@contextlib.contextmanager
def name_decoder_options(options: argparse.Namespace) -> Iterator[None]:
    """Name, in errors of decoders and language models, the option instead of the key of a configuration.

    Raises:
        UsageError: the decoder or a part of it is refused.
    """
    try:
        yield
    except InputError as error:
        name = error.key.removeprefix("decoder.")
        if name == error.key:
            raise
        option = f"--{name.replace('_', '-')}"
        raise UsageError(error.problem, key=option, value=getattr(options, name), remedy=error.remedy) from None
