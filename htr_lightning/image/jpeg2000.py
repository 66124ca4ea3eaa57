"""The tiles of JPEG 2000 files, each of which is decoded as a whole."""

import struct
from typing import BinaryIO

_CODESTREAM = b"\xff\x4f\xff\x51"  # the markers SOC and SIZ
_MAX_BOXES = 1000


def read_tile_size(file: BinaryIO) -> tuple[int, int] | None:
    """Return width and height of the tiles of a JPEG 2000 file, or of a bare codestream; None if it is damaged.

    The position in the file stays as it is.
    """
    position = file.tell()
    try:
        if not _seek_codestream(file):
            return None
        # ISO/IEC 15444-1, A.5.1: capabilities, size and offset of the image, size of the tiles
        return struct.unpack(">2x2x16x2I", file.read(28))[:2]
    except struct.error:
        return None
    finally:
        file.seek(position)


def _seek_codestream(file: BinaryIO) -> bool:
    """Move to behind the first two markers of the codestream, which is in a box of its own in most files."""
    file.seek(0)
    if file.read(4) == _CODESTREAM:
        return True
    start = 0
    for _ in range(_MAX_BOXES):
        file.seek(start)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        if name == b"jp2c":
            return file.read(4) == _CODESTREAM
        if length < 8:  # to the end of the file
            return False
        start += length
    return False
