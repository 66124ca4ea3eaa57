import re
from typing import Any

import numpy as np
import pytest
from helpers.layouts import points
from helpers.predicted_pages import build_line, build_page, build_region, build_sample_page, predicted_pages
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write.hocr import fit_baseline, write_hocr
from htr_lightning.reading.write.tokens import sanitize
from htr_lightning.version import __version__

XHTML = "{http://www.w3.org/1999/xhtml}"
PARENTS = {
    "ocr_page": None,
    "ocr_carea": "ocr_page",
    "ocr_par": "ocr_carea",
    "ocr_line": "ocr_par",
    "ocrx_word": "ocr_line",
    "ocrx_cinfo": "ocrx_word",
}
PROPERTIES = {
    "ocr_page": r'image "[^"]*"; bbox 0 0 \d+ \d+; ppageno \d+',
    "ocr_carea": r"(bbox( \d+){4})?",
    "ocr_par": "",
    "ocr_line": r"(bbox( \d+){4})?(; baseline -?[\d.e-]+ -?[\d.]+)?",
    "ocrx_word": r"bbox( \d+){4}; x_wconf [\d.]+",
    "ocrx_cinfo": r"x_bboxes( \d+){4}; x_conf [\d.]+",
}


def checked(written: bytes) -> Any:
    """Assert that a file is XHTML with the elements and properties of hOCR where they belong."""
    root = etree.fromstring(written)
    assert root.tag == f"{XHTML}html" and [child.tag for child in root] == [f"{XHTML}head", f"{XHTML}body"]
    assert root[0].find("{*}title") is not None
    metas = {meta.get("name"): meta.get("content") for meta in root[0].iter("{*}meta")}
    assert metas["ocr-system"] == f"htr-lightning {__version__}"
    ids = [element.get("id") for element in root.iter("{*}*") if element.get("id")]
    assert len(set(ids)) == len(ids)
    for element in root[1].iter("{*}*"):
        name = element.get("class")
        if name is not None:
            assert element.getparent().get("class") == PARENTS[name] and name in metas["ocr-capabilities"].split()
            assert re.fullmatch(PROPERTIES[name], element.get("title", "")), element.get("title")
    return root


def of_class(root: Any, name: str) -> list[Any]:
    return [element for element in root.iter("{*}*") if element.get("class") == name]


def texts(elements: list[Any]) -> list[str]:
    return ["".join(element.itertext()) for element in elements]


def test_the_sample_page() -> None:
    root = checked(write_hocr(build_sample_page()))
    assert texts(of_class(root, "ocr_line")) == [line.text for line in build_sample_page().lines]
    assert texts(of_class(root, "ocrx_word"))[-3:] == ["Ω", "ж", "sans mots"]
    (page,) = of_class(root, "ocr_page")
    assert page.get("title") == 'image "scan 1.jpg"; bbox 0 0 1000 800; ppageno 2'
    notes = [meta.get("content") for meta in root.iter("{*}meta") if meta.get("name", "").startswith("htr-")]
    assert notes == ["peraire & co", "It lies on its side.", 'One "note" <more>.']
    assert root.getroottree().docinfo.public_id == "-//W3C//DTD XHTML 1.0 Transitional//EN"


def test_places_and_confidences() -> None:
    root = checked(write_hocr(build_page(build_region("r", build_line("l", "le roi", 100, slope=0.1)))))
    (line,) = of_class(root, "ocr_line")
    assert (line.get("id"), line.get("title")) == ("l", "bbox 46 95 126 133; baseline 0.1 -9.4")
    word = of_class(root, "ocrx_word")[1]
    assert (word.get("id"), word.get("title")) == ("l_w2", "bbox 86 104 122 137; x_wconf 75")
    characters = of_class(root, "ocrx_cinfo")
    assert texts(characters) == list("leroi") and characters[2].get("title") == "x_bboxes 86 104 98 135; x_conf 60"


@pytest.mark.parametrize(
    ("numbers", "fit"),
    [
        ((10, 80, 110, 80), (0, -20)),
        ((10, 80, 110, 90), (0.1, -20)),
        ((20, 85, 40, 80, 60, 75), (-0.25, -12.5)),
        ((0, 80, 50, 90, 100, 80), (0, -16.67)),
        ((50, 0, 50, 100), None),
        ((), None),
    ],
)
def test_baselines_are_fitted(numbers: tuple[float, ...], fit: tuple[float, float] | None) -> None:
    line = PredictedLine("l", baseline=points(*numbers))
    assert fit_baseline(line, (10, 50, 110, 100)) == fit


def test_names_and_problems_that_would_break_the_file() -> None:
    page = PredictedPage('a "b"\\c -->.jpg', 9, 9, (build_region("r", PredictedLine("l", problem="a --- b --> <c>-")),))
    root = checked(write_hocr(page))
    assert of_class(root, "ocr_page")[0].get("title").startswith('image "a %22b%22/c -->.jpg"')
    (comment,) = root.iter(etree.Comment)
    assert "a - - - b" in comment.text


@settings(deadline=None, max_examples=50)
@given(predicted_pages(st.text(st.characters(), max_size=8)))
def test_any_text_is_there(page: PredictedPage) -> None:
    root = checked(write_hocr(page))
    assert texts(of_class(root, "ocr_line")) == [sanitize(line.text) for line in page.lines]
    assert [line.get("id") for line in of_class(root, "ocr_line")] == [line.id for line in page.lines]


@given(st.lists(st.integers(0, 50), min_size=2, max_size=5))
def test_symmetric_baselines_have_a_slope_of_0(heights: list[int]) -> None:
    ys = [*heights, *heights[::-1]]
    line = PredictedLine("l", "text", baseline=np.array([(100.0 * i, y) for i, y in enumerate(ys)], np.float32))
    fit = fit_baseline(line, (0, 0, 100, 60))
    assert fit is not None and fit[0] == pytest.approx(0, abs=1e-3)
