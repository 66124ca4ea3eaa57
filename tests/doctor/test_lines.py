from dataclasses import replace

import numpy as np
import pytest
from helpers.made_up import facts, keys, only, sentences, split_facts

from htr_lightning.doctor import lines
from htr_lightning.doctor.facts import Facts, Problem, ProblemKind, Settings
from htr_lightning.doctor.finding import Finding, decide_verdict, get_exit_status, sort_by_severity


def with_problem(kind: ProblemKind) -> Facts:
    made = dict(facts(["a", "b"], ["c"], ["d"]))
    problems = {1: Problem(kind, "train/1: reason")}
    made["train"] = replace(made["train"], problems=problems, input_widths_px=np.array([10, 0]))
    return made


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("missing", "missing_images"),
        ("damaged", "damaged_images"),
        ("unusable", "unusable_lines"),
        ("empty", "empty_texts"),
        ("too_small", "small_images"),
        ("too_wide", "wide_images"),
    ],
)
def test_each_problem_by_the_rule_of_training(kind: ProblemKind, key: str) -> None:
    (finding,) = lines.find_unusable_lines(with_problem(kind), Settings())
    assert (finding.key, finding.severity, finding.count) == (key, "error", 1)
    assert finding.remedy.endswith("; or skip it with loader.max_skipped=1")
    assert finding.lines[0].reason == "train/1: reason"
    (finding,) = lines.find_unusable_lines(with_problem(kind), Settings(max_skipped=1))
    assert finding.severity == "warning"
    assert finding.remedy.endswith("; until then, training skips them (loader.max_skipped=1)")


def test_texts_that_need_more_frames_than_there_are() -> None:
    made = facts(["bbb", "abc", "aba"], ["aa"])
    frames = Settings(
        count_frames=lambda widths: np.where(widths > 20, 3, 2)
    )  # two for the line of val, three for the others
    train, val = lines.find_unusable_lines(made, frames)
    assert train.key == "too_short" and train.severity == "error"
    assert [(line.id, line.reason) for line in train.lines] == [
        ("train/0", "its 3 characters need 5 frames, the line has 3")
    ]
    assert val.key == "too_short_to_predict" and val.severity == "warning" and val.lines[0].id == "val/0"


def test_frames_are_of_the_normalized_text() -> None:
    made = {
        split: replace(rows, input_widths_px=np.full(len(rows), 2))
        for split, rows in facts(["e\u0301\u0301"[:2] + "b"]).items()
    }
    assert not lines.find_unusable_lines(made, Settings(count_frames=lambda widths: widths))
    assert lines.find_unusable_lines(made, Settings(count_frames=lambda widths: widths, normalization="none"))


def test_splits_without_lines() -> None:
    assert [finding.severity for finding in lines.find_empty_splits(facts(["a"]))] == ["error", "note"]
    assert keys(lines.find_empty_splits(facts(["a"], ["b"]))) == ["no_test"]
    made = dict(facts(["a"], ["b"], ["c"]))
    made["train"] = replace(made["train"], input_widths_px=np.zeros(1, np.int64))
    assert lines.find_empty_splits(made)[0].title == "the train split has no usable lines"


def test_ids_that_come_twice() -> None:
    made = dict(facts(["a", "b", "c"]))
    made["train"] = replace(made["train"], ids=["x", "y", "x"])
    (finding,) = lines.find_repeated_ids(made)
    assert finding.severity == "error" and finding.lines[0].id == "x" and finding.lines[0].reason == "2 lines"


def test_images_next_to_blank() -> None:
    made = dict(facts(["a", "b"]))
    made["train"] = replace(made["train"], ink=np.array([0.0005, 0.03], np.float32))
    (finding,) = lines.find_faint_images(made)
    assert [line.id for line in finding.lines] == ["train/0"] and "+preprocess.background=flatten" in finding.remedy


def test_images_that_stand_upright() -> None:
    made = dict(facts(["bonjour", "bonjour", "i"]))
    made["train"] = replace(made["train"], widths_px=np.array([40, 400, 10]), heights_px=np.array([300, 48, 48]))
    (finding,) = lines.find_rotated_lines(made)
    assert [line.id for line in finding.lines] == ["train/0"]


def test_images_that_are_much_enlarged() -> None:
    rows = split_facts("train", sentences(20))
    made: Facts = {"train": replace(rows, heights_px=np.full(20, 20)), "val": rows, "test": split_facts("test", [])}
    (finding,) = lines.find_enlarged_images(made, Settings(height_px=128))
    assert finding.severity == "note" and finding.count == 40
    assert not lines.find_enlarged_images(made, Settings(height_px=32))
    assert not lines.find_enlarged_images(facts(), Settings())


def test_the_verdict_is_that_of_the_worst() -> None:
    error, warning, note = (Finding(name, name, "", 1) for name in ("error", "warning", "note"))  # type: ignore[arg-type]
    assert sort_by_severity([note, error, warning]) == [error, warning, note]
    assert decide_verdict([note, error, warning]) == "not usable" and get_exit_status([error], strict=False) == 1
    assert decide_verdict([note, warning]) == "usable with warnings"
    assert get_exit_status([warning], strict=False) == 0 and get_exit_status([warning], strict=True) == 1
    assert decide_verdict([note]) == "healthy" and get_exit_status([note], strict=True) == 0


def test_findings_can_be_told_apart() -> None:
    made = with_problem("too_wide")
    assert only(lines.find_unusable_lines(made, Settings()), "wide_images").title == "1 image is too wide"


def test_lines_whose_outline_is_not_used_are_counted_by_reason() -> None:
    replaced = {"train": {"too low": ["a", "b"], "elsewhere": ["c"]}, "val": {"too low": ["d"]}, "test": {}}
    low, elsewhere = lines.find_replaced_outlines(replaced)
    assert (low.key, low.severity, low.count, elsewhere.count) == ("outlines", "note", 3, 1)
    assert [(line.split, line.id) for line in low.lines] == [("train", "a"), ("train", "b"), ("val", "d")]
    assert "too low" in low.title and "dataset.outlines=keep" in low.remedy
