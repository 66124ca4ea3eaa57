"""``python -m htr_lightning tune``: find how much a language model should count."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.options import add_device_option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from htr_lightning.decode.beam import BeamSearch
    from htr_lightning.decode.decoder import Decoder
    from htr_lightning.model.load import Recognizer

WEIGHTS = (0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
BONUSES = (0.0, 0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Scored:
    """A batch of lines as the network saw them.

    Attributes:
        logits: ``(N, T, K)``.
        lengths: ``(N,)`` frames.
        texts: what they say.
    """

    logits: "NDArray[np.float32]"
    lengths: "NDArray[np.int64]"
    texts: list[str]


def main(argv: Sequence[str] | None = None) -> None:
    """Read the lines once with the network, then many times with the decoder; print the best weights.

    Raises:
        SystemExit: with a message when model, language model or data cannot be used.
    """
    parser = parser_of_tune()
    options = parser.parse_args(argv)

    from htr_lightning.data.sources.manifest import read_manifest
    from htr_lightning.decode.beam import BeamSearch
    from htr_lightning.decode.decoder import load_language_model
    from htr_lightning.decode.greedy import greedy_decode
    from htr_lightning.device import DeviceError
    from htr_lightning.image.files import DataError
    from htr_lightning.lm.ngram import LanguageModelError
    from htr_lightning.model.info import ModelFileError
    from htr_lightning.model.load import load_recognizer
    from htr_lightning.progress import show_progress
    from htr_lightning.reading.lines import LineReader

    try:
        model = load_recognizer(options.model, options.device)
        lines = [line for line in read_manifest(options.data, text_column=options.text_column) if line.text]
        search = BeamSearch(beam_width=options.beam, lm=load_language_model(options.lm, model.charset))
    except DeviceError as error:
        parser.error(str(error))
    except (ModelFileError, DataError, LanguageModelError, ValueError) as error:
        raise SystemExit(str(error)) from None
    batches = [
        Scored(logits, lengths, [line.text for line in of_batch])
        for of_batch, logits, lengths in LineReader(model).logits(lines)
    ]
    if not batches:
        raise SystemExit(f"{options.data}: none of its lines can be read")
    greedy = cer(model, batches, greedy_decode)
    tried = [replace(search, lm_weight=w, insertion_bonus=b) for w in WEIGHTS for b in BONUSES]
    found = [(cer(model, batches, s.decode), s) for (s,) in show_progress(([s] for s in tried), len(tried), "Trying")]
    best, chosen = min(found, key=lambda item: item[0])
    print(table(found))
    print(f"greedy: {greedy:.2%}; best: {best:.2%} with")
    print(f"  --lm {options.lm} --lm-weight {chosen.lm_weight:g} --insertion-bonus {chosen.insertion_bonus:g}")
    if options.out is not None:
        from htr_lightning.files import write_json

        rows = [{"lm_weight": s.lm_weight, "insertion_bonus": s.insertion_bonus, "cer": value} for value, s in found]
        write_json(options.out, {"greedy": greedy, "best": min(rows, key=lambda row: row["cer"]), "tried": rows})


def parser_of_tune() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning tune",
        description="Find the weight of a language model, and the bonus for each character, that read lines best. "
        "Use validation lines: neither those trained on nor those that the model is measured on.",
    )
    parser.add_argument("model", help="a model.safetensors, a model.onnx, a checkpoint, a run folder, or zoo:NAME")
    parser.add_argument("--lm", type=Path, required=True, metavar="FILE", help="ARPA file of characters")
    parser.add_argument("--data", type=Path, required=True, help="manifest of images and texts: .tsv, .csv or .jsonl")
    parser.add_argument("--text-column", default="text", help="(default: text)")
    parser.add_argument("--beam", type=int, default=16, metavar="WIDTH", help="texts kept in view (default: 16)")
    parser.add_argument("--out", type=Path, help="write all that was tried to this JSON file")
    add_device_option(parser)
    return parser


def cer(model: "Recognizer", batches: Sequence[Scored], decoder: "Decoder") -> float:
    """Return the CER of lines read with a decoder."""
    from htr_lightning.metrics import edit_distance

    edits = characters = 0
    for batch in batches:
        for ids, text in zip(decoder(batch.logits, batch.lengths), batch.texts, strict=True):
            reference = model.charset.normalize(text)
            edits += edit_distance(reference, model.charset.decode(ids).strip())
            characters += len(reference)
    return edits / characters


def table(found: Sequence[tuple[float, "BeamSearch"]]) -> str:
    """Return the CER of all weights, as rows of text."""
    cells = {(s.lm_weight, s.insertion_bonus): value for value, s in found}
    rows = ["CER in %        " + "".join(f"bonus {bonus:<6g}" for bonus in BONUSES)]
    rows += [f"lm weight {w:<6g}" + "".join(f"{100 * cells[w, b]:<12.2f}" for b in BONUSES) for w in WEIGHTS]
    return "\n".join(rows)


if __name__ == "__main__":
    main()
