"""ALTO (Library of Congress), versions 1 to 4, as eScriptorium, kraken, Transkribus, Kitodo and ABBYY write it."""

import sys
from pathlib import Path
from typing import Any, Literal, NamedTuple

from htr_lightning.image.files import DataError
from htr_lightning.layout.geometry import Shape, format_box, parse_page_size, parse_shape
from htr_lightning.layout.names import make_unique_ids, parse_image_name, sort_by_reading_order
from htr_lightning.layout.page import Page, PageLine, Span
from htr_lightning.layout.xml import get_local_name, get_only_element, parse_points, read_xml

_NOTHING = "neither an outline, nor a baseline, nor a box with an area"
# TYPE of tags that say something else than what sort of line or region it is (kraken writes these).
_OTHER_MATTERS = ("language", "split")


class _Tag(NamedTuple):
    label: str
    kind: str  # "line", "block", "any" (of the two) or "other"


def read_alto(path: Path) -> Page:
    """Read an ALTO file; see `parse_page`.

    Raises:
        DataError: see `htr_lightning.layout.xml.read_xml` and `parse_page`.
    """
    return parse_page(read_xml(path), path)


def matches(root: Any) -> bool:
    """Return whether a parsed file is ALTO, of whatever version."""
    return get_local_name(root) == "alto"


def parse_page(root: Any, path: Path) -> Page:
    """Read a parsed file.

    - The text of a line is the CONTENT of its String elements, with a space for every SP, or between any two if it
      has none; HYP adds its hyphen, unless the word before it ends in it already. SUBS_CONTENT is not used.
    - The outline is the Polygon; else the box (HPOS, VPOS, WIDTH, HEIGHT), else the box around Ellipse or Circle.
    - A BASELINE of one number, as ALTO had it up to 4.1, is a height: it becomes a level line across the outline,
      unless it lies outside of it.
    - Types are the labels of the tags in TAGREFS, or else TYPE.
    - Font styles in the STYLE of a String become spans.
    - ReadingOrder is followed, IDNEXT is not.

    Args:
        root: the file's outermost element, from `htr_lightning.layout.xml.read_xml`.
        path: of the file.

    Raises:
        DataError: the file is not ALTO, has no page or several, or the page's size is not a number.
    """
    if not matches(root):
        raise DataError(f"{path}: is not ALTO, as its first element is {get_local_name(root)!r}; is it another format?")
    page = get_only_element(root, "Page", path)
    tags = {tag.get("ID"): _tag(tag) for tag in root.iterfind("{*}Tags/*")}
    found = find_text_lines(page)
    lines = [_line(line, id, tags) for id, line in found.items()]
    names = [[e.get("ID", "") for e in (line, *line.iterancestors())] for line in found.values()]
    order = [id for ref in root.iterfind("{*}ReadingOrder//*") for id in ref.get("REF", "").split()]
    files = (file.text for file in root.iterfind("{*}Description/{*}sourceImageInformation/{*}fileName"))
    return Page(
        path,
        parse_image_name(next((name for name in files if name and name.strip()), "")),
        parse_page_size(path, page.get("WIDTH"), page.get("HEIGHT")),
        tuple(sort_by_reading_order(lines, names, order)),
    )


def find_text_lines(page: Any) -> dict[str, Any]:
    """Return the TextLine elements of a page by their ids, in the order of the file."""
    found = list(page.iter("{*}TextLine"))
    ids = make_unique_ids([line.get("ID", "").strip() for line in found])
    return dict(zip(ids, found, strict=True))


def get_line_text(line: Any) -> str:
    """Return the text of a TextLine; see `parse_page`."""
    return _text(line)[0]


def _line(line: Any, id: str, tags: dict[str | None, _Tag]) -> PageLine:
    text, spans = _text(line)
    shape = _shape(line)
    block = line.getparent()
    return PageLine(
        id,
        text,
        shape.polygon,
        shape.baseline,
        _type(line, tags, "line"),
        sys.intern(block.get("ID", "")),
        _type(block, tags, "block"),
        spans,
        shape.problem,
    )


