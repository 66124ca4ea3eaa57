"""ALTO and PAGE files that follow their schemas, written from the lines that readers shall return."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from htr_lightning.image.straighten import Points
from htr_lightning.layout.page import PageLine, Span

TEXT_TYPES = (
    "paragraph",
    "heading",
    "caption",
    "header",
    "footer",
    "page-number",
    "drop-capital",
    "credit",
    "floating",
    "signature-mark",
    "catch-word",
    "marginalia",
    "footnote",
    "footnote-continued",
    "endnote",
    "TOC-entry",
    "other",
)
"""Values of the attribute ``type`` of a TextRegion in the schema of PAGE (2013-07-15)."""

STYLES = (
    "serif",
    "monospace",
    "reverseVideo",
    "bold",
    "italic",
    "underlined",
    "subscript",
    "superscript",
    "strikethrough",
    "smallCaps",
    "letterSpaced",
)
"""Flags of PAGE's TextStyle, which Transkribus writes into ``textStyle``."""


def points(*numbers: float) -> Points:
    """Return points of x, y, x, y ..."""
    return np.array(numbers, np.float32).reshape(-1, 2)


def text_line(id: str, text: str = "", top: float = 0, left: float = 10, **more: object) -> PageLine:
    """Return a line 200 wide and 30 high, with outline and baseline, in the region ``r1`` unless told otherwise."""
    right, bottom = left + 200, top + 30
    facts: dict[str, object] = {
        "polygon": points(left, top, right, top + 2, right, bottom, left, bottom - 2),
        "baseline": points(left, top + 22, left + 100, top + 23, right, top + 24),
        "region": "r1",
    }
    return PageLine(id, text, **(facts | more))  # type: ignore[arg-type]


def alto_xml(
    lines: Sequence[PageLine],
    *,
    version: str = "4.4",
    image: str = "page.png",
    size: tuple[float, float] | None = (1000, 800),
    order: Sequence[str] = (),
    words: bool = False,
    unit: str = "pixel",
) -> str:
    """Write ALTO.

    Args:
        lines: lines next to each other in one region are written as one TextBlock. Each needs an id and a region;
            ids and regions are all different. Spans are not written.
        version: before 4.2, a baseline is the height of its first point; before 3.1, lines have no polygon but
            their box; before 4.3, there is no reading order. Empty for a file without namespace, else as 4.4.
        image: name of the page's image.
        size: of the page; None for none.
        order: ids of blocks or lines in reading order.
        words: write a String for each word, with SP between them, instead of one for the line.
        unit: ``pixel``, ``mm10`` or ``inch1200``.
    """
    number = tuple(map(int, (version or "4.4").split(".")))
    blocks = [(id, list(own)) for id, own in groupby(lines, key=lambda line: line.region)]
    tags = {("line", line.type): f"LT{n}" for n, line in enumerate(lines) if line.type}
    tags |= {("block", line.region_type): f"BT{n}" for n, line in enumerate(lines) if line.region_type}
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<alto xmlns="http://www.loc.gov/standards/alto/ns-v{number[0]}#">' if version else "<alto>",
        f"<Description><MeasurementUnit>{unit}</MeasurementUnit><sourceImageInformation>",
        f"<fileName>{escape(image)}</fileName></sourceImageInformation></Description>",
    ]
    if tags:
        parts.append("<Tags>")
        for (kind, label), id in tags.items():
            described = quoteattr(f"{kind} type {label}")
            parts.append(f'<OtherTag ID="{id}" LABEL={quoteattr(label)} DESCRIPTION={described}/>')
        parts.append("</Tags>")
    if order and number >= (4, 3):
        members = "".join(f'<ElementRef ID="ref{n}" REF="{id}"/>' for n, id in enumerate(order))
        parts.append(f'<ReadingOrder><OrderedGroup ID="order">{members}</OrderedGroup></ReadingOrder>')
    shape = f' WIDTH="{size[0]:g}" HEIGHT="{size[1]:g}"' if size else ""
    parts.append(f'<Layout><Page ID="page1" PHYSICAL_IMG_NR="1"{shape}>')
    parts.append('<PrintSpace HPOS="0" VPOS="0" WIDTH="1000" HEIGHT="800">')
    for id, own in blocks:
        refs = _refs(tags.get(("block", own[0].region_type)))
        parts.append(f'<TextBlock ID="{id}"{refs}{_box(line.polygon for line in own)}>')
        for line in own:
            attributes = _refs(tags.get(("line", line.type))) + _box([line.polygon])
            if len(line.baseline):
                written = _numbers(line.baseline, " ") if number >= (4, 2) else f"{line.baseline[0, 1]:g}"
                attributes += f' BASELINE="{written}"'
            parts.append(f'<TextLine ID="{line.id}"{attributes}>')
            if len(line.polygon) and number >= (3, 1):
                parts.append(f'<Shape><Polygon POINTS="{_numbers(line.polygon, " ")}"/></Shape>')
            texts = line.text.split(" ") if words else [line.text]
            parts.append("<SP/>".join(f"<String CONTENT={_attribute(text)}/>" for text in texts))
            parts.append("</TextLine>")
        parts.append("</TextBlock>")
    return "\n".join([*parts, "</PrintSpace></Page></Layout></alto>"])


