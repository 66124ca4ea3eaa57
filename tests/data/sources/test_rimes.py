"""RIMES 2011: files in the layouts of its archives."""

import os
import pickle
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from helpers.typesetting import typeset
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from PIL import Image

from htr_lightning.data.line import SPLITS
from htr_lightning.data.sources.rimes import UNRELIABLE_LINES, Rimes, _read_paragraph
from htr_lightning.image.crop import PageCrop
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile, UnusableImage

Box = tuple[int, int, int, int]  # left, top, right, bottom


def refusal(call) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def attributes(box: Box, text: str) -> str:
    left, top, right, bottom = box
    return f'Bottom="{bottom}" Left="{left}" Right="{right}" Top="{top}" Value={quoteattr(text)}'


def page(name: str, lines: list[tuple[str, Box]], whole: str | None = None) -> str:
    """Write a page in the layout of the file: the paragraph, then all lines."""
    whole = "\\n".join(text for text, _ in lines) if whole is None else whole
    rows = "".join(f"<Line {attributes(box, text)} />" for text, box in lines)
    return (
        f' <SinglePage FileName="images/{name}.png" Index="0">\n'
        f"\t<Paragraph Value={quoteattr(whole)}>{rows}</Paragraph>\n </SinglePage>\n"
    )


def write_xml(path: Path, pages: list[str]) -> None:
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<DocumentList>\n{"".join(pages)}</DocumentList>\n')


