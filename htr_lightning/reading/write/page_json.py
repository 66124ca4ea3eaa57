"""Write pages as JSON.

All coordinates are pixels of the page's image, x to the right and y down from its top left corner, to a tenth of a
pixel. Confidences are between 0 and 1. ``page.schema.json``, in this folder, is the JSON Schema (2020-12):

```
format       "htr-lightning page"
version      1; raised whenever an older program could no longer read the file
software     program that wrote the file, with its version
model        model that recognized the page, as the user named it; may be empty
image        name, width_px, height_px
number       of the page in its document, from 1; null for an image that is one page
notes        sentences about the page as a whole
regions      in reading order:
  id         unique in the file
  kind       such as paragraph, marginalia, table
  polygon    [[x, y], ...] around its lines
  lines      in reading order:
    id          unique in the file
    text        empty if nothing could be read
    confidence  probability that the whole text is correct
    problem     why the line could not be read; empty if it could
    polygon     [[x, y], ...] around the line; may be empty
    baseline    [[x, y], ...] from its start to its end; may be empty
    direction   ltr, rtl, ttb (top to bottom) or btt, in which its text runs
    cell        of a line in a table: row and column, from 0, row_span and column_span; null elsewhere
    words       of the text, split at spaces; empty if their positions are unknown:
      text
      confidence  probability that the whole word is correct
      outline     [[x, y], ...]: top left, top right, bottom right, bottom left
      characters  text, confidence and outline of each; empty if unknown
```
"""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from htr_lightning.decode.positions import Character
from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write.elements import SOFTWARE_VERSION, IdAllocator, assign_ids
from htr_lightning.reading.write.tokens import Token, sanitize, split_tokens

FORMAT, VERSION = "htr-lightning page", 1


def write_json(page: PredictedPage) -> bytes:
    """Return a page as UTF-8 JSON, in one row that ends in a line feed; see the module for its keys."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "software": SOFTWARE_VERSION,
        "model": sanitize(page.model),
        "image": {"name": sanitize(page.image_name), "width_px": page.width_px, "height_px": page.height_px},
        "number": page.number,
        "notes": [sanitize(note) for note in page.notes],
        "regions": [
            {
                "id": region_id,
                "kind": sanitize(region.kind),
                "polygon": _round_points(region.polygon),
                "lines": [_build_line(line_id, line) for line_id, line in lines],
            }
            for region_id, region, lines in assign_ids(page, IdAllocator())
        ],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _build_line(line_id: str, line: PredictedLine) -> dict[str, Any]:
    return {
        "id": line_id,
        "text": sanitize(line.text),
        "confidence": _round_confidence(line.confidence),
        "problem": sanitize(line.problem),
        "polygon": _round_points(line.polygon),
        "baseline": _round_points(line.baseline),
        "direction": line.direction,
        "cell": None if line.cell is None else dataclasses.asdict(line.cell),
        "words": [_build_word(token) for token in split_tokens(line) if token.outline is not None],
    }


def _build_word(token: Token) -> dict[str, Any]:
    return _build_part(token) | {"characters": [_build_part(character) for character in token.characters]}


def _build_part(part: Token | Character) -> dict[str, Any]:
    return {
        "text": sanitize(part.text),
        "confidence": _round_confidence(part.confidence or 0.0),
        "outline": _round_points(part.outline or ()),
    }


def _round_points(points: Iterable[Iterable[float]]) -> list[list[float]]:
    return [[_round_coordinate(float(x)) for x in point] for point in points]


def _round_coordinate(number: float) -> float:
    """Round to a tenth; a whole number becomes an integer, which is shorter in JSON."""
    rounded = round(number, 1)
    return int(rounded) if rounded.is_integer() else rounded


def _round_confidence(value: float) -> float:
    return round(min(max(float(value), 0.0), 1.0), 4)
