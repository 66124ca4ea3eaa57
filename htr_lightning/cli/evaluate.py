"""``python -m htr_lightning evaluate``: measure a model on a manifest of lines."""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.options import (
    add_decoder_options,
    add_device_option,
    add_precision_option,
    add_reading_options,
    decoder_of,
)
from htr_lightning.text import describe_characters

if TYPE_CHECKING:
    from htr_lightning.data.line import Line
    from htr_lightning.evaluation.collector import ScoreCollector
    from htr_lightning.evaluation.result import Evaluation
    from htr_lightning.model.load import Recognizer


def main(argv: Sequence[str] | None = None) -> None:
    """Read the lines of a manifest, and print how well.

    Raises:
        SystemExit: with a message when model or data cannot be used; 2 for a wrong command line.
    """
    parser = parser_of_evaluate()
    options = parser.parse_args(argv)
    if options.out is not None:
        claim(options.out)

    from htr_lightning.data.sources.manifest import read_manifest
    from htr_lightning.device import DeviceError
    from htr_lightning.evaluation.result import build_evaluation
    from htr_lightning.image.files import DataError
    from htr_lightning.model.info import ModelFileError
    from htr_lightning.model.load import load_recognizer

    try:
        lines = read_manifest(
            options.data,
            image_column=options.image_column,
            text_column=options.text_column,
            group_column=options.group_column,
        )
        model = load_recognizer(options.model, options.device, options.precision)
    except DeviceError as error:
        parser.error(str(error))
    except (ModelFileError, DataError) as error:
        raise SystemExit(str(error)) from None
    if not lines:
        raise SystemExit(f"{options.data}: there is no line to measure on")
    collector = read_all(lines, model, options)
    refuse_unusable(collector, options)
    evaluation = build_evaluation(collector, str(options.model), str(options.data), reading_of(options, parser))
    warn_of_unknown(evaluation.unknown_characters, options.data)
    print(json.dumps(evaluation.summarize(), indent=2))
    if options.out is not None:
        write(options.out, evaluation, collector)


def parser_of_evaluate() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning evaluate",
        description="Measure a model on lines whose text is known: CER, WER (between spaces, and with words and "
        "punctuation apart), accuracy of lines, precision, recall and F1 of characters, as shares (0.05 is 5 %%), "
        "with their 95 %% intervals over writers or pages. --out adds a report to look at.",
    )
    parser.add_argument("model", help="a model.safetensors, a model.onnx, a checkpoint, a run folder, or zoo:NAME")
    parser.add_argument("--data", type=Path, required=True, help="manifest of images and texts: .tsv, .csv or .jsonl")
    parser.add_argument("--image-column", default="image", help="(default: image)")
    parser.add_argument("--text-column", default="text", help="(default: text)")
    parser.add_argument("--group-column", help="of the writer or page, whose lines the intervals keep together "
                        "(default: group, writer, page or font, if there is one)")  # fmt: skip
    parser.add_argument("--max-skipped", type=int, default=0, help="unusable lines to put up with (default: 0)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder for report.html (scores, confusions, worst "
                        "lines, confidence), result.json, lines.tsv and confusions.png")  # fmt: skip
    add_device_option(parser)
    add_precision_option(parser)
    add_reading_options(parser)
    add_decoder_options(parser)
    return parser


def reading_of(options: argparse.Namespace, parser: argparse.ArgumentParser) -> dict[str, str | float | bool]:
    """Return the options of reading that differ from their defaults."""
    others = {"model", "data", "image_column", "text_column", "group_column", "max_skipped", "out", "device"}
    chosen = {name: value for name, value in vars(options).items() if value != parser.get_default(name)}
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in chosen.items() if name not in others
    }


def claim(folder: Path) -> None:
    """Make the folder, before anything is read.

    Raises:
        SystemExit: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"--out {folder}: cannot be made ({error.strerror}); name another folder") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SystemExit(f"--out {folder}: cannot be written; name another folder")


def read_all(lines: "Sequence[Line]", model: "Recognizer", options: argparse.Namespace) -> "ScoreCollector":
    """Read and score every line; the places of characters are found only for a report."""
    from htr_lightning.evaluation.collector import ScoreCollector
    from htr_lightning.image.views import get_views
    from htr_lightning.progress import show_progress
    from htr_lightning.reading.lines import LineReader

    decoder = decoder_of(options, model.charset)
    reader = LineReader(model, decoder=decoder, positions=options.out is not None, views=get_views(options.tta))
    collector = ScoreCollector(model.charset)
    readings = show_progress(([reading] for reading in reader.read(lines)), len(lines), "Reading")
    for line, (reading,) in zip(lines, readings, strict=True):
        collector.add(line, reading)
    return collector


def refuse_unusable(collector: "ScoreCollector", options: argparse.Namespace) -> None:
    """Name the lines that could not be used.

    Raises:
        SystemExit: they are more than were allowed, or all.
    """
    problems, good = collector.problems, len(collector.lines)
    for problem in problems[:20]:
        print(problem, file=sys.stderr)
    if len(problems) > options.max_skipped:
        raise SystemExit(
            f"{options.data}: {len(problems)} of {good + len(problems)} lines cannot be used; mend them, or leave them "
            f"out with --max-skipped {len(problems)}"
        )
    if not good:
        raise SystemExit(f"{options.data}: none of its {len(problems)} lines can be used")


def warn_of_unknown(unknown: Counter[str], data: Path) -> None:
    """Name the characters that the model cannot write; each of them counts as an error."""
    for character, count in unknown.most_common():
        print(
            f"{data}: {describe_characters(character)}, {count:,} x in the texts, is not in the model's charset; "
            "every one counts as an error",
            file=sys.stderr,
        )


def write(folder: Path, evaluation: "Evaluation", collector: "ScoreCollector") -> None:
    """Write the report.

    Raises:
        SystemExit: the folder cannot be written any more.
    """
    from htr_lightning.evaluation.files import write_evaluation

    try:
        write_evaluation(folder, evaluation, collector)
    except OSError as error:
        raise SystemExit(f"--out {folder}: cannot be written ({error.strerror})") from None
    print(f"{folder / 'report.html'}: written", file=sys.stderr)


if __name__ == "__main__":
    main()
