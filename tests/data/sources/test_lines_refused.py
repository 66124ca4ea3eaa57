"""Folders and manifests that cannot be read: each gives one clear sentence."""

import pytest
from helpers.line_files import TABLE, refusal, text_files, write

from htr_lightning.data.sources.lines import Lines
from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.image.files import DataError


def test_missing_root(tmp_path):
    message = refusal(lambda: Lines(str(tmp_path / "no")).lines("train"))
    assert "there is no such folder" in message and "dataset.root" in message


def test_root_that_is_a_file(tmp_path):
    assert "not a folder" in refusal(lambda: Lines(str(write(tmp_path / "x", ""))).lines("train"))


def test_nothing_to_read_says_what_was_looked_for(tmp_path):
    write(tmp_path / "x.png", b"")
    message = refusal(lambda: Lines(str(tmp_path)).lines("train"))
    assert all(word in message for word in ("train.tsv", "train.csv", "train.jsonl", ".gt.txt", "dataset.manifest"))


def test_two_manifests_of_a_split(tmp_path):
    write(tmp_path / "train.tsv", TABLE)
    write(tmp_path / "train.csv", "image,text\n")
    assert "train.csv and train.tsv" in refusal(lambda: Lines(str(tmp_path)).lines("train"))
    assert len(Lines(str(tmp_path), train="train.tsv").lines("train")) == 2


def test_two_images_of_a_text(tmp_path):
    text_files(tmp_path, "x")
    write(tmp_path / "x.jpg", b"")
    assert "x.jpg and x.png" in refusal(lambda: Lines(str(tmp_path)).lines("train"))


def test_text_files_beside_the_folders_of_splits(tmp_path):
    text_files(tmp_path, "train/a", "other/b")
    assert "other/b.png" in refusal(lambda: Lines(str(tmp_path)).lines("train"))


def test_text_file_of_another_encoding(tmp_path):
    write(tmp_path / "x.gt.txt", "é".encode("latin-1"))
    assert "x.gt.txt: row 1 is not UTF-8" in refusal(lambda: Lines(str(tmp_path)).lines("train"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.tsv", "", "is empty"),
        ("a.tsv", "img\ttext\n1\t2\n", "no column 'image'; choose from the columns in its first row: 'img', 'text'"),
        ("a.tsv", "image\ttext\ttext\n", "2 columns are named 'text'"),
        ("a.tsv", "image\ttext\n1.png\ta\n2.png\n", "row 3 has 1 field for 2 columns"),
        ("a.tsv", "image\ttext\n1.png\ta\tb\n", "row 2 has 3 fields for 2 columns"),
        ("a.tsv", "image\ttext\n1.png\ta\n\n./1.png\tb\n", "rows 2 and 4 both have the image 1.png"),
        (
            "a.tsv",
            "image\ttext\n../../etc/passwd\ta\n",
            "row 2 has the image ../../etc/passwd, which is outside",
        ),
        ("a.tsv", "image\ttext\na/../../b\ta\n", "outside"),
        ("a.tsv", "image\ttext\n..\ta\n", "outside"),
        ("a.tsv", "image\ttext\n \ta\n", "row 2 has no image path"),
        ("a.tsv", "image\ttext\n1.png\té\n".encode("latin-1"), "row 2 is not UTF-8 (byte 0xE9)"),
        ("a.tsv", "image\ttext\n".encode("utf-16-le"), "NUL"),
        ("a.csv", "image,text\n1.png\n", "row 2 has 1 field for 2 columns"),
        ("a.csv", "image,text\n1.png,a,b\n", "row 2 has 3 fields"),
        ("a.csv", 'image,text\n1.png,"a\n2.png,b\n', "is not CSV"),
        ("a.jsonl", '{"image": "1.png", "text": "a"}\n{"image": \n', "row 2 is not JSON"),
        ("a.jsonl", '["1.png", "a"]\n', "row 1 is not a JSON object"),
        ("a.jsonl", '{"image": "1.png", "txt": "a"}\n', "no column 'text'"),
        ("a.jsonl", '{"image": "1.png", "text": "a"}\n{"image": "2.png"}\n', "row 2 has no 'text'"),
        ("a.jsonl", '{"image": "1.png", "text": 12}\n', "in row 1, 'text' is 12"),
        ("a.txt", "image\ttext\n", "choose from .tsv, .csv, .jsonl"),
    ],
)
def test_bad_manifests(tmp_path, name, content, words):
    path = write(tmp_path / name, content)
    message = refusal(lambda: read_manifest(path))
    assert message.startswith(f"{path}: ") and words in message
    if name != "a.txt":
        assert refusal(lambda: Lines(str(tmp_path), train=name).lines("train")) == message


def test_group_or_split_column_that_is_not_there(tmp_path):
    write(tmp_path / "all.tsv", TABLE)
    source = Lines(str(tmp_path), manifest="all.tsv", group_column="hand")
    assert "no column 'hand'" in refusal(lambda: source.lines("train"))
    source = Lines(str(tmp_path), manifest="all.tsv", split_column="part")
    assert "no column 'part'" in refusal(lambda: source.lines("train"))


def test_split_of_no_known_name(tmp_path):
    write(tmp_path / "all.tsv", "image\ttext\tsplit\n1.png\ta\ttrain\n2.png\tb\tspare\n")
    message = refusal(lambda: Lines(str(tmp_path), manifest="all.tsv").lines("train"))
    assert "row 3 has the unknown split 'spare'" in message and "train, val or test" in message


def test_missing_manifest(tmp_path):
    assert "v.tsv: there is no such file" in refusal(lambda: Lines(str(tmp_path), val="v.tsv").lines("val"))
    assert "v.tsv: there is no such file" in refusal(lambda: read_manifest(tmp_path / "v.tsv"))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"manifest": "a.tsv", "train": "b.tsv"}, "manifest"),
        ({"split_column": "part"}, "split_column"),
        ({"split_ratios": [0.8, 0.2]}, "split_ratios"),
        ({"split_ratios": [0.8, 0.1, 0.2]}, "split_ratios"),
        ({"split_ratios": [1.1, -0.1, 0.0]}, "split_ratios"),
        ({"split_ratios": [0.0, 0.5, 0.5]}, "split_ratios"),
    ],
)
def test_arguments_that_contradict_each_other(arguments, word):
    assert refusal(lambda: Lines("x", **arguments)).startswith(f"dataset.{word}=")


@pytest.mark.parametrize(
    "row",
    [
        '{"image": "a.png", "text": "x \\ud800"}',
        '{"image": "\\udfff.png", "text": "x"}',
        '{"image": "a\\u0000b.png", "text": "x"}',
        '{"image": "a.png", "text": "x\\u0000"}',
        '{"image": "a.png", "text": "x", "writer": "\\ud800"}',
        '{"image": "a.png", "text": "x", "writer": ' + "9" * 5000 + "}",
        '{"image": "a.png", "text": ' + "[" * 100_000,
    ],
)
def test_json_that_no_text_can_hold(row, tmp_path):
    manifest = tmp_path / "lines.jsonl"
    manifest.write_text('{"image": "b.png", "text": "y", "writer": "z"}\n' + row + "\n")
    with pytest.raises(DataError, match=r"lines\.jsonl: .*row 2") as refused:
        read_manifest(manifest)
    str(refused.value).encode()
