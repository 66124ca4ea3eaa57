"""Mutations of bytes, text and XML; each draws from a `random.Random`, so that an input can be made again."""

import copy
import struct
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

from lxml import etree

NUMBERS = (0, 1, -1, 2, 7, 127, 128, 255, 256, 32767, 65535, 65536, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
TEXTS = (
    *("", " ", "\t", "\n", "\r", "\0", "nan", "-inf", "1e308", "1e-400", "-0", "0", "-1", "1.5", "٣", "½", "0x10"),
    *("99999999999999999999", "None", "null", "true", "[]", "{}", '"', "'", "\\", "/", ".", "..", "../../x.png", "~"),
    *("/etc/passwd", "/", "C:\\x\\a.png", "//host/x", "http://localhost:9/x.png", "a" * 300, "a/" * 150, "#", ";", ","),
    *(
        "\ud800",
        "\udcff",
        "\U0001f3fa",
        "e\u0301",
        "\u202eabc",
        "\ufeff",
        "\u2028",
        "\x1b[31m",
        "%s%n",
        "${oc.env:HOME}",
    ),
    *("&amp;", "<b>", "]]>", "<!--", "1,2", "1,2 3,4", "1,2 3", "(1,2)", "5,5 5,5 5,5", "-9,-9 1e7,0 3,3", "x" * 20000),
)
"""Values that programs trip over: empty, not numbers, paths out of a folder, markup, half of a character."""


def mutate_bytes(random: Random, content: bytes, others: Sequence[bytes] = (b"",), *, head: int = 0) -> bytes:
    """Change a few places of a file.

    Args:
        random: what is drawn from.
        content: of the file.
        others: other files, of which pieces are taken.
        head: if given, half of the places are within so many bytes from the start, where headers are.
    """
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        limit = min(head, len(data)) if head and random.random() < 0.5 else len(data)
        at, length = random.randrange(limit + 1), random.choice((1, 2, 4, 16, 256))
        match random.randrange(9):
            case 0 | 1 if at < len(data):
                data[at] ^= 1 << random.randrange(8)
            case 2 if at < len(data):
                data[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x20))
            case 3:
                form = random.choice(("<I", ">I", "<H", ">H"))
                value = random.choice(NUMBERS) % (1 << 8 * struct.calcsize(form))
                data[at : at + struct.calcsize(form)] = struct.pack(form, value)
            case 4:
                del data[at : at + length]
            case 5:
                data[at:at] = data[at : at + length]
            case 6:
                data[at:at] = random.randbytes(length)
            case 7:
                other = random.choice(others)
                start = random.randrange(len(other) + 1)
                data[at : at + length] = other[start : start + length]
            case _:
                del data[random.randrange(len(data) + 1) :]
    return bytes(data)


