"""``python -m htr_lightning export``: write a trained model as one file to keep, to publish or to run elsewhere."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import UsageError, exit_with_message, print_result
from htr_lightning.cli.options import (
    AUTO,
    NO_LM,
    add_model_argument,
    add_overwrite_option,
    list_inputs,
    name_decoder_options,
)
from htr_lightning.files import check_writable, report_write_errors
from htr_lightning.report.outputs import MODEL, ONNX, Output, check_outputs, json_kind

if TYPE_CHECKING:
    from htr_lightning.model.file import Model
    from htr_lightning.model.info import ModelInfo


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Write the file.

    Raises:
        SystemExit: the model cannot be read, or the file cannot be written; 2 for a wrong command line.
    """
    options = build_parser().parse_args(argv)
    is_onnx = decide_format(options) == "onnx"
    is_finder = is_line_finder(options.model)
    check_writable(options.out, "--out", is_file=True)
    outputs = [Output(options.out, ONNX if is_onnx else MODEL)]
    if is_onnx and not is_finder:
        outputs.append(Output(options.out.with_suffix(".json"), json_kind("architecture")))
    check_outputs(outputs, list_inputs(options), overwrite=options.overwrite)

    if is_finder:
        note = export_finder(options, is_onnx=is_onnx)
        print_result(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB{note}")
        return

    from htr_lightning.model.file import load_model, write_model

    model = load_model(options.model, trust=options.trust)
    model = replace(model, info=describe(options, model.info))
    note = ""
    with report_write_errors(options.out, "--out", is_file=True):
        if is_onnx:
            note = write_as_onnx(options, model)
        else:
            write_model(options.out, model.network.state_dict(), model.info, half=options.half)
    print_result(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB{note}")


def describe(options: argparse.Namespace, info: "ModelInfo") -> "ModelInfo":
    """Return the metadata with what the options say.

    Raises:
        UsageError: no language model ships for the languages of the model.
    """
    metadata = {key: getattr(options, key) for key in ("license", "languages", "attribution") if getattr(options, key)}
    info = replace(info, **metadata)
    if options.lm is None:
        return info
    if options.lm == AUTO:
        from htr_lightning.lm.zoo import find_language_models

        with name_decoder_options(options):
            find_language_models(options.lm, info.languages)
    return replace(info, lm="" if options.lm == NO_LM else options.lm)


def is_line_finder(source: str) -> bool:
    """Return whether a model is a line finder; False also if it cannot be read."""
    from htr_lightning.model.info import ModelFileError, find_model, list_finders

    if source.startswith("zoo:"):
        return source.removeprefix("zoo:") in list_finders()

    from htr_lightning.model.finder_file import is_finder_file

    try:
        return is_finder_file(find_model(source))
    except ModelFileError:
        return False


def export_finder(options: argparse.Namespace, *, is_onnx: bool) -> str:
    """Write a line finder, and return a remark on the file.

    Raises:
        UsageError: an option is only for recognizers.
        ModelFileError: the line finder cannot be read, or exported.
    """
    from htr_lightning.model.finder_file import read_finder, write_finder
    from htr_lightning.model.info import find_model

    for name in ("int8", "languages", "lm"):
        if getattr(options, name):
            raise UsageError(f"--{name}: only for recognizers, and this is a line finder", remedy="leave it out")
    finder = read_finder(find_model(options.model, is_finder=True))
    metadata = {key: getattr(options, key) for key in ("license", "attribution") if getattr(options, key)}
    finder = replace(finder, info=replace(finder.info, **metadata))
    with report_write_errors(options.out, "--out", is_file=True):
        if is_onnx:
            from htr_lightning.model.finder_export import write_onnx_finder

            write_onnx_finder(options.out, finder)
            return "; a line finder, for --finder"
        write_finder(options.out, finder.network.state_dict(), finder.info, half=options.half)
    return "; a line finder, for --finder and stage.start_from"


def decide_format(options: argparse.Namespace) -> str:
    """Return the format to write.

    Raises:
        UsageError: the name of the file or an option does not go with it.
    """
    is_onnx_name = options.out.suffix == ".onnx"
    form: str = options.format or ("onnx" if is_onnx_name else "safetensors")
    if form == "onnx" and not is_onnx_name:
        raise UsageError("the name of an ONNX file must end in .onnx", key="--out", value=options.out)
    if form == "safetensors" and is_onnx_name:
        remedy = "choose another name, or --format onnx"
        problem = "the name of a safetensors file cannot end in .onnx"
        raise UsageError(problem, key="--out", value=options.out, remedy=remedy)
    if options.half and form == "onnx":
        raise UsageError("--half: only for safetensors files; use --int8 for a smaller ONNX file")
    if options.int8 and form == "safetensors":
        raise UsageError("--int8: only for ONNX files; use --half for a smaller safetensors file")
    return form


def write_as_onnx(options: argparse.Namespace, model: "Model") -> str:
    """Write an ONNX file, and return how well it agrees with the model.

    Raises:
        ExportError: a package is missing, or the file would not agree with the model.
        OSError: a file cannot be written.
    """
    from htr_lightning.model.onnx_export import write_onnx
    from htr_lightning.reading.quantization import get_calibration_lines

    written = write_onnx(options.out, model, int8=get_calibration_lines(model) if options.int8 else None)
    difference = f"its logits differ from PyTorch's by at most {written.max_difference:.1g}"
    return f"; {difference}; metadata also in {written.json_path}"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning export",
        description="Write a model as one file: weights, charset, preprocessing and metadata. ONNX files run without "
        "PyTorch; a JSON file beside them repeats the metadata for other programs (not for line finders).",
    )
    add_model_argument(parser, onnx=False)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    add_overwrite_option(parser)
    parser.add_argument(
        "--format",
        choices=("safetensors", "onnx"),
        help="format to write (default: onnx if FILE ends in .onnx, else safetensors)",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="onnx: quantize to 8 bits: a quarter of the size, 40 %% "
        "faster; the text of about 40 %% of the lines changes slightly",
    )
    parser.add_argument(
        "--half",
        action="store_true",
        help="safetensors: store the weights in 16 bits: half the size; computation stays in 32 bits",
    )
    parser.add_argument("--license", metavar="SPDX", help="license of the weights, such as CC-BY-4.0")
    parser.add_argument("--languages", nargs="+", metavar="CODE", help="languages that the model reads, such as fr en")
    parser.add_argument(
        "--lm",
        choices=(AUTO, NO_LM),
        help="how predict and evaluate decode with this model unless they are told otherwise: auto for the language "
        "models of its languages that ship, none for greedy decoding (default: as before)",
    )
    parser.add_argument("--attribution", metavar="TEXT", help="sources of the training data, and their licenses")
    return parser


if __name__ == "__main__":
    main()
