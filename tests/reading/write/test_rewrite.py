import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from helpers.layouts import alto_xml, page_xml, points, text_line
from helpers.predicted_pages import build_line
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from htr_lightning.image.files import DataError
from htr_lightning.layout.formats import read_layout
from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.write.rewrite import rewrite_layout
from htr_lightning.reading.write.tokens import sanitize

Rewrite = Callable[..., str]
LINES = [
    text_line("l1", "Un <b> & l'été", 10, region_type="MainZone"),
    text_line("l2", "", 50),
    text_line("l3", "trois\u00a0mots 𝔐", 90, region="r2"),
]
ALTOS = [alto_xml(LINES, version=v, words=w, order=["r2"]) for v in ("", "2.1", "3.1", "4.4") for w in (False, True)]
PAGES = [page_xml(LINES, version=v, order=["r2"]) for v in ("", "2010-03-19", "2013-07-15", "2019-07-15")]


@pytest.fixture
def rewritten(tmp_path: Path) -> Rewrite:
    """Write a file, rewrite it, and return what came out."""

    def run(xml: str, texts: Mapping[str, str | PredictedLine], **more: Any) -> str:
        path = tmp_path / "a.xml"
        path.write_text(xml, encoding="utf-8")
        lines = {id: PredictedLine(id, text, 0.5) if isinstance(text, str) else text for id, text in texts.items()}
        return rewrite_layout(path, lines, **more).decode()

    return run


def texts_of(xml: str, path: Path) -> list[str]:
    path.write_text(xml, encoding="utf-8")
    return [line.text for line in read_layout(path).lines]


def without_confidences(xml: str | bytes) -> str:
    """Return a file in the one spelling that everything that says the same has, without its confidences."""
    root = etree.fromstring(xml.encode() if isinstance(xml, str) else xml)
    for element in root.iter("{*}*"):
        for name in ("WC", "CC", "GC", "conf"):
            element.attrib.pop(name, None)
    return str(etree.tostring(root.getroottree(), method="c14n").decode())


@pytest.mark.parametrize("xml", [*ALTOS, *PAGES])
def test_the_same_texts_change_nothing_but_confidences(xml: str, rewritten: Rewrite) -> None:
    same = rewritten(xml, {line.id: line.text for line in LINES})
    assert without_confidences(same) == without_confidences(xml)
    assert ("0.5000" in same) == ("2010" not in xml)
    assert rewritten(same, {}) == same


@pytest.mark.parametrize("xml", [*ALTOS, *PAGES])
def test_other_texts_are_read_back(xml: str, rewritten: Rewrite, tmp_path: Path) -> None:
    new = {"l1": "Deux\x00", "l2": "quelque chose", "l3": " "}
    assert sorted(texts_of(rewritten(xml, new), tmp_path / "b.xml")) == [" ", "Deux\ufffd", "quelque chose"]
    assert without_confidences(rewritten(xml, {})) == without_confidences(xml)


@pytest.mark.parametrize("xml", [ALTOS[-1], PAGES[-1]])
def test_lines_with_a_problem_stay_and_unknown_ones_are_refused(xml: str, rewritten: Rewrite) -> None:
    problem = PredictedLine("l1", problem="it has no outline; draw one")
    assert rewritten(xml, {"l1": problem}) == rewritten(xml, {})
    with pytest.raises(DataError, match="has no line 'l9'"):
        rewritten(xml, {"l9": "a"})


def test_other_files_are_refused(rewritten: Rewrite) -> None:
    with pytest.raises(DataError, match=r"neither ALTO nor PAGE.* 'html'"):
        rewritten("<html/>", {})


@pytest.mark.parametrize("xml", [ALTOS[-1], PAGES[-1]])
def test_all_that_xml_can_hold_is_kept(xml: str, rewritten: Rewrite) -> None:
    declaration, rest = xml.split("\n", 1)
    doctype = f"<!DOCTYPE {'alto' if 'alto' in xml else 'PcGts'}>"
    rest = rest.replace(' xmlns="', ' xmlns:x="urn:x" x:own="1" xmlns="', 1).replace("><", "><!-- c --><?p q?><")
    rest = rest.replace("</", '<x:more a="1"><![CDATA[<&>]]></x:more></', 1)
    file = f'{declaration}\n<!-- before --><?tool a="b"?>\n{doctype}\n{rest}\n<!-- after -->'
    same = rewritten(file, {line.id: line.text for line in LINES})
    assert without_confidences(same) == without_confidences(file)
    for part in ("<!-- before --><?tool", doctype, "<![CDATA[<&>]]>", 'xmlns:x="urn:x"', "<!-- after -->"):
        assert part in rewritten(file, {"l1": "other"})
    assert same.startswith('<?xml version="1.0" encoding="UTF-8"') and ("standalone" in same) == ("PcGts" in xml)


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16"])
def test_other_encodings_become_utf_8(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(alto_xml([text_line("l1", "déjà")]).replace("UTF-8", encoding, 1).encode(encoding))
    assert 'CONTENT="ŭ"' in rewrite_layout(path, {"l1": PredictedLine("l1", "ŭ")}).decode("utf-8")


def test_ids_are_those_of_the_readers(rewritten: Rewrite, tmp_path: Path) -> None:
    for xml in (alto_xml(LINES), page_xml(LINES)):
        twice = re.sub('(<TextLine [Ii][Dd]=)"l[12]"', r'\1"l3"', xml)
        new = {"l3": "a", "l3_2": "b", "l3_3": "c"}
        assert sorted(texts_of(rewritten(twice, new), tmp_path / "b.xml")) == ["a", "b", "c"]


@pytest.mark.parametrize("write", [alto_xml, page_xml])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.text(st.sampled_from("ab  é-"), max_size=8), after=st.text(st.sampled_from("ab  é-\x01"), max_size=8))
def test_any_text_takes_the_place_of_any(
    write: Callable[..., str], before: str, after: str, rewritten: Rewrite, tmp_path: Path
) -> None:
    words = {"words": True} if write is alto_xml else {}
    xml = write([text_line("l", before)], **words)
    for prediction in (PredictedLine("l", after, 0.5), build_line("l", after)):
        (read,) = texts_of(rewritten(xml, {"l": prediction}), tmp_path / "b.xml")
        assert read.split() == sanitize(after).split()


def test_new_words_are_in_the_unit_of_the_file(rewritten: Rewrite) -> None:
    xml = alto_xml([text_line("l", "a b c")], words=True, size=(500, 400))
    root = etree.fromstring(rewritten(xml, {"l": build_line("l", "le roi", 100, 50)}, image_size=(1000, 800)).encode())
    roi = root.findall(".//{*}String")[1]
    assert [roi.get(name) for name in ("CONTENT", "HPOS", "VPOS", "WIDTH", "HEIGHT")] == ["roi", "43", "50", "18", "15"]


def test_real_pages() -> None:
    root = Path(os.environ.get("HTR_DATA", "data")) / "copiste" / "pages"
    if not root.is_dir():
        pytest.skip(f"needs {root}; set HTR_DATA")
    for path in sorted(root.rglob("*.xml")):
        lines = read_layout(path).lines
        same = rewrite_layout(path, {line.id: PredictedLine(line.id, line.text, 0.25) for line in lines})
        assert without_confidences(same) == without_confidences(path.read_bytes())
        assert same.count(b'WC="0.2500"') == len(lines) and rewrite_layout(path, {}).count(b"WC=") == 0
        other = rewrite_layout(
            path, {line.id: build_line(line.id, "tout autre", 9, 9, baseline=points()) for line in lines}
        )
        assert other.count(b'CONTENT="tout autre"') == len(lines)
