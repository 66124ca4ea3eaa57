"""``python -m htr_lightning zoo``: what the shipped models are good for."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from htr_lightning.model.info import ModelInfo

SCORES = ("val/cer", "val/wer", "test/cer", "test/wer")


def main(argv: Sequence[str] | None = None) -> None:
    """List the models, or show the card of one.

    Raises:
        SystemExit: there is no such model; 2 for a wrong command line.
    """
    options = parser_of_zoo().parse_args(argv)

    from htr_lightning.model.info import ModelFileError, list_zoo_models, read_info

    try:
        if options.name is None:
            models = list_zoo_models().items()
            print("\n\n".join(described(f"zoo:{name}", path, read_info(path)) for name, path in models))
        else:
            print(card(options.name.removeprefix("zoo:")))
    except ModelFileError as error:
        raise SystemExit(str(error)) from None


def parser_of_zoo() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning zoo",
        description="List the models that ship with this package. `predict`, `evaluate` and stage.start_from take "
        "them as zoo:NAME.",
    )
    parser.add_argument("name", nargs="?", help="show the card of this one: data, licenses, scores, limits")
    return parser


def described(name: str, path: Path, info: "ModelInfo") -> str:
    """Return what is known of a model, a fact a line."""
    characters = "".join(info.charset["characters"])
    scores = ", ".join(f"{key} {100 * info.scores[key]:.1f} %" for key in SCORES if key in info.scores)
    facts = {
        "languages": ", ".join(info.languages),
        "charset": f"{len(characters)} characters: {characters}",
        "network": f"{info.architecture}, {info.preprocess['height_px']} px; {path.stat().st_size / 1e6:.1f} MB",
        "data": info.attribution,
        "license": info.license,
        "scores": scores,
        "commit": info.commit[:12],
    }
    return "\n".join([name, *(f"  {key:<10} {value or 'not known'}" for key, value in facts.items())])


def card(name: str) -> str:
    """Return what the file of a model says of itself, and its card.

    Raises:
        ModelFileError: there is no such model.
    """
    from htr_lightning.model.info import find_zoo_model, read_info

    path = find_zoo_model(name)
    text = path.with_suffix(".md")
    own = described(f"zoo:{name}", path, read_info(path))
    return f"{own}\n\n{text.read_text(encoding='utf-8').strip()}" if text.is_file() else own


if __name__ == "__main__":
    main()
