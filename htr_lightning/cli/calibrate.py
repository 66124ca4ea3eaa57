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
from htr_lightning.text import format_count

if TYPE_CHECKING:
    from htr_lightning.data.line import Line
    from htr_lightning.decode.confidence import ConfidenceOutcomes
    from htr_lightning.model.file import Model


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
    info = replace(model.info, temperature=temperature)
    if options.int8:
        info = replace(info, int8=compare_bits(load_model(options.model, "cpu", options.trust), sample))
    if options.out is not None:
        with report_write_errors(options.out, "--out", is_file=True):
            write_model(options.out, model.network.state_dict(), info)
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
    parser.add_argument(
        "--int8",
        action="store_true",
        help="also read the lines in 8 bits: if their CER is at most 0.1 points higher than in 32 bits, the model that "
        "is written says so, and predict reads with it in 8 bits on CPUs (needs htr-lightning[export-onnx])",
    )
    parser.add_argument("--out", type=Path, metavar="MODEL", help="write the calibrated model to this file")
    add_overwrite_option(parser)
    add_device_option(parser)
    return parser


def compare_bits(model: "Model", lines: "Sequence[Line]") -> bool:
    """Read lines in 32 and in 8 bits, print both CERs, and return whether 8 bits read as well.

    Args:
        model: on the CPU.
        lines: with their texts.

    Raises:
        ExportError: the model cannot be exported to ONNX, or the packages for it are not installed.
    """
    from htr_lightning.reading.quantization import compare_int8, export_for_comparison

    compared = compare_int8(*export_for_comparison(model), lines)
    verdict = "predict reads in 8 bits on CPUs" if compared.is_equal else "too much: predict reads in 32 bits"
    print_result(
        f"CER of {format_count(compared.num_lines, 'line')}: {compared.float32:.2%} in 32 bits, {compared.int8:.2%} in "
        f"8 bits, {format_count(compared.num_changed, 'line')} read otherwise; {verdict}"
    )
    return compared.is_equal


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