def _text(line: Any) -> tuple[str, tuple[Span, ...]]:
    text, spans = "", []
    spaced = line.find("{*}SP") is not None
    for part in line:
        name, content = get_local_name(part), part.get("CONTENT", "")
        if name == "SP":
            text += " "
        elif name == "HYP":
            # Some writers have the hyphen in the word and in HYP.
            text += "" if content and text.endswith(content) else content
        elif name == "String":
            text += " " if text and not spaced else ""
            styles = part.get("STYLE", "").split() if content else []
            spans += [Span(len(text), len(content), sys.intern(style)) for style in styles]
            text += content
    return text, tuple(spans)


def _shape(line: Any) -> Shape:
    polygon = line.find("{*}Shape/{*}Polygon")
    outline = polygon.get("POINTS", "").strip() if polygon is not None else ""
    try:
        outline = outline or _box(line, "HPOS", "VPOS", "WIDTH", "HEIGHT") or _round(line)
    except ValueError as error:
        return Shape(problem=f"its box {error}; correct it")
    baseline = line.get("BASELINE", "").strip()
    if len(baseline.replace(",", " ").split()) == 1:
        baseline = _level(baseline, outline)
    return parse_shape(outline, baseline, _NOTHING)


def _box(element: Any, *names: str) -> str:
    """Return the corners of the box that four attributes give; empty when one is absent or there is no area."""
    written = [element.get(name, "").strip() for name in names]
    if not all(written):
        return ""
    (x, y), (width, height) = parse_points(" ".join(written)).tolist()
    return format_box(x, y, width, height) if min(width, height) > 0 else ""


def _round(line: Any) -> str:
    """Return the corners of the box around an ellipse or circle, which give their center."""
    for name, across, down, share in (("Ellipse", "HLENGTH", "VLENGTH", 0.5), ("Circle", "RADIUS", "RADIUS", 1.0)):
        figure = line.find(f"{{*}}Shape/{{*}}{name}")
        box = "" if figure is None else _box(figure, "HPOS", "VPOS", across, down)
        if box:
            (x, y), (right, _), (_, bottom), _ = parse_points(box).tolist()
            width, height = share * (right - x), share * (bottom - y)
            return format_box(x - width, y - height, 2 * width, 2 * height)
    return ""


def _level(height: str, outline: str) -> str:
    """Return a level baseline across an outline, at a height; as it is if it is no number."""
    try:
        y = float(parse_points(f"0 {height}")[0, 1])
        points = parse_points(outline)
    except ValueError:
        return height
    if not len(points):
        return ""
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    slack = (bottom - top) / 2
    return f"{left:.9g},{y:.9g} {right:.9g},{y:.9g}" if top - slack <= y <= bottom + slack else ""


def _tag(tag: Any) -> _Tag:
    """Say what a tag is about: eScriptorium describes it, kraken gives it a TYPE, others do neither."""
    described, type = tag.get("DESCRIPTION", "").lower(), tag.get("TYPE", "").lower()
    kind = "any"
    if get_local_name(tag) == "NamedEntityTag" or type in _OTHER_MATTERS:
        kind = "other"
    elif described.startswith("line type") or type == "line":
        kind = "line"
    elif described.startswith("block type") or type in ("block", "region"):
        kind = "block"
    return _Tag(tag.get("LABEL", ""), kind)


def _type(element: Any, tags: dict[str | None, _Tag], kind: Literal["line", "block"]) -> str:
    """Return the type of a line or block: the first of its tags that is about its kind, or else about any."""
    own = [tags[ref] for ref in element.get("TAGREFS", "").split() if ref in tags]
    labels = [tag.label for wanted in (kind, "any") for tag in own if tag.kind == wanted and tag.label]
    return sys.intern(labels[0] if labels else element.get("TYPE", ""))
