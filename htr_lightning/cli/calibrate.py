"""``python -m htr_lightning calibrate``: make a model as sure as it is right."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.options import add_device_option

if TYPE_CHECKING:
    from htr_lightning.decode.confidence import ConfidenceOutcomes

MAX_LINES = 2000


def main(argv: Sequence[str] | None = None) -> None:
    """Find the temperature of a model, say what it changes, and write the model with it.

    Raises:
        SystemExit: with a message when model or data cannot be used, or the file not be written.
    """
    parser = parser_of_calibrate()
    options = parser.parse_args(argv)

    from htr_lightning.data.sources.manifest import read_manifest
    from htr_lightning.data.widths import spread_evenly
    from htr_lightning.decode.confidence import MAX_CALIBRATION_LINES, CalibrationBatch, Calibrator
    from htr_lightning.device import DeviceError, select_device
    from htr_lightning.image.files import DataError
    from htr_lightning.model.file import load_model, write_model
    from htr_lightning.model.info import ModelFileError
    from htr_lightning.reading.lines import LineReader

    try:
        model = load_model(options.model, select_device(options.device))
        lines = [line for line in read_manifest(options.data, text_column=options.text_column) if line.text]
    except DeviceError as error:
        parser.error(str(error))
    except (ModelFileError, DataError) as error:
        raise SystemExit(str(error)) from None
    normalize = model.charset.normalize
    sample = [lines[row] for row in spread_evenly(len(lines), MAX_CALIBRATION_LINES)]
    observed = [
        CalibrationBatch(logits, lengths, [normalize(line.text) for line in of_batch])
        for of_batch, logits, lengths in LineReader(model).logits(sample)
    ]
    if not observed:
        raise SystemExit(f"{options.data}: none of its lines can be read")
    calibrator = Calibrator(observed, model.charset)
    temperature = calibrator.fit_temperature()
    for name, value in (("as it is", model.info.temperature), ("calibrated", temperature)):
        print(described(name, value, calibrator.evaluate(value)))
    if options.out is not None:
        try:
            write_model(options.out, model.network.state_dict(), replace(model.info, temperature=temperature))
        except OSError as error:
            raise SystemExit(f"--out {options.out}: cannot be written ({error.strerror or error})") from None
        print(f"{options.out}: written")


def parser_of_calibrate() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning calibrate",
        description="Find the temperature at which a model's confidences are true: of the characters that it is 90 %% "
        "sure of, 90 %% are right. Training ends with it; this does it again for other lines. Use validation lines: "
        "neither those trained on nor those that the model is measured on.",
    )
    parser.add_argument("model", help="a model.safetensors, a checkpoint, a run folder, or zoo:NAME")
    parser.add_argument("--data", type=Path, required=True, help="manifest of images and texts: .tsv, .csv or .jsonl; "
                        f"its first {MAX_LINES} lines are read")  # fmt: skip
    parser.add_argument("--text-column", default="text", help="(default: text)")
    parser.add_argument("--out", type=Path, help="write the model with the new temperature to this file")
    add_device_option(parser)
    return parser


def described(name: str, temperature: float, outcomes: "ConfidenceOutcomes") -> str:
    """Return a sentence on how true confidences are."""
    from htr_lightning.evaluation.reliability import compute_expected_calibration_error

    characters = compute_expected_calibration_error(outcomes.characters, outcomes.correct_characters.tolist())
    lines = compute_expected_calibration_error(outcomes.lines, outcomes.correct_lines.tolist())
    return (
        f"{name}: temperature {temperature:g}; expected calibration error of characters {characters:.1%}, of lines "
        f"{lines:.1%}; {outcomes.correct_characters.mean():.1%} of {len(outcomes.characters)} characters and "
        f"{outcomes.correct_lines.mean():.1%} of {len(outcomes.lines)} lines are right"
    )


if __name__ == "__main__":
    main()
