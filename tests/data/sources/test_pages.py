import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from helpers.layouts import page_xml, points, text_line
from helpers.typesetting import typeset
from PIL import Image

from htr_lightning.charset import Charset
from htr_lightning.data.batch import collate
from htr_lightning.data.line import UNTRANSCRIBED, Line, list_replaced_outlines
from htr_lightning.data.pack import pack
from htr_lightning.data.packed_lines import PackedLine
from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.data.sources.pages import Pages
from htr_lightning.image.crop import PageCrop
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import UnusableImage
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.layout.page import PageLine, Span

Write = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


@pytest.fixture
def write(root: Path) -> Write:
    """Write a page of typeset lines and its ALTO, as eScriptorium does: both in one folder."""

    def page(name: str, *texts: str, scale: float = 1, image: str | None = None, **extra: str) -> Path:
        sheet = Image.new("L", (420, 40 * len(texts) + 20), 245)
        lines = []
        for number, text in enumerate(texts):
            top = 10 + 40 * number
            sheet.paste(typeset(text), (10, top))
            box = [(10, top), (410, top), (410, top + 32), (10, top + 32)]
            outline = " ".join(f"{x / scale:g} {y / scale:g}" for x, y in box)
            base = f"{10 / scale:g} {(top + 26) / scale:g} {400 / scale:g} {(top + 26) / scale:g}"
            lines.append(
                f'<TextLine ID="l{number}" BASELINE="{extra.get("baseline", base)}" TAGREFS="LT{number % 2}">'
                f'<Shape><Polygon POINTS="{extra.get("polygon", outline)}"/></Shape>'
                f"<String CONTENT={quoteattr(text)}/></TextLine>"
            )
        path = root / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path.with_suffix(".png"))
        path.write_text(
            '<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Description><sourceImageInformation>'
            f"<fileName>{image or path.stem + '.png'}</fileName></sourceImageInformation></Description>"
            '<Tags><OtherTag ID="LT0" LABEL="default"/><OtherTag ID="LT1" LABEL="addition"/>'
            '<OtherTag ID="BT0" LABEL="MainZone"/></Tags><Layout>'
            f'<Page WIDTH="{sheet.width / scale:g}" HEIGHT="{sheet.height / scale:g}"><PrintSpace>'
            f'<TextBlock ID="b" TAGREFS="BT0">{"".join(lines)}</TextBlock></PrintSpace></Page></Layout></alto>',
            encoding="utf-8",
        )
        return path

    return page


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def reason(line: Line) -> str:
    assert isinstance(line.image, UnusableImage)
    return line.image.reason


def test_folders_named_as_splits(root: Path, write: Write) -> None:
    write("train/a", "first", "second  line ")
    write("train/deeper/b", "third")
    write("validation/c", "fourth")
    pages = Pages(str(root), format="alto")
    lines = pages.lines("train")
    assert [(line.id, line.text, line.group) for line in lines] == [
        ("train/a/l0", "first", "train/a"),
        ("train/a/l1", "second line", "train/a"),
        ("train/deeper/b/l0", "third", "train/deeper/b"),
    ]
    assert texts(pages.lines("val")) == ["fourth"] and pages.lines("test") == []
    assert lines[1].image.read().shape == (33, 401)


def test_lists_of_pages(root: Path, write: Write, tmp_path: Path) -> None:
    for name in ("p/a", "p/b", "p/c"):
        write(name, f"of {name}")
    (root / "tr.lst").write_text("b\np/c.xml\n\n")
    (tmp_path / "va.lst").write_text("a.png\nlost\n")
    pages = Pages(str(root), format="alto", train="tr.lst", val=str(tmp_path / "va.lst"))
    assert texts(pages.lines("train")) == ["of p/b", "of p/c"] and pages.lines("test") == []
    good, lost = pages.lines("val")
    assert good.text == "of p/a" and f"va.lst: the page lost has no XML file in {root}" in reason(lost)


def test_folders_by_name(root: Path, write: Write) -> None:
    write("PublicData/Training/page/a", "one")
    write("Test/page/b", "two")
    pages = Pages(str(root), format="alto", train="PublicData/Training", test="Test")
    assert texts(pages.lines("train")) == ["one"] and texts(pages.lines("test")) == ["two"]
    assert pages.lines("val") == []


