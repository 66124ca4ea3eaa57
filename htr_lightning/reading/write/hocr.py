"""Write pages as hOCR 1.2 (XHTML), the format of OCRmyPDF, the Internet Archive and book viewers."""

import re
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from htr_lightning.decode.positions import Character
from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.reading.pixel_grid import Box, PixelGrid, get_extent_points
from htr_lightning.reading.write.elements import SOFTWARE_VERSION, IdAllocator, assign_ids, group_cells
from htr_lightning.reading.write.tokens import Token, sanitize, split_tokens

_CAPABILITIES = "ocr_page ocr_carea ocr_table ocr_par ocr_line ocrx_word ocrx_cinfo"
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
    """Return a page as an hOCR file.

    - A region is an ocr_carea with one ocr_par. Lines are ocr_line, words ocrx_word, characters ocrx_cinfo. A line
      without words is one ocrx_word.
    - A table is an ocr_table in its ocr_carea, with one ocr_par for each cell, in row order.
    - The baseline of a line is the best straight fit, relative to the bottom left corner of its bounding box.
    - Confidences are percentages: x_wconf of words, x_conf of characters.
    - The model and the notes are in meta elements named ``htr-model`` and ``htr-note``; why a line could not be read
      is a comment.
    """
    ids = IdAllocator()
    regions = assign_ids(page, ids)
    grid = PixelGrid.for_page(page)
    title = "; ".join(
        (
            f'image "{_escape_quotes(page.image_name)}"',
            f"bbox 0 0 {page.width_px} {page.height_px}",
            f"ppageno {(page.number or 1) - 1}",
        )
    )
    rows = [_build_head(page), f'<div class="ocr_page" id="{ids.allocate("page")}" title={_quote_attribute(title)}>']
    for region_id, region, lines in regions:
        box = _get_region_box(region, grid)
        rows.append(f'<div class="ocr_carea" id="{region_id}"{_format_title(_format_bbox(box))}>')
        is_table = any(line.cell for _, line in lines)
        rows += ['<div class="ocr_table">'] * is_table
        for cell, members in group_cells(lines) or [(None, [])]:
            name = f"{region_id}_c{cell.row}_{cell.column}" if cell else f"{region_id}_p"
            rows.append(f'<p class="ocr_par" id="{ids.allocate(name)}">')
            rows += [_build_line(line_id, line, grid, ids) for line_id, line in members]
            rows.append("</p>")
        rows += ["</div>"] * (1 + is_table)
    return "\n".join([*rows, "</div>", "</body>", "</html>", ""]).encode()


def fit_baseline(line: PredictedLine, box: Box) -> tuple[float, float] | None:
    """Fit a straight line to the baseline of a line, by least squares.

    Args:
        line: the line.
        box: its bounding box, in px.

    Returns:
        Slope (px down per px to the right) and offset (px below the bottom left corner of the box, so usually
        negative); None if there is no baseline or it is vertical.
    """
    if len(line.baseline) < 2 or np.ptp(line.baseline[:, 0]) < 1:
        return None
    x, y = line.baseline.astype(np.float64).T - [[box[0]], [box[3]]]
    slope, offset = np.polyfit(x, y, 1).tolist()
    return round(slope, 4) + 0.0, round(offset, 2) + 0.0  # + 0.0 turns -0.0 into 0.0


def _build_head(page: PredictedPage) -> str:
    number = "" if page.number is None else f", page {page.number}"
    head = _HEAD.format(
        title=escape(sanitize(f"{page.image_name}{number}")),
        system=_quote_attribute(SOFTWARE_VERSION),
        capabilities=_CAPABILITIES,
    )
    notes = [("htr-model", page.model)] * bool(page.model) + [("htr-note", note) for note in page.notes]
    metas = "".join(f'<meta name="{name}" content={_quote_attribute(content)}/>\n' for name, content in notes)
    return f"{head}{metas}</head>\n<body>"


def _build_line(line_id: str, line: PredictedLine, grid: PixelGrid, ids: IdAllocator) -> str:
    box = grid.bounding_box(get_extent_points(line))
    fit = fit_baseline(line, box) if box else None
    baseline = [f"baseline {fit[0]:g} {fit[1]:g}"] if fit else []
    words = [
        _build_word(token, f"{line_id}_w{number}", line, grid, ids)
        for number, token in enumerate(split_tokens(line), 1)
    ]
    problem = f"<!-- {_escape_comment(line.problem)} -->" if line.problem else ""
    title = _format_title(_format_bbox(box), *baseline)
    direction = ' dir="rtl"' if line.direction == "rtl" else ""
    return f'<span class="ocr_line" id="{line_id}"{direction}{title}>{" ".join(words)}{problem}</span>'


def _build_word(token: Token, word_id: str, line: PredictedLine, grid: PixelGrid, ids: IdAllocator) -> str:
    if not token.text:
        return ""
    box = grid.bounding_box(get_extent_points(line) if token.outline is None else token.outline)
    confidence = [] if token.confidence is None else [f"x_wconf {_format_percent(token.confidence)}"]
    text = "".join(_build_character(character, grid) for character in token.characters) or _escape_content(token.text)
    title = _format_title(_format_bbox(box), *confidence)
    return f'<span class="ocrx_word" id="{ids.allocate(word_id)}"{title}>{text}</span>'


def _build_character(character: Character, grid: PixelGrid) -> str:
    box = _format_bbox(grid.bounding_box(character.outline), "x_bboxes")
    title = _format_title(box, f"x_conf {_format_percent(character.confidence)}")
    return f'<span class="ocrx_cinfo"{title}>{_escape_content(sanitize(character.text))}</span>'


def _get_region_box(region: PredictedRegion, grid: PixelGrid) -> Box | None:
    points: Any = [point for line in region.lines for point in get_extent_points(line)]
    return grid.bounding_box(region.polygon if len(region.polygon) else points)


def _format_bbox(box: Sequence[int] | None, name: str = "bbox") -> str:
    return " ".join([name, *map(str, box)]) if box else ""


def _format_title(*properties: str) -> str:
    """Return a title attribute with the properties that are not empty."""
    title = "; ".join(filter(None, properties))
    return f' title="{title}"' if title else ""


def _format_percent(confidence: float) -> str:
    return f"{100 * min(max(confidence, 0.0), 1.0):.4g}"


def _quote_attribute(text: str) -> str:
    return quoteattr(sanitize(text), {"\n": " ", "\r": " ", "\t": " "})


def _escape_quotes(name: str) -> str:
    """Return a file name that can be put between double quotes, with slashes as in a URL."""
    return name.replace("\\", "/").replace('"', "%22")


def _escape_comment(text: str) -> str:
    return re.sub("-(?=-|$)", "- ", sanitize(text))


def _escape_content(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
