"""Options of the commands that find the lines of pages."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from htr_lightning.cli.console import UsageError
from htr_lightning.cli.options import check_probability

if TYPE_CHECKING:
    from htr_lightning.segmentation.finder import LineFinderSegmenter
    from htr_lightning.segmentation.segmenter import Segmenter


def add_finder_options(group: Any) -> None:
    """Add the options to a group of a parser."""
    group.add_argument(
        "--finder",
        default="zoo:finder",
        metavar="FINDER",
        help="what finds the lines: zoo:finder; a model that task=find_lines trained, its run folder or its ONNX file; "
        "or classical, which needs no network (default: %(default)s)",
    )
    group.add_argument(
        "--min-line-confidence",
        type=float,
        default=0.0,
        metavar="P",
        help="leave out lines of which the finder is less certain, 0 to 1 (default: %(default)s)",
    )
    group.add_argument(
        "--direction",
        choices=("auto", "ltr", "rtl", "ttb", "ttb-lr"),
        default="auto",
        help="of writing, for the order of regions, columns and halves of pages; ttb finds vertical lines, the first "
        "at the right, ttb-lr at the left; auto is the model's (if that reads Chinese or Japanese, each page tells "
        "whether its lines are vertical), and ltr for segment (default: %(default)s)",
    )
    group.add_argument(
        "--segmenter",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings of --finder classical: columns=false (do not split columns), min_height_px=12 (ignore "
        "smaller writing), working_px=4000000 (pixels that a page is scaled down to)",
    )


def load_line_finder(options: argparse.Namespace) -> "Segmenter | LineFinderSegmenter":
    """Load the line finder that the options name, for lines from left to right.

    Raises:
        UsageError: an option is out of its range, or does not go with the others.
        ModelFileError: the line finder cannot be used.
    """
    from htr_lightning.reading.segmenters import CLASSICAL, load_undirected

    is_classical = options.finder == CLASSICAL
    if options.segmenter and not is_classical:
        remedy = "add --finder classical, or leave them out"
        key, value = "--segmenter", " ".join(options.segmenter)
        raise UsageError(f"{options.finder} has no such settings", key=key, value=value, remedy=remedy)
    confidence = options.min_line_confidence
    check_probability("--min-line-confidence", confidence)
    if confidence and is_classical:
        remedy = "leave it out, or use another --finder"
        problem = "--finder classical knows no confidence of lines"
        raise UsageError(problem, key="--min-line-confidence", value=confidence, remedy=remedy)
    return parse_segmenter(options.segmenter) if is_classical else load_undirected(options.finder, confidence)


def parse_segmenter(settings: Sequence[str]) -> "Segmenter":
    """Build a classical segmenter from ``KEY=VALUE`` settings.

    Raises:
        UsageError: there is no such key, or the value does not fit it.
    """
    from htr_lightning.errors import InputError
    from htr_lightning.segmentation.segmenter import Segmenter

    settings_of = [field for field in fields(Segmenter) if field.name != "direction"]  # --direction
    types: dict[str, Callable[[str], Any]] = {field.name: type(field.default) for field in settings_of}
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or key not in types:
            choices = ", ".join(f"{name}=..." for name in types)
            raise UsageError("no such setting", key="--segmenter", value=setting, remedy=f"choose from {choices}")
        try:
            values[key] = {"true": True, "false": False}[value.lower()] if types[key] is bool else types[key](value)
        except (KeyError, ValueError):
            remedy = "write true or false" if types[key] is bool else "write a number"
            raise UsageError(
                f"{value!r} is not a value of {key}", key="--segmenter", value=setting, remedy=remedy
            ) from None
    try:
        return Segmenter(**values)
    except InputError as error:
        raise UsageError(str(error)) from None
