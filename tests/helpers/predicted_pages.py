"""Predicted pages to test the writers with."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from helpers.layouts import points
from htr_lightning.decode.positions import Character, Outline, Word
from htr_lightning.layout.page import Page
from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=12)

IDS = ("page", "r1", "l1", "l1_w1", "l1_w1_g1", "_", "e.1", "A-b", "reading_order", "BT1", "recognition", "l2")


def build_outline(start: float, end: float, top: float = 100, left: float = 50, slope: float = 0.0) -> Outline:
    """Return a parallelogram, 30 px high, from start to end px along a line whose top left corner is left, top."""
    a, b = (left + start, top + slope * start), (left + end, top + slope * end)
    return a, b, (b[0], b[1] + 30), (a[0], a[1] + 30)


def build_line(
    id: str, text: str, top: float = 100, left: float = 50, slope: float = 0.0, **more: Any
) -> PredictedLine:
    """Return a line whose characters are 12 px wide and 30 px high, the first one at left, top."""
    characters = tuple(
        Character(c, 0.5 + 0.4 / (n + 1), n, n + 1, build_outline(12 * n, 12 * n + 12, top, left, slope))
        for n, c in enumerate(text)
    )
    words, start = [], 0
    for part in text.split(" "):
        end = start + len(part)
        if part:
            words.append(Word(part, 0.75, start, end, build_outline(12 * start, 12 * end, top, left, slope)))
        start = end + 1
    length = max(12 * len(text), 12)
    a, b, c, d = build_outline(-4, length + 4, top - 5, left, slope)
    bottom = top + 24
    defaults: dict[str, Any] = {
        "confidence": 0.625,
        "polygon": points(*a, *b, *c, *d),
        "baseline": points(left, bottom, left + length, bottom + slope * length),
        "characters": characters,
        "words": tuple(words),
    }
    return PredictedLine(id, text, **(defaults | more))


def build_page(*regions: PredictedRegion, **more: Any) -> PredictedPage:
    """Return a page of 1000 x 800 px."""
    return PredictedPage("scan 1.jpg", 1000, 800, regions, **more)


def build_region(id: str, *lines: PredictedLine, kind: str = "paragraph", **more: Any) -> PredictedRegion:
    """Return a region with the box around its lines as its outline."""
    inside = np.concatenate([points(), *(line.polygon for line in lines)])
    if len(inside):
        (left, top), (right, bottom) = inside.min(0), inside.max(0)
        more.setdefault("polygon", points(left, top, right, top, right, bottom, left, bottom))
    more.setdefault("polygon", points())
    return PredictedRegion(id, lines=lines, kind=kind, **more)


def build_sample_page() -> PredictedPage:
    """Return a page with everything that a page may contain."""
    return build_page(
        build_region(
            "r1", build_line("l1", "Le b<o>n «roi» & l’œuf", 100), build_line("l2", "dit ŭ Ω ж", 150, slope=0.1)
        ),
        build_region(
            "r2",
            build_line("l3", "sans mots", 300, 600, characters=(), words=()),
            build_line("l4", "", 340, 600),
            PredictedLine("l5", problem="its outline has only 2 different points, where 3 are needed; draw it again"),
            kind="marginalia",
        ),
        build_region("r3", kind="MainZone:a {b};"),
        number=3,
        model="peraire & co",
        notes=("It lies on its side.", 'One "note" <more>.'),
    )


@st.composite
def predicted_pages(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> PredictedPage:
    """Draw a page: its ids are unique XML names, its polygons and baselines whole pixels inside it."""
    ids = iter(draw(st.permutations(IDS)))
    number = st.integers(0, 700)
    regions = []
    for _ in range(draw(st.integers(0, 3))):
        lines = []
        for _ in range(draw(st.integers(0, 3))):
            slope = draw(st.sampled_from([0.0, 0.1, -0.3]))
            line = build_line(next(ids), draw(texts), draw(number), draw(number), slope)
            x, y = draw(number), draw(number)
            polygon = points(x, y, x + 200, y + 3, x + 190, y + 40, x, y + 33)
            baseline = points(x, y + 20, x + 90, y + 25, x + 180, y + 20)
            has_words = draw(st.booleans())
            words, characters = (line.words, line.characters) if has_words else ((), ())
            lines.append(PredictedLine(line.id, line.text, 0.5, polygon, baseline, characters, words))
        kind = draw(st.sampled_from(["paragraph", "marginalia", "Ligne: {a};", "été", ""]))
        regions.append(build_region(next(ids), *lines, kind=kind))
    return build_page(*regions)


def assert_same_lines(read: Page, page: PredictedPage) -> None:
    """Assert that a page that was read from a file has the lines and regions of the page that was written."""
    for line, parsed in zip(page.lines, read.lines, strict=True):
        assert (parsed.id, parsed.text, parsed.problem) == (line.id, line.text, "")
        assert np.array_equal(parsed.polygon, line.polygon) and np.array_equal(parsed.baseline, line.baseline)
    kinds = [(region.id, region.kind) for region in page.regions for _ in region.lines]
    assert [(line.region, line.region_type) for line in read.lines] == kinds
