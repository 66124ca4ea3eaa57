"""``python -m htr_lightning tune-lm``: find the best weight of a language model."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import exit_with_message, print_result
from htr_lightning.cli.options import (
    MANIFEST,
    add_device_option,
    add_lm_option,
    add_model_argument,
    add_overwrite_option,
    list_inputs,
    name_decoder_options,
    positive_int,
)
from htr_lightning.errors import InputError
from htr_lightning.files import check_writable, report_write_errors, write_json
from htr_lightning.report.outputs import Output, check_outputs, json_kind

if TYPE_CHECKING:
    from htr_lightning.evaluation.lm_weights import WeightScore


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Decode lines with a grid of weights, and print the best.

    Raises:
        SystemExit: model, language model or data cannot be used.
    """
    options = build_parser().parse_args(argv)
    if options.out is not None:
        check_writable(options.out, "--out", is_file=True)
    outputs = [] if options.out is None else [Output(options.out, json_kind("greedy"))]
    check_outputs(outputs, list_inputs(options), overwrite=options.overwrite)

    from htr_lightning.data.line import list_image_files
    from htr_lightning.data.sources.manifest import read_manifest
    from htr_lightning.evaluation.lm_weights import search_lm_weights
    from htr_lightning.model.load import load_recognizer
    from htr_lightning.progress import show_progress

    lines = [line for line in read_manifest(options.data, text_column=options.text_column) if line.text]
    check_outputs(outputs, list_image_files(lines), overwrite=options.overwrite)
    model = load_recognizer(options.model, options.device, trust=options.trust)
    with name_decoder_options(options):
        search = search_lm_weights(model, lines, options.lm, beam_width=options.beam_width, progress=show_progress)
    if search is None:
        remedy = "check its images and transcriptions"
        raise InputError("it has no usable lines", file=options.data, remedy=remedy)
    best = search.best
    if options.out is not None:
        tried = [asdict(score) for score in search.tried]
        with report_write_errors(options.out, "--out", is_file=True):
            write_json(options.out, {"greedy": search.greedy, "best": asdict(best), "tried": tried})
    print_result(render_table(search.tried))
    print_result(f"greedy: {search.greedy:.2%}; best: {best.cer:.2%} with")
    print_result(f"  --lm {options.lm} --lm-weight {best.lm_weight:g} --insertion-bonus {best.insertion_bonus:g}")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning tune-lm",
        description="Find the weight of a language model and the insertion bonus with the lowest character error rate, "
        "by grid search. Use validation lines, neither training nor test lines.",
    )
    add_model_argument(parser)
    add_lm_option(parser, required=True)
    parser.add_argument("--data", type=Path, required=True, metavar="MANIFEST", help=MANIFEST)
    parser.add_argument("--text-column", default="text", metavar="NAME", help="column of the manifest (default: text)")
    parser.add_argument(
        "--beam-width",
        type=positive_int,
        default=16,
        metavar="N",
        help="hypotheses kept at each frame of the beam search (default: 16)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="JSON", help="also write the character error rate of each combination to this file"
    )
    add_overwrite_option(parser)
    add_device_option(parser)
    return parser


def render_table(scores: "Sequence[WeightScore]") -> str:
    """Render the CER of a grid of weights as a table of text."""
    cells = {(score.lm_weight, score.insertion_bonus): score.cer for score in scores}
    weights, bonuses = (sorted(set(values)) for values in zip(*cells, strict=True))
    rows = ["CER in %        " + "".join(f"bonus {bonus:<6g}" for bonus in bonuses)]
    rows += [f"lm weight {w:<6g}" + "".join(f"{100 * cells[w, b]:<12.2f}" for b in bonuses) for w in weights]
    return "\n".join(rows)


if __name__ == "__main__":
    main()
