"""``python -m htr_lightning zoo``: list the models that ship with the package."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import exit_with_message

if TYPE_CHECKING:
    from htr_lightning.model.info import ModelInfo

SCORES = ("val/cer", "val/wer", "test/cer", "test/wer")


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """List the models, or show the card of one.

    Raises:
        SystemExit: there is no such model; 2 for a wrong command line.
    """
    options = build_parser().parse_args(argv)

    from htr_lightning.lm.zoo import list_language_models
    from htr_lightning.model.info import list_zoo_models, read_info

    if options.name is None:
        models = list_zoo_models().items()
        print("\n\n".join(describe_model(f"zoo:{name}", path, read_info(path)) for name, path in models))
        print("\nlanguage models, for --lm (zoo lm shows their card)")
        for name, path in list_language_models().items():
            print(f"  zoo:{name:<6} {path.stat().st_size / 1e6:.1f} MB")
    else:
        print(render_card(options.name.removeprefix("zoo:")))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning zoo",
        description="List the models that ship with this package. The commands and stage.start_from take them as "
        "zoo:NAME.",
    )
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="show the card of this model, or of the language models (lm)"
    )
    return parser


def describe_model(name: str, path: Path, info: "ModelInfo") -> str:
    """Return the metadata of a model, one fact per line."""
    characters, network = "".join(info.charset["characters"]), info.architecture.rpartition(".")[2]
    scores = ", ".join(f"{key} {100 * info.scores[key]:.1f} %" for key in SCORES if key in info.scores)
    facts = {
        "languages": ", ".join(info.languages),
        "charset": f"{len(characters)} characters: {characters}",
        "network": f"{network}, {info.preprocess['height_px']} px; {path.stat().st_size / 1e6:.1f} MB",
        "data": info.attribution,
        "license": info.license,
        "scores": scores,
        "commit": info.commit[:12],
    }
    return "\n".join([name, *(f"  {key:<10} {value or 'unknown'}" for key, value in facts.items())])


def render_card(name: str) -> str:
    """Return the metadata of a model, and its card.

    Raises:
        ModelFileError: there is no such model.
    """
    from htr_lightning.lm.zoo import LANGUAGE_MODEL_CARD, list_language_models
    from htr_lightning.model.info import find_zoo_model, read_info

    if name == "lm" or name in list_language_models():
        return LANGUAGE_MODEL_CARD.read_text(encoding="utf-8").strip()
    path = find_zoo_model(name)
    card = path.with_suffix(".md")
    metadata = describe_model(f"zoo:{name}", path, read_info(path))
    return f"{metadata}\n\n{card.read_text(encoding='utf-8').strip()}" if card.is_file() else metadata


if __name__ == "__main__":
    main()
