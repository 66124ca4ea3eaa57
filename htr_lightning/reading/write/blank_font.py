"""A font for text that is found and copied but not seen: all its characters look the same, like nothing."""

import struct

from htr_lightning.reading.write.pdf_objects import Objects

ADVANCE, ASCENT, DESCENT = 500, 800, -200
"""Thousandths of the font's size: how wide every character is, how far it reaches above and below the baseline."""


class BlankFont:
    """The font of a document: any characters of Unicode, as composite font with a map back to Unicode (PDF 9.10.3)."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def encode(self, text: str) -> str:
        """Return a text as a hexadecimal string of two bytes for each character.

        Raises:
            OverflowError: it is the 65,536th different character of the document.
        """
        for character in text:
            self._codes.setdefault(character, len(self._codes) + 1)
        if len(self._codes) > 0xFFFF:
            raise OverflowError("a document has more than 65,535 different characters; write it as several")
        return "<" + "".join(f"{self._codes[character]:04X}" for character in text) + ">"

    def write(self, objects: Objects) -> int:
        """Add the font to a document, once all of its text is encoded; return its number."""
        file = _true_type()
        number = objects.stream(file, f"/Length1 {len(file)}")
        box = f"[0 {DESCENT} {ADVANCE} {ASCENT}]"
        descriptor = objects.add(
            f"<< /Type /FontDescriptor /FontName /Blank /Flags 4 /FontBBox {box} /ItalicAngle 0 /Ascent {ASCENT} "
            f"/Descent {DESCENT} /CapHeight {ASCENT} /StemV 80 /FontFile2 {number} 0 R >>"
        )
        glyphs = objects.stream(b"\0\0" + b"\0\1" * len(self._codes))
        system = "<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
        descendant = objects.add(
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Blank /CIDSystemInfo {system} "
            f"/FontDescriptor {descriptor} 0 R /DW {ADVANCE} /CIDToGIDMap {glyphs} 0 R >>"
        )
        unicode = objects.stream(self._to_unicode().encode("ascii"))
        return objects.add(
            f"<< /Type /Font /Subtype /Type0 /BaseFont /Blank /Encoding /Identity-H "
            f"/DescendantFonts [{descendant} 0 R] /ToUnicode {unicode} 0 R >>"
        )

    def _to_unicode(self) -> str:
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


def _true_type() -> bytes:
    """Return a TrueType file with the tables that a PDF wants (PDF 9.9): an empty glyph, and the blank one.

    The blank glyph is a line from a corner to the opposite one and back. It has nothing inside that could be painted,
    but a box: what some programs mark when text is found, and without which they take it for nothing.
    """
    version, box = 0x10000, (0, DESCENT, ADVANCE, ASCENT)
    glyph = struct.pack(">h4hHH2B4h", 1, *box, 1, 0, 1, 1, 0, ADVANCE, DESCENT, ASCENT - DESCENT)
    # 1000 units to the size of the font; no dates, no style; short offsets to the glyphs.
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
