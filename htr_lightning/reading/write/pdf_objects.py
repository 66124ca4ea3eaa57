"""The file structure of PDF: numbered objects and the cross-reference table with their offsets (PDF 1.7, 7.5)."""

import zlib
from datetime import datetime


class PdfObjects:
    """The indirect objects of a document, in the order in which they are added."""

    def __init__(self) -> None:
        self._contents: list[bytes] = []

    def reserve(self) -> int:
        """Return a number for an object that is added later but referred to earlier."""
        self._contents.append(b"")
        return len(self._contents)

    def add(self, content: str | bytes, number: int | None = None) -> int:
        """Add an object, with a reserved number or the next one; return the number."""
        number = self.reserve() if number is None else number
        self._contents[number - 1] = content.encode("ascii") if isinstance(content, str) else content
        return number

    def add_stream(self, content: bytes, entries: str = "", *, compress: bool = True) -> int:
        """Add a stream object; return its number.

        Args:
            content: bytes of the stream.
            entries: further entries of its dictionary.
            compress: apply FlateDecode compression.
        """
        if compress:
            content, entries = zlib.compress(content), f"{entries} /Filter /FlateDecode"
        head = f"<< {entries} /Length {len(content)} >>\nstream\n".encode("ascii")
        return self.add(head + content + b"\nendstream")

    def serialize(self, root: int, info: int) -> bytes:
        """Return the content of the file.

        Args:
            root: number of the document catalog.
            info: number of the document information dictionary.
        """
        # The second row marks the file as binary.
        file = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
        rows = ["0000000000 65535 f \n"]
        for number, content in enumerate(self._contents, 1):
            rows.append(f"{len(file):010d} 00000 n \n")
            file += b"%d 0 obj\n%b\nendobj\n" % (number, content)
        start = len(file)
        file += f"xref\n0 {len(rows)}\n{''.join(rows)}".encode("ascii")
        file += f"trailer\n<< /Size {len(rows)} /Root {root} 0 R /Info {info} 0 R >>\n".encode("ascii")
        return bytes(file) + b"startxref\n%d\n%%%%EOF\n" % start


def encode_text_string(text: str) -> str:
    """Encode a text of the document information: UTF-16 with a byte order mark, in hexadecimal (PDF 1.7, 7.9.2.2)."""
    return f"<FEFF{text.encode('utf-16-be', 'replace').hex().upper()}>"


def format_date(time: datetime) -> str:
    """Format a date (PDF 1.7, 7.9.4), with its offset from UTC if known."""
    offset = time.strftime("%z")
    zone = f"{offset[:3]}'{offset[3:5]}'" if offset else ""
    return f"(D:{time:%Y%m%d%H%M%S}{zone})"
