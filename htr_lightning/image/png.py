"""Text chunks of PNG files, which hold notes about an image and are not needed to show it."""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_ORIENTATION_KEYWORDS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # where EXIF data may stand
_MAX_TEXT_BYTES = 65_536  # that Pillow reads; it refuses an image with more than 1 MB of text in a chunk, decompressed


def skip_long_texts(file: BinaryIO) -> BinaryIO:
    """Return a PNG file without text chunks that are long or compressed, because of which Pillow refuses whole images.

    Short ones stay, and those that may hold the orientation of the image.

    Args:
        file: an image file of any format, at its start.

    Returns:
        The file itself, at its start, if it has no such chunks, is no PNG or is damaged; otherwise a copy in memory.
    """
    skipped = [
        (start, length) for start, length, name, head in _iterate_chunks(file) if _is_skipped(name, length, head)
    ]
    if not skipped:
        file.seek(0)
        return file
    parts = []
    position = 0
    for start, length in skipped:
        file.seek(position)
        parts.append(file.read(start - position))
        position = start + 12 + length
    file.seek(position)
    return io.BytesIO(b"".join([*parts, file.read()]))


def _is_skipped(name: bytes, length: int, head: bytes) -> bool:
    if name not in _TEXT_CHUNKS or (length <= _MAX_TEXT_BYTES and head.startswith(_ORIENTATION_KEYWORDS)):
        return False
    rest = head.partition(b"\0")[2]
    is_compressed = name == b"zTXt" or (name == b"iTXt" and rest[:1] != b"\0")
    return is_compressed or length > _MAX_TEXT_BYTES


def _iterate_chunks(file: BinaryIO) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield start, length, name and first bytes of each chunk of a PNG file, up to the first that is damaged."""
    file.seek(0)
    if file.read(8) != _SIGNATURE:
        return
    position, size = 8, file.seek(0, io.SEEK_END)
    while position + 12 <= size:
        file.seek(position)
        length, name = struct.unpack(">I4s", file.read(8))
        if position + 12 + length > size:
            return
        yield position, length, name, file.read(min(length, 100)) if name in _TEXT_CHUNKS else b""
        position += 12 + length
