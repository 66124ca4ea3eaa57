from pathlib import Path
from typing import Any

import pytest
from helpers.predicted_pages import build_line
from lxml import etree

from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.write.rewrite import rewrite_layout

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/"
COORDS = '<Coords points="1,2 30,2 30,9"/>'


def region_after(
    inside: str,
    prediction: str | PredictedLine,
    tmp_path: Path,
    year: str = "2013-07-15",
    custom: str = "",
    more: str = "",
) -> Any:
    """Rewrite a file with one region of two lines, of which the second has text "fin", and return the region."""
    path = tmp_path / "a.xml"
    lines = f'<TextLine id="l" custom="{custom}">{inside}</TextLine><TextLine id="m">{COORDS}{text("fin")}</TextLine>'
    page = f'<Page imageFilename="a" imageWidth="1000" imageHeight="800"><TextRegion id="r">{lines}{more}</TextRegion>'
    path.write_text(f'<PcGts xmlns="{NAMESPACE}{year}">{page}</Page></PcGts>', encoding="utf-8")
    line = PredictedLine("l", prediction, 0.5) if isinstance(prediction, str) else prediction
    return etree.fromstring(rewrite_layout(path, {"l": line}), etree.XMLParser(strip_cdata=False)).find(
        ".//{*}TextRegion"
    )


def text(content: str, more: str = "", plain: str = "") -> str:
    plain = f"<PlainText>{plain}</PlainText>" if plain else ""
    return f"<TextEquiv{more}>{plain}<Unicode>{content}</Unicode></TextEquiv>"


def written(element: Any) -> str:
    """Return what is inside an element, without its namespace."""
    inside = "".join(etree.tostring(child, encoding="unicode", with_tail=False) for child in element)
    return inside.replace(f' xmlns="{etree.QName(element).namespace}"', "")


@pytest.mark.parametrize(
    ("inside", "new", "after"),
    [
        (text("a"), "b", text("b", ' conf="0.5000"')),
        (text("a", ' conf="0.9" comments="x"', "A"), "b", text("b", ' conf="0.5000" comments="x"')),
        (
            text("x", ' index="1"') + text("a", ' index="0"'),
            "b",
            text("x", ' index="1"') + text("b", ' index="0" conf="0.5000"'),
        ),
        ("<TextEquiv><PlainText>a</PlainText></TextEquiv>", "b", text("b", ' conf="0.5000"')),
        (text("<![CDATA[a&b]]>"), "a&b", text("<![CDATA[a&b]]>", ' conf="0.5000"')),
        (text("a<!-- c -->b"), "ab", text("a<!-- c -->b", ' conf="0.5000"')),
        (text("a<!-- c -->b"), "c", text("c", ' conf="0.5000"')),
        ("<TextStyle/>", "b", text("b", ' conf="0.5000"') + "<TextStyle/>"),
        (text("a"), "", '<TextEquiv conf="0.5000"><Unicode/></TextEquiv>'),
    ],
)
def test_text_of_a_line(inside: str, new: str, after: str, tmp_path: Path) -> None:
    line = region_after(COORDS + inside, new, tmp_path)[0]
    assert written(line).replace("<Unicode></Unicode>", "<Unicode/>") == COORDS + after


def test_before_2013_there_are_no_confidences_and_always_plain_text(tmp_path: Path) -> None:
    old = '<Coords><Point x="1" y="2"/><Point x="9" y="2"/><Point x="9" y="9"/></Coords>'
    line = region_after(old + text("a", plain="A"), "b", tmp_path, "2010-03-19")[0]
    assert written(line) == old + text("b", plain="b")
    line = region_after(
        f'{old}<Word id="w">{old}{text("a", plain="a")}</Word>', build_line("l", "le roi"), tmp_path, "2010-03-19"
    )[0]
    assert [child.tag.rpartition("}")[2] for child in line] == ["Coords", "Word", "Word", "TextEquiv"]
    assert [point.get("x") for point in line[2][0]] == ["86", "122", "122", "86"]
    assert written(line[2][-1]) == "<PlainText>roi</PlainText><Unicode>roi</Unicode>"
    assert "conf" not in etree.tostring(line).decode()