def mutate_text(random: Random, text: str, separators: str = "\t, =:\n") -> bytes:
    """Change rows and fields of a text file, or its encoding, and sometimes its bytes."""
    for _ in range(random.choice((1, 1, 2, 4))):
        separator = random.choice(separators)
        parts = text.split(separator)
        at = random.randrange(len(parts))
        match random.randrange(8):
            case 0:
                del parts[at]
            case 1:
                parts.insert(at, parts[random.randrange(len(parts))])
            case 2:
                parts[at], parts[0] = parts[0], parts[at]
            case 3:
                parts[at] += random.choice(TEXTS)
            case 4:
                parts[at] = parts[at][: len(parts[at]) // 2]
            case _:
                parts[at] = random.choice(TEXTS)
        text = separator.join(parts)
    encoding = random.choices(("utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"), (20, 1, 1, 1, 1))[0]
    errors = "surrogatepass" if encoding != "latin-1" else "replace"
    content = text.encode(encoding, errors)
    return mutate_bytes(random, content) if random.random() < 0.2 else content


def mutate_xml(random: Random, content: bytes, names: Sequence[str] = ()) -> bytes:
    """Change elements and attributes of an XML file, and sometimes its bytes or its declarations.

    Args:
        random: what is drawn from.
        content: well-formed XML.
        names: of other elements, to rename elements to.
    """
    root = etree.fromstring(content)
    for _ in range(random.choice((1, 1, 2, 5))):
        _mutate_element(random, random.choice(list(root.iter("*"))), names)
    written = etree.tostring(root, encoding=random.choice(("UTF-8", "UTF-8", "UTF-16", "ISO-8859-1")))
    match random.randrange(14):
        case 0:
            return mutate_bytes(random, written)
        case 1:
            declared = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
            return declared + content.partition(b"?>")[2].replace(b"</", b"&b;</", 1)
        case 2:
            return b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + content.partition(b"?>")[2]
        case 3:
            depth = random.choice((100, 255, 300, 5000))
            return content.replace(b"</", b"<g>" * depth + b"</g>" * depth + b"</", 1)
        case _:
            return written


def _mutate_element(random: Random, element: Any, names: Sequence[str]) -> None:
    parent = element.getparent()
    match random.randrange(9):
        case 0 if parent is not None:
            parent.remove(element)
        case 1 if parent is not None:
            for _ in range(random.choice((1, 3))):
                parent.insert(random.randrange(len(parent) + 1), copy.deepcopy(element))
        case 2 if names:
            element.tag = random.choice(("", "{urn:x}")) + random.choice(names)
        case 3:
            element.text = _clean(random.choice(TEXTS))
        case 4 if element.attrib:
            del element.attrib[random.choice(sorted(element.attrib))]
        case 5 if parent is not None:
            parent.append(element)
        case _ if element.attrib:
            name = random.choice(sorted(element.attrib))
            element.set(name, _clean(_mutate_value(random, element.get(name))))


def _mutate_value(random: Random, value: str) -> str:
    match random.randrange(5):
        case 0:
            return value + random.choice(TEXTS)
        case 1:
            return value.replace(random.choice("0123456789") or "0", random.choice(("", "-", "99", ".", "e5")))
        case 2:
            return " ".join(value.split()[: random.choice((0, 1, 2))])
        case 3:
            return " ".join([value] * random.choice((2, 50, 2000)))
        case _:
            return random.choice((*TEXTS, *map(str, NUMBERS)))


def _clean(text: str) -> str:
    """Return a text without what XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c != "\ufffe"))


def mutate_png(random: Random, content: bytes) -> bytes:
    """Change chunks of a PNG file and correct their checksums, so that decoders read on."""
    chunks, at = [], 8
    while at + 8 <= len(content):
        (length,), name = struct.unpack(">I", content[at : at + 4]), content[at + 4 : at + 8]
        chunks.append((name, content[at + 8 : at + 8 + length]))
        at += 12 + length
    at = random.randrange(len(chunks))
    name, body = chunks[at]
    match random.randrange(6):
        case 0:
            del chunks[at]
        case 1:
            chunks.insert(random.randrange(len(chunks) + 1), chunks[at])
        case 2:
            chunks[at] = (random.choice((b"tEXt", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"eXIf", b"abCd")), body)
        case 3:
            width, height = (random.choice((0, 1, 3, 40, 9000, 13000, 2**31)) for _ in range(2))
            chunks[0] = (b"IHDR", struct.pack(">II", width % 2**32, height % 2**32) + chunks[0][1][8:])
        case 4:
            body = bytearray(chunks[0][1])
            body[random.randrange(8, 13)] = random.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
            chunks[0] = (b"IHDR", bytes(body))
        case _:
            chunks[at] = (name, mutate_bytes(random, body))
    written = [struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks]
    return content[:8] + b"".join(written)


def mutate_tiff(random: Random, content: bytes) -> bytes:
    """Change entries of the directories of a little-endian TIFF file."""
    data = bytearray(content)
    (at,) = struct.unpack_from("<I", data, 4)
    entries = []
    while at and at + 2 <= len(data) and len(entries) < 200:
        (number,) = struct.unpack_from("<H", data, at)
        entries += [at + 2 + 12 * i for i in range(number)]
        end = at + 2 + 12 * number
        if end + 4 > len(data):
            break
        if random.random() < 0.1:
            struct.pack_into("<I", data, end, random.choice((0, 8, at, len(data) - 4)))  # a loop of directories
        at = struct.unpack_from("<I", data, end)[0] if random.random() < 0.7 else 0
    for _ in range(random.choice((1, 1, 2, 3))):
        entry = random.choice([entry for entry in entries if entry + 12 <= len(data)])
        match random.randrange(4):
            case 0:
                struct.pack_into(
                    "<H", data, entry, random.choice((254, 255, 256, 257, 258, 259, 262, 277, 278, 322, 339))
                )
            case 1:
                struct.pack_into("<H", data, entry + 2, random.choice((1, 2, 3, 4, 5, 7, 12, 13, 99)))
            case 2:
                struct.pack_into("<I", data, entry + 4, random.choice(NUMBERS) % 2**32)
            case _:
                struct.pack_into("<I", data, entry + 8, random.choice(NUMBERS) % 2**32)
    return bytes(data)
