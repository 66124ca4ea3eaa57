"""``python -m htr_lightning export``: a trained model as one file to keep, to publish or to run elsewhere."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from htr_lightning.model.file import Model
    from htr_lightning.model.onnx_int8 import CalibrationLines


def main(argv: Sequence[str] | None = None) -> None:
    """Write the file.

    Raises:
        SystemExit: the model cannot be read or the file not be written; 2 for a wrong command line.
    """
    parser = parser_of_export()
    options = parser.parse_args(argv)
    form = options.to or ("onnx" if options.out.suffix == ".onnx" else "safetensors")
    if form == "onnx" and options.out.suffix != ".onnx":
        parser.error(f"--out {options.out}: the name of an ONNX file ends in .onnx")
    if form == "safetensors" and options.out.suffix == ".onnx":
        parser.error(f"--out {options.out}: only an ONNX file ends in .onnx; name another file, or write --to onnx")
    if options.half and form == "onnx":
        parser.error("--half: only for --to safetensors; --int8 makes an ONNX file smaller")
    if options.int8 and form == "safetensors":
        parser.error("--int8: only for --to onnx; --half makes a safetensors file smaller")

    from htr_lightning.model.file import load_model
    from htr_lightning.model.info import ModelFileError

    try:
        model = load_model(options.model)
    except ModelFileError as error:
        raise SystemExit(str(error)) from None
    said = {key: getattr(options, key) for key in ("license", "languages", "attribution") if getattr(options, key)}
    model = replace(model, info=replace(model.info, **said))
    try:
        note = write_as_onnx(options, model) if form == "onnx" else write_as_safetensors(options, model)
    except OSError as error:
        raise SystemExit(f"--out {options.out}: cannot be written ({error.strerror or error})") from None
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB{note}")


def write_as_safetensors(options: argparse.Namespace, model: "Model") -> str:
    """Write the weights as they are; there is nothing to note.

    Raises:
        OSError: the file cannot be written.
    """
    from htr_lightning.model.file import write_model

    write_model(options.out, model.network.state_dict(), model.info, half=options.half)
    return ""


def write_as_onnx(options: argparse.Namespace, model: "Model") -> str:
    """Write the network, and return how well the file agrees with it.

    Raises:
        SystemExit: a package is missing, or the file would not agree with the network.
        OSError: a file cannot be written.
    """
    from htr_lightning.model.onnx_export import ExportError, write_onnx

    int8 = calibration_of(model) if options.int8 else None
    try:
        written = write_onnx(options.out, model, int8=int8)
    except ExportError as error:
        raise SystemExit(str(error)) from None
    return f"; its logits differ by {written.max_difference:.1g} at most; {written.json_path} says what is in it"


def calibration_of(model: "Model") -> "CalibrationLines":
    """Return the lines from which 8-bit ranges are taken, drawn when they are asked for."""
    from htr_lightning.data.calibration_lines import render_calibration_lines
    from htr_lightning.model.onnx_int8 import CalibrationLines

    preprocess, step = model.preprocess, model.info.width_step_px
    return CalibrationLines(
        render_calibration_lines(preprocess, step, "train"), render_calibration_lines(preprocess, step, "val")
    )


def parser_of_export() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning export",
        description="Write a model as one file: weights, charset, preprocessing, and what is known of it. An ONNX file "
        "can be read with without PyTorch; beside it stands what it says of itself as JSON, for other programs.",
    )
    parser.add_argument("model", help="a model.safetensors, a checkpoint, a run folder, or zoo:NAME")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--to", choices=("safetensors", "onnx"), help="what to write (default: what the name of "
                        "the file ends in, else safetensors)")  # fmt: skip
    parser.add_argument("--int8", action="store_true", help="onnx: weights in 8 bits, convolutions computed in them: "
                        "a quarter of the size, four tenths faster; two lines in five are read a little "
                        "otherwise")  # fmt: skip
    parser.add_argument("--half", action="store_true", help="safetensors: weights in 16 bits: half the size; "
                        "networks compute in 32 bits all the same")  # fmt: skip
    parser.add_argument("--license", help="of the weights, such as CC-BY-4.0")
    parser.add_argument("--languages", nargs="+", metavar="CODE", help="what it reads, such as fr en")
    parser.add_argument("--attribution", help="whom the data is owed to, and on what terms")
    return parser


if __name__ == "__main__":
    main()
