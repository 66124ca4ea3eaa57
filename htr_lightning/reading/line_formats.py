"""Readings as text: plain, as a table, or as JSON with the place of every character."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from htr_lightning.decode.positions import Character, Word, bounding_box
from htr_lightning.reading.lines import Prediction

FORMATS = ("txt", "tsv", "json")


def format_predictions(readings: Sequence[Prediction], form: str) -> str:
    """Return readings in one of `FORMATS`."""
    if form == "json":
        return json.dumps([_object(reading) for reading in readings], ensure_ascii=False, indent=1) + "\n"
    if form == "txt":
        return "".join(f"{reading.text}\n" for reading in readings)
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
    writer.writerow(("image", "text", "confidence"))
    writer.writerows((reading.id, reading.text, round(reading.confidence, 4)) for reading in readings)
    return out.getvalue()


def _object(reading: Prediction) -> dict[str, Any]:
    return {
        "image": reading.id,
        "text": reading.text,
        "confidence": round(reading.confidence, 4),
        "words": [_placed(word) for word in reading.words],
        "characters": [_placed(character) for character in reading.characters],
    }


def _placed(part: Character | Word) -> dict[str, Any]:
    return {
        "text": part.text,
        "confidence": round(part.confidence, 4),
        "box": [round(value, 1) for value in bounding_box(part.outline)],
        "outline": part.outline,
    }
