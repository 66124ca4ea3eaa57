"""What is found on a page and is no text of it, and short lines that are text."""

from dataclasses import replace

import numpy as np
import pytest

from htr_lightning.segmentation.clutter import drop_edge_fragments, drop_facing_strips, drop_turned_specks
from htr_lightning.segmentation.grouping import group_page
from htr_lightning.segmentation.regions import DetectedLine

WIDTH, HEIGHT = 1000, 1400


def line(left: float, right: float, y: float) -> DetectedLine:
    baseline = np.array([[left, y], [right, y]], np.float32)
    box = np.array([[left, y - 25], [right, y - 25], [right, y + 8], [left, y + 8]], np.float32)
    return DetectedLine(baseline, box)


def mirror(lines: list[DetectedLine]) -> list[DetectedLine]:
    return [line(WIDTH - old.right, WIDTH - old.left, float(old.baseline[0, 1])) for old in lines]


TEXT = [line(120, 880 - 7 * (k % 4), 100 + 40 * k) for k in range(25)]
STRIP = [line(945 + 3 * (k % 3), 998 - k % 2, 115 + 40 * k) for k in range(3, 15)]


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_the_strip_of_the_facing_page_is_dropped(is_mirrored: bool) -> None:
    text, strip = (mirror(TEXT), mirror(STRIP)) if is_mirrored else (TEXT, STRIP)
    assert drop_facing_strips([*strip, *text], WIDTH) == text
    assert drop_facing_strips([*text, *strip[:3]], WIDTH) == text
    assert drop_facing_strips([*text, *mirror(strip), *strip], WIDTH) == text, "on both sides"
    (region,) = group_page([*strip, *text], WIDTH, HEIGHT).regions
    assert len(region.lines) == len(text)


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_a_wide_strip_is_dropped_where_the_edge_cuts_its_lines(is_mirrored: bool) -> None:
    text = [line(340, 960 - 9 * (k % 3), 100 + 40 * k) for k in range(12)]
    strip = [line(0, 300 - 8 * (k % 5), 110 + 40 * k) for k in range(12)]
    notes = [line(15, 300 - 8 * (k % 5), 110 + 40 * k) for k in range(12)]
    if is_mirrored:
        text, strip, notes = map(mirror, (text, strip, notes))
    assert drop_facing_strips([*strip, *text], WIDTH) == text
    ends = [line(20, 310 - 8 * (k % 5), 590 + 40 * k) for k in range(10)]  # of paragraphs, whose last words are whole
    ends = mirror(ends) if is_mirrored else ends
    assert drop_facing_strips([*strip, *ends, *text], WIDTH) == text
    assert drop_facing_strips([*strip[:6], *ends, *text], WIDTH) == [*strip[:6], *ends, *text], "too few are cut off"
    assert drop_facing_strips([*strip[:4], *text], WIDTH) == [*strip[:4], *text], "four lines may be a note"
    assert drop_facing_strips([*notes, *text], WIDTH) == [*notes, *text], "a column that is not cut off"


@pytest.mark.parametrize(
    "others",
    [
        STRIP[:2],  # two lines may be a note
        [line(880, 998, 115 + 40 * k) for k in range(8)],  # a column of notes is wider
        [line(920, 965, 115 + 40 * k) for k in range(8)],  # away from the edge
        [*(line(895, 998, y) for y in (300, 700, 900)), *STRIP],  # among them longer ones
    ],
)
def test_other_short_lines_are_kept(others: list[DetectedLine]) -> None:
    assert drop_facing_strips([*TEXT, *others], WIDTH) == [*TEXT, *others]


def test_pages_of_short_lines_are_kept() -> None:
    # Text up to the very edge, as on a cropped image: no gap beside the short lines.
    words = [line(945, 998, 100 + 40 * k) for k in range(5)]
    close = [line(60, 941, 100 + 40 * k) for k in range(5)]
    assert drop_facing_strips([*close, *words], WIDTH) == [*close, *words]
    assert drop_facing_strips(STRIP, WIDTH) == STRIP
    assert drop_facing_strips([], WIDTH) == []


def test_fragments_at_an_edge_that_the_text_does_not_reach_are_dropped() -> None:
    fragments = [line(0, 70, 300), line(960, 1000, 640)]
    note = line(20, 80, 500)
    assert drop_edge_fragments([*TEXT, *fragments, note], WIDTH) == [*TEXT, note]
    assert note not in fragments and len(group_page([*TEXT, *fragments], WIDTH, HEIGHT).regions[0].lines) == len(TEXT)
    # On an image cut to its text, the last word of a paragraph touches the edge as the other lines do.
    cut = [line(2, 998 - 90 * (k % 2), 40 + 40 * k) for k in range(12)]
    words = [line(1, 60, 520), line(2, 50, 560)]
    assert drop_edge_fragments([*cut, *words], WIDTH) == [*cut, *words]
    assert drop_edge_fragments(words, WIDTH) == words
    assert drop_edge_fragments([], WIDTH) == []


def test_short_turned_lines_are_dropped_unless_the_page_is_turned() -> None:
    speck, note = line(100, 150, 60), line(100, 400, 60)
    down = [replace(speck, orientation=2), replace(note, orientation=2)]
    assert drop_turned_specks([*TEXT, *down]) == [*TEXT, down[1]]
    turned = [replace(some, orientation=2) for some in (*TEXT, speck)]
    assert drop_turned_specks([*turned, speck]) == [*turned, speck]
    sideways = DetectedLine(note.baseline[:, ::-1], note.polygon[:, ::-1], orientation=1)
    assert drop_turned_specks([*TEXT, sideways]) == [*TEXT, sideways]
    assert drop_turned_specks([]) == []
