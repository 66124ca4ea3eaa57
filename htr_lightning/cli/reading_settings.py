"""The settings that the results of ``predict`` and ``segment`` depend on, for the journal of their folder."""

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

from htr_lightning.cli.runtime_option import choose_runtime

_OPTIONS = (
    *("lm", "lm_weight", "insertion_bonus", "lexicon", "unknown_word_cost", "beam_width", "tta", "precision"),
    *("finder", "segmenter", "min_line_confidence", "direction", "ignore_layouts", "layouts", "split_pages"),
)
_DIGEST_LENGTH = 12


def describe_settings(options: argparse.Namespace, parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return the options that the results depend on, as far as they are not the defaults, and the model.

    Files of models and lexicons are followed by a digest of their content, so that one that was trained again counts as
    another.

    Args:
        options: of the command line.
        parser: that parsed them.
    """
    from htr_lightning.model.info import find_model

    settings = {}
    if hasattr(options, "model"):
        path = find_model(options.model)
        settings["model"] = _describe_file(str(options.model), path)
        runtime = choose_runtime(options)
        if runtime != "torch" and path.suffix != ".onnx":  # confidences differ in their last digits, 8 bits in more
            settings["--runtime"] = runtime
    for name in _OPTIONS:
        value = getattr(options, name, None)
        if (value == parser.get_default(name) and name != "finder") or not hasattr(options, name):
            continue
        key = f"--{name.replace('_', '-')}"
        settings[key] = " ".join(_describe_value(name, value))
    return settings


def _describe_value(name: str, value: object) -> Iterator[str]:
    from htr_lightning.model.info import find_model

    if name == "finder" and value != "classical":
        yield _describe_file(str(value), find_model(str(value), is_finder=True))
    elif name in ("lexicon", "lm") and Path(str(value)).is_file():
        yield _describe_file(str(value), Path(str(value)))
    elif isinstance(value, list):
        yield from map(str, value)
    else:
        yield str(value)


def _describe_file(name: str, path: Path) -> str:
    from htr_lightning.model.info import check_exists

    check_exists(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:_DIGEST_LENGTH]
    return f"{name} ({digest})"