def page_xml(
    lines: Sequence[PageLine],
    *,
    version: str = "2019-07-15",
    image: str = "page.png",
    size: tuple[float, float] | None = (1000, 800),
    order: Sequence[str] = (),
) -> str:
    """Write PAGE.

    Args:
        lines: as for `alto_xml`; types of lines, those of regions that the schema does not know, and spans go into
            ``custom``, as Transkribus writes them. Points must be whole numbers, none negative.
        version: with 2010-03-19, each point is an element; empty for a file without namespace, else as 2019-07-15.
        image: name of the page's image.
        size: of the page; None for none, which the schema does not allow.
        order: ids of regions in reading order.
    """
    coords = _point_elements if version.startswith("2010") else _points_attribute
    namespace = f' xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/{version}"' if version else ""
    shape = f' imageWidth="{size[0]:g}" imageHeight="{size[1]:g}"' if size else ""
    parts = [
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
        f"<PcGts{namespace}><Metadata><Creator>test</Creator><Created>2024-01-01T00:00:00</Created>",
        f"<LastChange>2024-01-01T00:00:00</LastChange></Metadata><Page imageFilename={quoteattr(image)}{shape}>",
    ]
    if order:
        members = "".join(f'<RegionRefIndexed index="{n}" regionRef="{id}"/>' for n, id in enumerate(order))
        parts.append(f'<ReadingOrder><OrderedGroup id="order">{members}</OrderedGroup></ReadingOrder>')
    for id, group in groupby(lines, key=lambda line: line.region):
        own = list(group)
        type, custom = own[0].region_type, ""
        if type and type not in TEXT_TYPES:
            type, custom = "", f" custom={quoteattr(_mark('structure', f'type:{type}'))}"
        parts.append(f'<TextRegion id="{id}"{custom}' + (f' type="{type}">' if type else ">"))
        around = _around(line.polygon if len(line.polygon) else line.baseline for line in own)
        parts.append(coords("Coords", around))
        for line in own:
            marks = [_mark("structure", f"type:{line.type}")] if line.type else []
            marks += [_mark(*_span(span)) for span in line.spans]
            custom = f" custom={quoteattr(' '.join(marks))}" if marks else ""
            parts.append(f'<TextLine id="{line.id}"{custom}>')
            parts.append(coords("Coords", line.polygon) if len(line.polygon) else "")
            parts.append(coords("Baseline", line.baseline) if len(line.baseline) else "")
            parts.append(f"<TextEquiv><Unicode>{_content(line.text)}</Unicode></TextEquiv></TextLine>")
        parts.append("</TextRegion>")
    return "\n".join([*parts, "</Page></PcGts>"])


def facts(line: PageLine) -> tuple[object, ...]:
    """Return all that a line says, in a form that can be compared."""
    shape = line.polygon.tolist(), line.baseline.tolist()
    return line.id, line.text, *shape, line.type, line.region, line.region_type, line.spans, line.problem


def _refs(tag: str | None) -> str:
    return f' TAGREFS="{tag}"' if tag else ""


def _around(shapes: Iterable[Points]) -> Points:
    every = np.concatenate([points(), *shapes])
    if not len(every):
        return points()
    (left, top), (right, bottom) = every.min(axis=0), every.max(axis=0)
    return points(left, top, right, top, right, bottom, left, bottom)


def _box(shapes: Iterable[Points]) -> str:
    around = _around(shapes)
    if not len(around):
        return ""
    (left, top), _, (right, bottom), _ = around
    return f' HPOS="{left:g}" VPOS="{top:g}" WIDTH="{right - left:g}" HEIGHT="{bottom - top:g}"'


def _numbers(shape: Points, between: str) -> str:
    return " ".join(f"{x:g}{between}{y:g}" for x, y in shape)


def _points_attribute(name: str, shape: Points) -> str:
    return f'<{name} points="{_numbers(shape, ",")}"/>'


def _point_elements(name: str, shape: Points) -> str:
    return "".join([f"<{name}>", *(f'<Point x="{x:g}" y="{y:g}"/>' for x, y in shape), f"</{name}>"])


def _span(span: Span) -> tuple[str, ...]:
    where = f"offset:{span.start}", f"length:{span.length}"
    return ("textStyle", *where, f"{span.tag}:true") if span.tag in STYLES else (span.tag, *where)


def _mark(name: str, *values: str) -> str:
    return f"{name} {{{''.join(f'{value};' for value in values)}}}"


def _attribute(text: str) -> str:
    """Quote a text so that no parser changes its whitespace."""
    return quoteattr(text, {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})


def _content(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
