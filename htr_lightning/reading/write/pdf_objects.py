"""The outer form of a PDF file: numbered objects, and where each one stands (PDF 1.7, 7.5)."""

import zlib
from datetime import datetime


class Objects:
    """Objects of a document, in the order in which they were added."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def reserve(self) -> int:
        """Return a number for an object that is added later, since others name it before."""
        self._written.append(b"")
        return len(self._written)

    def add(self, content: str | bytes, number: int | None = None) -> int:
        """Add an object, under a number that was reserved or the next one; return the number."""
        number = self.reserve() if number is None else number
        self._written[number - 1] = content.encode("ascii") if isinstance(content, str) else content
        return number

    def stream(self, content: bytes, entries: str = "", *, packed: bool = True) -> int:
        """Add a stream; return its number.

        Args:
            content: its bytes.
            entries: further entries of its dictionary.
            packed: compress it.
        """
        if packed:
            content, entries = zlib.compress(content), f"{entries} /Filter /FlateDecode"
        head = f"<< {entries} /Length {len(content)} >>\nstream\n".encode("ascii")
        return self.add(head + content + b"\nendstream")

    def file(self, root: int, info: int) -> bytes:
        """Return the whole file.

        Args:
            root: number of the catalog.
            info: number of the document's information.
        """
        # The second row tells programs that the file is not text.
        file = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
        rows = ["0000000000 65535 f \n"]
        for number, content in enumerate(self._written, 1):
            rows.append(f"{len(file):010d} 00000 n \n")
            file += b"%d 0 obj\n%b\nendobj\n" % (number, content)
        start = len(file)
        file += f"xref\n0 {len(rows)}\n{''.join(rows)}".encode("ascii")
        file += f"trailer\n<< /Size {len(rows)} /Root {root} 0 R /Info {info} 0 R >>\n".encode("ascii")
        return bytes(file) + b"startxref\n%d\n%%%%EOF\n" % start


def text_string(text: str) -> str:
    """Return a text of the document's information, of any characters."""
    return f"<FEFF{text.encode('utf-16-be', 'replace').hex().upper()}>"


def date_string(when: datetime) -> str:
    """Return a date, with its distance from UTC where that is known."""
    offset = when.strftime("%z")
    zone = f"{offset[:3]}'{offset[3:5]}'" if offset else ""
    return f"(D:{when:%Y%m%d%H%M%S}{zone})"
