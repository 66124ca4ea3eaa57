"""What the pages of all reports have in common."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import jinja2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from htr_lightning.report.chart import Scale, build_svg, choose_step, choose_ticks, draw_bar, draw_line, draw_text
from htr_lightning.report.html import mark_unprintable, render_template, show_character
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
    bare = re.sub(r'<span class="hidden">U\+[0-9A-F]+</span>', "", mark_unprintable(text))
    assert "<" not in bare and ">" not in bare and '"' not in bare


def test_a_page_escapes_its_title() -> None:
    page = render_template("report/base.html.jinja", title="<b>\u202e")
    assert "<title>&lt;b&gt;&lt;U+202E&gt;</title>" in page and "prefers-color-scheme: dark" in page


def test_a_template_without_its_values_is_refused() -> None:
    with pytest.raises(jinja2.UndefinedError, match="title"):
        render_template("report/base.html.jinja")


def test_single_characters_can_be_seen() -> None:
    assert [show_character(c) for c in (" ", "\u0301", "<", "a")] == ["␣", "◌\u0301", "&lt;", "a"]


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
