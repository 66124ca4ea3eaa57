"""Reader of ALTO (Library of Congress), versions 1 to 4, by eScriptorium, kraken, Transkribus, Kitodo and ABBYY."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from htr_lightning.image.files import DataError
from htr_lightning.layout.geometry import (
    Shape,
    format_box,
    parse_page_number,
    parse_page_size,
    parse_shape,
    parse_turns,
    parse_vertical,
)
from htr_lightning.layout.languages import parse_direction
from htr_lightning.layout.names import make_unique_ids, parse_image_name, sort_by_reading_order
from htr_lightning.layout.page import Page, PageLine, Span
from htr_lightning.layout.xml import find_attribute, get_local_name, get_only_element, parse_points, read_xml

ROOT_NAME = "alto"
_NO_SHAPE = "neither an outline, nor a baseline, nor a box with an area"
_HYPHEN = "-"  # of a HYP element that does not say which
_UNITS = {"mm10": "tenths of a millimeter", "inch1200": "1/1200 inch"}
# TYPE of tags that do not give the type of a line or region (written by kraken).
_UNRELATED_TAG_TYPES = ("language", "split")


class _Tag(NamedTuple):
    label: str
    kind: str  # what it is the type of: "line", "block", "any" (of the two) or "other"


def read_alto(path: Path) -> Page:
    """Read an ALTO file; see `parse_page`.

    Raises:
        DataError: see `htr_lightning.layout.xml.read_xml` and `parse_page`.
    """
    return parse_page(read_xml(path), path)


def matches(root: Any) -> bool:
    """Return whether a parsed file is ALTO, of any version."""
    return get_local_name(root) == ROOT_NAME


def parse_page(root: Any, path: Path) -> Page:
    """Parse an ALTO file.

    - The text of a line is the CONTENT of its String elements, with a space for each SP, or between all Strings if
      there is no SP. HYP adds its hyphen, unless the word before it ends in it already; without CONTENT it adds "-",
      in a span with the tag ``HYP``. SUBS_CONTENT is not used.
    - The polygon is the Polygon; else the box (HPOS, VPOS, WIDTH, HEIGHT), else the bounding box of Ellipse or Circle.
    - A BASELINE of one number, as in ALTO up to 4.1, is a y coordinate: it becomes a horizontal line across the
      polygon, unless it is outside the polygon.
    - Types are the labels of the tags in TAGREFS, or else TYPE.
    - The ROTATION of a block gives the orientation of its lines, and so does a vertical BASEDIRECTION.
    - The base direction of a line is its BASEDIRECTION or that of its block, or else follows from LANG: of the line, or
      of most of its Strings that have one, or of its block (there also ``language``) or page.
    - Font styles in the STYLE of a String become spans.
    - ReadingOrder is used, IDNEXT is not.
    - A ComposedBlock with the TYPE ``table`` is a table. ALTO knows no rows and columns.

    Args:
        root: root element, from `htr_lightning.layout.xml.read_xml`.
        path: of the file.

    Raises:
        DataError: the file is not ALTO, has no page or several, the page's size is not a number, or the unit of its
            points is not a pixel and the page has no size.
    """
    if not matches(root):
        raise DataError(
            f"the file is not ALTO, as its root element is {get_local_name(root)!r}",
            file=path,
            remedy="pass an ALTO file",
            kind="unknown_format",
        )
    page = get_only_element(root, "Page", path)
    tags = {tag.get("ID"): _parse_tag(tag) for tag in root.iterfind("{*}Tags/*")}
    elements = find_text_lines(page)
    lines = [_parse_line(line, id, tags) for id, line in elements.items()]
    names = [[e.get("ID", "") for e in (line, *line.iterancestors())] for line in elements.values()]
    order = [id for ref in root.iterfind("{*}ReadingOrder//*") for id in ref.get("REF", "").split()]
    size = parse_page_size(path, page.get("WIDTH"), page.get("HEIGHT"))
    if size is None and elements:
        _check_unit(root, path)
    files = (file.text for file in root.iterfind("{*}Description/{*}sourceImageInformation/{*}fileName"))
    return Page(
        path,
        parse_image_name(next((name for name in files if name and name.strip()), "")),
        size,
        tuple(sort_by_reading_order(lines, names, order)),
        parse_page_number(page.get("PHYSICAL_IMG_NR")),
    )


def _check_unit(root: Any, path: Path) -> None:
    """Refuse a page without size whose points are not in pixels: nothing says where they are in its image."""
    unit = (root.findtext("{*}Description/{*}MeasurementUnit") or "").strip()
    if unit.lower() not in ("", "pixel", "pixels", "px"):
        name = f"{_UNITS[unit]} (MeasurementUnit {unit})" if unit in _UNITS else f"the MeasurementUnit {unit!r}"
        raise DataError(
            f"its positions are in {name}, and its page has no size, so where they are in the image is unknown",
            file=path,
            remedy="add WIDTH and HEIGHT to its Page element, in the same unit, or export it with pixels as unit",
            kind="unit",
        )


def find_text_lines(page: Any) -> dict[str, Any]:
    """Return the TextLine elements of a page by their ids, in the order of the file."""
    elements = list(page.iter("{*}TextLine"))
    ids = make_unique_ids([line.get("ID", "").strip() for line in elements])
    return dict(zip(ids, elements, strict=True))


def get_line_text(line: Any) -> str:
    """Return the text of a TextLine; see `parse_page`."""
    return _parse_text(line)[0]


def get_hyphen(element: Any) -> str:
    """Return the hyphen that a HYP element stands for."""
    return element.get("CONTENT") or _HYPHEN


def _parse_line(line: Any, id: str, tags: dict[str | None, _Tag]) -> PageLine:
    text, spans = _parse_text(line)
    shape = _parse_line_shape(line)
    block = line.getparent()
    direction = find_attribute(line, "BASEDIRECTION")
    vertical = parse_vertical(direction, shape)
    return PageLine(
        id,
        text,
        shape.polygon,
        shape.baseline,
        _get_type(line, tags, "line"),
        sys.intern(block.get("ID", "")),
        _get_type(block, tags, "block"),
        spans,
        shape.problem,
        # ROTATION is that of the content, counterclockwise: the clockwise one that turns the block upright.
        orientation=parse_turns(find_attribute(block, "ROTATION"), vertical, shape.baseline),
        table=sys.intern(next((e.get("ID", "") for e in line.iterancestors("{*}ComposedBlock") if _is_table(e)), "")),
        vertical=vertical,
        direction=parse_direction(direction, _find_language(line)),
    )


def _find_language(line: Any) -> str | None:
    """Return the language of a line; None if there is none."""
    of_strings = Counter(filter(None, (string.get("LANG") for string in line.iterfind("{*}String"))))
    own = line.get("LANG") or next((language for language, _ in of_strings.most_common(1)), None)
    return own or find_attribute(line, "LANG") or line.getparent().get("language")


def _is_table(block: Any) -> bool:
    return bool(block.get("TYPE", "").lower() == "table")


def _parse_text(line: Any) -> tuple[str, tuple[Span, ...]]:
    text, spans = "", []
    has_spaces = line.find("{*}SP") is not None
    for element in line:
        name, content = get_local_name(element), element.get("CONTENT", "")
        if name == "SP":
            text += " "
        elif name == "HYP":
            # Some programs write the hyphen both in the word and in HYP.
            hyphen = get_hyphen(element)
            if not text.endswith(hyphen):
                spans += [] if content else [Span(len(text), len(hyphen), name)]
                text += hyphen
        elif name == "String":
            text += " " if text and not has_spaces else ""
            styles = element.get("STYLE", "").split() if content else []
            spans += [Span(len(text), len(content), sys.intern(style)) for style in styles]
            text += content
    return text, tuple(spans)


def _parse_line_shape(line: Any) -> Shape:
    polygon = line.find("{*}Shape/{*}Polygon")
    outline = polygon.get("POINTS", "").strip() if polygon is not None else ""
    try:
        outline = outline or _parse_box(line, "HPOS", "VPOS", "WIDTH", "HEIGHT") or _parse_round_shape(line)
    except ValueError as error:
        return Shape(problem=f"its box {error}; correct it")
    baseline = line.get("BASELINE", "").strip()
    if len(baseline.replace(",", " ").split()) == 1:
        baseline = _build_horizontal_baseline(baseline, outline)
    return parse_shape(outline, baseline, _NO_SHAPE)


def _parse_box(element: Any, *names: str) -> str:
    """Return the corners of the box that four attributes give; empty if one is missing or the box has no area."""
    written = [element.get(name, "").strip() for name in names]
    if not all(written):
        return ""
    (x, y), (width, height) = parse_points(" ".join(written)).tolist()
    return format_box(x, y, width, height) if min(width, height) > 0 else ""


def _parse_round_shape(line: Any) -> str:
    """Return the corners of the bounding box of an ellipse or circle, whose position is its center."""
    for name, across, down, factor in (("Ellipse", "HLENGTH", "VLENGTH", 0.5), ("Circle", "RADIUS", "RADIUS", 1.0)):
        figure = line.find(f"{{*}}Shape/{{*}}{name}")
        box = "" if figure is None else _parse_box(figure, "HPOS", "VPOS", across, down)
        if box:
            (x, y), (right, _), (_, bottom), _ = parse_points(box).tolist()
            width, height = factor * (right - x), factor * (bottom - y)
            return format_box(x - width, y - height, 2 * width, 2 * height)
    return ""


def _build_horizontal_baseline(written: str, outline: str) -> str:
    """Return a horizontal baseline across an outline at a y coordinate; unchanged if the coordinate is not a number."""
    try:
        y = float(parse_points(f"0 {written}")[0, 1])
        points = parse_points(outline)
    except ValueError:
        return written
    if not len(points):
        return ""
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    tolerance = (bottom - top) / 2
    return f"{left:.9g},{y:.9g} {right:.9g},{y:.9g}" if top - tolerance <= y <= bottom + tolerance else ""


def _parse_tag(tag: Any) -> _Tag:
    """Parse a tag. eScriptorium states its kind in DESCRIPTION, kraken in TYPE, other programs nowhere."""
    description, type = tag.get("DESCRIPTION", "").lower(), tag.get("TYPE", "").lower()
    kind = "any"
    if get_local_name(tag) == "NamedEntityTag" or type in _UNRELATED_TAG_TYPES:
        kind = "other"
    elif description.startswith("line type") or type == "line":
        kind = "line"
    elif description.startswith("block type") or type in ("block", "region"):
        kind = "block"
    return _Tag(tag.get("LABEL", ""), kind)


def _get_type(element: Any, tags: dict[str | None, _Tag], kind: Literal["line", "block"]) -> str:
    """Return the type of a line or block: the label of its first tag of that kind, else of kind "any", else TYPE."""
    own = [tags[ref] for ref in element.get("TAGREFS", "").split() if ref in tags]
    labels = [tag.label for tag_kind in (kind, "any") for tag in own if tag.kind == tag_kind and tag.label]
    return sys.intern(labels[0] if labels else element.get("TYPE", ""))
