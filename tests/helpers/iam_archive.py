"""A small IAM database to test with: the layout of the genuine archives, other words in it."""

from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from PIL import Image

from helpers.typesetting import typeset

LWT = "largeWriterIndependentTextLineRecognitionTask"
LEFT, TOP, STEP = 40, 60, 50
"""Where the first line of a form begins, and how far the lines are apart, in pixels."""


@dataclass(frozen=True)
class Written:
    """A line: its tokens as lines.txt has them, its text as the XML has it, and whether it is ok."""

    tokens: str
    text: str
    status: str = "ok"


@dataclass(frozen=True)
class Form:
    writer: str
    lines: list[Written] = field(default_factory=list)


FORMS = {
    "a01-000u": Form(
        "000",
        [
            Written("A|BARGE|to|carry|Mr.|Hobbs|from", "A BARGE to carry Mr. Hobbs from"),
            Written("port|,|and|two|M Ps|with|him|.|He|said|:", "port, and two M Ps with him. He said:", "err"),
            Written("\"|It|'s|late|(|very|late|)|;|isn't|it|?|\"", "\"It's late (very late); isn't it?\""),
        ],
    ),
    "a01-000x": Form(
        "001",
        [
            Written("Nobody|#|answered|R&D|.|'|You|'ll|see|!|'", "Nobody # answered R&D. 'You'll see!'"),
            Written(
                "The|out-dated|ferries'|bell|-|at|last|-|rang|...", "The out-dated ferries' bell - at last - rang..."
            ),
            Written("away|.", "away."),
        ],
    ),
    "c03-000a": Form(
        "150",
        [
            Written('"|No|,|"|he|wrote|,|"|not|before|1.4|per', '"No," he wrote, "not before 1.4 per'),
            Written('cent|is|paid|.|"|"|Why|?|"|She|left|.', 'cent is paid." "Why?" She left.'),
        ],
    ),
    "p02-155": Form(
        "663",
        [
            Written("All|1superceded|fares|,|alas|!|,|were|kept", "All 1superceded fares, alas!, were kept", "err"),
            Written("in|the|Provenc*?6al|boats|.", "in the Provenc*?6al boats."),
        ],
    ),
    "r06-000": Form("551", [Written("A|form|that|no|list|names|.", "A form that no list names.")]),
}
LISTS = {
    "trainset": ["a01-000u-00", "a01-000u-01", "a01-000u-02"],
    "validationset1": ["a01-000x-00", "a01-000x-02"],
    "validationset2": ["c03-000a-00", "c03-000a-01"],
    "testset": ["p02-155-00", "p02-155-01"],
}
AACHEN = {"train": ["a01-000u", "c03-000a"], "validation": ["a01-000x"], "test": ["p02-155"]}
HEADER = """#--- lines.txt ---------------------------------------------------------------#
#
# iam database line information
#
# format: a01-000u-00 ok 154 19 408 746 1663 91 A|MOVE|to|stop|Mr.|Gaitskell|from
#
"""


def ids(form: str) -> list[str]:
    return [f"{form}-{number:02d}" for number in range(len(FORMS[form].lines))]


def written(id: str) -> Written:
    form, _, number = id.rpartition("-")
    return FORMS[form].lines[int(number)]


def write_iam(root: Path, *, images: bool = True) -> Path:
    """Write all parts of the database, each archive in the folder where it belongs."""
    for folder in ("ascii", "xml", "lines", "formsA-D", "formsI-Z", LWT, "aachen"):
        (root / folder).mkdir(parents=True)
    rows, forms = [], []
    for name, form in FORMS.items():
        forms.append(f"{name} {form.writer} 2 prt {len(form.lines)} 1 52 36")
        rows += [row_of(id) for id in ids(name)]
        (root / "xml" / f"{name}.xml").write_text(xml_of(name), encoding="iso-8859-1")
        if images:
            write_images(root, name)
    (root / "ascii/lines.txt").write_text(HEADER + "\n".join(rows) + "\n")
    (root / "ascii/forms.txt").write_text("#--- forms.txt ---#\n#\n" + "\n".join(forms) + "\n")
    for name, lines in LISTS.items():
        (root / LWT / f"{name}.txt").write_text("\n".join(lines) + "\n\n")
    for name, lines in AACHEN.items():
        (root / "aachen" / f"{name}.uttlist").write_text("\n".join(lines) + "\n")
    return root


def row_of(id: str) -> str:
    line = written(id)
    image = typeset(line.text)
    top = TOP + STEP * int(id[-2:])
    return f"{id} {line.status} 154 19 {LEFT} {top} {image.width} {image.height} {line.tokens}"


def xml_of(name: str) -> str:
    """Write the XML with double quotation marks escaped twice and the rest once, as the genuine files are.

    Some forms name the makers' DTD, whose address must not be followed.
    """
    form = FORMS[name]
    parts = ['<?xml version="1.0" encoding="ISO-8859-1"?>']
    if name.startswith("a"):
        parts.append('<!DOCTYPE form SYSTEM "http://www.iam.unibe.ch/~fki/iamDB/form-metadata.dtd">')
    parts.append(f'<form id="{name}" width="2479" height="3542" version="3.0_beta" writer-id="{form.writer}">')
    parts.append('<machine-printed-part><machine-print-line text="Not to be read"/></machine-printed-part>')
    parts.append("<handwritten-part>")
    for id in ids(name):
        line = written(id)
        text = escape(line.text, {"'": "&apos;", '"': "&amp;quot;"})
        parts.append(f'<line id="{id}" segmentation="{line.status}" threshold="154" text="{text}">')
        for number, token in enumerate(line.tokens.split("|")):
            word = f'<word id="{id}-{number:02d}" tag="NN" text={quoteattr(token)}>'
            parts.append(f'{word}<cmp x="408" y="768" width="27" height="51"/></word>')
        parts.append("</line>")
    return "\n".join([*parts, "</handwritten-part>", "</form>"])


def write_images(root: Path, name: str) -> None:
    folder = root / "lines" / name.partition("-")[0] / name
    folder.mkdir(parents=True)
    page = Image.new("L", (900, 400), 230)
    for number, id in enumerate(ids(name)):
        line = typeset(written(id).text)
        line.save(folder / f"{id}.png")
        page.paste(line, (LEFT, TOP + STEP * number))
    page.save(root / ("formsA-D" if name < "e" else "formsI-Z") / f"{name}.png")
