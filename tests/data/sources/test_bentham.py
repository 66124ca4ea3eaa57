"""Bentham R0: files in the layout of its archives."""

import os
import shutil
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
from helpers.typesetting import typeset
from PIL import Image, ImageDraw

from htr_lightning.data.line import SPLITS
from htr_lightning.data.sources.bentham import Bentham
from htr_lightning.image.crop import PageCrop
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile, UnusableImage

TEXTS = {
    "002_080_001": ["6 . The evidence of the engagement ,", "consigned <gap/> to  a portable"],
    "071_006_003": ["&amp; so on &lt;gap/&gt; , Sir :"],
    "116_649_001": ["£ 20 - the last §"],
}
LISTS = {"Train": "002_080_001", "Validation": "071_006_003", "Test": "116_649_001"}
READ = {
    "train": ["6 . The evidence of the engagement ,", "consigned to a portable"],
    "val": ["& so on , Sir :"],
    "test": ["£ 20 - the last §"],
}
NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent"


def refusal(call) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def outline(row: int, width: int) -> list[tuple[int, int]]:
    return [(20, 60 * row), (20 + width - 1, 60 * row), (20 + width - 1, 60 * row + 31), (20, 60 * row + 31)]


def coords(points: list[tuple[int, int]], version: str) -> str:
    if version.startswith("2010"):
        return "<Coords>" + "".join(f'<Point x="{x}" y="{y}"/>' for x, y in points) + "</Coords>"
    return f'<Coords points="{" ".join(f"{x},{y}" for x, y in points)}"/>'


def layout(page: str, texts: list[str], version: str) -> str:
    """Write a page's layout; the archive has two versions of PAGE."""
    lines = ""
    for row, text in enumerate(texts):
        points = coords(outline(row, typeset(text).width), version)
        text = f"<TextEquiv><Unicode>{escape(text)}</Unicode></TextEquiv>"
        lines += f'<TextLine id="line_{row}">{points}{text}</TextLine>'
    region = coords([(0, 0), (599, 0), (599, 199), (0, 199)], version)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<PcGts xmlns="{NAMESPACE}/{version}"><Metadata/>'
        f'<Page imageFilename="{page}.jpg" imageWidth="600" imageHeight="200">'
        f'<TextRegion type="paragraph" id="r1">{region}{lines}</TextRegion></Page></PcGts>'
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    gt, pages = tmp_path / "BenthamDatasetR0-GT", tmp_path / "BenthamDatasetR0-Images/Images/Pages"
    for folder in (gt / "Images/Lines", gt / "Transcriptions", gt / "Partitions", gt / "PAGE", pages):
        folder.mkdir(parents=True)
    for name, page in LISTS.items():
        texts = TEXTS[page]
        ids = [f"{page}_01_{row:02d}" for row in range(1, len(texts) + 1)]
        (gt / f"Partitions/{name}.lst").write_text(f"{page}\n")
        (gt / f"Partitions/{name}Lines.lst").write_text("\n".join(ids) + "\n")
        sheet = Image.new("RGB", (600, 200), (230, 220, 190))
        for row, (id, text) in enumerate(zip(ids, texts, strict=True)):
            line = typeset(text)
            inside = Image.new("L", line.size)
            ImageDraw.Draw(inside).rectangle((4, 2, line.width - 5, 29), 255)
            Image.merge("RGBA", [*line.convert("RGB").split(), inside]).save(gt / f"Images/Lines/{id}.png")
            (gt / f"Transcriptions/{id}.txt").write_text(text + "\n\n", encoding="utf-8")
            sheet.paste(line, (20, 60 * row))
        sheet.save(pages / f"{page}.jpg", quality=95)
        (gt / f"PAGE/{page}.xml").write_text(
            layout(page, texts, "2013-07-15" if name == "Test" else "2010-03-19"), encoding="utf-8"
        )
    return tmp_path


def test_line_images_are_read(root):
    source = Bentham(str(root))
    assert {split: [line.text for line in source.lines(split)] for split in SPLITS} == READ
    first, second = source.lines("train")
    assert (first.id, first.group, second.id) == ("002_080_001_01_01", "002_080_001", "002_080_001_01_02")
    assert first.image == ImageFile(root / "BenthamDatasetR0-GT/Images/Lines/002_080_001_01_01.png")
    pixels = first.image.read()
    gray = pixels if pixels.ndim == 2 else pixels[..., 0]
    assert gray.shape == np.asarray(typeset(READ["train"][0])).shape
    assert (gray[:2] == 255).all() and gray[2:30].min() < 100


def test_lines_are_cropped_from_pages(root):
    shutil.rmtree(root / "BenthamDatasetR0-GT/Images")
    shutil.rmtree(root / "BenthamDatasetR0-GT/Transcriptions")
    source = Bentham(str(root), from_pages=True)
    for split, page in zip(SPLITS, LISTS.values(), strict=True):
        lines = source.lines(split)
        assert [line.text for line in lines] == [text.replace("&amp;", "&") for text in READ[split]]
        assert {line.group for line in lines} == {page}
        for row, line in enumerate(lines):
            width = typeset(TEXTS[page][row]).width
            assert isinstance(line.image, PageCrop)
            assert line.image.polygon.tolist() == [list(point) for point in outline(row, width)]
            assert line.image.read().shape == (32, width, 3)


