import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from htr_lightning.image.decode import decode_image, read_image, read_page_image
from htr_lightning.image.png import skip_long_texts
from htr_lightning.image.scan import read_image_size

PIXELS = np.arange(600, dtype=np.uint8).reshape(20, 30)


def png(info: PngInfo, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG", pnginfo=info, **options)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("international", [False, True])
@pytest.mark.parametrize("after_idat", [False, True])
def test_images_with_long_notes_are_whole(
    compressed: bool, international: bool, after_idat: bool, tmp_path: Path
) -> None:
    info = PngInfo()
    if international:
        info.add_itxt("Comment", "x" * 3_000_000, zip=compressed)
    else:
        info.add_text("Comment", "x" * 3_000_000, zip=compressed)
    info.add_text("Title", "short")
    content = png(info)
    if after_idat:
        start, end = content.index(b"IDAT") - 4, content.index(b"IEND") - 4
        text = content[33:start]
        content = content[:33] + content[start:end] + text + content[end:]
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert np.array_equal(read_image(path), PIXELS) and np.array_equal(decode_image(content, "a"), PIXELS)
    assert np.array_equal(read_page_image(path, None), PIXELS) and read_image_size(path) == (30, 20)
    assert Image.open(skip_long_texts(io.BytesIO(content))).text == {"Title": "short"}


def test_other_files_stay_as_they_are() -> None:
    info = PngInfo()
    info.add_text("Title", "short")
    whole = png(info)
    for content in (whole, whole[:60], whole[:3], b"", b"\xff\xd8 no png", whole[:8] + b"\xff" * 30):
        file = io.BytesIO(content)
        assert skip_long_texts(file) is file and file.read() == content


def test_orientation_in_a_note_is_kept(tmp_path: Path) -> None:
    info = PngInfo()
    description = '<rdf:RDF xmlns:rdf="a"><rdf:Description tiff:Orientation="6"/></rdf:RDF>'
    xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{description}</x:xmpmeta>'
    info.add_itxt("XML:com.adobe.xmp", xmp)
    info.add_text("Comment", "x" * 3_000_000, zip=True)
    path = tmp_path / "a.png"
    path.write_bytes(png(info))
    assert read_image(path).shape == (30, 20)
