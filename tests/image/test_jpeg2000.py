import io
import struct

import pytest
from PIL import Image

from htr_lightning.image.jpeg2000 import read_tile_size


def encode(**options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (300, 200)).save(file, "JPEG2000", **options)
    return file.getvalue()


def test_tiles_of_a_file_and_of_a_codestream() -> None:
    assert read_tile_size(io.BytesIO(encode(tile_size=(128, 64)))) == (128, 64)
    assert read_tile_size(io.BytesIO(encode(tile_size=(128, 64), no_jp2=True))) == (128, 64)
    assert read_tile_size(io.BytesIO(encode())) == (300, 200)


def test_boxes_before_the_codestream_are_passed_over() -> None:
    content = encode(tile_size=(128, 64))
    box = content.index(b"jp2c") - 4
    short = struct.pack(">I4s", 8 + 5, b"uuid") + b"12345"
    long = struct.pack(">I4sQ", 1, b"xml ", 16 + 3) + b"<a>"
    assert read_tile_size(io.BytesIO(content[:box] + short + long + content[box:])) == (128, 64)


@pytest.mark.parametrize("end", range(0, 110, 7))
def test_a_file_that_ends_too_early_has_none(end: int) -> None:
    file = io.BytesIO(encode()[:end])
    file.seek(3)
    assert read_tile_size(file) is None
    assert file.tell() == 3


def test_boxes_that_never_end_have_none() -> None:
    head = encode()[:12]
    assert read_tile_size(io.BytesIO(head + struct.pack(">I4s", 0, b"free") + bytes(50))) is None
    assert read_tile_size(io.BytesIO(head + struct.pack(">I4s", 8, b"free") * 2000)) is None
