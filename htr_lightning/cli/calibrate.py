"""``python -m htr_lightning calibrate``: calibrate the confidences of a model."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import exit_with_message, print_result
from htr_lightning.cli.options import MANIFEST, add_device_option, add_model_argument, add_overwrite_option, list_inputs
from htr_lightning.errors import InputError
from htr_lightning.files import check_writable, report_write_errors
from htr_lightning.report.outputs import MODEL, Output, check_outputs

if TYPE_CHECKING:
    from htr_lightning.decode.confidence import ConfidenceOutcomes


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Fit the temperature of a model, print its calibration errors before and after, and write the model with it.

    Raises:
        SystemExit: model or data cannot be used, or the file cannot be written.
    """
    options = build_parser().parse_args(argv)
    if options.out is not None:
        check_writable(options.out, "--out", is_file=True)
        check_outputs([Output(options.out, MODEL)], list_inputs(options), overwrite=options.overwrite)

    from htr_lightning.data.line import list_image_files
    from htr_lightning.data.sources.manifest import read_manifest
    from htr_lightning.data.widths import spread_evenly
    from htr_lightning.decode.confidence import MAX_CALIBRATION_LINES, CalibrationBatch, Calibrator
    from htr_lightning.device import select_device
    from htr_lightning.model.file import load_model, write_model
    from htr_lightning.reading.lines import LineReader

    lines = [line for line in read_manifest(options.data, text_column=options.text_column) if line.text]
    if options.out is not None:
        check_outputs([Output(options.out, MODEL)], list_image_files(lines), overwrite=options.overwrite)
    model = load_model(options.model, select_device(options.device), options.trust)
    sample = [lines[row] for row in spread_evenly(len(lines), MAX_CALIBRATION_LINES)]
    batches = [
        CalibrationBatch(logits, frame_lengths, [model.charset.normalize(line.text) for line in batch])
        for batch, logits, frame_lengths in LineReader(model).logits(sample)
    ]
    if not batches:
        remedy = "check its images and transcriptions"
        raise InputError("it has no usable lines", file=options.data, remedy=remedy)
    calibrator = Calibrator(batches, model.charset)
    temperature = calibrator.fit_temperature()
    for name, value in (("before", model.info.temperature), ("after", temperature)):
        print_result(f"{name}: temperature {value:g}; {describe_outcomes(calibrator.evaluate(value))}")
    if options.out is not None:
        with report_write_errors(options.out, "--out", is_file=True):
            write_model(options.out, model.network.state_dict(), replace(model.info, temperature=temperature))
        print_result(f"{options.out}: written")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning calibrate",
        description="Calibrate the confidences of a model by temperature scaling: of the characters with a confidence "
        "of 90 %, 90 % are then correct. Training ends with it; repeat it for other lines. Use validation lines, "
        "neither training nor test lines.",
    )
    add_model_argument(parser, onnx=False)
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="MANIFEST",
        help=f"{MANIFEST}; up to 2,000 of its lines are used",
    )
    parser.add_argument("--text-column", default="text", metavar="NAME", help="column of the manifest (default: text)")
    parser.add_argument("--out", type=Path, metavar="MODEL", help="write the calibrated model to this file")
    add_overwrite_option(parser)
    add_device_option(parser)
    return parser


def describe_outcomes(outcomes: "ConfidenceOutcomes") -> str:
    """Return the calibration errors and the accuracies in a sentence."""
    from htr_lightning.evaluation.reliability import compute_expected_calibration_error

    characters = compute_expected_calibration_error(outcomes.characters, outcomes.correct_characters.tolist())
    lines = compute_expected_calibration_error(outcomes.lines, outcomes.correct_lines.tolist())
    return (
        f"expected calibration error {characters:.1%} of characters, {lines:.1%} of lines; "
        f"correct: {outcomes.correct_characters.mean():.1%} of {len(outcomes.characters)} characters, "
        f"{outcomes.correct_lines.mean():.1%} of {len(outcomes.lines)} lines"
    )


if __name__ == "__main__":
    main()
