"""Predictions of lines as text: plain, as a table, or as JSON with the position of every character."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from htr_lightning.decode.positions import Character, Word, bounding_box
from htr_lightning.files import format_json
from htr_lightning.reading.lines import Prediction

FORMATS = ("txt", "tsv", "json")


def format_predictions(predictions: Sequence[Prediction], format_name: str) -> str:
    """Return predictions in one of `FORMATS`."""
    if format_name == "json":
        return format_json([_to_json(prediction) for prediction in predictions], indent=1) + "\n"
    if format_name == "txt":
        return "".join(f"{prediction.text}\n" for prediction in predictions)
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
    writer.writerow(("image", "text", "confidence"))
    writer.writerows((p.id, p.text, round(p.confidence, 4)) for p in predictions)
    return out.getvalue()


def _to_json(prediction: Prediction) -> dict[str, Any]:
    return {
        "image": prediction.id,
        "text": prediction.text,
        "confidence": round(prediction.confidence, 4),
        "words": [_part_to_json(word) for word in prediction.words],
        "characters": [_part_to_json(character) for character in prediction.characters],
    }


def _part_to_json(part: Character | Word) -> dict[str, Any]:
    return {
        "text": part.text,
        "confidence": round(part.confidence, 4),
        "box": [round(value, 1) for value in bounding_box(part.outline)],
        "outline": part.outline,
    }
