"""What became of each line and of each part of the texts: a JSON file for each page, and tables of all pages."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from htr_lightning.aligning.page import AlignedPage
from htr_lightning.files import format_json, read_json
from htr_lightning.reading.write.tokens import sanitize
from htr_lightning.report.outputs import mark_png
from htr_lightning.text import format_count

REPORT_SUFFIX = ".align.json"
REPORT = "align.tsv"
REPORT_COLUMNS = ("page", "line", "status", "confidence", "text", "prediction")
MANIFEST = "lines.tsv"
MANIFEST_COLUMNS = ("image", "text", "page", "confidence")
_MAX_EXCERPT = 40


def build_report(name: str, text: str, page: AlignedPage, images: Mapping[int, str]) -> dict[str, Any]:
    """Return what became of a page, as JSON types.

    Args:
        name: of the page.
        text: name of its text.
        page: the result.
        images: the crop of each line that was written, by the number of the line, relative to the folder.
    """
    lines = []
    for number, (line, aligned) in enumerate(zip(page.page.lines, page.lines, strict=True)):
        status = "placed" if line.text else "uncertain" if aligned.text else "no text"
        entry = {"id": line.id, "status": status, "confidence": round(aligned.confidence, 4), "text": aligned.text}
        entry["prediction"] = page.predictions[number]
        if line.problem:
            entry["problem"] = line.problem
        if number in images:
            entry["image"] = images[number]
        lines.append(entry)
    return {
        "page": name,
        "text": text,
        "follows_breaks": page.follows_breaks,
        "lines": lines,
        "unplaced": list(page.unplaced),
    }


def describe_page(page: AlignedPage) -> list[str]:
    """Return a sentence on what could not be placed on a page; none if all could."""
    placed = sum(bool(line.text) for line in page.page.lines)
    uncertain = sum(bool(a.text) and not line.text for line, a in zip(page.page.lines, page.lines, strict=True))
    without = len(page.lines) - placed - uncertain
    parts = [f"{placed} of {format_count(len(page.lines), 'line')} placed"]
    if uncertain:
        parts.append(f"{uncertain} uncertain")
    if without:
        parts.append(f"{format_count(without, 'line')} without text")
    if page.unplaced:
        longest = max(page.unplaced, key=len)
        excerpt = longest if len(longest) <= _MAX_EXCERPT else f"{longest[:_MAX_EXCERPT]}..."
        count = sum(map(len, page.unplaced))
        parts.append(f"{format_count(count, 'character')} of text without line, such as {excerpt!r}")
    return ["; ".join(parts)] if len(parts) > 1 else []


def render_json(report: Mapping[str, Any]) -> bytes:
    """Return the JSON file of a page."""
    return (format_json(report, indent=1) + "\n").encode("utf-8", "backslashreplace")


def read_reports(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the reports that exist."""
    return [report for report in map(read_json, paths) if report]


def render_table(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of all lines, and of all parts of texts without line, of which only the text is known."""
    rows: list[Sequence[object]] = []
    for report in reports:
        for line in report["lines"]:
            rows.append((report["page"], *(line[key] for key in ("id", "status", "confidence", "text", "prediction"))))
        rows += [(report["page"], "", "no line", "", part, "") for part in report["unplaced"]]
    return _render_rows(REPORT_COLUMNS, rows)


def render_manifest(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return the manifest of the crops, which ``dataset=lines`` reads."""
    rows = [
        (line["image"], line["text"], report["page"], line["confidence"])
        for report in reports
        for line in report["lines"]
        if "image" in line
    ]
    return _render_rows(MANIFEST_COLUMNS, rows)


def _render_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
    writer.writerows([columns, *([sanitize(" ".join(str(value).split())) for value in row] for row in rows)])
    return out.getvalue()


def render_crop(page: AlignedPage, number: int) -> bytes:
    """Return the crop of a line as PNG."""
    pixels = page.crops[number].pixels
    assert pixels is not None
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", pnginfo=mark_png())
    return content.getvalue()
