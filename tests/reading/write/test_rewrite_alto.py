from pathlib import Path
from typing import Any

import pytest
from helpers.predicted_pages import build_line, build_outline
from lxml import etree

from htr_lightning.decode.positions import Word
from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.write.rewrite import rewrite_layout

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"


def line_after(
    inside: str, prediction: str | PredictedLine, tmp_path: Path, namespace: str = NAMESPACE, attributes: str = ""
) -> Any:
    """Rewrite a file with one line, and return the line."""
    path = tmp_path / "a.xml"
    line = f'<TextBlock ID="b"><TextLine ID="l" {attributes}>{inside}</TextLine></TextBlock>'
    page = f'<Page WIDTH="1000" HEIGHT="800"><PrintSpace>{line}</PrintSpace></Page>'
    path.write_text(f'<alto xmlns="{namespace}"><Layout>{page}</Layout></alto>', encoding="utf-8")
    predicted = PredictedLine("l", prediction, 0.5) if isinstance(prediction, str) else prediction
    return etree.fromstring(rewrite_layout(path, {"l": predicted})).find(".//{*}TextLine")


def written(line: Any) -> str:
    """Return what is inside a line, without its namespace."""
    inside = "".join(etree.tostring(child, encoding="unicode") for child in line)
    return inside.replace(f' xmlns="{etree.QName(line).namespace}"', "")


@pytest.mark.parametrize(
    ("inside", "text", "after"),
    [
        (
            '<String ID="s" CONTENT="a" STYLE="bold" X="1"/>',
            "b c",
            '<String ID="s" CONTENT="b c" STYLE="bold" X="1" WC="0.5000"/>',
        ),
        ('<String CONTENT="a" WC="0.9" CC="1"/>', "a", '<String CONTENT="a" WC="0.5000"/>'),
        ('<Shape/><String CONTENT="a"/>', "", '<Shape/><String CONTENT="" WC="0.5000"/>'),
        ('<String CONTENT="a"/><SP/>', "b", '<String CONTENT="b" WC="0.5000"/>'),
        (
            '<String CONTENT="ex" SUBS_TYPE="HypPart1" SUBS_CONTENT="exemple"/><HYP CONTENT="-"/>',
            "ex-",
            '<String CONTENT="ex" SUBS_TYPE="HypPart1" SUBS_CONTENT="exemple" WC="0.5000"/><HYP CONTENT="-"/>',
        ),
        (
            '<String CONTENT="ex" SUBS_TYPE="HypPart1" SUBS_CONTENT="exemple"/><HYP CONTENT="-"/>',
            "cas-",
            '<String CONTENT="cas" WC="0.5000"/><HYP CONTENT="-"/>',
        ),
        ('<String CONTENT="ex-"/><HYP CONTENT="-"/>', "cas-", '<String CONTENT="cas-" WC="0.5000"/><HYP CONTENT="-"/>'),
        ('<String CONTENT="ex"/><HYP CONTENT="-"/>', "cas", '<String CONTENT="cas" WC="0.5000"/>'),
        ('<String CONTENT="ex"/><HYP/>', "cas", '<String CONTENT="cas" WC="0.5000"/>'),  # HYP is read as a hyphen
        (
            '<String CONTENT="a"><Shape/><ALTERNATIVE>x</ALTERNATIVE><Glyph CONTENT="a" GC="1"/></String>',
            "b",
            '<String CONTENT="b" WC="0.5000"><Shape/></String>',
        ),
        (
            '<String CONTENT="a"><ALTERNATIVE>x</ALTERNATIVE><Glyph CONTENT="a" GC="1"/></String>',
            "a",
            '<String CONTENT="a" WC="0.5000"><ALTERNATIVE>x</ALTERNATIVE><Glyph CONTENT="a"/></String>',
        ),
        ("", "", ""),
        ("<Shape/>", "a b", '<Shape/><String CONTENT="a b" WC="0.5000"/>'),
    ],
)
def test_one_string_or_none(inside: str, text: str, after: str, tmp_path: Path) -> None:
    assert written(line_after(inside, text, tmp_path)) == after


