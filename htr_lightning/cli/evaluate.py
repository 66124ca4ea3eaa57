"""``python -m htr_lightning evaluate``: evaluate a model on lines with known transcriptions."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import exit_with_message, print_result
from htr_lightning.cli.options import (
    MANIFEST,
    add_decoder_options,
    add_device_option,
    add_model_argument,
    add_overwrite_option,
    add_precision_option,
    add_tta_option,
    build_decoder,
    list_inputs,
)
from htr_lightning.cli.runtime_option import add_runtime_option, load_recognizer
from htr_lightning.errors import InputError
from htr_lightning.files import check_writable, format_json, report_write_errors
from htr_lightning.report.outputs import check_outputs
from htr_lightning.text import describe_characters

if TYPE_CHECKING:
    from htr_lightning.data.line import Line
    from htr_lightning.evaluation.collector import ScoreCollector
    from htr_lightning.model.load import Recognizer

_MAX_PRINTED_PROBLEMS = 20


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Recognize the lines of a manifest, and print the scores.

    Raises:
        SystemExit: model or data cannot be used; 2 for a wrong command line.
    """
    parser = build_parser()
    options = parser.parse_args(argv)
    if options.out is not None:
        check_writable(options.out, "--out")

    from htr_lightning.data.line import list_image_files
    from htr_lightning.data.sources.manifest import read_manifest
    from htr_lightning.evaluation.files import list_outputs, write_evaluation
    from htr_lightning.evaluation.result import build_evaluation

    outputs = [] if options.out is None else list_outputs(options.out)
    check_outputs(outputs, list_inputs(options), overwrite=options.overwrite)
    lines = read_manifest(
        options.data,
        image_column=options.image_column,
        text_column=options.text_column,
        group_column=options.group_column,
    )
    if not lines:
        raise InputError("there is no line to evaluate", file=options.data)
    check_outputs(outputs, list_image_files(lines), overwrite=options.overwrite)
    model = load_recognizer(options)
    collector = recognize_lines(lines, model, options)
    refuse_unusable(collector, options)
    changed = get_changed_options(options, parser)
    evaluation = build_evaluation(collector, str(options.model), str(options.data), changed)
    warn_about_unknown(evaluation.unknown_characters, options.data)
    if evaluation.missing_intervals:
        print(f"{options.data}: {evaluation.missing_intervals}", file=sys.stderr)
    if options.out is not None:
        with report_write_errors(options.out, "--out"):
            write_evaluation(options.out, evaluation, collector)
        print(f"{options.out / 'report.html'}: written", file=sys.stderr)
    print_result(format_json(evaluation.summarize(), indent=2))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning evaluate",
        description="Evaluate a model: CER, WER (split at spaces, and with punctuation as tokens), line accuracy, and "
        "precision, recall and F1 of characters, as fractions (0.05 is 5 %), with 95 % confidence intervals "
        "(bootstrap over writers or pages). --out adds an HTML report.",
    )
    add_model_argument(parser)
    parser.add_argument("--data", type=Path, required=True, metavar="MANIFEST", help=MANIFEST)
    parser.add_argument(
        "--image-column",
        default="image",
        metavar="NAME",
        help="column of the manifest with the image files (default: image)",
    )
    parser.add_argument(
        "--text-column", default="text", metavar="NAME", help="column with the transcriptions (default: text)"
    )
    parser.add_argument(
        "--group-column",
        metavar="NAME",
        help="column with the writer or page, over which the intervals "
        "are bootstrapped (default: group, writer, page or font, whichever exists)",
    )
    parser.add_argument(
        "--max-skipped", type=int, default=0, metavar="N", help="maximum number of unusable lines to skip (default: 0)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for report.html (scores, confusions, worst "
        "lines, confidences), result.json, lines.tsv and confusions.png",
    )
    add_overwrite_option(parser)
    add_device_option(parser)
    add_precision_option(parser)
    add_runtime_option(parser, "torch")
    add_tta_option(parser)
    add_decoder_options(parser)
    return parser


def get_changed_options(options: argparse.Namespace, parser: argparse.ArgumentParser) -> dict[str, str | float | bool]:
    """Return the options of recognition that differ from their defaults, for the report."""
    columns = {"image_column", "text_column", "group_column"}
    others = {"model", "data", "max_skipped", "out", "overwrite", "device"} | columns
    chosen = {name: value for name, value in vars(options).items() if value != parser.get_default(name)}
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in chosen.items() if name not in others
    }


def recognize_lines(lines: "Sequence[Line]", model: "Recognizer", options: argparse.Namespace) -> "ScoreCollector":
    """Recognize and score every line; characters are located only for a report."""
    from htr_lightning.evaluation.collector import ScoreCollector
    from htr_lightning.image.views import get_views
    from htr_lightning.progress import show_progress
    from htr_lightning.reading.lines import LineReader

    decoder = build_decoder(options, model.charset, model.info)
    reader = LineReader(model, decoder=decoder, positions=options.out is not None, views=get_views(options.tta))
    collector = ScoreCollector(model.charset)
    predictions = show_progress(([prediction] for prediction in reader.read(lines)), len(lines), "Recognizing")
    for line, (prediction,) in zip(lines, predictions, strict=True):
        collector.add(line, prediction)
    return collector


def refuse_unusable(collector: "ScoreCollector", options: argparse.Namespace) -> None:
    """Print the lines that could not be used.

    Raises:
        InputError: they are more than ``--max-skipped``, or all.
    """
    problems, num_usable = collector.problems, len(collector.lines)
    for problem in problems[:_MAX_PRINTED_PROBLEMS]:
        print(problem, file=sys.stderr)
    if len(problems) > options.max_skipped:
        raise InputError(
            f"{len(problems)} of {num_usable + len(problems)} lines cannot be used",
            file=options.data,
            remedy=f"correct them, or skip them with --max-skipped {len(problems)}",
        )
    if not num_usable:
        raise InputError(f"none of its {len(problems)} lines can be used", file=options.data)


def warn_about_unknown(unknown: Counter[str], data: Path) -> None:
    """Print the characters that the charset of the model lacks."""
    for character, count in unknown.most_common():
        print(
            f"{data}: {describe_characters(character)}, {count:,} x in the transcriptions, is not in the model's "
            "charset; each counts as an error",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
