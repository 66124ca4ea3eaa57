"""Synthetic lines in other scripts: from right to left, with joined letters, without spaces between words."""

import itertools
import re
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from htr_lightning.data.sources import font_check, fonts, grammar, synthetic_texts
from htr_lightning.data.sources.fonts import Face, find_supported_characters
from htr_lightning.data.sources.grammar import Grammar, collect_characters
from htr_lightning.data.sources.rendering import Style, render_line
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.data.sources.units import find_units
from htr_lightning.image.files import DataError

fontpkg = pytest.importorskip("fontpkg")
PLAIN = Style(height_px=64)


def find_font(name: str) -> Path:
    families = fontpkg.families()
    if name not in families:
        pytest.skip(f"fontpkg-{name} is not installed")
    return Path(families[name].files[0].path)


def render(text: str, font: str) -> tuple[np.ndarray, np.ndarray]:
    line = render_line(text, Face(find_font(font)), PLAIN, np.random.default_rng(1))
    return line.image, line.boxes


def count_strokes(image: np.ndarray) -> int:
    """Return the number of stretches of columns with ink."""
    has_ink = (image < 128).any(0).astype(int)
    return int((np.diff(np.r_[0, has_ink]) == 1).sum())


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("abc", ["a", "b", "c"]),
        ("שלום 12", ["1", "2", " ", "ם", "ו", "ל", "ש"]),
        ("سلام عليكم", ["عليكم", " ", "سلام"]),
        ("abc سلام (12)", ["(", "1", "2", ")", " ", "سلام", " ", "a", "b", "c"]),
        ("سلام، abc", ["a", "b", "c", " ", "،", "سلام"]),
    ],
)
def test_units_are_drawn_from_left_to_right(text: str, drawn: list[str]) -> None:
    units = find_units(text)
    assert sorted(place for unit in units for place in unit.places) == list(range(len(text)))
    assert [unit.text for unit in units] == drawn


def test_hebrew_runs_from_right_to_left() -> None:
    image, boxes = render("שלום", "varela-round")
    centers = boxes.mean(1)
    assert (np.diff(centers) < 0).all() and count_strokes(image) >= 4
    np.testing.assert_array_equal(render("abcd", "varela-round")[1].mean(1).argsort(), range(4))


def test_arabic_letters_are_joined() -> None:
    image, boxes = render("ببب", "amiri")
    assert (np.diff(boxes.mean(1)) < 0).all()
    assert count_strokes(image) == 1  # as one stroke
    apart, _ = render("ب ب ب", "amiri")
    assert count_strokes(apart) == 3


@pytest.mark.parametrize(("language", "font"), [("ar", "amiri"), ("he", "varela-round")])
def test_lines_of_a_language(language: str, font: str, tmp_path: Path) -> None:
    shutil.copy(find_font(font), tmp_path / f"my_font{find_font(font).suffix}")
    source = Synthetic(
        num_train=6, num_val=2, num_test=0, languages=[language], font_folder=str(tmp_path), fonts=["my_font"]
    )
    lines = source.lines("train")
    assert len(lines) == 6
    text = "".join(line.text for line in lines)
    assert sum(unicodedata.bidirectional(c) in ("R", "AL") for c in text) > len(text) / 2
    assert all(line.image.read(10**9).shape[1] > 40 for line in lines)


def test_a_font_without_the_letters_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("amiri", "caveat"):
        shutil.copy(find_font(name), tmp_path / f"my_{name}{find_font(name).suffix}")
    settings = {"num_train": 4, "num_val": 0, "num_test": 0, "languages": ["ar"], "font_folder": str(tmp_path)}
    with pytest.raises(DataError, match=r"my_caveat.*U\+0627 ARABIC LETTER ALEF") as caught:
        Synthetic(**settings, fonts=["my_amiri", "my_caveat"]).lines("train")  # type: ignore[arg-type]
    assert caught.value.key == "dataset.fonts" and caught.value.remedy
    lines = Synthetic(**settings).lines("train")  # type: ignore[arg-type]
    assert len(lines) == 4 and {line.group for line in lines} >= {"my_amiri"}
    assert caplog.text.count("my_caveat") == 1 and "dataset.font_folder" in caplog.text