@pytest.mark.parametrize(
    ("inside", "text", "after"),
    [
        (
            '<String CONTENT="a" X="1"/><SP WIDTH="9"/><String CONTENT="b"/>',
            "c d",
            '<String CONTENT="c" X="1" WC="0.7500"/><SP WIDTH="9"/><String CONTENT="d" WC="0.7500"/>',
        ),
        (
            '<String CONTENT="a"/><String CONTENT="b"/>',
            "c d",
            '<String CONTENT="c" WC="0.7500"/><String CONTENT="d" WC="0.7500"/>',
        ),
        (
            '<String CONTENT="a"/><SP/><String CONTENT="ex"/><HYP CONTENT="-"/>',
            "a cas-",
            '<String CONTENT="a" WC="0.7500"/><SP/><String CONTENT="cas" WC="0.7500"/><HYP CONTENT="-"/>',
        ),
        (
            '<String CONTENT="a"/><SP/><String CONTENT="ex"/><HYP CONTENT="-"/>',
            "a cas",
            '<String CONTENT="a" WC="0.7500"/><SP/><String CONTENT="cas" WC="0.7500"/>',
        ),
    ],
)
def test_as_many_strings_as_words(inside: str, text: str, after: str, tmp_path: Path) -> None:
    assert written(line_after(inside, build_line("l", text), tmp_path)) == after


def test_words_of_unknown_confidence_have_none(tmp_path: Path) -> None:
    line = line_after('<String CONTENT="a" WC="0.9"/><SP/><String CONTENT="b" WC="0.8"/>', "c d", tmp_path)
    assert written(line) == '<String CONTENT="c"/><SP/><String CONTENT="d"/>'


TWO = (
    '\n  <Shape/>\n  <!-- a --><String CONTENT="a" STYLE="bold" STYLEREFS="x"/>\n  <SP/>'
    '\n  <String CONTENT="b" STYLE="bold"/>\n  <HYP CONTENT="-"/>\n '
)


def test_other_strings_are_replaced(tmp_path: Path) -> None:
    line = line_after(TWO, build_line("l", "c de f", 100, 50, slope=0.5), tmp_path)
    assert [child.tag.rpartition("}")[2] for child in line if isinstance(child.tag, str)] == [
        "Shape",
        "String",
        "SP",
        "String",
        "SP",
        "String",
    ]
    string = line.findall("{*}String")[1]
    assert dict(string.attrib) == {
        "CONTENT": "de",
        "WC": "0.7500",
        "HPOS": "74",
        "VPOS": "112",
        "WIDTH": "24",
        "HEIGHT": "42",
        "STYLE": "bold",
    }
    assert [child.tag.rpartition("}")[2] for child in string] == ["Shape", "Glyph", "Glyph"]
    assert line.findall("{*}SP")[1].get("HPOS") == "98" and "<!-- a -->" in written(line)
    assert (line.findall("{*}SP")[0].tail, line[-1].tail) == ("\n  ", "\n ")


@pytest.mark.parametrize("namespace", ["http://www.loc.gov/standards/alto/ns-v3#", ""])
def test_older_versions_get_no_glyphs(namespace: str, tmp_path: Path) -> None:
    line = line_after(TWO, build_line("l", "c de f", slope=0.5), tmp_path, namespace)
    assert len(line.findall("{*}String")) == 3 and not line.findall(".//{*}Glyph")
    assert {etree.QName(child).namespace or "" for child in line.iter("{*}*")} == {namespace}


def test_without_positions_a_line_gets_one_string_in_its_box(tmp_path: Path) -> None:
    box = 'HPOS="1" VPOS="2" WIDTH="3" HEIGHT="4"'
    for inside in (TWO, "\n  <Shape/>\n "):
        line = line_after(inside, "c de f", tmp_path, attributes=box)
        (string,) = line.findall("{*}String")
        assert [string.get(name) for name in ("CONTENT", "WC", "HPOS", "HEIGHT")] == ["c de f", "0.5000", "1", "4"]
        assert string.tail == "\n " and string.getprevious().tail == ("\n  " if "SP" not in inside else None)


def test_spaces_that_the_file_lacks_make_new_strings(tmp_path: Path) -> None:
    inside = '<String CONTENT="a"/><String CONTENT="b"/><SP/><String CONTENT="c"/>'
    line = line_after(inside, build_line("l", "x y z"), tmp_path)
    assert [child.get("CONTENT") for child in line] == ["x", None, "y", None, "z"]
    fewer = line_after(inside, build_line("l", "xy z"), tmp_path)
    assert [child.get("CONTENT") for child in fewer] == ["xy", None, "z"]


def test_what_was_corrected_by_hand_is_so_no_more(tmp_path: Path) -> None:
    inside = '<String CONTENT="a" CS="true"/>'
    for text, corrected in (("a", "true"), ("b", None)):
        line = line_after(inside, text, tmp_path, attributes='CS="true"')
        assert (line.get("CS"), line[0].get("CS")) == (corrected, corrected)


def test_words_of_another_text_are_not_used(tmp_path: Path) -> None:
    prediction = PredictedLine("l", "c d e", 0.5, words=(Word("x", 1, 0, 1, build_outline(0, 9)),))
    (string,) = line_after(TWO, prediction, tmp_path).findall("{*}String")
    assert string.get("CONTENT") == "c d e"
