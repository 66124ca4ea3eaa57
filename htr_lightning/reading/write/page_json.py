"""A page as JSON.

All places are in pixels of the page's image, x to the right and y down from its upper left corner, to a tenth of a
pixel. Confidences are from 0 to 1. ``page.schema.json``, in this folder, says the same as a JSON Schema (2020-12):

```
format       "htr-lightning page"
version      1; a number that is raised when an older program could not read the file any more
software     what wrote the file, with its version
model        what read the page, as the user named it; may be empty
image        name, width_px, height_px
number       of the page in its document, from 1; null for an image that is one page
notes        sentences on the page as a whole
regions      in reading order:
  id         unique in the file
  kind       such as paragraph, marginalia
  polygon    [[x, y], ...] around its lines
  lines      in reading order:
    id          unique in the file
    text        empty where nothing could be read
    confidence  that all of the text is right
    problem     why the line could not be read; empty where it could
    polygon     [[x, y], ...], its outline; may be empty
    baseline    [[x, y], ...] from its beginning to its end; may be empty
    words       those of the text, parted at spaces; empty where their places are not known:
      text
      confidence  that all of the word is right
      outline     [[x, y], ...]: upper left, upper right, lower right, lower left
      characters  text, confidence and outline of each; empty where they are not known
```
"""

import json
from collections.abc import Iterable
from typing import Any

from htr_lightning.decode.positions import Character
from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write.elements import SOFTWARE_VERSION, Ids, named
from htr_lightning.reading.write.pieces import Piece, legal, pieces

FORMAT, VERSION = "htr-lightning page", 1


def write_json(page: PredictedPage) -> bytes:
    """Write a page as UTF-8, on one row that ends in a line feed; the module says what it holds."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "software": SOFTWARE_VERSION,
        "model": legal(page.model),
        "image": {"name": legal(page.image_name), "width_px": page.width_px, "height_px": page.height_px},
        "number": page.number,
        "notes": [legal(note) for note in page.notes],
        "regions": [
            {
                "id": name,
                "kind": legal(region.kind),
                "polygon": _points(region.polygon),
                "lines": [_line(name, line) for name, line in lines],
            }
            for name, region, lines in named(page, Ids())
        ],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _line(name: str, line: PredictedLine) -> dict[str, Any]:
    return {
        "id": name,
        "text": legal(line.text),
        "confidence": _confidence(line.confidence),
        "problem": legal(line.problem),
        "polygon": _points(line.polygon),
        "baseline": _points(line.baseline),
        "words": [_part(piece) for piece in pieces(line) if piece.outline is not None],
    }


def _part(part: Piece | Character) -> dict[str, Any]:
    """Write a word, or a character, which has no characters of its own."""
    written: dict[str, Any] = {
        "text": legal(part.text),
        "confidence": _confidence(part.confidence or 0.0),
        "outline": _points(part.outline or ()),
    }
    if isinstance(part, Piece):
        written["characters"] = [_part(character) for character in part.characters]
    return written


def _points(points: Iterable[Iterable[float]]) -> list[list[float]]:
    return [[_short(float(x)) for x in point] for point in points]


def _short(number: float) -> float:
    """Round to a tenth, without a fraction where there is none."""
    rounded = round(number, 1)
    return int(rounded) if rounded.is_integer() else rounded


def _confidence(value: float) -> float:
    return round(min(max(float(value), 0.0), 1.0), 4)
