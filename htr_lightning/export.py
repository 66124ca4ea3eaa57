"""``python -m htr_lightning export``: a trained model as one file to keep, to publish or to run elsewhere."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> None:
    """Write the file.

    Raises:
        SystemExit: the model cannot be read or the file not be written; 2 for a wrong command line.
    """
    options = parser_of_export().parse_args(argv)

    from htr_lightning.checkpoint import ModelFileError, load_model, write_model

    try:
        model = load_model(options.model)
    except ModelFileError as error:
        raise SystemExit(str(error)) from None
    said = {key: getattr(options, key) for key in ("licence", "languages", "attribution") if getattr(options, key)}
    try:
        write_model(options.out, model.network.state_dict(), replace(model.info, **said), half=options.half)
    except OSError as error:
        raise SystemExit(f"--out {options.out}: cannot be written ({error.strerror or error})") from None
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB")


def parser_of_export() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning export",
        description="Write a model as one safetensors file: weights, charset, preprocessing, and what is known of it.",
    )
    parser.add_argument("model", help="a model.safetensors, a checkpoint, a run folder, or zoo:NAME")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--half", action="store_true", help="weights in 16 bits: half the size; networks compute in "
                        "32 bits all the same")  # fmt: skip
    parser.add_argument("--licence", help="of the weights, such as CC-BY-4.0")
    parser.add_argument("--languages", nargs="+", metavar="CODE", help="what it reads, such as fr en")
    parser.add_argument("--attribution", help="whom the data is owed to, and on what terms")
    return parser


if __name__ == "__main__":
    main()
