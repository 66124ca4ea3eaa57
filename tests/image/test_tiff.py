import struct
from pathlib import Path

import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from htr_lightning.image import tiff
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.scan import Scan, list_scans
from htr_lightning.image.tiff import find_tiff_pages
from htr_lightning.reading.page_jobs import PagePlan, find_jobs


def save(path: Path, *images: tuple[tuple[int, int], dict[int, int]]) -> Path:
    """Save images of these sizes and tags, each brighter than the last."""
    frames = []
    for number, (size, tags) in enumerate(images):
        frame = Image.new("L", size, 40 * number)
        directory = ImageFileDirectory_v2()
        for tag, value in tags.items():
            directory[tag] = value
        frame.encoderinfo = {"tiffinfo": directory}
        frames.append(frame)
    frames[0].save(path, save_all=True, append_images=frames[1:], tiffinfo=frames[0].encoderinfo["tiffinfo"])
    return path


PAGE, HALF, SMALL = (1300, 910), (650, 455), (162, 113)


@pytest.mark.parametrize(
    ("images", "pages"),
    [
        ([(PAGE, {}), (PAGE, {})], [0, 1]),
        ([(PAGE, {254: 0}), (HALF, {254: 1}), (SMALL, {254: 1})], [0]),
        ([(SMALL, {254: 1}), (PAGE, {254: 0})], [1]),
        ([(PAGE, {254: 2}), (SMALL, {254: 3}), (PAGE, {254: 2}), (SMALL, {254: 3})], [0, 2]),
        ([(PAGE, {255: 1}), (HALF, {255: 2})], [0]),
        ([(PAGE, {}), (PAGE, {254: 4})], [0]),
        ([(PAGE, {}), (SMALL, {})], [0]),
        ([(PAGE, {}), (HALF, {})], [0, 1]),
        ([(PAGE, {}), ((113, 162), {})], [0, 1]),
        ([(HALF, {254: 1})], [0]),
    ],
)
def test_smaller_copies_and_masks_are_no_pages(
    images: list[tuple[tuple[int, int], dict[int, int]]], pages: list[int], tmp_path: Path
) -> None:
    path = save(tmp_path / "a.tif", *images)
    assert find_tiff_pages(path) == pages
    scans = list_scans(path)
    assert [scan.number for scan in scans] == ([None] if len(pages) == 1 else list(range(1, len(pages) + 1)))
    assert [int(scan.read().mean()) for scan in scans] == [40 * index for index in pages]


def save_directories(path: Path, number: int) -> Path:
    """Save a TIFF file with many images of different sizes and no pixels."""
    content = struct.pack("<2sHI", b"II", 42, 8)
    for i in range(number):
        tags = {256: 16 + i % 200, 257: 16 + i, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 1, 279: 1}
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
        after = len(content) + 2 + len(entries) + 4
        content += struct.pack("<H", len(tags)) + entries + struct.pack("<I", after if i + 1 < number else 0)
    path.write_bytes(content)
    return path


def test_very_many_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "_MAX_IMAGES", 500)
    assert 0 < len(find_tiff_pages(save_directories(tmp_path / "many.tif", 500))) <= 500
    with pytest.raises(DataError, match=r"more\.tif: .*501 images are more than 500") as error:
        find_tiff_pages(save_directories(tmp_path / "more.tif", 501))
    assert error.value.kind == "damaged"


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.new("L", (40, 40)).save(path, "PNG")
    assert find_tiff_pages(path) == [0] and list_scans(path) == [Scan(path)]


def test_layouts_beside_numbered_scans(tmp_path: Path) -> None:
    save(tmp_path / "book.tif", (PAGE, {}), (PAGE, {}), (PAGE, {}))
    save(tmp_path / "pyramid.tif", (PAGE, {}), (HALF, {254: 1}))
    for name in ("book_0002", "book_3", "pyramid", "book"):
        (tmp_path / f"{name}.xml").write_text("<alto/>")
    jobs, _ = find_jobs([tmp_path], PagePlan(tmp_path / "out", ("txt",)))
    found = {job.scan.stem: job.layout and job.layout.name for job in jobs}
    assert found == {
        "book_0001": None,
        "book_0002": "book_0002.xml",
        "book_0003": "book_3.xml",
        "pyramid": "pyramid.xml",
    }


def test_a_document_of_several_pages_is_no_image_of_a_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"book\.tif: the file has 2 pages") as error:
        ImageFile(save(tmp_path / "book.tif", (PAGE, {}), (PAGE, {}))).read()
    assert error.value.kind == "several_pages"
    thumbnail = tuple(side // 8 for side in PAGE)
    for images in ([(PAGE, {}), (thumbnail, {})], [(thumbnail, {}), (PAGE, {})]):
        path = save(tmp_path / "page.tif", *images)
        assert ImageFile(path).read().shape == PAGE[::-1]