def test_texts_can_be_changed_and_lines_dropped(root):
    source = Bentham(str(root), replace=[[" (?=[,.:])", ""]], drop_text=["portable"])
    assert [line.text for line in source.lines("train")] == ["6. The evidence of the engagement,"]
    assert [line.text for line in source.lines("val")] == ["& so on, Sir:"]
    cut = Bentham(str(root), from_pages=True, replace=[[" (?=[,.:])", ""]], drop_text=["portable"])
    assert [line.text for line in cut.lines("train")] == ["6. The evidence of the engagement,"]
    assert "replace" in refusal(lambda: Bentham("x", replace=[["(", ""]]))


def test_what_is_wrong_with_one_line(root):
    gt = root / "BenthamDatasetR0-GT"
    (gt / "Partitions/TestLines.lst").write_text(
        "../x\n\n116_649_001_01_01 \n116_649_001_01_01\nb\nempty\nlatin\ngap\n"
    )
    (gt / "Transcriptions/empty.txt").write_text(" \n")
    (gt / "Transcriptions/latin.txt").write_bytes("é".encode("latin-1"))
    (gt / "Transcriptions/gap.txt").write_text("<gap/>")
    lines = {line.id: line for line in Bentham(str(root)).lines("test")}
    assert list(lines) == ["../x", "116_649_001_01_01", "b", "empty", "latin"]
    assert lines["116_649_001_01_01"].text == READ["test"][0]
    reasons = {
        "../x": "'../x' is not a plain file name",
        "b": "no such file",
        "empty": "is empty",
        "latin": "not UTF-8",
    }
    for id, words in reasons.items():
        message = refusal(lines[id].image.read)
        assert isinstance(lines[id].image, UnusableImage) and lines[id].text == ""
        assert message.startswith(f"{gt}/") and id in message and words in message


def test_a_line_without_image(root):
    (root / "BenthamDatasetR0-GT/Images/Lines/116_649_001_01_01.png").unlink()
    assert "there is no such file" in refusal(Bentham(str(root)).lines("test")[0].image.read)


def test_a_damaged_layout_is_one_unusable_page(root):
    path = root / "BenthamDatasetR0-GT/PAGE/116_649_001.xml"
    path.write_bytes(path.read_bytes()[:-30])
    [line] = Bentham(str(root), from_pages=True).lines("test")
    assert "not well-formed" in refusal(line.image.read)


@pytest.mark.parametrize(
    ("part", "from_pages"),
    [
        ("BenthamDatasetR0-GT/Partitions/TestLines.lst", False),
        ("BenthamDatasetR0-GT/Transcriptions", False),
        ("BenthamDatasetR0-GT/Images/Lines", False),
        ("BenthamDatasetR0-GT", False),
        ("BenthamDatasetR0-GT/Partitions/Test.lst", True),
        ("BenthamDatasetR0-GT/PAGE", True),
        ("BenthamDatasetR0-Images/Images/Pages", True),
    ],
)
def test_missing_parts(root, part, from_pages):
    (root / part).rename(root / "elsewhere")
    message = refusal(lambda: Bentham(str(root), from_pages=from_pages).lines("test"))
    assert f"{part}" in message and "is missing; unpack " in message
    assert f"{part.split('/')[0]}.tbz from Zenodo record 44519" in message


def test_missing_root(tmp_path):
    message = refusal(lambda: Bentham(str(tmp_path / "no")).lines("train"))
    assert message.startswith(f"dataset.root={tmp_path}/no: there is no such folder")
    (tmp_path / "file").write_text("")
    assert "is not a folder" in refusal(lambda: Bentham(str(tmp_path / "file")).lines("train"))


def test_a_list_that_is_no_text(root):
    (root / "BenthamDatasetR0-GT/Partitions/TestLines.lst").write_bytes(b"\xff\xe9\x00")
    assert "not UTF-8" in refusal(lambda: Bentham(str(root)).lines("test"))


@pytest.mark.parametrize("from_pages", [False, True])
def test_real_lines(from_pages):
    root = Path(os.environ.get("HTR_DATA", "data")) / "bentham"
    if not root.is_dir():
        pytest.skip(f"needs {root}; set HTR_DATA")
    if from_pages and not (root / "BenthamDatasetR0-Images").is_dir():
        pytest.skip(f"needs {root}/BenthamDatasetR0-Images")
    counts = [len(Bentham(str(root), from_pages=from_pages).lines(split)) for split in SPLITS]
    assert counts == pytest.approx([9198, 1415, 860], abs=20 if from_pages else 0)


def test_an_id_that_no_file_can_have_is_an_unusable_line(root):
    (root / "BenthamDatasetR0-GT/Partitions/TestLines.lst").write_text("a\0b\n")
    [line] = Bentham(str(root)).lines("test")
    assert isinstance(line.image, UnusableImage) and "no file can have this name" in refusal(line.image.read)