def test_lists_from_windows_and_names_that_fit_two_pages(root: Path, write: Write) -> None:
    for name in ("w1/1", "w2/1", "w2/2"):
        write(name, f"of {name}")
    (root / "tr.lst").write_bytes(b"\xef\xbb\xbfw1/1.xml\r\n.\r\nw2/2\r\n")
    lines = Pages(str(root), format="alto", train="tr.lst").lines("train")
    assert [(line.id, line.text) for line in lines] == [("w1/1/l0", "of w1/1"), (".", ""), ("w2/2/l0", "of w2/2")]
    assert "the page . has no XML file" in reason(lines[1])
    (root / "tr.lst").write_text("1\n")
    with pytest.raises(DataError, match=r"tr\.lst: the page 1 could be .*w1.1\.xml or .*w2.1\.xml"):
        Pages(str(root), format="alto", train="tr.lst").lines("train")


def test_a_page_in_two_lists(root: Path, write: Write) -> None:
    write("a", "text")
    for name in ("tr", "va"):
        (root / name).write_text("a\n")
    with pytest.raises(DataError, match=r"a\.xml: the page is in both dataset\.train and dataset\.val"):
        Pages(str(root), format="alto", train="tr", val="va").lines("train")


def test_pages_outside_of_the_folders_of_the_splits(root: Path, write: Write) -> None:
    write("train/a", "text")
    (root / "mets.xml").write_text("<mets/>")
    assert texts(Pages(str(root), format="alto").lines("train")) == ["text"]
    write("letters/b", "lost")
    with pytest.raises(DataError, match=r"1 of the pages, such as .*b\.xml, are outside the folders train"):
        Pages(str(root), format="alto").lines("train")


