"""The Python API."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers.drawn_pages import blank, write
from helpers.typesetting import typeset
from PIL import Image

from htr_lightning import load
from htr_lightning.decode.decoder import build_beam_decoder, load_language_model
from htr_lightning.image.files import DataError
from htr_lightning.lm.arpa import write_arpa
from htr_lightning.lm.kneser_ney import train_ngram
from htr_lightning.reading.api import Reader
from htr_lightning.reading.write.writers import PAGE_WRITERS
from htr_lightning.segmentation.segmenter import Segmenter


@pytest.fixture(scope="module")
def model() -> Reader:
    return load("zoo:latin", segmenter=Segmenter())


@pytest.fixture
def page(tmp_path: Path) -> Path:
    drawn = blank(900, 800)
    write(drawn, 100, 800, 150, 3)
    Image.fromarray(drawn.pixels).save(tmp_path / "page.png")
    return tmp_path / "page.png"


def test_a_page_from_a_file_an_array_and_a_pillow_image(model: Reader, page: Path) -> None:
    read = [
        model.read(page),
        model.read(str(page)),
        model.read(Image.open(page)),
        model.read(np.array(Image.open(page))),
    ]
    assert len({one.text for one in read}) == 1 and len(read[0].lines) == 3
    line = read[0].lines[0]
    assert "".join(c.text for c in line.characters) == line.text == " ".join(w.text for w in line.words)
    assert 0 < line.confidence <= 1 and read[0].model == "zoo:latin"


def test_words_are_inside_their_line(model: Reader, page: Path) -> None:
    for line in model.read(page).lines:
        (left, top), (right, bottom) = line.polygon.min(0), line.polygon.max(0)
        for word in line.words:
            xs, ys = zip(*word.outline, strict=True)
            assert left - 3 <= min(xs) <= max(xs) <= right + 3
            assert top - 3 <= min(ys) <= max(ys) <= bottom + 3
        places = [min(x for x, _ in word.outline) for word in line.words]
        assert places == sorted(places)


def test_lines_from_a_layout(model: Reader, page: Path) -> None:
    from datetime import UTC, datetime

    first = model.read(page)
    page.with_suffix(".xml").write_bytes(PAGE_WRITERS["page"].write(first, datetime.now(UTC)))
    again = model.read(page, layout=page.with_suffix(".xml"))
    assert [line.id for line in again.lines] == [line.id for line in first.lines]


def test_single_lines(model: Reader, page: Path) -> None:
    line = np.array(Image.open(page))[100:175, 90:820]
    prediction = model.read_line(line)
    assert prediction.text and prediction.words and prediction.text == model.read_lines([line, line])[1].text
    absent = model.read_lines([page.with_name("absent.png")])[0]
    assert absent.error is not None and absent.error.file == page.with_name("absent.png")
    assert absent.problem == str(absent.error)
    with pytest.raises(DataError, match=r"absent\.png: there is no such file"):
        model.read_line(page.with_name("absent.png"))


def test_pages_of_documents(model: Reader, page: Path) -> None:
    image = Image.open(page).copy()
    book = page.with_suffix(".tif")
    image.save(book, save_all=True, append_images=[image.copy()])
    assert model.read(book, number=2).number == 2
    with pytest.raises(DataError, match=r"page\.tif: .* 2 pages; .*number=1"):
        model.read(book)
    for number in (0, 3):
        with pytest.raises(DataError, match=rf"page\.tif: .* 2 pages, not a page {number}"):
            model.read(book, number=number)
    book.write_bytes(book.read_bytes()[: book.stat().st_size // 2])
    with pytest.raises(DataError, match=r"page\.tif: "):
        model.read(book)


def test_what_is_no_image_is_refused(model: Reader) -> None:
    with pytest.raises(DataError, match=r"ndarray \(3, 3\) float64"):
        model.read(np.zeros((3, 3)))
    with pytest.raises(DataError, match="0 x 5 px"):
        model.read(np.zeros((5, 0), np.uint8))
    with pytest.raises(DataError, match="NoneType"):
        model.read(None)
    assert "ndarray (3, 3)" in (model.read_lines([np.zeros((3, 3))])[0].problem or "")


def test_pictures_are_read_as_their_files(model: Reader, page: Path) -> None:
    ink = 255 - np.array(Image.open(page))
    clear = Image.fromarray(np.dstack([ink * 0, ink * 0, ink * 0, ink]))
    clear.save(page.with_name("clear.png"))
    assert model.read(Image.open(page.with_name("clear.png"))).text == model.read(page.with_name("clear.png")).text
    assert model.read(clear).text == model.read(page).text


def test_what_a_notebook_shows(model: Reader, page: Path) -> None:
    html = model.read(page)._repr_html_()
    assert html.startswith("<p>3 lines in 1 regions</p><img") and "data:image/jpeg" in html
    assert "data:image/png" in model.read_line(page)._repr_html_()
    assert repr(model).startswith("<zoo:latin: ")


def test_how_lines_are_found_can_be_chosen(page: Path) -> None:
    assert load("zoo:latin", segmenter=Segmenter(min_height_px=500)).read(page).lines == ()


def test_importing_the_package_loads_nothing() -> None:
    code = "import sys, htr_lightning; sys.exit(any(name in sys.modules for name in ('torch', 'cv2', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_threads_with_one_language_model_read_what_one_thread_reads(tmp_path: Path, model: Reader) -> None:
    texts = ["one two three", "four five six", "seven eight nine", "ten eleven twelve"]
    write_arpa(train_ngram(texts, 4), tmp_path / "lm.arpa")
    decoder = build_beam_decoder(model.model.charset, lm=str(tmp_path / "lm.arpa"))
    reader = Reader(model.model, decoder=decoder)
    images = [np.asarray(typeset(text)) for text in texts * 4]
    expected = [reader.read_line(image).text for image in images]
    fresh = Reader(model.model, decoder=build_beam_decoder(model.model.charset, lm=str(tmp_path / "lm.arpa")))
    with ThreadPoolExecutor(4) as threads:
        assert [line.text for line in threads.map(fresh.read_line, images)] == expected


def test_a_decoder_with_a_language_model_can_be_pickled(tmp_path: Path, model: Reader) -> None:
    write_arpa(train_ngram(["one two"], 3), tmp_path / "lm.arpa")
    tables = load_language_model(tmp_path / "lm.arpa", model.model.charset)
    again = pickle.loads(pickle.dumps(tables))
    rows = again.find_rows(np.array([0, 1]))
    np.testing.assert_array_equal(
        again.log_probability[rows], tables.log_probability[tables.find_rows(np.array([0, 1]))]
    )
