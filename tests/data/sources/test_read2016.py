"""READ 2016: files in the layout of its two archives."""

import os
import shutil
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
from helpers.typesetting import typeset
from PIL import Image

from htr_lightning.data.line import SPLITS
from htr_lightning.data.sources.read2016 import Read2016
from htr_lightning.image.crop import PageCrop
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import UnusableImage

TEXTS = {
    "PublicData/Training": ["Bestett¬ ", "Rāth den 5.ten", ""],
    "PublicData/Validation": ["Burgermaister"],
    "Test-ICFHR-2016": ["Ausschuß & Rath"],
}
NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2013-07-15"


def refusal(call) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def outline(row: int, width: int) -> list[tuple[int, int]]:
    return [(20, 60 * row), (19 + width, 60 * row), (19 + width, 60 * row + 31), (20, 60 * row + 31)]


def written(points: list[tuple[int, int]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def layout(texts: list[str]) -> str:
    """Write a page as Transkribus did for the competition; the last line has neither text nor baseline."""
    lines = ""
    for row, text in enumerate(texts):
        points = outline(row, typeset(text or "000").width)
        baseline = f'<Baseline points="{written([(20, 60 * row + 24), (points[1][0], 60 * row + 24)])}"/>'
        unicode = f"<Unicode>{escape(text)}</Unicode>" if text else "<Unicode/>"
        lines += (
            f'<TextLine id="line_{row}" custom="readingOrder {{index:{row};}}"><Coords points="{written(points)}"/>'
            f"{baseline if text else ''}<TextEquiv>{unicode}</TextEquiv></TextLine>"
        )
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<PcGts xmlns="{NAMESPACE}"><Metadata>'
        "<Creator>TRP</Creator></Metadata>"
        '<Page imageFilename="Seite0001.JPG" imageWidth="600" imageHeight="240">'
        '<ReadingOrder><OrderedGroup id="ro" caption="Regions reading order"><RegionRefIndexed index="0" '
        'regionRef="region_1"/></OrderedGroup></ReadingOrder><TextRegion type="paragraph" id="region_1" '
        'custom="readingOrder {index:0;}"><Coords points="0,0 599,0 599,239 0,239"/>'
        f"{lines}<TextEquiv><Unicode>{escape(chr(10).join(texts))}</Unicode></TextEquiv></TextRegion></Page></PcGts>"
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One page in each part, all with the same name."""
    for part, texts in TEXTS.items():
        place = tmp_path / part
        (place / "page").mkdir(parents=True)
        sheet = Image.new("RGB", (600, 240), (230, 220, 190))
        for row, text in enumerate(texts):
            sheet.paste(typeset(text or "000"), (20, 60 * row))
        (place / "page/Seite0001.xml").write_text(layout(texts), encoding="utf-8")
        if part.startswith("Test"):
            sheet.save(place / "Seite0001.JPG", quality=95)
            continue
        (place / "Images").mkdir()
        sheet.save(place / "Images/Seite0001.JPG", quality=95)
        (place / "page/Seite0001.JPG").symlink_to("../Images/Seite0001.JPG")
        (place / "page/list").write_text("Seite0001.xml\n")
    return tmp_path


def test_the_pages_of_the_competition_are_read(root):
    source = Read2016(str(root))
    parts = {split: source.lines(split) for split in SPLITS}
    assert {split: [line.text for line in lines] for split, lines in parts.items()} == {
        "train": ["Bestett¬", "Rāth den 5.ten"],
        "val": ["Burgermaister"],
        "test": ["Ausschuß & Rath"],
    }
    assert parts["train"][1].id == "PublicData/Training/page/Seite0001/line_1"
    groups = [{line.group for line in lines} for lines in parts.values()]
    assert [len(group) for group in groups] == [1, 1, 1] and len(set.union(*groups)) == 3


@pytest.mark.parametrize("links", [True, False])
def test_each_line_is_cropped_from_the_image_of_its_own_part(root, links):
    if not links:
        for path in root.glob("PublicData/*/page/*.JPG"):
            path.unlink()
    for split, (part, texts) in zip(SPLITS, TEXTS.items(), strict=True):
        line = Read2016(str(root)).lines(split)[0]
        assert isinstance(line.image, PageCrop)
        assert line.image.page.path.resolve().is_relative_to(root / part)
        assert line.image.polygon.tolist() == [list(p) for p in outline(0, typeset(texts[0]).width)]
        wanted = np.asarray(typeset(texts[0])).astype(int)
        pixels = line.image.read().mean(axis=2)
        assert pixels.shape == wanted.shape and abs(pixels - wanted).mean() < 6


def test_options_reach_the_pages(root):
    source = Read2016(str(root), mask=False, straighten=False, padding_px=5, replace=[["¬", ""]], drop_text=["th"])
    [line] = source.lines("train")
    assert line.text == "Bestett" and not line.image.mask and line.image.padding_px == 5
    assert not len(line.image.baseline)


def test_damaged_layout_is_one_unusable_page(root):
    path = root / "PublicData/Training/page/Seite0001.xml"
    path.with_name("Seite0002.xml").write_bytes(path.read_bytes()[:-40])
    *usable, line = Read2016(str(root)).lines("train")
    assert len(usable) == 2 and isinstance(line.image, UnusableImage)
    message = refusal(line.image.read)
    assert "Seite0002.xml: the XML is not well-formed" in message


def test_the_image_of_one_page_is_missing(root):
    place = root / "PublicData/Training"
    (place / "page/Seite0002.xml").write_text(layout(["allein"]).replace("Seite0001.JPG", "Seite0002.JPG"))
    line = Read2016(str(root)).lines("train")[-1]
    assert line.text == "allein" and "no image" in refusal(line.image.read)


@pytest.mark.parametrize(
    ("split", "part", "archive"),
    [
        ("train", "PublicData/Training", "Train-And-Val-ICFHR-2016.tgz"),
        ("val", "PublicData/Validation", "Train-And-Val-ICFHR-2016.tgz"),
        ("test", "Test-ICFHR-2016", "Test-ICFHR-2016.tgz"),
    ],
)
def test_missing_parts(root, split, part, archive):
    images = [*(root / part).rglob("*.JPG")]
    for path in images:
        path.unlink()
    message = refusal(lambda: Read2016(str(root)).lines(split))
    assert f"{root / part}: this folder contains layouts" in message and archive in message
    shutil.rmtree(root / part)
    message = refusal(lambda: Read2016(str(root)).lines(split))
    assert f"{part}/page: " in message and f"unpack {archive} from Zenodo record 1164045" in message
    assert ("dataset.with_test=false" in message) == (split == "test")


def test_without_the_test_archive(root):
    shutil.rmtree(root / "Test-ICFHR-2016")
    source = Read2016(str(root), with_test=False)
    assert source.lines("test") == [] and len(source.lines("train")) == 2


def test_missing_root(tmp_path):
    message = refusal(lambda: Read2016(str(tmp_path / "no")).lines("train"))
    assert message.startswith(f"dataset.root={tmp_path}/no: there is no such folder")


def test_an_expression_that_is_none():
    assert "drop_text" in refusal(lambda: Read2016("x", drop_text=["("]))


def test_real_pages():
    root = Path(os.environ.get("HTR_DATA", "data")) / "read2016"
    if not root.is_dir():
        pytest.skip(f"needs {root}; set HTR_DATA")
    parts = [Read2016(str(root)).lines(split) for split in SPLITS]
    assert [len({line.group for line in part}) for part in parts] == [350, 50, 50]
    assert [len(part) for part in parts] == pytest.approx([8349, 1040, 1138], abs=25)
