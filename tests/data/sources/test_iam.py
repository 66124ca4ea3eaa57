import logging
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.iam_archive import FORMS, LISTS, LWT, ids, write_iam, written
from helpers.typesetting import typeset

from htr_lightning.data.line import SPLITS
from htr_lightning.data.sources.iam import Iam
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import UnusableImage


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The database with its images; tests must not change it."""
    return write_iam(tmp_path_factory.mktemp("whole") / "iam")


@pytest.fixture
def root(tmp_path):
    return write_iam(tmp_path / "iam", images=False)


def refusal(call) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def reasons(lines) -> dict[str, str]:
    """Map the ids of the unusable lines to the reasons."""
    return {line.id: line.image.reason for line in lines if isinstance(line.image, UnusableImage)}


def change(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


def rows(lines):
    return [(line.id, line.text, line.group) for line in lines]


def expected(*names):
    return [(id, written(id).text, FORMS[id.rpartition("-")[0]].writer) for id in names]


def test_the_official_protocol(whole):
    source = Iam(str(whole))
    assert rows(source.lines("train")) == expected(*LISTS["trainset"])
    assert rows(source.lines("val")) == expected(*LISTS["validationset1"], *LISTS["validationset2"])
    assert rows(source.lines("test")) == expected(*LISTS["testset"])


@pytest.mark.parametrize(("validation", "name"), [("first", "validationset1"), ("second", "validationset2")])
def test_one_of_the_two_validation_lists(whole, validation, name):
    assert rows(Iam(str(whole), validation=validation).lines("val")) == expected(*LISTS[name])


def test_the_aachen_protocol_by_forms(whole):
    source = Iam(str(whole), split="aachen")
    assert rows(source.lines("train")) == expected(*ids("a01-000u"), *ids("c03-000a"))
    assert rows(source.lines("val")) == expected(*ids("a01-000x"))
    assert rows(source.lines("test")) == expected(*ids("p02-155"))


@pytest.mark.parametrize("content", ["a01-000x-02\na01-000x-00\n", "x/a01-000x-02.png\r\n#\na01-000x-00 9\r\n"])
def test_the_aachen_protocol_by_lists_of_ones_own(root, content):
    (root / "my.lst").write_text(content)
    (root / "lines/a01").mkdir()
    source = Iam(str(root), split="aachen", val="my.lst")
    assert rows(source.lines("val")) == expected("a01-000x-02", "a01-000x-00")


def test_the_aachen_protocol_as_published_by_openslr(root):
    (root / "aachen").rename(root / "splits")
    (root / "lines/a01").mkdir()
    assert rows(Iam(str(root), split="aachen").lines("test")) == expected(*ids("p02-155"))


@pytest.mark.parametrize("form", ["xml", "ascii"])
def test_both_sources_of_the_text_agree_where_quotations_are_regular(whole, form):
    source = Iam(str(whole), split="aachen", text=form)
    for split in SPLITS:
        assert [line.text for line in source.lines(split)] == [written(line.id).text for line in source.lines(split)]


def test_tokens_keep_punctuation_apart(whole):
    texts = [line.text for line in Iam(str(whole), text="tokens").lines("train")]
    assert texts[1:] == ["port , and two MPs with him . He said :", "\" It's late ( very late ) ; isn't it ? \""]


def test_faulty_segmentation_is_kept_unless_told_otherwise(whole):
    assert [line.id for line in Iam(str(whole), segmentation="ok").lines("train")] == ["a01-000u-00", "a01-000u-02"]


def test_pixels_of_the_line_images(whole):
    for line in Iam(str(whole)).lines("test"):
        np.testing.assert_array_equal(line.image.read(), np.asarray(typeset(line.text)))


def test_pixels_cropped_from_the_forms(whole):
    for split in SPLITS:
        for line in Iam(str(whole), image="forms", padding_px=0).lines(split):
            np.testing.assert_array_equal(line.image.read(), np.asarray(typeset(line.text)))
    line, *_ = Iam(str(whole), image="forms", padding_px=5).lines("train")
    cut, ink = line.image.read(), np.asarray(typeset(line.text))
    np.testing.assert_array_equal(cut[5:-5, 5:-5], ink)
    assert cut.shape == (ink.shape[0] + 10, ink.shape[1] + 10) and (cut[:5] == 230).all()


@pytest.mark.parametrize("image", ["lines", "forms"])
def test_lines_travel_to_workers(whole, image):
    line, *_ = Iam(str(whole), image=image).lines("train")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(line)).image.read(), line.image.read())


def test_archives_unpacked_elsewhere(whole, tmp_path):
    root = shutil.copytree(whole, tmp_path / "iam")
    for name in ("ascii", "xml", "lines", LWT):
        for path in (root / name).iterdir():
            path.rename(root / path.name)
        (root / name).rmdir()
    (root / "formsA-D").rename(root / "forms")
    for image in ("lines", "forms"):
        line, *_ = Iam(str(root), image=image, padding_px=0).lines("train")
        assert line.image.read().shape == np.asarray(typeset(line.text)).shape


def test_line_images_side_by_side(whole, tmp_path):
    root = shutil.copytree(whole, tmp_path / "iam")
    images = list((root / "lines").rglob("*.png"))
    for path in images:
        path.rename(root / "lines" / path.name)
    for name in ("a01", "c03", "p02", "r06"):
        shutil.rmtree(root / "lines" / name)
    assert all(line.image.path.is_file() for line in Iam(str(root)).lines("val"))


def test_what_cannot_be_compared_is_logged(root, caplog):
    (root / "lines/a01").mkdir()
    with caplog.at_level(logging.WARNING):
        Iam(str(root), validation="second").lines("val")
    assert "val has 2 lines instead of the 940 of the published protocol lwt" in caplog.text


# Damaged files


def test_malformed_rows_are_unusable_lines(root):
    (root / "lines/a01").mkdir()
    path = root / "ascii/lines.txt"
    change(path, "a01-000u-00 ok 154 19 40 60", "a01-000u-00 ok high 19 40 60")
    change(path, "a01-000u-01 err", "a01-000u-01 er")
    change(path, "a01-000u-02 ok", "a01-000u-02\na01-00 ok")
    found = reasons(Iam(str(root)).lines("train"))
    assert found == {
        "a01-000u-00": f"{path}: row 7 has 'high' instead of a number; unpack ascii.tgz again",
        "a01-000u-01": f"{path}: row 8 has 'er' instead of 'ok' or 'err'; unpack ascii.tgz again",
        "a01-000u-02": f"{path}: row 9 has 1 of 9 fields; unpack ascii.tgz again",
        "lines.txt-row-10": found["lines.txt-row-10"],
    }
    assert f"{path}: row 10 does not begin with the id of a line ('a01-00 ok 154" in found["lines.txt-row-10"]
    assert reasons(Iam(str(root), segmentation="ok").lines("train")) == found
    assert not reasons(Iam(str(root)).lines("val"))


def test_rows_that_are_there_twice_or_not_at_all(root):
    (root / "lines/a01").mkdir()
    path = root / "ascii/lines.txt"
    change(path, "a01-000x-00", "a01-000u-00")
    assert "row 10 repeats the line a01-000u-00; remove" in reasons(Iam(str(root)).lines("train"))["a01-000u-00"]
    [reason] = reasons(Iam(str(root)).lines("val")).values()
    assert reason.startswith(f"{path}: there is no row of a01-000x-00, which is in the list of val")
    (root / "aachen/test.uttlist").write_text("b99-999\np02-155\n")
    lines = Iam(str(root), split="aachen").lines("test")
    assert len(lines) == 3 and "there is no row of b99-999" in reasons(lines)["b99-999"]


def test_damaged_xml(root):
    (root / "lines/a01").mkdir()
    change(root / "xml/a01-000u.xml", 'id="a01-000u-01"', 'id="a01-000u-09"')
    (root / "xml/a01-000x.xml").unlink()
    (root / "xml/p02-155.xml").write_text("<form")
    source = Iam(str(root))
    [reason] = reasons(source.lines("train")).values()
    assert f"{root}/xml/a01-000u.xml: there is no text of the line a01-000u-01; unpack xml.tgz again" in reason
    found = reasons(source.lines("val"))
    assert list(found) == LISTS["validationset1"]
    assert found["a01-000x-00"].startswith(f"{root}/xml/a01-000x.xml: there is no such file")
    assert "p02-155.xml: the XML is not well-formed" in reasons(source.lines("test"))["p02-155-00"]


def test_boxes_that_are_none_and_images_that_are_missing(root):
    (root / "formsA-D/a01-000x.png").touch()
    change(root / "ascii/lines.txt", "154 19 40 60", "154 19 -1 -1")
    bad, line, *_ = Iam(str(root), image="forms").lines("train")
    assert "the box of a01-000u-00 is (-1, -1, " in bad.image.reason and "set dataset.image=lines" in bad.image.reason
    assert f"{root}/forms/a01-000u.png" in refusal(line.image.read)
    (root / "lines/a01").mkdir()
    assert "a01-000u-00.png" in refusal(Iam(str(root)).lines("train")[0].image.read)


def test_forms_without_a_writer(root, caplog):
    (root / "lines/a01").mkdir()
    change(root / "ascii/forms.txt", "a01-000u 000", "a01-000u")
    change(root / "ascii/forms.txt", "a01-000x 001", "a01-000z 001")
    assert {line.group for line in Iam(str(root)).lines("val")} == {"", "150"}
    assert "there is no writer for 1 form(s), such as a01-000x, so their lines have no group" in caplog.text


def test_old_encodings(root):
    (root / "lines/a01").mkdir()
    path = root / "ascii/lines.txt"
    change(path, "|BARGE|", "|CAFÉ|")
    for encoding in ("utf-8-sig", "latin-1"):
        path.write_text(path.read_text(encoding="utf-8-sig"), encoding=encoding)
        assert "CAFÉ" in Iam(str(root), text="ascii").lines("train")[0].text


# Missing files


@pytest.mark.parametrize(
    ("part", "arguments", "words"),
    [
        (
            "ascii/lines.txt",
            {},
            "there is no ascii/lines.txt; unpack ascii.tgz into this folder, from the site",
        ),
        ("ascii/forms.txt", {}, "there is no ascii/forms.txt; unpack ascii.tgz"),
        ("lines", {}, "unpack lines.tgz"),
        ("lines", {}, "or set dataset.image=forms"),
        ("formsA-D", {"image": "forms"}, "unpack formsA-D.tgz, formsE-H.tgz and formsI-Z.tgz"),
        ("xml", {}, "unpack xml.tgz"),
        ("xml", {}, "or set dataset.text=ascii"),
        (LWT, {}, f"there is no {LWT}/trainset.txt; unpack {LWT}.zip"),
        (LWT, {}, "or set dataset.split=aachen"),
        ("aachen", {"split": "aachen"}, "(OpenSLR, resource 56), and set dataset.train"),
    ],
)
def test_missing_parts(root, part, arguments, words):
    shutil.rmtree(root / part) if (root / part).is_dir() else (root / part).unlink()
    message = refusal(lambda: Iam(str(root), **arguments).lines("train"))
    assert f"{root}: there is no " in message and words in message


def test_missing_lists(root):
    (root / LWT / "testset.txt").unlink()
    assert f"{LWT}/testset.txt: there is no such file" in refusal(lambda: Iam(str(root)).lines("train"))
    message = refusal(lambda: Iam(str(root), split="aachen", test="t.lst").lines("train"))
    assert message.startswith(f"dataset.test: {root}/t.lst: there is no such list")


def test_missing_root(tmp_path):
    assert "no: there is no such folder" in refusal(lambda: Iam(str(tmp_path / "no")).lines("train"))
    (tmp_path / "file").touch()
    assert "is not a folder" in refusal(lambda: Iam(str(tmp_path / "file")).lines("train"))


def test_lists_that_contradict_each_other(root):
    (root / "aachen/tr.lst").write_text("a01-000u-00\n")
    message = refusal(lambda: Iam(str(root), split="aachen").lines("train"))
    assert "aachen/train.uttlist and aachen/tr.lst are both lists of train; set dataset.train to one of them" in message
    (root / "my.txt").write_text("p02-155-01\n")
    message = refusal(lambda: Iam(str(root), split="aachen", train="my.txt").lines("train"))
    assert "aachen/test.uttlist: p02-155-01 is also in the list of train" in message
    (root / "my.txt").write_text("a01-000u\nimage,text\n")
    message = refusal(lambda: Iam(str(root), split="aachen", train="my.txt").lines("train"))
    assert message.startswith(f"{root}/my.txt: row 2 ") and "'image,text'" in message


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"train": "a.txt"}, "train"),
        ({"split": "aachen", "validation": "first"}, "validation"),
        ({"padding_px": -1}, "padding_px"),
    ],
)
def test_arguments_that_contradict_each_other(arguments, word):
    assert refusal(lambda: Iam("x", **arguments)).startswith(f"dataset.{word}")


def test_real_database():
    root = Path(os.environ.get("HTR_DATA", "data")) / "iam"
    if not root.is_dir():
        pytest.skip(f"needs {root}; set HTR_DATA")
    source = Iam(str(root))
    assert [len(source.lines(split)) for split in SPLITS] == [6161, 1840, 1861]
    groups = [{line.group for line in source.lines(split)} for split in SPLITS]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and "" not in groups[0]


def test_importing_needs_no_torch():
    code = "import sys, htr_lightning.data.sources.iam; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