def test_other_formats_beside_are_named(root: Path, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write("train/a", "text")
    (root / "train" / "mets.xml").write_text("<mets/>")
    assert texts(Pages(str(root), format="alto").lines("train")) == ["text"] and not caplog.text
    (root / "train" / "page.xml").write_text("<PcGts/>")
    assert texts(Pages(str(root), format="alto").lines("train")) == ["text"]
    assert "ignored XML files that are not ALTO: mets (1), PcGts (1)" in caplog.text


def test_splitting_keeps_groups_together(root: Path, write: Write) -> None:
    for number in range(24):
        write(f"w{number // 3}_p{number % 3}", str(number))
    pages = Pages(str(root), format="alto", group_pattern=r"(w)(\d+)_", split_ratios=[0.5, 0.25, 0.25])
    groups = {split: {line.group for line in pages.lines(split)} for split in ("train", "val", "test")}
    assert groups["train"] | groups["val"] | groups["test"] == {f"w{n}" for n in range(8)}
    assert not groups["train"] & groups["val"] and not groups["val"] & groups["test"]


def test_layout_of_another_resolution(root: Path, write: Write) -> None:
    write("train/a", "the same pixels")
    write("train/b", "the same pixels", scale=2.5)
    one, other = Pages(str(root), format="alto").lines("train")
    np.testing.assert_array_equal(one.image.read(), other.image.read())


def test_types_to_keep_and_to_drop(root: Path, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write("train/a", "kept", "added", "kept too")
    assert texts(Pages(str(root), format="alto", drop_line_types=["addition"]).lines("train")) == ["kept", "kept too"]
    assert texts(Pages(str(root), format="alto", line_types=["addition"]).lines("train")) == ["added"]
    assert Pages(str(root), format="alto", drop_region_types=["MainZone"]).lines("train") == []
    with pytest.raises(DataError, match=r"dataset\.region_types=\['Main'\]: .*; choose from 'MainZone'"):
        Pages(str(root), format="alto", region_types=["Main"]).lines("train")
    with caplog.at_level(logging.INFO):
        Pages(str(root), format="alto", drop_line_types=["aditon"]).lines("train")
    assert "no line has the type 'aditon', which is to be dropped; types are 'addition', 'default'" in caplog.text


def test_markers_and_dropped_texts(root: Path, write: Write) -> None:
    write("train/a", "un>e< joueur", "ref_0001", ">tout<")
    pages = Pages(str(root), format="alto", replace=[[">[^<]*<", ""]], drop_text=["^ref_"])
    assert texts(pages.lines("train")) == ["un joueur"]


def test_lines_without_text_are_not_lines_but_a_page_without_is_damaged(root: Path, write: Write) -> None:
    write("train/a", "transcribed", "")
    write("train/b", "", "")
    good, empty = Pages(str(root), format="alto").lines("train")
    assert good.text == "transcribed"
    assert reason(empty).endswith("b.xml: none of its 2 lines has text; transcribe the page or remove it")


def test_other_xml_files_are_ignored(root: Path, write: Write) -> None:
    write("train/a", "text")
    (root / "train" / "mets.xml").write_text("<mets/>")
    assert texts(Pages(str(root), format="alto").lines("train")) == ["text"]
    with pytest.raises(
        DataError, match=r"none of the 2 XML files is PAGE; .* alto \(1\), mets \(1\); set dataset=alto"
    ):
        Pages(str(root), format="page_xml").lines("train")


def test_other_formats_are_put_aside_before_the_pages_are_divided(root: Path, write: Write) -> None:
    for number in range(10):
        write(f"ALTO/{number}", f"page {number}")
    alone = [texts(Pages(str(root), format="alto").lines(split)) for split in ("train", "val", "test")]
    for number in range(30):
        (root / f"tei{number}.xml").write_text("<TEI xmlns='http://www.tei-c.org/ns/1.0'><text/></TEI>")
    (root / "METS.xml").write_text("<mets/>")
    pages = Pages(str(root), format="alto")
    assert [texts(pages.lines(split)) for split in ("train", "val", "test")] == alone
    assert list(map(len, alone)) != [10, 0, 0] and all(alone)


def test_a_damaged_file_is_a_page(root: Path, write: Write) -> None:
    write("a", "text")
    (root / "b.xml").write_text("<alto><Layout>")
    (root / "c.xml").write_text("no XML")
    lines = Pages(str(root), format="alto", split_ratios=[1, 0, 0]).lines("train")
    assert [line.text for line in lines] == ["text", "", ""] and "not well-formed" in reason(lines[1])


def test_images_of_other_names(root: Path, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    whole = {"format": "alto", "split_ratios": [1, 0, 0]}
    for number in range(3):
        write(f"p{number}", "text", image=f"scan-{number}.tif").with_suffix(".png").rename(root / f"scan_{number}.png")
    lines = Pages(str(root), **whole).lines("train")
    assert "no image named 'scan-0.tif'" in reason(lines[0])
    assert "3 images of train not found, such as scan-0.tif; did you mean scan_0.png?" in caplog.text
    assert caplog.text.count("did you mean") == 1
    lines = Pages(str(root), **whole, image_names=[["-", "_"]]).lines("train")
    assert [line.image.read().shape for line in lines] == [(33, 401)] * 3
    for number in range(3):
        (root / f"scan_{number}.png").rename(root / f"p{number}.nrm.png")
    assert [line.image.read().shape for line in Pages(str(root), **whole).lines("train")] == [(33, 401)] * 3


def test_lists_from_windows_in_other_spellings(root: Path, write: Write) -> None:
    write("Écrits/a", "text")
    (root / "tr.lst").write_text("e\u0301crits\\A.XML\n", encoding="utf-8")
    assert texts(Pages(str(root), format="alto", train="tr.lst").lines("train")) == ["text"]


def test_page_xml_with_polygons_baselines_and_marks(root: Path) -> None:
    lines = [
        text_line("l1", "first", 10),
        text_line("l2", "the old new house", 50, spans=(Span(4, 3, "strikethrough"),)),
        text_line("l3", "in the margin", 90, region="r2", region_type="marginalia"),
    ]
    (root / "images").mkdir()
    Image.new("L", (500, 400), 240).save(root / "images" / "page.png")  # half the size the layout was made at
    for number in range(3):
        (root / f"p{number}").mkdir()
        (root / f"p{number}" / f"{number}.xml").write_text(page_xml(lines), encoding="utf-8")
    pages = Pages(
        str(root),
        format="page_xml",
        train="p0",
        val="p1",
        drop_region_types=["marginalia"],
        spans={"strikethrough": "delete"},
    )
    one, other = pages.lines("train")
    assert [(line.id, line.text, line.group) for line in (one, other)] == [
        ("p0/0/l1", "first", "p0/0"),
        ("p0/0/l2", "the new house", "p0/0"),
    ]
    assert isinstance(one.image, PageCrop)
    np.testing.assert_array_equal(one.image.polygon, lines[0].polygon)
    np.testing.assert_array_equal(one.image.baseline, lines[0].baseline)
    assert one.image.page_size == (1000, 800) and one.image.read().shape[1] == pytest.approx(101, abs=2)
    assert texts(pages.lines("val")) == ["first", "the new house"]


def test_lines_have_the_base_direction_of_their_layout(root: Path) -> None:
    xml = page_xml([text_line("l1", "12 - 7", 10)], image="a.png")
    (root / "a.xml").write_text(xml.replace("<Page ", '<Page primaryLanguage="Hebrew" ', 1), encoding="utf-8")
    Image.new("L", (1000, 800), 255).save(root / "a.png")
    (line,) = Pages(str(root), format="page_xml", split_ratios=[1, 0, 0]).lines("train")
    charset = Charset.from_texts(["אב 12 - 7"], direction="auto")
    assert charset.to_visual(line.text, line.direction) == "7 - 12" and charset.to_visual(line.text) == "12 - 7"
    batch = collate([PackedLine("a", line.text, "", np.zeros((4, 3), np.uint8), line.direction)], 8, charset)
    assert charset.decode(batch.targets.tolist(), batch.directions[0]) == "12 - 7"
    assert charset.decode(batch.targets.tolist()) == "7 - 12"


def test_damage_costs_its_page_or_its_line_only(root: Path, write: Write, tmp_path: Path) -> None:
    write("train/a", "good")
    cut_off = write("train/b", "cut off")
    cut_off.write_text(cut_off.read_text()[:-30])
    bomb = write("train/c", "bomb")
    bomb.write_text(
        '<!DOCTYPE alto [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + bomb.read_text().replace("bomb", "&b;")
    )
    write("train/d", "one point", baseline="10 20")
    write("train/e", "not a number", polygon="10 10 NaN 10 10 50")
    write("train/f", "outside", polygon="900 10 990 10 990 50")
    write("train/g", "lost", image="../../etc/passwd").with_suffix(".png").unlink()
    lines = Pages(str(root), format="alto").lines("train")
    packed = pack(lines, Preprocess(), tmp_path / "cache")
    assert [line.id for line in packed] == ["train/a/l0"]
    reasons = {skipped.id: skipped.reason for skipped in packed.skipped}
    assert set(reasons) == {"train/b", "train/c", *(f"train/{name}/l0" for name in "defg")}
    assert "b.xml: the XML is not well-formed" in reasons["train/b"]
    assert "c.xml: declares entities" in reasons["train/c"]
    assert "d.xml: line l0: " in reasons["train/d/l0"] and "point" in reasons["train/d/l0"]
    assert "e.xml: line l0: " in reasons["train/e/l0"] and "NaN" in reasons["train/e/l0"]
    assert "f.png: its outline, from (900, 10)" in reasons["train/f/l0"]
    assert "'../../etc/passwd'" in reasons["train/g/l0"] and "leads out of" in reasons["train/g/l0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"val": "x"}, "dataset.train: .* dataset.val"),
        ({"padding_px": -4}, r"dataset\.padding_px=-4: .*from 0 to 200"),
        ({"images": "nowhere"}, r"dataset\.images=.*nowhere: this is not a folder"),
        ({"split_ratios": [1, 1, 1]}, "dataset.split_ratios"),
        ({"group_pattern": "("}, r"dataset.group_pattern: '\(' is not a regular expression"),
        ({"train": "none.lst"}, r"dataset\.train: .*none\.lst: there is no such file; set it to a folder"),
    ],
)
def test_settings_that_cannot_be(root: Path, write: Write, arguments: dict[str, object], message: str) -> None:
    write("a", "text")
    with pytest.raises(DataError, match=message):
        Pages(str(root), format="alto", **arguments).lines("train")  # type: ignore[arg-type]


def test_no_pages(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset\.root=.*nowhere: there is no such folder"):
        Pages(str(tmp_path / "nowhere"), format="alto").lines("train")
    with pytest.raises(DataError, match=r"dataset\.root=.*: there are no XML files"):
        Pages(str(tmp_path), format="alto").lines("train")


def test_pages_of_copiste_say_what_the_manifests_say() -> None:
    data = Path(os.environ.get("HTR_DATA", "data")) / "copiste"
    if not (data / "pages").is_dir():
        pytest.skip(f"needs {data}/pages; set HTR_DATA")
    pages = Pages(str(data / "pages"), format="alto")
    compared = {"train": 91, "val": 29, "test": 89}
    for split, number in compared.items():
        known = {line.id: line.text for line in read_manifest(data / f"{split}.tsv")}
        lines = pages.lines(split)  # type: ignore[arg-type]
        by_page: dict[str, list[Line]] = {}
        for line in lines:
            by_page.setdefault(line.group, []).append(line)
        same = 0
        for page, on_page in by_page.items():
            for place, line in enumerate(on_page):
                name = Path(page).name.replace("wikitexte_", "").replace("_", "-")
                text = known.get(f"{split}/{name}_{place:03d}.webp")
                assert text in (None, line.text)
                same += text is not None
        assert same == number


def write_page_with_guesses(root: Path, name: str, *equivalents: str) -> None:
    """Write a PAGE file with lines whose texts have indices, and its image."""
    lines = "".join(
        f'<TextLine id="l{n}"><Coords points="5,{top} 200,{top} 200,{top + 35} 5,{top + 35}"/>{equivalent}</TextLine>'
        for n, (top, equivalent) in enumerate(zip(range(5, 200, 40), equivalents, strict=False))
    )
    page = f'<Page imageFilename="{name}.png"><TextRegion id="r">{lines}</TextRegion></Page>'
    (root / f"{name}.xml").write_text(f"<PcGts>{page}</PcGts>", encoding="utf-8")
    Image.new("L", (220, 200), 200).save(root / f"{name}.png")


def test_guesses_are_not_transcriptions(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    def equivalent(index: int, text: str) -> str:
        return f'<TextEquiv index="{index}"><Unicode>{text}</Unicode></TextEquiv>'

    write_page_with_guesses(root, "a", equivalent(0, "truth") + equivalent(1, "guess"), equivalent(1, "guess"))
    write_page_with_guesses(root, "b", equivalent(1, "other"))
    whole = {"format": "page_xml", "split_ratios": [1, 0, 0]}
    assert texts(Pages(str(root), **whole).lines("train")) == ["truth", "other"]
    assert "1 line for train, such as a/l1, left out" in caplog.text and "such as b/l0" in caplog.text
    caplog.clear()
    assert texts(Pages(str(root), **whole, text_index=1).lines("train")) == ["guess", "guess", "other"]
    kept, empty = Pages(str(root), **whole, text_index=0).lines("train")
    assert kept.text == "truth" and "has text" in reason(empty) and not caplog.text
    with pytest.raises(DataError, match=r"dataset\.text_index=0"):
        Pages(str(root), format="alto", text_index=0)


def test_hyphens_at_the_end_of_lines(root: Path, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    path = write("train/a", "soft\u00ad", "empty", "so\u00adft")
    path.write_text(path.read_text("utf-8").replace('"empty"/>', '"empty"/><HYP CONTENT=""/>'), encoding="utf-8")
    lines = Pages(str(root), format="alto").lines("train")
    assert texts(lines) == ["soft-", "empty-", "so\u00adft"]
    assert "train/a/l1, ending in a HYP" in caplog.text
    assert texts(Pages(str(root), format="alto", spans={"HYP": "delete"}).lines("train"))[1] == "empty"
    assert texts(Pages(str(root), format="alto", replace=[["[-\u00ad]$", "¬"]]).lines("train"))[:2] == [
        "soft¬",
        "empty¬",
    ]


def write_layouts_of_document(root: Path, document: str, numbers: dict[str, int | None], size: tuple[int, int]) -> None:
    """Write a PAGE file with one line around the whole page for each name and page number."""
    for name, number in numbers.items():
        item = f'<MetadataItem type="imageProperties" name="page" value="{number}"/>'
        width, height = size
        line = (
            f'<TextLine id="l"><Coords points="0,0 {width - 1},0 {width - 1},{height - 1} 0,{height - 1}"/>'
            f"<TextEquiv><Unicode>{name}</Unicode></TextEquiv></TextLine>"
        )
        (root / f"{name}.xml").write_text(
            f"<PcGts><Metadata>{item if number else ''}</Metadata>"
            f'<Page imageFilename="{document}" imageWidth="{width}" imageHeight="{height}">'
            f'<TextRegion id="r">{line}</TextRegion></Page></PcGts>'
        )


@pytest.mark.parametrize("document", ["book.tif", "book.pdf"])
def test_pages_of_documents(root: Path, document: str) -> None:
    pages = [Image.new("L", (200, 100), gray) for gray in (50, 150, 250)]
    # 300 pixels an inch, as PDF documents are rendered
    pages[0].save(root / document, save_all=True, append_images=pages[1:], resolution=300)
    numbers = {"book_0001": 1, "book_0002": 2, "book_3": None, "another": 3, "book_2": 1}
    write_layouts_of_document(root, document, numbers, (200, 100))
    lines = Pages(str(root), format="page_xml", split_ratios=[1, 0, 0]).lines("train")
    grays = {line.text: round(float(line.image.read().mean()), -1) for line in lines}
    assert grays == {"another": 250, "book_0001": 50, "book_0002": 150, "book_2": 150, "book_3": 250}
    assert len({line.image.fingerprint for line in lines}) > 1
    write_layouts_of_document(root, document, {"which": None, "book_0004": 4}, (200, 100))
    lines = {line.text: line for line in Pages(str(root), format="page_xml", split_ratios=[1, 0, 0]).lines("train")}
    assert f"the document {document} has 3 pages, and the layout does not say" in reason(lines["which"])
    assert "the layout describes page 4; call it book_0001.xml" in reason(lines["book_0004"])
    Image.new("L", (200, 100), 99).save(root / "book_0002.png")
    (root / document).unlink()
    lines = {line.text: line for line in Pages(str(root), format="page_xml", split_ratios=[1, 0, 0]).lines("train")}
    assert lines["book_0002"].image.read().mean() == 99


def test_the_number_of_a_page_that_is_an_image_does_not_matter(root: Path) -> None:
    Image.new("L", (200, 100), 99).save(root / "p27.tif")
    write_layouts_of_document(root, "p27.tif", {"p27": 27}, (200, 100))
    (line,) = Pages(str(root), format="page_xml", split_ratios=[1, 0, 0]).lines("train")
    assert line.image.read().mean() == 99


def test_lines_that_are_left_out_are_listed_by_reason(root: Path, write: Write) -> None:
    write("train/a", "a word", "", "  ", "another")
    source = Pages(str(root), format="alto", drop_line_types=["addition"], split_ratios=[1, 0, 0])
    assert source.left_out("train") == {}
    assert texts(source.lines("train")) == ["a word"]
    left_out = source.left_out("train")
    assert left_out[UNTRANSCRIBED] == ["train/a/l2"]
    assert [ids for reason, ids in left_out.items() if "type" in reason] == [["train/a/l1", "train/a/l3"]]
    source.lines("train")
    assert source.left_out("train") == left_out


def write_page_with_outlines(root: Path, lines: list[PageLine]) -> dict[str, Any]:
    """Write a page of 400 x 400 px; return the arguments of `Pages` that read it as training data."""
    (root / "a.xml").write_text(page_xml(lines, image="a.png", size=(400, 400)))
    Image.new("L", (400, 400), 200).save(root / "a.png")
    return {"root": str(root), "format": "page_xml", "split_ratios": [1, 0, 0]}


def test_outlines_that_are_far_too_low(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = [text_line(f"l{n}", f"text {n}", 60 * n + 20) for n in range(5)]
    low = points(10, 216, 210, 216, 210, 220, 10, 220)  # around the feet of the letters
    whole = write_page_with_outlines(root, [*lines[:3], replace(lines[3], polygon=low), lines[4]])
    found = Pages(**whole).lines("train")
    assert found[3].image.read().shape[0] > 50 and "1 line for train, such as a/l3, with an outline far" in caplog.text
    assert list(list_replaced_outlines(found).values()) == [["a/l3"]]
    caplog.clear()
    kept = Pages(**whole, outlines="keep").lines("train")
    assert kept[3].image.read().shape[0] < 12 and not caplog.text and not list_replaced_outlines(kept)
    others = [0, 1, 2, 4]
    assert [found[i].image.fingerprint for i in others] == [kept[i].image.fingerprint for i in others]
    along = Pages(**whole, outlines="baseline").lines("train")
    assert min(line.image.read().shape[0] for line in along) > 50 and not caplog.text
    assert along[3].image.fingerprint == found[3].image.fingerprint


def test_outlines_of_another_picture(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = [text_line(f"l{n}", f"text {n}", 60 * n + 40) for n in range(5)]
    lines = [replace(line, polygon=np.round(0.3 * line.polygon)) for line in lines]
    whole = write_page_with_outlines(root, lines)
    with pytest.raises(DataError, match=r"its baseline leaves its outline; .* dataset\.outlines=baseline"):
        Pages(**whole, outlines="keep").lines("train")[3].image.read()
    for line in Pages(**whole).lines("train"):
        assert line.image.read().shape[0] > 50
    assert "5 lines for train, such as a/l0, with an outline elsewhere" in caplog.text


@pytest.mark.parametrize(("value", "named"), [("use", "auto"), ("ignore", "baseline"), ("drop", "keep")])
def test_other_ways_to_treat_outlines_are_refused(root: Path, value: str, named: str) -> None:
    with pytest.raises(DataError) as error:
        Pages(str(root), format="alto", outlines=value)
    assert (error.value.key, error.value.value) == ("dataset.outlines", value) and named in error.value.remedy