def draw(folder: Path, name: str, texts: list[str]) -> list[tuple[str, Box]]:
    """Draw a page, and return its lines with their boxes."""
    sheet, lines = Image.new("L", (400, 60 * len(texts)), 255), []
    for row, (text, line) in enumerate((text, typeset(text)) for text in texts):
        sheet.paste(line, (20, 60 * row))
        lines.append((text, (20, 60 * row, 20 + line.width - 1, 60 * row + line.height - 1)))
    folder.mkdir(parents=True, exist_ok=True)
    sheet.save(folder / f"{name}.png")
    return lines


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five training pages and a test page."""
    folder = tmp_path / "images_gray"
    names = [f"train2011-{n}" for n in range(5)]
    pages = [page(name, draw(folder, name, [f"ligne {n}", "l'été ¤entendre¤"])) for n, name in enumerate(names)]
    write_xml(tmp_path / "training_2011.xml", pages)
    test = page("eval2011-0", draw(folder, "eval2011-0", [" Tel  : 03 <12> & "]))
    write_xml(tmp_path / "eval_2011_annotated.xml", [test])
    return tmp_path


def test_pages_are_read_back(root):
    parts = {split: Rimes(str(root), val_pages=2).lines(split) for split in SPLITS}
    assert [(line.id, line.text, line.group) for line in parts["val"][1:3]] == [
        ("train2011-3_000002", "l'été entendre", "train2011-3"),
        ("train2011-4_000001", "ligne 4", "train2011-4"),
    ]
    assert len(parts["val"]) == 4
    assert [line.group for line in parts["train"]] == [f"train2011-{n}" for n in (0, 0, 1, 1, 2, 2)]
    assert [(line.id, line.text) for line in parts["test"]] == [("eval2011-0_000001", "Tel : 03 <12> &")]


def test_lines_are_cropped_as_their_boxes_ends_included(root):
    line = pickle.loads(pickle.dumps(Rimes(str(root), val_pages=1).lines("train")[0]))
    assert isinstance(line.image, PageCrop) and not line.image.mask and not len(line.image.baseline)
    np.testing.assert_array_equal(line.image.read(), np.asarray(typeset("ligne 0")))
    wider = Rimes(str(root), val_pages=1, padding_px=3).lines("train")[1].image.read()
    assert wider.shape == tuple(side + 6 for side in np.asarray(typeset("l'été ¤entendre¤")).shape)


@pytest.mark.parametrize("rows", ["train2011-1\n", "train2011-1_000001\r\ntrain2011-1_000002\n\n"])
def test_validation_by_a_list(root, rows):
    (root / "val.txt").write_text(rows)
    source = Rimes(str(root), val="val.txt")
    assert {line.group for line in source.lines("val")} == {"train2011-1"}
    assert {line.group for line in source.lines("train")} == {f"train2011-{n}" for n in (0, 2, 3, 4)}
    assert len(source.lines("test")) == 1


def test_validation_by_a_list_that_is_wrong(root):
    assert "dataset.val" in refusal(lambda: Rimes(str(root), val="no.txt").lines("train"))
    (root / "val.txt").write_text("train2011-0\ntrain2011-7\n")
    message = refusal(lambda: Rimes(str(root), val="val.txt").lines("val"))
    assert "'train2011-7'" in message and "train2011-0_000001" in message
    (root / "val.txt").write_bytes(b"\xff\xe9")
    assert "not UTF-8" in refusal(lambda: Rimes(str(root), val="val.txt").lines("val"))


def test_numbers_of_validation_pages(root):
    assert Rimes(str(root), val_pages=0).lines("val") == []
    assert "lower it" in refusal(lambda: Rimes(str(root)).lines("train"))
    assert refusal(lambda: Rimes("x", val_pages=-1)).startswith("dataset.val_pages=-1: ")


def test_alternatives_marks_replacements_and_lines_to_leave_out(root):
    texts = ["¤{le/la}¤ maison", "¤", "brûlée", "garder", "ôter"]
    write_xml(root / "eval_2011_annotated.xml", [page("eval2011-0", draw(root / "images", "eval2011-0", texts))])
    source = Rimes(str(root), replace=[["û", "u"]], drop_text=["^gar"], leave_out=["eval2011-0_000005"])
    assert [line.text for line in source.lines("test")] == ["le maison", "brulée"]


# Texts that are shifted against their boxes

BOXES: list[Box] = [(0, 60 * n, 300, 60 * n + 40) for n in range(10)]


def slipped(root: Path, name: str, values: list[str], whole: str) -> list[str]:
    draw(root / "images_gray", name, ["x"] * len(values))
    write_xml(root / "training_2011.xml", [page(name, list(zip(values, BOXES, strict=False)), whole), page("z", [])])
    return [line.text for line in Rimes(str(root), val="empty.txt").lines("train")]


def test_texts_that_empty_lines_have_displaced_are_put_back(root):
    (root / "empty.txt").write_text("")
    texts = slipped(root, "train2011-1158", ["Je souhaite.", " "], "Je souhaite.\\n \\n\\nVeuillez agréer.")
    assert texts == ["Je souhaite.", "Veuillez agréer."]
    values = ["Un lot de CD", "de 010.", "", "Merci.", "En compte"]
    whole = "Un lot de CD\\nde 010.\\n\\nMerci.\\nEn compte\\nau revoir."
    assert slipped(root, "train2011-253", values, whole) == [
        "Un lot de CD",
        "de 010.",
        "Merci.",
        "En compte",
        "au revoir.",
    ]


def test_texts_that_cannot_be_restored(root):
    (root / "empty.txt").write_text("")
    values = ["Merci.", "Veuillez agréer mes salutations.", ""]
    assert slipped(root, "train2011-7", values, "Merci.\\nVeuillez agréer mes salutations.\\n") == ["Merci.", "", ""]
    doubtful = Rimes(str(root), val="empty.txt").lines("train")[1:]
    for line in doubtful:
        message = refusal(line.image.read)
        assert isinstance(line.image, UnusableImage) and message.startswith(f"{line.id}: {root}/training_2011.xml: ")
        assert "correct the file" in message and "dataset.leave_out" in message
    assert len(Rimes(str(root), val="empty.txt", leave_out=[line.id for line in doubtful]).lines("train")) == 1


def test_unreliable_lines_are_left_out_unless_corrected(root):
    (root / "empty.txt").write_text("")
    values, whole = [f"ligne {n}" for n in range(8)] + ["je vous prie, mes salutations.", " "], "x\\n"
    assert len(slipped(root, "train2011-980", values, whole)) == 8
    assert {"train2011-980_000009", "train2011-980_000010"} < set(UNRELIABLE_LINES)
    values[8:] = ["je vous prie,", "mes salutations."]
    assert len(slipped(root, "train2011-980", values, whole)) == 10


@given(st.lists(st.tuples(st.text("ab é", max_size=3), st.booleans()), min_size=1, max_size=8))
def test_what_the_paragraph_says_is_found_again(pieces):
    """A paragraph with as many texts as boxes gives each box its own text, wherever empty lines are."""
    texts = [text for text, _ in pieces if text.strip()]
    values = [text for text, _ in pieces][: len(texts)]
    element = etree.Element("Paragraph", Value="\\n".join(text for text, _ in pieces))
    for value in values:
        etree.SubElement(element, "Line", Value=value)
    assert [text for text, _ in _read_paragraph(element)] == texts


# Unusable lines


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('Left="1" Top="1" Right="90" Value="a"', "Bottom is None"),
        ('Left="1" Top="1" Right="x9" Bottom="30" Value="a"', "Right is 'x9'"),
        ('Left="90" Top="1" Right="90" Bottom="30" Value="a"', "from (90, 1) to (90, 30) has no area"),
        ('Left="1" Top="1" Right="90" Bottom="30" Value=""', "no text of its own"),
        ('Left="1" Top="1" Right="90" Bottom="30"', "no text of its own"),
    ],
)
def test_lines_that_cannot_be_used(root, line, words):
    text = f'<a><SinglePage FileName="images/eval2011-0.png"><Paragraph><Line {line}/></Paragraph></SinglePage></a>'
    (root / "eval_2011_annotated.xml").write_text(text)
    [line] = Rimes(str(root)).lines("test")
    assert (line.id, line.text, line.group) == ("eval2011-0_000001", "", "eval2011-0")
    message = refusal(line.image.read)
    assert message.startswith(f"eval2011-0_000001: {root}/eval_2011_annotated.xml: ") and words in message


def test_boxes_beyond_the_page(root):
    lines = draw(root / "images_gray", "eval2011-0", ["dedans", "dehors"])
    lines = [(lines[0][0], (-10, -16, *lines[0][1][2:])), (lines[1][0], (20, 4000, 90, 4030))]
    write_xml(root / "eval_2011_annotated.xml", [page("eval2011-0", lines)])
    inside, outside = Rimes(str(root)).lines("test")
    assert inside.image.read().shape[0] == lines[0][1][3] + 1
    assert "eval2011-0.png: its outline, from (20, 4000)" in refusal(outside.image.read)


@pytest.mark.parametrize("name", ["images/eval2011-9.png", "../../etc/eval2011-9.png", "C:\\x\\eval2011-9.png", ""])
def test_an_image_that_is_not_there(root, name):
    box = attributes((1, 1, 90, 30), "a")
    other = f"<SinglePage FileName={quoteattr(name)}><Paragraph><Line {box}/></Paragraph></SinglePage>"
    write_xml(root / "eval_2011_annotated.xml", [page("eval2011-0", [("b", (1, 1, 90, 30))]), other])
    usable, line = Rimes(str(root)).lines("test")
    assert isinstance(usable.image, PageCrop)
    assert line.group == ("eval2011-9" if name else "eval_2011_annotated-page-2")
    message = refusal(line.image.read)
    assert "there is no image" in message and "dataset.images" in message
    assert message.count("eval_2011_annotated.xml") == 1


# Finding the images


def test_where_images_are_found(root):
    """Gray images are preferred, others can be configured, and folders with the names of the archives are searched."""
    draw(root / "images", "eval2011-0", ["x"])
    (root / "eval_2011").mkdir()
    paths = [Rimes(str(root), images=images).lines("test")[0].image.page.path for images in (None, "images")]
    (root / "images").rename(root / "eval_2011/images")
    (root / "images_gray").rename(root / ".hidden")
    paths += [Rimes(str(root)).lines("test")[0].image.page.path]
    assert [path.relative_to(root).parent.as_posix() for path in paths] == ["images_gray", "images", "eval_2011/images"]


# Missing parts


def test_missing_parts(root, tmp_path):
    for path in (root / "images_gray").iterdir():
        path.unlink()
    message = refusal(lambda: Rimes(str(root)).lines("test"))
    assert "none of the 1 page images" in message and "eval_2011_gray.tar" in message and "dataset.images" in message
    message = refusal(lambda: Rimes(str(root)).lines("train"))
    assert "none of the 5 page images" in message and "training_2011_gray.tar" in message
    (root / "training_2011.xml").unlink()
    message = refusal(lambda: Rimes(str(root)).lines("val"))
    assert "training_2011.xml: this part of the dataset is missing" in message and "RIMES-2011-Lines.zip" in message
    message = refusal(lambda: Rimes(str(tmp_path / "no")).lines("test"))
    assert message.startswith(f"dataset.root={tmp_path}/no: there is no such folder")


def test_damaged_files(root):
    file = root / "eval_2011_annotated.xml"
    for content, words in ((file.read_bytes()[:-20], "not well-formed"), (b"<DocumentList/>", "no pages")):
        file.write_bytes(content)
        assert words in refusal(lambda: Rimes(str(root)).lines("test"))


# Line images


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """Write the archive of lines into a folder of its name."""
    root = tmp_path / "set" / "RIMES-2011-Lines"
    for name in ("Images", "Transcriptions", "Sets"):
        (root / name).mkdir(parents=True)
    lists = {"TrainLines": ["train2011-0_000001", "train2011-0_000002"], "ValidationLines": ["train2011-1_000001"]}
    for name, ids in (lists | {"TestLines": ["eval2011-0_000001"]}).items():
        (root / "Sets" / f"{name}.txt").write_text("\n".join(ids) + "\n")
        for id in ids:
            typeset(id).save(root / f"Images/{id}.jpg")
            (root / f"Transcriptions/{id}.txt").write_text(f"¤{id}¤ à 45€\n")
    return root


@pytest.mark.parametrize("place", ["", ".."])
def test_line_images_are_read(cut, place):
    source = Rimes(str((cut / place).resolve()), leave_out=["train2011-0_000002"])
    for split, id in zip(SPLITS, ("train2011-0_000001", "train2011-1_000001", "eval2011-0_000001"), strict=True):
        [line] = source.lines(split)
        assert (line.id, line.text, line.group) == (id, f"{id} à 45€", id.split("_")[0])
        assert line.image == ImageFile(cut / f"Images/{id}.jpg")
        assert line.image.read().shape == np.asarray(typeset(id)).shape


def test_missing_parts_of_the_archive_of_lines(cut):
    (cut / "Sets/TestLines.txt").unlink()
    message = refusal(lambda: Rimes(str(cut)).lines("test"))
    assert "Sets/TestLines.txt: " in message and "unpack RIMES-2011-Lines.zip (Teklia)" in message


def test_real_lines():
    root = Path(os.environ.get("HTR_DATA", "data")) / "rimes"
    if not root.is_dir():
        pytest.skip(f"needs {root}; set HTR_DATA")
    counts = [len(Rimes(str(root)).lines(split)) for split in SPLITS]
    assert counts in ([10_532 - len(UNRELIABLE_LINES), 801, 778], [10_188, 1_138, 778])
