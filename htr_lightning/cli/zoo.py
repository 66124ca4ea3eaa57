"""``python -m htr_lightning zoo``: list the models that ship with the package, or try them on one's own lines."""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import UsageError, exit_with_message, print_result
from htr_lightning.cli.options import add_device_option

if TYPE_CHECKING:
    from htr_lightning.model.finder_info import FinderInfo
    from htr_lightning.model.info import ModelInfo

FINDER_SCORES = ("val/f1", "val/precision", "val/recall")
SCORES = ("val/cer", "val/wer", "test/cer", "test/wer", "archives/cer")


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """List the models, show the card of one, or try all of them on lines or pages.

    Raises:
        SystemExit: there is no such model, or nothing to try them on; 2 for a wrong command line.
    """
    options = build_parser().parse_args(argv)
    if options.try_on is not None:
        if options.name is not None:
            raise UsageError("--try tries all models; leave out the name")
        print_result(try_models(options.try_on, options.device))
        return

    from htr_lightning.lm.zoo import list_language_models
    from htr_lightning.model.finder_info import read_finder_info
    from htr_lightning.model.info import list_finders, list_zoo_models, read_info

    if options.name is None:
        models = list_zoo_models().items()
        print_result("\n\n".join(describe_model(f"zoo:{name}", path, read_info(path)) for name, path in models))
        print_result("\nline finders, for --finder")
        for name, path in list_finders().items():
            print_result(describe_finder(f"zoo:{name}", path, read_finder_info(path)))
        print_result("\nlanguage models, for --lm (zoo lm shows their card)")
        for name, path in list_language_models().items():
            print_result(f"  zoo:{name:<6} {path.stat().st_size / 1e6:.1f} MB")
    else:
        print_result(render_card(options.name.removeprefix("zoo:")))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning zoo",
        description="List the models that ship with this package. The commands and stage.start_from take them as "
        "zoo:NAME.",
    )
    parser.add_argument(
        "--try",
        dest="try_on",
        type=Path,
        metavar="FOLDER",
        help="recognize up to 40 lines of these images (lines or pages) with each model, and say which one to take: by "
        "CER if they are transcribed (x.gt.txt, a table, ALTO or PAGE), else by calibrated confidence",
    )
    add_device_option(parser)
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="show the card of this model, or of the language models (lm)"
    )
    return parser


def try_models(folder: Path, device: str | None) -> str:
    """Return a table of all models on some lines, and which one to take.

    Raises:
        DataError: there is nothing to try them on.
    """
    from htr_lightning.evaluation.trial import advise, choose_lines, try_model
    from htr_lightning.model.info import list_zoo_models
    from htr_lightning.reading.lines import LineReader
    from htr_lightning.reading.pages import PageReader
    from htr_lightning.reading.runtime import open_recognizer
    from htr_lightning.text import format_count

    names = [f"zoo:{name}" for name in list_zoo_models()]
    report = functools.partial(print, file=sys.stderr)
    models = [open_recognizer(name, device, report=report) for name in names]
    lines = choose_lines(folder, PageReader(LineReader(models[0])), report=report)
    trials = [try_model(name, model, lines) for name, model in zip(names, models, strict=True)]
    known = sum(1 for line in lines if line.text)
    what = f", {known} of them transcribed" if known else ", none of them transcribed"
    rows = [
        f"{format_count(len(lines), 'line')} of {folder}{what}",
        "",
        f"{'model':<18}{'CER':>7}{'expected':>10}{'s/line':>9}",
    ]
    for trial in trials:
        cer = "-" if trial.cer is None else f"{trial.cer:.1%}"
        rows.append(
            f"{trial.name:<18}{cer:>7}{trial.expected_cer:>10.1%}{trial.seconds_per_line:>9.3f}  {trial.example}"
        )
    return "\n".join([*rows, "", advise(trials)])


def describe_model(name: str, path: Path, info: "ModelInfo") -> str:
    """Return the metadata of a model, one fact per line."""
    from htr_lightning.directions.scripts import find_scripts

    characters, network = "".join(info.charset["characters"]), info.architecture.rpartition(".")[2]
    scores = ", ".join(f"{key} {100 * info.scores[key]:.1f} %" for key in SCORES if key in info.scores)
    facts = {
        "languages": ", ".join(info.languages),
        "decoding": "with the language models of its languages (--lm auto)" if info.lm else "greedy",
        "scripts": ", ".join(find_scripts(characters)),
        "charset": f"{len(characters)} characters: {characters}",
        "network": f"{network}, {info.preprocess['height_px']} px; {path.stat().st_size / 1e6:.1f} MB",
        "data": info.attribution,
        "license": info.license,
        "scores": scores,
        "commit": info.commit[:12],
    }
    return "\n".join([name, *(f"  {key:<10} {value or 'unknown'}" for key, value in facts.items())])


def describe_finder(name: str, path: Path, info: "FinderInfo") -> str:
    """Return the metadata of a line finder, one fact per line."""
    scores = ", ".join(f"{key} {100 * info.scores[key]:.1f} %" for key in FINDER_SCORES if key in info.scores)
    facts = {
        "network": f"LineFinder, {info.preprocess['longest_px']} px; {path.stat().st_size / 1e6:.1f} MB",
        "data": info.attribution,
        "license": info.license,
        "scores": scores,
        "commit": info.commit[:12],
    }
    return "\n".join([name, *(f"  {key:<10} {value or 'unknown'}" for key, value in facts.items())])


def render_card(name: str) -> str:
    """Return the metadata of a model, and its card.

    Raises:
        ModelFileError: there is no such model.
    """
    from htr_lightning.lm.zoo import LANGUAGE_MODEL_CARD, list_language_models
    from htr_lightning.model.finder_info import read_finder_info
    from htr_lightning.model.info import find_zoo_model, list_finders, read_info

    if name == "lm" or name in list_language_models():
        return LANGUAGE_MODEL_CARD.read_text(encoding="utf-8").strip()
    finders = list_finders()
    path = finders[name] if name in finders else find_zoo_model(name)
    card = path.with_suffix(".md")
    if name in finders:
        metadata = describe_finder(f"zoo:{name}", path, read_finder_info(path))
    else:
        metadata = describe_model(f"zoo:{name}", path, read_info(path))
    return f"{metadata}\n\n{card.read_text(encoding='utf-8').strip()}" if card.is_file() else metadata


if __name__ == "__main__":
    main()
