from pathlib import Path

import pytest
from helpers.layouts import page_xml, text_line
from helpers.typesetting import typeset
from PIL import Image

from htr_lightning.cli import gallery


def test_writes_two_pictures_that_fit_a_page(tmp_path: Path) -> None:
    typeset("a line of ours", 60).save(tmp_path / "line.png")
    gallery.main([str(tmp_path / "line.png"), "--out", str(tmp_path / "out")])
    for name in ("preprocessing", "augmentation"):
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.width <= 1600 and picture.height > 100
            assert len(picture.getcolors() or []) > 4


def test_names_a_missing_image_and_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"none\.png"):
        gallery.main([str(tmp_path / "none.png"), "--out", str(tmp_path)])
    typeset("a").save(tmp_path / "line.png")
    with pytest.raises(SystemExit, match=r"--out .* cannot be written"):
        gallery.main([str(tmp_path / "line.png"), "--out", str(tmp_path / "line.png")])


def test_draws_a_page_with_its_layout_and_the_lines_cut_from_it(tmp_path: Path) -> None:
    page = Image.new("L", (1000, 800), 250)
    page.paste(typeset("cut from a page", 30), (10, 100))
    page.save(tmp_path / "page.png")
    lines = [text_line("a", "cut from a page", 100), text_line("b", "lies outside", 2000)]
    (tmp_path / "page.xml").write_text(page_xml(lines), encoding="utf-8")
    gallery.main([str(tmp_path / "page.xml"), "--out", str(tmp_path / "out")])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["page.png"]
    with Image.open(tmp_path / "out" / "page.png") as picture:
        colors = {color for _, color in picture.convert("RGB").getcolors(100_000) or []}
        assert (
            picture.width > 1000 and any(b > r + 100 for r, _, b in colors) and any(r > b + 100 for r, _, b in colors)
        )


def test_the_image_may_lie_a_folder_up_or_where_it_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "book" / "page").mkdir(parents=True)
    (tmp_path / "scans").mkdir()
    layout = tmp_path / "book" / "page" / "page.xml"
    layout.write_text(page_xml([text_line("a", "text", 100)]), encoding="utf-8")
    with pytest.raises(
        SystemExit, match=r"page\.xml: its image 'page\.png' is not found; name its folder with --images"
    ):
        gallery.main([str(layout), "--out", str(tmp_path / "out")])
    for place, more in ((tmp_path / "book", []), (tmp_path / "scans", ["--images", str(tmp_path / "scans")])):
        Image.new("L", (1000, 800), 250).save(place / "page.png")
        gallery.main([str(layout), "--out", str(tmp_path / "out"), *more])
        (place / "page.png").unlink()
        (tmp_path / "out" / "page.png").unlink()


def test_a_layout_of_no_known_format(tmp_path: Path) -> None:
    (tmp_path / "page.xml").write_text("<html/>")
    with pytest.raises(SystemExit, match=r"page\.xml: .*neither ALTO nor PAGE.*html"):
        gallery.main([str(tmp_path / "page.xml"), "--out", str(tmp_path / "out")])
