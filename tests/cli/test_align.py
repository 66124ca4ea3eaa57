"""Transcriptions of pages cut into lines through the command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.drawn_pages import small_page

from htr_lightning.cli import align
from htr_lightning.data.sources.lines import Lines
from htr_lightning.layout.formats import read_layout

Align = Callable[..., tuple[int, str]]


@pytest.fixture
def run_align(capsys: pytest.CaptureFixture[str]) -> Align:
    def run(*arguments: object) -> tuple[int, str]:
        code: Any = 0
        try:
            align.main([*map(str, arguments), "--model", "zoo:latin", "--finder", "classical"])
        except SystemExit as error:
            code = error.code
        err = capsys.readouterr().err
        return (1, err + code) if isinstance(code, str) else (int(code or 0), err)

    return run


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(2):
        (folder / f"p{number}.txt").write_text(" ".join(small_page(seed=number).texts), encoding="utf-8")
    return folder


def test_a_folder_is_aligned_and_resumed(scans: Path, texts: Path, tmp_path: Path, run_align: Align) -> None:
    out = tmp_path / "out"
    code, err = run_align(scans, texts, "--out", out, "--format", "alto,page,lines")
    assert code == 0 and "8 of 8 lines" in err
    for number in range(2):
        expected = small_page(seed=number).texts
        for suffix in (".xml", ".page.xml"):
            assert [line.text for line in read_layout(out / f"p{number}{suffix}").lines] == expected
        told = json.loads((out / f"p{number}.align.json").read_text(encoding="utf-8"))
        assert [line["status"] for line in told["lines"]] == ["placed"] * 4 and told["unplaced"] == []
    dataset = Lines(str(out), manifest="lines.tsv", split_ratios=(0.5, 0.5, 0))
    lines = [*dataset.lines("train"), *dataset.lines("val")]
    assert sorted(line.text for line in lines) == sorted(small_page(seed=0).texts + small_page(seed=1).texts)
    assert {line.group for line in lines} == {"p0", "p1"}
    assert all(line.image.read(10**7).size for line in lines)

    before = (out / "p0.xml").stat().st_mtime_ns
    (out / "p1.align.json").unlink()
    code, err = run_align(scans, texts, "--out", out, "--format", "alto,page,lines")
    assert code == 0 and "1 page skipped" in err and "8 of 8 lines" in err
    assert (out / "p0.xml").stat().st_mtime_ns == before
    code, err = run_align(scans, texts, "--out", out, "--overwrite")
    assert "skipped" not in err and (out / "p0.xml").stat().st_mtime_ns > before


def test_a_format_may_be_added_later(scans: Path, texts: Path, tmp_path: Path, run_align: Align) -> None:
    out = tmp_path / "out"
    run_align(scans, texts, "--out", out)
    for formats in ("lines", "page", "lines"):  # the second run writes the reports again, the third nothing
        code, _ = run_align(scans, texts, "--out", out, "--format", formats)
        assert code == 0 and len(Lines(str(out), manifest="lines.tsv", split_ratios=(1, 0, 0)).lines("train")) == 8
    assert len((out / "lines" / "p0.tsv").read_text(encoding="utf-8").splitlines()) == 5


def test_the_lines_of_layouts_get_the_texts(scans: Path, texts: Path, tmp_path: Path, run_align: Align) -> None:
    run_align(scans, texts, "--out", tmp_path / "first")
    (tmp_path / "first" / "p1.xml").unlink()
    layout = read_layout(tmp_path / "first" / "p0.xml")
    reversed_text = " ".join(reversed(small_page(seed=0).texts))
    (texts / "p0.txt").write_text(f"{reversed_text} et rien de plus sur cette page", encoding="utf-8")
    code, err = run_align(scans, texts, "--out", tmp_path / "out", "--layouts", tmp_path / "first")
    again = read_layout(tmp_path / "out" / "p0.xml")
    assert code == 0 and [line.id for line in again.lines] == [line.id for line in layout.lines]
    assert [line.text for line in again.lines] == small_page(seed=0).texts
    table = (tmp_path / "out" / "align.tsv").read_text(encoding="utf-8").splitlines()
    assert table[0].split("\t") == ["page", "line", "status", "confidence", "text", "prediction"]
    (row,) = [row.split("\t") for row in table if "\tno line\t" in row]
    assert row[0] == "p0" and row[4] == "et rien de plus sur cette page" and row[4] in err


def test_what_is_wrong_with_texts_is_said_and_the_rest_goes_on(
    scans: Path, texts: Path, tmp_path: Path, run_align: Align
) -> None:
    (texts / "p0.txt").write_text(" \n", encoding="utf-8")
    (texts / "nowhere.txt").write_text("un", encoding="utf-8")
    code, err = run_align(scans, texts, "--out", tmp_path / "out")
    assert code == 1 and "p0.txt: the text of the page is empty" in err and "nowhere.txt" in err
    assert not (tmp_path / "out" / "p0.xml").exists() and (tmp_path / "out" / "p1.xml").is_file()
    (texts / "p0.txt").write_bytes("été".encode("latin-1"))
    code, err = run_align(scans, texts, "--out", tmp_path / "out")
    assert code == 1 and "not UTF-8" in err and "p0.txt" in err and "1 page skipped" in err


def test_the_text_of_another_page_is_not_written(scans: Path, tmp_path: Path, run_align: Align) -> None:
    text = (
        "Procès verbal du conseil: les comptes du greffe furent approuvés; quinze votants, huit absents, nul recours."
    )
    path = tmp_path / "all.txt"
    path.write_text(f"{text}\f{' '.join(small_page(seed=1).texts)}", encoding="utf-8")
    code, err = run_align(scans, path, "--out", tmp_path / "out")
    assert code == 0 and "p0.png" in err and "check that it is the text of this page" in err
    assert not any(line.text for line in read_layout(tmp_path / "out" / "p0.xml").lines)
    assert [line.text for line in read_layout(tmp_path / "out" / "p1.xml").lines] == small_page(seed=1).texts


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "docx"), ("--format docx", "alto, page, lines")),
        (("--min-confidence", "2"), ("--min-confidence 2", "from 0 to 1")),
        (("--layouts", "x", "--ignore-layouts"), ("--layouts", "--ignore-layouts")),
    ],
)
def test_wrong_options_are_refused(
    scans: Path, texts: Path, tmp_path: Path, run_align: Align, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    code, err = run_align(scans, texts, "--out", tmp_path / "out", *arguments)
    assert code == 2 and all(word in err for word in words)


def test_files_that_are_not_there_are_named(scans: Path, texts: Path, tmp_path: Path, run_align: Align) -> None:
    code, err = run_align(scans, tmp_path / "nothing", "--out", tmp_path / "out")
    assert code == 2 and "nothing" in err
    path = tmp_path / "all.txt"
    path.write_text("un\fdeux\ftrois", encoding="utf-8")
    code, err = run_align(scans, path, "--out", tmp_path / "out")
    assert code == 1 and "3 texts" in err and "2 pages" in err
    code, err = run_align(scans, texts, "--out", scans)
    assert code == 1 and str(scans) in err


def test_alignment_with_an_onnx_file_needs_no_torch(scans: Path, texts: Path, tmp_path: Path, latin_onnx: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from htr_lightning.cli import align\n"
        f"align.main({[str(scans), str(texts), '--model', str(latin_onnx), '--finder', 'classical']!r}"
        f" + ['--out', {str(tmp_path / 'out')!r}])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert [line.text for line in read_layout(tmp_path / "out" / "p0.xml").lines] == small_page(seed=0).texts