def test_arabic_needs_shaping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    font = find_font("amiri")
    for module in (fonts, grammar):
        monkeypatch.setattr(module, "can_shape", lambda: False)
    find_supported_characters.cache_clear()
    try:
        assert find_supported_characters(font, frozenset("بa")) == {"a"}
        shutil.copy(font, tmp_path / f"my_font{font.suffix}")
        with pytest.raises(DataError, match=r"'ar'.*Raqm"):
            Synthetic(num_train=6, languages=["ar"], font_folder=str(tmp_path), fonts=["my_font"]).lines("train")
    finally:
        find_supported_characters.cache_clear()


@pytest.mark.parametrize(
    ("text", "can_shape", "message"),
    [
        ("كتب الى بيت", False, r"U\+0627 ARABIC LETTER ALEF.*install the wheel of Pillow.*HarfBuzz"),
        ("光緒二十年", True, r"the fonts can write hardly any.*U\+5149 CJK.*choose fonts of this script"),
        ("x\u0304y x\u0304z", True, r"they lack .*U\+0304 COMBINING MACRON.*remove these combining marks"),
    ],
)
def test_texts_that_no_font_can_write(
    text: str, can_shape: bool, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (fonts, grammar, font_check):
        monkeypatch.setattr(module, "can_shape", lambda: can_shape)
    find_supported_characters.cache_clear()
    file = tmp_path / "text.txt"
    file.write_text("\n".join(f"{text} {number}" for number in range(20)), encoding="utf-8")
    try:
        with pytest.raises(DataError, match=message) as caught:
            Synthetic(num_train=6, num_val=0, num_test=0, min_length=2, text_file=str(file)).lines("train")
    finally:
        find_supported_characters.cache_clear()
    assert caught.value.key == "dataset.font_folder" and len(str(caught.value).splitlines()) == 1


def test_greek_words_end_with_the_final_sigma() -> None:
    words = Grammar(["el"], collect_characters(["el"])).generate_words(np.random.default_rng(1))
    text = " ".join(itertools.islice(words, 500))
    assert "ς " in text and "σ " not in text


def test_chinese_has_no_spaces_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_texts, "find_supported_characters", lambda path, characters: characters)
    texts = synthetic_texts.SyntheticTexts(("zh",), (6, 20), None, None, 1)
    font = fonts.Font("f", (Face(Path("f.ttf")),))
    lines, _ = texts.generate("train", 50, [font], np.random.default_rng(1))
    found = list(itertools.islice(lines, 50))
    assert sum(" " in line for line in found) < 40 and all(6 <= len(line) <= 20 for line in found)
    assert not any(re.search("[\u4e00-\u9fff] [\u4e00-\u9fff]", line) for line in found)


def test_chinese_is_written_with_its_own_marks_dates_and_single_characters() -> None:
    words = list(
        itertools.islice(Grammar(["zh"], collect_characters(["zh"])).generate_words(np.random.default_rng(1)), 5000)
    )
    text = "".join(words)
    assert not re.search("[,;?!()](?![0-9])", text) and {"，", "。", "（", "）"} <= set(text)
    assert re.search("[0-9]{4}年", text) and any(len(word) == 1 and "\u4e00" <= word <= "\u9fff" for word in words)
    assert sum("A" <= letter.upper() <= "Z" for letter in text) < 0.03 * len(text)  # QQ, APP


@pytest.mark.parametrize(("language", "more"), [("zh", 1.1), ("en", 1.05)])
def test_rare_words_bring_in_rare_characters(language: str, more: float) -> None:
    counts = []
    for rare_words in (0.0, 0.5):
        grammar = Grammar([language], collect_characters([language]), rare_words)
        words = list(itertools.islice(grammar.generate_words(np.random.default_rng(1)), 5000))
        counts.append(len(set("".join(words) if language == "zh" else words)))
    assert counts[1] > more * counts[0]


def test_rare_words_are_a_fraction() -> None:
    with pytest.raises(DataError, match=r"dataset\.rare_words=1\.5: .*out of range; .*between 0 and 1"):
        Synthetic(rare_words=1.5)
