from dataclasses import replace

import pytest
from helpers.made_up import VOWELS, facts, keys, only, sentences, split_facts

from htr_lightning.data.line import SPLITS
from htr_lightning.doctor import leaks
from htr_lightning.doctor.facts import Facts, Settings

TEXT = "les compétitions nationales et les matchs internationaux"


def with_digests(**digests: list[bytes]) -> Facts:
    return {
        split: split_facts(split, [f"{split} {digest!r}" for digest in digests[split]], digests=digests[split])
        for split in SPLITS
    }


def test_the_same_pixels_in_two_splits() -> None:
    made = with_digests(train=[b"a", b"b"], val=[b"c", b"a", b"d"], test=[b"c"])
    findings = leaks.find_shared_lines(made, Settings())
    in_train = only(findings, "val_lines_in_train")
    assert in_train.severity == "warning" and in_train.title.startswith("1 line of val (33%) is also in train")
    assert [(line.id, line.reason) for line in in_train.lines] == [("val/1", "is train/0 of train")]
    assert only(findings, "test_lines_in_val").severity == "warning"  # all of it: but nothing is learnt from val


def test_the_same_id_in_two_splits() -> None:
    made = dict(with_digests(train=[b"a"], val=[b"b"], test=[b"c"]))
    made["val"] = replace(made["val"], ids=["train/0"])
    assert keys(leaks.find_shared_lines(made, Settings(max_shared=1))) == ["val_lines_in_train"]


@pytest.mark.parametrize(("max_shared", "severity"), [(0.5, "error"), (0.75, "warning"), (1.0, "warning")])
def test_more_than_max_shared_is_an_error(max_shared: float, severity: str) -> None:
    made = with_digests(train=[b"a", b"b", b"c"], val=[b"a", b"b", b"c", b"d"], test=[])
    (finding,) = leaks.find_shared_lines(made, Settings(max_shared=max_shared))
    assert finding.severity == severity
    assert ("loader.max_shared=1" in finding.remedy) == (severity == "error")


def test_images_without_pixels_are_not_the_same() -> None:
    lines = split_facts("train", ["a", "b"], digests=[b"", b""], input_widths_px=[0, 0])
    made = {"train": lines, "val": replace(lines, split="val", ids=["x", "y"]), "test": split_facts("test", [])}
    assert not leaks.find_shared_lines(made, Settings()) and not leaks.find_repeated_images(made)  # type: ignore[arg-type]


def test_an_image_that_comes_twice() -> None:
    made = dict(facts(["bon jour", "bon jour", "mal", "nuit"]))
    made["train"] = replace(made["train"], digests=[b"a", b"a", b"a", b"b"])
    findings = leaks.find_repeated_images(made)
    assert only(findings, "repeated_images").severity == "note"
    contradiction = only(findings, "contradictions")
    assert contradiction.severity == "warning"
    assert contradiction.lines[0].reason == "«mal», but train/0 has «bon jour»"


def test_shared_groups() -> None:
    made = dict(facts(["a", "b"], ["c", "d"], ["e"]))
    made["val"] = replace(made["val"], groups=["val 9", "train 0"])
    (finding,) = leaks.find_shared_groups(made, Settings())
    assert finding.severity == "warning" and finding.title == "1 of the 2 groups of val is also in train: train 0"
    assert [line.id for line in finding.lines] == ["val/1"]
    (finding,) = leaks.find_shared_groups(made, Settings(groups_are_fonts=True))
    assert finding.severity == "note" and "shared intentionally" in finding.remedy


def test_the_only_group() -> None:
    made = {split: replace(rows, groups=["anna"] * len(rows)) for split, rows in facts(["a"], ["b"]).items()}
    (finding,) = leaks.find_shared_groups(made, Settings())
    assert finding.title == "the only group of val is also in train: anna"


def test_groups_that_nobody_knows() -> None:
    made = {split: replace(rows, groups=[""] * len(rows)) for split, rows in facts(["a"], ["b"]).items()}
    assert keys(leaks.find_shared_groups(made, Settings())) == ["no_groups"]


def test_texts_of_val_in_train() -> None:
    made = facts([*sentences(20, 1), TEXT], [*sentences(5, 2), TEXT.upper()])
    (finding,) = leaks.find_repeated_texts(made)
    assert finding.key == "val_texts_in_train" and finding.severity == "warning"
    assert finding.title == "1 text of val is also in train, verbatim or nearly so"
    assert "like train/20 of train (100%)" in finding.lines[0].reason


def test_a_few_texts_in_many_are_but_noted() -> None:
    made = facts([*sentences(20, 1), TEXT], [*sentences(150, 2), TEXT])
    assert only(leaks.find_repeated_texts(made), "val_texts_in_train").severity == "note"


def test_the_text_of_a_shared_image_is_reported_as_that() -> None:
    made = dict(facts([TEXT], [TEXT]))
    made["val"] = replace(made["val"], digests=made["train"].digests)
    assert not leaks.find_repeated_texts(made)


def test_a_text_that_a_split_has_twice_is_noted() -> None:
    (finding,) = leaks.find_repeated_texts(facts([TEXT, *sentences(3), TEXT + "."]))
    assert finding.key == "repeated_texts" and finding.lines[0].reason == "also train/4"
    assert not leaks.find_repeated_texts(facts([*VOWELS, *VOWELS]))
