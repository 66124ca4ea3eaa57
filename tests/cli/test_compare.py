"""Two evaluations of the same lines side by side."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.scored_lines import collect_scores

from htr_lightning.cli import compare as command
from htr_lightning.evaluation.difference import PairingError, compare, pair_rows
from htr_lightning.evaluation.intervals import draw_weights
from htr_lightning.evaluation.lines import ErrorCount
from htr_lightning.evaluation.table import COLUMNS, LineRow, TableError, format_table, read_table


def row(
    id: str, edits: int, reference: str = "abcdefghij", group: str = "", words: tuple[int, int] = (0, 1)
) -> LineRow:
    errors = {"cer": ErrorCount(edits, len(reference)), "wer": ErrorCount(*words), "wer_tokens": ErrorCount(*words)}
    return LineRow(id, group, reference, f"read{edits}", errors)


def write(folder: Path, *rows: tuple[str, str, str]) -> Path:
    folder.mkdir()
    (folder / "lines.tsv").write_text(format_table(collect_scores(*rows).build_rows()), encoding="utf-8")
    return folder


def test_a_planted_difference_is_found() -> None:
    generator = np.random.default_rng(0)
    edits = generator.integers(1, 5, 200).tolist()
    groups = [f"w{i % 20}" for i in range(200)]
    a = [row(str(i), e, group=g) for i, (e, g) in enumerate(zip(edits, groups, strict=True))]
    b = [row(str(i), e - (i % 2), group=g) for i, (e, g) in enumerate(zip(edits, groups, strict=True))]
    found = compare(pair_rows(a, b))
    cer = found.rates["cer"]
    assert cer.a == sum(edits) / 2000 and cer.difference == pytest.approx(-0.05)
    assert cer.low <= -0.05 <= cer.high < 0 and cer.fraction_b_better == 1
    assert (found.lines, found.groups, found.has_groups, len(found.differing_lines)) == (200, 20, True, 100)
    wer = found.rates["wer"]
    assert (wer.difference, wer.low, wer.high, wer.fraction_b_better) == (0, 0, 0, 0.5)


def test_no_difference_is_not_found() -> None:
    generator = np.random.default_rng(1)
    a, b = ([row(str(i), int(e)) for i, e in enumerate(generator.integers(0, 5, 300))] for _ in range(2))
    cer = compare(pair_rows(a, b)).rates["cer"]
    assert cer.low < 0 < cer.high and 0.02 < cer.fraction_b_better < 0.98


def test_the_interval_is_that_of_drawing_every_sample() -> None:
    edits_a, edits_b = [1, 4, 2, 0, 3], [0, 5, 1, 0, 1]
    a, b = ([row(str(i), e) for i, e in enumerate(edits)] for edits in (edits_a, edits_b))
    cer = compare(pair_rows(a, b), num_samples=100, seed=4).rates["cer"]
    (weights,) = draw_weights(5, num_samples=100, seed=4)
    drawn = [(w @ edits_b - w @ edits_a) / (10 * w.sum()) for w in weights]
    assert (cer.low, cer.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))
    assert cer.fraction_b_better == np.mean([d < 0 for d in drawn]) + 0.5 * np.mean([d == 0 for d in drawn])


def test_lines_are_paired_by_their_ids() -> None:
    a, b = [row("1", 1), row("2", 2)], [row("2", 0), row("1", 1)]
    assert [(x.id, y.id) for x, y in pair_rows(a, b)] == [("1", "1"), ("2", "2")]
    assert [x.id for x, _ in compare(pair_rows(a, b)).differing_lines] == ["2"]


def test_other_lines_are_refused_and_counted() -> None:
    a = [row("1", 1), row("2", 1), row("3", 1), row("5", 1, "e\u0301")]
    b = [row("2", 1), row("3", 1, "other"), row("4", 1), row("5", 1, "\u00e9")]
    with pytest.raises(PairingError) as refused:
        pair_rows(a, b)
    assert str(refused.value) == (
        "A and B have different lines: 1 only in A, 1 only in B, 1 with different references; "
        "--common compares the 2 common lines"
    )
    assert [x.id for x, _ in pair_rows(a, b, common=True)] == ["2", "5"]
    with pytest.raises(PairingError, match="no line in common"):
        pair_rows(a[:1], b, common=True)


class Closed(io.StringIO):
    """The standard output when its reader has ended: ``| head -1``."""

    def flush(self) -> None:
        raise BrokenPipeError


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    a = write(tmp_path / "a", ("v", "abcd abcd", "abxd abxd"), ("w", "abcd", "abcd"), ("w", "\x1bcd", "abcd"))
    b = write(tmp_path / "b", ("v", "abcd abcd", "abcd abcd"), ("w", "abcd", "xbcd"), ("w", "\x1bcd", "abcd"))
    command.main([str(a), str(b), "--out", str(tmp_path / "compare.json"), "--top", "3"])
    shown = capsys.readouterr().out
    assert "3 lines; paired bootstrap over 2 groups" in shown and "\x1b" not in shown
    assert "B has fewer edits in 1 lines, A in 1." in shown and "A   2 edits abxd abxd" in shown
    result = json.loads((tmp_path / "compare.json").read_text())
    assert result["rates"]["cer"]["difference"] == pytest.approx(-1 / 16)
    assert [line["id"] for line in result["differing_lines"]] == ["0.png", "1.png"] and result["a"] == str(a)
    result = compare(pair_rows([row("1", 1, group="v")] * 2, [row("1", 0, group="v")] * 2)).rates["cer"]
    assert (result.low, result.high, result.fraction_b_better) == (None, None, None)
    command.main([str(a), str(write(tmp_path / "c", ("v", "abcd abcd", "xbcd abcd"))), "--common"])
    shown = capsys.readouterr().out
    assert "no intervals, since all lines are of one group" in shown and "[" not in shown.partition("interval")[2]
    with pytest.raises(SystemExit) as ended, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Closed())
        command.main([str(a), str(b), "--out", str(tmp_path / "kept.json")])
    assert ended.value.code == 1 and (tmp_path / "kept.json").read_bytes() == (tmp_path / "compare.json").read_bytes()
    command.main([str(a / "lines.tsv"), str(a), "--top", "0"])
    assert "Largest differences" not in capsys.readouterr().out


def test_what_cannot_be_compared_is_said_in_a_sentence(tmp_path: Path) -> None:
    a = write(tmp_path / "a", ("v", "abcd", "abxd"))
    b = write(tmp_path / "b", ("v", "abce", "abxd"))
    for arguments, words in (
        ([a, tmp_path / "none"], "no such file; write it with"),
        ([a, b], "1 with different references"),
        ([a, a, "--out", tmp_path / "no" / "compare.json"], "cannot be written"),
    ):
        with pytest.raises(SystemExit, match=words):
            command.main([str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("reference", "text"), "lacks the column 'reference'"),
        (lambda text: text + "x\ty\n", "row 3 has 2 of 15 fields"),
        (lambda text: text + text.splitlines()[1] + "\n", "two rows have the same id"),
        (lambda text: text.replace("\t4\t", "\tfour\t"), "check whether the file was"),
        (lambda text: "", "lacks the column 'id', 'group'"),
    ],
)
def test_damaged_tables(tmp_path: Path, change: object, words: str) -> None:
    assert callable(change)
    path = write(tmp_path / "a", ("v", "abcd", "abxd")) / "lines.tsv"
    path.write_text(change(path.read_text()))
    with pytest.raises(TableError, match=words):
        read_table(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(TableError, match="cannot be read"):
        read_table(path)


def test_a_table_has_one_row_for_each_line_and_no_quotes() -> None:
    table = format_table(collect_scores(("v", 'ab "cd"', "")).build_rows())
    header, line = table.splitlines()
    cells = dict(zip(header.split("\t"), line.split("\t"), strict=True))
    assert tuple(cells) == COLUMNS
    assert (cells["reference"], cells["hypothesis"], cells["cer"], cells["deletions"]) == ('ab "cd"', "", "1", "7")
