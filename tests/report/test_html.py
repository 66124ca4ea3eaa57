"""What the pages of all reports have in common."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from htr_lightning.report.chart import Scale, build_svg, choose_step, choose_ticks, draw_bar, draw_line, draw_text
from htr_lightning.report.html import document, figure, glyph, shown
from htr_lightning.report.picture import encode_jpeg_uri, encode_png_uri


@given(st.floats(0.5, 1e9), st.integers(1, 100))
def test_steps_are_round(span: float, most: int) -> None:
    step = choose_step(span, most)
    assert span / step <= most and str(step).rstrip("0") in ("1", "2", "5")


def test_ticks_lie_inside() -> None:
    assert choose_ticks(3, 17) == [4, 6, 8, 10, 12, 14, 16] or all(3 <= tick <= 17 for tick in choose_ticks(3, 17))
    assert choose_ticks(0, 1000) == [0, 200, 400, 600, 800, 1000]


@given(st.text())
def test_what_is_shown_has_no_markup_of_its_own(text: str) -> None:
    bare = re.sub(r'<span class="hidden">U\+[0-9A-F]+</span>', "", shown(text))
    assert "<" not in bare and ">" not in bare and '"' not in bare


def test_a_page_escapes_its_title_and_leaves_out_empty_parts() -> None:
    page = document("<b>\u202e", ["<p>one</p>", "", "<p>two</p>"], "p { color: red }")
    assert "<title>&lt;b&gt;U+202E</title>" in page and "<p>one</p>\n<p>two</p>" in page
    assert "prefers-color-scheme: dark" in page and "p { color: red }" in page


def test_figures_without_a_drawing_are_left_out() -> None:
    assert figure("a", "b", "") == ""
    assert "&lt;b&gt;" in figure("<b>", "", "<svg></svg>")


def test_single_characters_can_be_seen() -> None:
    assert (glyph(" "), glyph("\u0301"), glyph("<"), glyph("a")) == ("␣", "◌\u0301", "&lt;", "a")


def test_drawings_are_xml() -> None:
    x = Scale(0, 10, 100, 200)
    assert (x(0), x(5), x(10)) == (100, 150, 200)
    drawn = build_svg(40, [draw_bar(1, 2, 3, 4, "<&"), draw_text(1, 2, "<&"), draw_line(0, 0, 1, 1)], "<&")
    assert [element.tag.rpartition("}")[2] for element in ET.fromstring(drawn)] == ["rect", "text", "line"]


def test_pictures_are_held_in_the_page() -> None:
    def read(uri: str) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))

    assert read(encode_jpeg_uri(np.zeros((200, 90), np.uint8), max_height_px=50)).size == (22, 50)
    assert read(encode_jpeg_uri(np.zeros((20, 90), np.uint8))).size == (90, 20)
    assert read(encode_png_uri(Image.new("RGB", (3, 4)))).size == (3, 4)
