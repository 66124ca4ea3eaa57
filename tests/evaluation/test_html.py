"""What an evaluation leaves in its folder: the page, the table, the picture, the JSON."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.scored_lines import CHARSET, EVIL, collect_scores, score_lines
from PIL import Image

from htr_lightning.evaluation.charts import (
    draw_edit_kinds,
    draw_group_rates,
    draw_length_rates,
    draw_reliability_diagram,
)
from htr_lightning.evaluation.files import write_evaluation
from htr_lightning.evaluation.html import render_page
from htr_lightning.evaluation.marks import mark_errors
from htr_lightning.evaluation.reliability import measure_reliability
from htr_lightning.evaluation.result import build_evaluation
from htr_lightning.evaluation.scores import GroupRate, LengthRate
from htr_lightning.evaluation.table import COLUMNS, read_table

ROWS = [
    ("v", "abcd abcd", "abcd abcd"),
    ("v", "abc dé a", "abd de a"),
    ("w", "a bad bé", "a bd bbé"),
    ("w", "cab", ""),
    (EVIL, EVIL, "a"),
]
NAMES = ["confusions.png", "lines.tsv", "report.html", "result.json"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    collector = collect_scores(*ROWS, ("w", "", "a"), id=f"{{row}} {EVIL}")
    write_evaluation(tmp_path, build_evaluation(collector, f"zoo:{EVIL}", f"{EVIL}.tsv"), collector)
    return tmp_path


def test_the_page_is_whole_and_holds_no_foreign_code(folder: Path, elements_of: Callable[[str], set[str]]) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    elements = elements_of(page)
    assert {"svg", "table", "img", "mark", "figure"} <= elements
    assert "script" not in elements and "&lt;script&gt;" in page and "\u202e" not in page
    assert not re.search(r"(src|href)=\"(?!data:image/(jpeg|png);base64,)", page)
    assert "url(" not in page and "@import" not in page
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(svg)


def test_the_page_shows_what_was_found(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    headings = ("Scores", "Where the errors are", "Confusions", "Confidence", "Worst lines", "Confident, but wrong")
    assert re.findall("<h2>(.*)</h2>", page) == list(headings)
    for text in (
        "ignoring both",
        "expected calibration error",
        ">images<",
        "are not in the model",
        "the text is empty",
    ):
        assert text in page, text
    result = json.loads((folder / "result.json").read_text())
    assert f"{100 * result['cer']:.2f} %" in page


def test_the_json_holds_every_score_with_its_interval(folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    variants = ("", "_ignoring_case", "_ignoring_accents", "_ignoring_case_and_accents")
    rates = [f"{rate}{variant}" for rate in ("cer", "wer") for variant in variants]
    averages = [f"{name}{average}" for name in ("precision", "recall", "f1") for average in ("", "_macro")]
    for name in (*rates, "wer_tokens", "accuracy", *averages):
        assert result[f"{name}_low"] <= result[f"{name}_high"], name
        assert result[name] >= 0, name
    assert (result["lines"], result["skipped"], result["groups"], result["accuracy"]) == (5, 1, 3, 0.2)
    edits = result["insertions"] + result["deletions"] + result["substitutions"]
    assert result["cer"] == edits / result["characters"] == edits / sum(len(r) for _, r, _ in ROWS)
    assert [row["group"] for row in result["by_group"]] == [EVIL, "w", "v"]
    assert sum(row["lines"] for row in result["by_length"]) == 5
    assert {"reference": "c", "hypothesis": "d", "count": 1} in result["substitutions_by_pair"]
    assert result["unknown_characters"]["<"] == 2 and len(result["problems"]) == 1
    assert 0 < result["line_calibration_error"] < 1 and 0 < result["character_calibration_error"] < 1
    assert sum(result["reliability"]["character"]["counts"]) == sum(len(h) for *_, h in ROWS)


def test_the_table_holds_every_line(folder: Path) -> None:
    rows = read_table(folder)
    assert [(row.group, row.reference, row.hypothesis) for row in rows] == [
        (group, reference, hypothesis) for group, reference, hypothesis in ROWS
    ]
    assert rows[1].errors == {"cer": (2, 8), "wer": (2, 3), "wer_tokens": (2, 3)}
    header, first, *_ = (folder / "lines.tsv").read_text(encoding="utf-8").splitlines()
    assert tuple(header.split("\t")) == COLUMNS and len(first.split("\t")) == len(COLUMNS)


def test_files_are_whole_and_an_old_picture_goes(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    with Image.open(folder / "confusions.png") as picture:
        assert picture.format == "PNG"
    right = collect_scores(("", "abcd", "abcd"))
    write_evaluation(folder, build_evaluation(right, "m", "d"), right)
    assert sorted(path.name for path in folder.iterdir()) == [name for name in NAMES if name != "confusions.png"]
    page = (folder / "report.html").read_text()
    assert "Worst lines" not in page and "<h2>Confusions" not in page and "0.00 %" in page


def test_without_places_there_are_neither_crops_nor_character_confidences() -> None:
    collector = collect_scores(*ROWS, characters=False)
    found = build_evaluation(collector, "m", "d")
    page = render_page(found, None, collector.crops, collector.worst.get_lines())
    assert list(found.reliabilities) == ["line"] and ">images<" not in page


def test_lines_without_groups_are_drawn_one_by_one() -> None:
    found = build_evaluation(collect_scores(*(("", r, h) for _, r, h in ROWS[:4])), "m", "d")
    assert not found.has_groups and found.groups == 4 and not found.by_group
    assert "bootstrap over 4 lines" in render_page(found) and "CER of each group" not in render_page(found)


def test_the_summary_is_short() -> None:
    summary = build_evaluation(collect_scores(*ROWS), "m", "d").summarize()
    assert {"cer", "cer_low", "wer", "wer_tokens", "f1_macro", "lines", "skipped", "groups"} <= set(summary)
    assert len(summary) < 30 and "cer_ignoring_case_low" not in summary


def test_tabs_and_broken_letters_do_not_break_the_files(tmp_path: Path) -> None:
    collector = collect_scores(("v\tw", "a \ud800 b", "a"), id="x\ty{row}")
    write_evaluation(tmp_path, build_evaluation(collector, "m", "d"), collector)
    (row,) = read_table(tmp_path)
    assert (row.id, row.group, row.reference) == ("x y0", "v w", "a \\ud800 b")
    assert json.loads((tmp_path / "result.json").read_text())["lines"] == 1


def test_errors_are_marked() -> None:
    (line,) = score_lines(("a bc<", "axbd<<"))
    reference, hypothesis = mark_errors(line)
    assert reference == [("a", None), ("␣", "substitution"), ("b", None), ("c", "substitution"), ("<", None)]
    kinds = [run.kind for run in hypothesis if run.kind]
    assert sorted(kinds) == ["insertion", "substitution", "substitution"]
    (line,) = score_lines(("ab cd", "cd"))
    assert mark_errors(line) == ([("ab␣", "deletion"), ("cd", None)], [("cd", None)])


def test_charts_are_xml_and_left_out_where_they_would_say_nothing() -> None:
    groups = [GroupRate(f"{EVIL} {n} {'long' * 20}", 3, 100, n, n / 100) for n in range(60)]
    lengths = [LengthRate(n, n + 9, 4, 100, n, n / 100, 0.0, 2.0) for n in range(0, 50, 10)]
    plot = draw_reliability_diagram(measure_reliability([0.1, 0.9], [False, True]), "lines")
    for drawn in (
        draw_group_rates(groups, 0.2),
        draw_length_rates(lengths, 0.2),
        plot,
        draw_edit_kinds({"insertion": 1, "deletion": 0}),
    ):
        ET.fromstring(drawn)
    assert draw_group_rates(groups, 0.2).count("<rect") == 40
    assert (
        draw_group_rates(groups[:1], 0.2)
        == draw_length_rates(lengths[:1], 0.1)
        == draw_edit_kinds({"insertion": 0})
        == ""
    )
    assert draw_group_rates([GroupRate("v", 1, 1, 0, 0.0)] * 2, 0.0)


def test_only_a_few_pixels_are_kept() -> None:
    collector = collect_scores(*[("", "abcd", "abxd")] * 200)
    assert len(collector.worst.get_lines()) == 20 and len(collector.crops.get(("c", "x"))) == 8
    for _, pixels in collector.worst.get_lines():
        assert pixels.base is None
    assert all(isinstance(crop, np.ndarray) for crop in collector.crops.get(("c", "x")))


def test_the_charset_decides_what_is_normalized() -> None:
    assert collect_scores(("", "e\u0301", "\u00e9"), charset=CHARSET).lines[0].is_correct
