"""hOCR 1.2: XHTML with places, as OCRmyPDF, the Internet Archive and viewers of scanned books read it."""

import re
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from htr_lightning.decode.positions import Character
from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.reading.write.elements import SOFTWARE_VERSION, Ids, named
from htr_lightning.reading.write.pieces import Piece, legal, pieces
from htr_lightning.reading.write.whole_pixels import Box, Sheet, around

_CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrx_cinfo"
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<title>{title}</title>
<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
<meta name="ocr-system" content={system}/>
<meta name="ocr-capabilities" content="{capabilities}"/>
<meta name="ocr-number-of-pages" content="1"/>
"""


def write_hocr(page: PredictedPage) -> bytes:
    """Write a page.

    - A region is an ocr_carea with one ocr_par; lines and words are ocr_line and ocrx_word, characters ocrx_cinfo.
      A line without words is one ocrx_word.
    - The baseline of a line is the straight one that fits it best, relative to the lower left corner of its box.
    - Confidences are percentages: x_wconf of words, x_conf of characters.
    - The model and the notes are in meta elements named ``htr-model`` and ``htr-note``; why a line could not be read
      is a comment.
    """
    ids = Ids()
    regions = named(page, ids)
    properties = (
        f'image "{_unquoted(page.image_name)}"',
        f"bbox 0 0 {page.width_px} {page.height_px}",
        f"ppageno {(page.number or 1) - 1}",
    )
    rows = [_head(page), f'<div class="ocr_page" id="{ids.give("page")}" title={_attribute("; ".join(properties))}>']
    for name, region, lines in regions:
        rows.append(f'<div class="ocr_carea" id="{name}"{_title(_bbox(_box(region, Sheet.of(page))))}>')
        rows.append(f'<p class="ocr_par" id="{ids.give(f"{name}_p")}">')
        rows += [_line(name, line, Sheet.of(page), ids) for name, line in lines]
        rows.append("</p>\n</div>")
    return "\n".join([*rows, "</div>", "</body>", "</html>", ""]).encode()


def straight_baseline(line: PredictedLine, box: Box) -> tuple[float, float] | None:
    """Fit a straight baseline to that of a line.

    Args:
        line: the line.
        box: its box, in px.

    Returns:
        Slope (px down for each px to the right) and offset (px below the box's lower left corner, so that it is
        negative as a rule); None where there is no baseline, or it stands upright.
    """
    if len(line.baseline) < 2 or np.ptp(line.baseline[:, 0]) < 1:
        return None
    x, y = line.baseline.astype(np.float64).T - [[box[0]], [box[3]]]
    slope, offset = np.polyfit(x, y, 1).tolist()
    return round(slope, 4) + 0.0, round(offset, 2) + 0.0


def _head(page: PredictedPage) -> str:
    number = "" if page.number is None else f", page {page.number}"
    head = _HEAD.format(
        title=escape(legal(f"{page.image_name}{number}")),
        system=_attribute(SOFTWARE_VERSION),
        capabilities=_CAPABILITIES,
    )
    notes = [("htr-model", page.model)] * bool(page.model) + [("htr-note", note) for note in page.notes]
    metas = "".join(f'<meta name="{name}" content={_attribute(content)}/>\n' for name, content in notes)
    return f"{head}{metas}</head>\n<body>"


def _line(name: str, line: PredictedLine, sheet: Sheet, ids: Ids) -> str:
    box = sheet.box(around(line))
    fit = straight_baseline(line, box) if box else None
    baseline = [f"baseline {fit[0]:g} {fit[1]:g}"] if fit else []
    found = pieces(line)
    words = [_word(piece, f"{name}_w{number}", line, sheet, ids) for number, piece in enumerate(found, 1)]
    problem = f"<!-- {_comment(line.problem)} -->" if line.problem else ""
    return f'<span class="ocr_line" id="{name}"{_title(_bbox(box), *baseline)}>{" ".join(words)}{problem}</span>'


def _word(piece: Piece, name: str, line: PredictedLine, sheet: Sheet, ids: Ids) -> str:
    if not piece.text:
        return ""
    box = sheet.box(around(line) if piece.outline is None else piece.outline)
    certainty = [] if piece.confidence is None else [f"x_wconf {_percent(piece.confidence)}"]
    text = "".join(_character(character, sheet) for character in piece.characters) or _content(piece.text)
    return f'<span class="ocrx_word" id="{ids.give(name)}"{_title(_bbox(box), *certainty)}>{text}</span>'


def _character(character: Character, sheet: Sheet) -> str:
    title = _title(_bbox(sheet.box(character.outline), "x_bboxes"), f"x_conf {_percent(character.confidence)}")
    return f'<span class="ocrx_cinfo"{title}>{_content(legal(character.text))}</span>'


def _box(region: PredictedRegion, sheet: Sheet) -> Box | None:
    inside: Any = [point for line in region.lines for point in around(line)]
    return sheet.box(region.polygon if len(region.polygon) else inside)


def _bbox(box: Sequence[int] | None, name: str = "bbox") -> str:
    return " ".join([name, *map(str, box)]) if box else ""


def _title(*properties: str) -> str:
    known = "; ".join(filter(None, properties))
    return f' title="{known}"' if known else ""


def _percent(confidence: float) -> str:
    return f"{100 * min(max(confidence, 0.0), 1.0):.4g}"


def _attribute(text: str) -> str:
    return quoteattr(legal(text), {"\n": " ", "\r": " ", "\t": " "})


def _unquoted(name: str) -> str:
    """Return a file name that can stand between quotes, with the slashes of a URL."""
    return name.replace("\\", "/").replace('"', "%22")


def _comment(text: str) -> str:
    return re.sub("-(?=-|$)", "- ", legal(text))


def _content(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