def word(id: str, content: str, glyphs: str = "", more: str = "") -> str:
    return f'<Word id="{id}"{more}>{COORDS}{glyphs}{text(content)}</Word>'


GLYPH = '<Glyph id="g">' + COORDS + text("a", ' conf="1"') + "</Glyph>"


def test_as_many_words_are_set_in_their_place(tmp_path: Path) -> None:
    inside = COORDS + word("w1", "a", GLYPH) + word("w2", "b", GLYPH.replace('"g"', '"h"')) + text("a b")
    line = region_after(inside, build_line("l", "a c"), tmp_path)[0]
    first, second = line.findall("{*}Word")
    assert written(first) == COORDS + GLYPH.replace(' conf="1"', "") + text("a", ' conf="0.7500"')
    assert written(second) == COORDS + text("c", ' conf="0.7500"')


def test_other_words_are_replaced_or_go(tmp_path: Path) -> None:
    inside = f"{COORDS}\n  {word('l_w1', 'a')}\n  {word('m_w2', 'b')}\n  {text('a b')}\n"
    line = region_after(inside, build_line("l", "le roi dit"), tmp_path)[0]
    words = line.findall("{*}Word")
    assert [w.findtext("{*}TextEquiv/{*}Unicode") for w in words] == ["le", "roi", "dit"]
    assert words[1].find("{*}Coords").get("points") == "86,100 122,100 122,130 86,130"
    assert [w.get("id") for w in words] == ["l_w1_2", "l_w2", "l_w3"] and len(words[1].findall("{*}Glyph")) == 3
    assert {w.tail for w in words} == {"\n  "}
    gone = region_after(inside, "le roi dit", tmp_path)[0]
    assert not gone.findall("{*}Word") and gone.findtext("{*}TextEquiv/{*}Unicode") == "le roi dit"
    assert not region_after(COORDS + text("a"), build_line("l", "le roi"), tmp_path)[0].findall("{*}Word")


@pytest.mark.parametrize(
    ("custom", "after"),
    [
        (
            "readingOrder {index:0;} textStyle {offset:0; length:2;bold:true;} structure {type:a;}",
            "readingOrder {index:0;} structure {type:a;}",
        ),
        ("unclear {length:1; offset:0;}", None),
        ("gap{offset:3;length:0} person {name:x; offset:1; length:2;continued:true;} a {b:1;}", "a {b:1;}"),
        ("structure {type:length; offsets:1;}", "structure {type:length; offsets:1;}"),
        ("", None),
        ("x {offset:0", None),
    ],
)
def test_text_offsets_are_removed_with_the_text(custom: str, after: str | None, tmp_path: Path) -> None:
    assert region_after(COORDS + text("a"), "b", tmp_path, custom=custom)[0].get("custom") == after
    assert region_after(COORDS + text("a"), "a", tmp_path, custom=custom)[0].get("custom") == custom
    inside = COORDS + word("w", "a", more=f' custom="{custom}"') + text("a")
    changed = region_after(inside, "b", tmp_path)[0].find("{*}Word")
    assert changed.get("custom") == after


def test_text_of_a_region(tmp_path: Path) -> None:
    whole = text("a\nfin", ' conf="0.9"', "a fin")
    region = region_after(COORDS + text("a"), "b", tmp_path, more=whole)
    assert written(region[-1]) == "<Unicode>b\nfin</Unicode>" and "conf" not in region[-1].attrib
    same = region_after(COORDS + text("a"), "a", tmp_path, more=whole)
    assert written(same[-1]).startswith("<PlainText>a fin") and same[-1].get("conf") == "0.9"
    assert not region_after(COORDS + text("a"), "b", tmp_path).findall("{*}TextEquiv")
