"""Trying the models that ship on lines and pages: which lines, what is measured, and what is advised."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.drawn_pages import small_page
from helpers.typesetting import texts, typeset

from htr_lightning.cli import zoo as command
from htr_lightning.decode.confidence import compute_expected_cer
from htr_lightning.evaluation.trial import Trial, advise, choose_lines
from htr_lightning.image.files import DataError
from htr_lightning.model.load import load_recognizer
from htr_lightning.reading.lines import LineReader
from htr_lightning.reading.pages import PageReader
from htr_lightning.segmentation.segmenter import Segmenter


@pytest.fixture(scope="module")
def reader() -> PageReader:
    return PageReader(LineReader(load_recognizer("zoo:latin", "cpu")), Segmenter())


def test_transcribed_lines_are_measured(
    write_lines: Callable[[Sequence[str], str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_lines(texts(12), "train")
    command.main(["--try", str(root), "--device", "cpu"])
    shown = capsys.readouterr().out
    assert "12 lines" in shown and "12 of them transcribed" in shown
    rows = {row.split()[0]: row.split()[1] for row in shown.splitlines() if row.startswith("zoo:")}
    assert {"zoo:latin", "zoo:latin-large"} <= set(rows) and all(value.endswith("%") for value in rows.values())
    best = min(rows, key=lambda name: float(rows[name].rstrip("%")))
    assert f"Take {best}: a CER of {rows[best]}" in shown


def test_without_texts_the_confidence_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, text in enumerate(texts(3)):
        typeset(text).save(tmp_path / f"{number}.png")
    command.main(["--try", str(tmp_path), "--device", "cpu"])
    shown = capsys.readouterr().out
    assert "none of them transcribed" in shown and "an expected CER" in shown


def test_lines_are_spread_over_the_folder(
    reader: PageReader, write_lines: Callable[[Sequence[str], str], Path]
) -> None:
    root = write_lines(texts(30), "train")
    chosen = choose_lines(root, reader, num_lines=4)
    all_lines = choose_lines(root, reader, num_lines=99)
    assert len(all_lines) == 30 and len(chosen) == 4
    assert chosen[0].id == all_lines[0].id and chosen[-1].id == all_lines[-1].id


def test_an_empty_folder_and_a_missing_one_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(SystemExit, match=str(folder)):
            command.main(["--try", str(folder)])
    with pytest.raises(SystemExit) as ended:
        command.main(["latin", "--try", str(tmp_path)])
    assert ended.value.code == 2 and "--try" in capsys.readouterr().err


def test_the_lines_of_pages_are_detected(tmp_path: Path, reader: PageReader) -> None:
    from PIL import Image

    Image.fromarray(small_page(lines=4).pixels).save(tmp_path / "page.png")
    lines = choose_lines(tmp_path, reader)
    assert len(lines) == 4 and all("page.png: " in line.id and not line.text for line in lines)


def test_a_blank_page_has_no_line(tmp_path: Path, reader: PageReader) -> None:
    from PIL import Image

    Image.fromarray(np.full((900, 700), 250, np.uint8)).save(tmp_path / "blank.png")
    with pytest.raises(DataError, match="there is no line"):
        choose_lines(tmp_path, reader)


@pytest.mark.parametrize(
    ("cer", "words"), [(0.02, "would gain little"), (0.2, "Correct 100 lines"), (0.5, "transcribe 100 lines by hand")]
)
def test_the_advice_depends_on_the_best_model(cer: float, words: str) -> None:
    trials = [Trial("zoo:a", cer + 0.1, 1.0, 0.1, ""), Trial("zoo:b", cer, 0.1, 0.1, "")]
    assert "Take zoo:b" in advise(trials) and words in advise(trials)


def test_without_transcriptions_the_expected_error_follows_the_confidence() -> None:
    surer, doubtful, silent = (Trial(name, None, c, 0.1, "") for name, c in (("a", 0.9), ("b", 0.8), ("c", 0.0)))
    assert surer.expected_cer == pytest.approx(compute_expected_cer(0.9))
    assert doubtful.expected_cer == pytest.approx(2 * surer.expected_cer) and silent.expected_cer == 1
    assert f"Take a: an expected CER (from confidences, roughly) of {surer.expected_cer:.1%}" in advise(
        [doubtful, surer]
    )
