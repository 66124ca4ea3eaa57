"""Scripts that are not read are named, by the doctor and before a run."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from htr_lightning.charset import Charset
from htr_lightning.cli import doctor
from htr_lightning.data.line import Line
from htr_lightning.data.pack import pack
from htr_lightning.doctor.facts import Settings
from htr_lightning.doctor.quick import check_packed_lines, log_warnings
from htr_lightning.doctor.scripts import find_script_problems
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.preprocess import Preprocess

HEBREW, ARABIC, SYRIAC = "שלום עולם", "مرحبا", "ܫܠܡܐ"


@pytest.mark.parametrize(("text", "script"), [(HEBREW, "Hebrew"), (ARABIC, "Arabic"), (SYRIAC, "Syriac")])
def test_the_script_and_the_lines_are_named(text: str, script: str) -> None:
    finding, mixed = find_script_problems({"train": [("a", "un mot"), ("b", text)], "val": [("c", f"le {text} 12")]})
    assert (finding.key, finding.severity, finding.count) == ("right_to_left", "note", 2)
    assert (mixed.key, [line.id for line in mixed.lines]) == ("two_directions", ["c"])
    assert script in finding.title and [line.id for line in finding.lines] == ["b", "c"]


@pytest.mark.parametrize("text", ["un mot", "Ωδή", "слово", "१२३", "漢字", "١٢٣", "(1923)", "a\u0301", ""])
def test_other_scripts_are_not(text: str) -> None:
    assert find_script_problems({"train": [("a", text)]}) == []


def _write_folder(folder: Path, texts: Sequence[str]) -> Path:
    for split in ("train", "val", "test"):
        (folder / split).mkdir(parents=True)
        for number, text in enumerate(texts):
            image = Image.new("L", (400, 40), 255)
            image.paste(0, (20 + number, 10, 380 - len(split), 30))
            image.save(folder / split / f"{number}.png")
            (folder / split / f"{number}.gt.txt").write_text(f"{text} {split}", encoding="utf-8")
    return folder


def test_the_doctor_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _write_folder(tmp_path / "lines", [f"{HEBREW} {number}" for number in range(3)])
    with pytest.raises(SystemExit):
        doctor.main(["dataset=lines", f"dataset.root={folder}"])
    out = capsys.readouterr().out
    assert "written from right to left (Hebrew" in out and "dataset.direction" in out


@pytest.mark.parametrize("texts", [["هذا الكتاب الكبير في المدينة"], ["שלום לכם מן הארץ"]])
def test_texts_that_are_stored_backwards(tmp_path: Path, caplog: pytest.LogCaptureFixture, texts: list[str]) -> None:
    assert "visual_order" not in {f.key for f in find_script_problems({"train": [("a", texts[0])]})}
    folder = _write_folder(tmp_path / "lines", [texts[0][::-1]])
    packed = {
        split: pack(
            [Line(split, ImageFile(folder / split / "0.png"), texts[0][::-1])], Preprocess(), tmp_path / "cache"
        )
        for split in ("train", "val", "test")
    }
    findings = check_packed_lines(packed, Charset.from_texts(texts), Settings(max_shared=1.0))  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        log_warnings(findings)  # a heuristic: a run goes on
    assert "stored backwards" in caplog.text
    assert [finding.severity for finding in findings if finding.key == "visual_order"] == ["warning"]


def test_forms_and_stretched_words() -> None:
    keys = {f.key for f in find_script_problems({"train": [("a", "ﺳﻼﻡ"), ("b", "ســـلام")]})}
    assert {"presentation_forms", "tatweel"} <= keys


def test_images_without_transcription_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _write_folder(tmp_path / "lines", ["un", "deux", "trois"])
    for name in ("train/7.png", "val/8.jpg", "train/0.nrm.png"):  # the last is another image of line 0
        Image.new("L", (400, 40), 255).save(folder / name)
    with pytest.raises(SystemExit):
        doctor.main(["dataset=lines", f"dataset.root={folder}"])
    out = capsys.readouterr().out
    assert "2 lines without transcription" in out and "7.png" in out
