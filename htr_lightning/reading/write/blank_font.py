"""A font for invisible text that can be searched and copied: every character has the same blank glyph."""

import struct

from htr_lightning.reading.write.pdf_objects import PdfObjects

ADVANCE, ASCENT, DESCENT = 500, 800, -200
"""Width, ascent and descent of every glyph, in thousandths of the font size."""


class BlankFont:
    """The font of a document: a composite font for all of Unicode, with a ToUnicode map (PDF 1.7, 9.10.3)."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def encode(self, text: str) -> str:
        """Encode a text as a hexadecimal string with two bytes per character.

        Raises:
            ValueError: the document has more than 65,535 distinct characters.
        """
        for character in text:
            self._codes.setdefault(character, len(self._codes) + 1)
        if len(self._codes) > 0xFFFF:
            raise ValueError("the document has more than 65,535 distinct characters; split it into several documents")
        return "<" + "".join(f"{self._codes[character]:04X}" for character in text) + ">"

    def add_to(self, objects: PdfObjects) -> int:
        """Add the font to a document after all text is encoded; return its object number."""
        file = _build_true_type()
        number = objects.add_stream(file, f"/Length1 {len(file)}")
        box = f"[0 {DESCENT} {ADVANCE} {ASCENT}]"
        descriptor = objects.add(
            f"<< /Type /FontDescriptor /FontName /Blank /Flags 4 /FontBBox {box} /ItalicAngle 0 /Ascent {ASCENT} "
            f"/Descent {DESCENT} /CapHeight {ASCENT} /StemV 80 /FontFile2 {number} 0 R >>"
        )
        cid_to_gid = objects.add_stream(b"\0\0" + b"\0\1" * len(self._codes))
        system = "<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
        descendant = objects.add(
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Blank /CIDSystemInfo {system} "
            f"/FontDescriptor {descriptor} 0 R /DW {ADVANCE} /CIDToGIDMap {cid_to_gid} 0 R >>"
        )
        unicode = objects.add_stream(self._build_to_unicode().encode("ascii"))
        return objects.add(
            f"<< /Type /Font /Subtype /Type0 /BaseFont /Blank /Encoding /Identity-H "
            f"/DescendantFonts [{descendant} 0 R] /ToUnicode {unicode} 0 R >>"
        )

    def _build_to_unicode(self) -> str:
        rows = [
            f"<{code:04X}> <{character.encode('utf-16-be').hex().upper()}>" for character, code in self._codes.items()
        ]
        blocks = [rows[start : start + 100] for start in range(0, len(rows), 100)]
        maps = "".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar\n" for block in blocks)
        return (
            "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
            "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
            f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{maps}"
            "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
        )


def _build_true_type() -> bytes:
    """Return a TrueType file with the tables that a PDF needs (PDF 1.7, 9.9): an empty glyph and the blank one.

    The blank glyph is a line from one corner to the opposite one and back: it paints nothing, but has a bounding box,
    which some viewers highlight as a search result, and without which they ignore the character.
    """
    version, box = 0x10000, (0, DESCENT, ADVANCE, ASCENT)
    glyph = struct.pack(">h4hHH2B4h", 1, *box, 1, 0, 1, 1, 0, ADVANCE, DESCENT, ASCENT - DESCENT)
    # 1000 units per em; no dates, no style; short glyph offsets.
    head = struct.pack(">IIIIHHQQ4h2H3h", version, version, 0, 0x5F0F3CF5, 3, 1000, 0, 0, *box, 0, 8, 2, 0, 0)
    hhea = struct.pack(">I3hH3h3h4hhH", version, ASCENT, DESCENT, 0, ADVANCE, 0, 0, ADVANCE, 1, *[0] * 7, 1)
    tables = {
        b"glyf": glyph,
        b"head": head,
        b"hhea": hhea,
        b"hmtx": struct.pack(">Hhh", ADVANCE, 0, 0),
        b"loca": struct.pack(">3H", 0, 0, len(glyph) // 2),
        b"maxp": struct.pack(">I14H", version, 2, 2, 1, 0, 0, 1, *[0] * 8),
    }
    power = len(tables).bit_length() - 1
    directory = struct.pack(">IHHHH", version, len(tables), 16 << power, power, 16 * len(tables) - (16 << power))
    body, start = b"", len(directory) + 16 * len(tables)
    for tag, table in tables.items():
        padded = table + bytes(-len(table) % 4)
        total = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        directory += struct.pack(">4sIII", tag, total, start + len(body), len(table))
        body += padded
    return directory + body
