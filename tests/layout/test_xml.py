"""Files that are hostile, damaged or something else, through both readers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.layouts import alto_xml, page_xml, text_line
from lxml import etree

from htr_lightning.image.files import DataError
from htr_lightning.layout import xml
from htr_lightning.layout.alto import read_alto
from htr_lightning.layout.geometry import parse_shape
from htr_lightning.layout.page import Page
from htr_lightning.layout.page_xml import read_page_xml

Read = Callable[[Path], Page]
READERS = [(read_alto, alto_xml([text_line("l1", "TEXT")])), (read_page_xml, page_xml([text_line("l1", "TEXT")]))]
BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20}">' for n in range(1, 12))

both = pytest.mark.parametrize(("read", "content"), READERS, ids=["alto", "page"])


def refusal(read: Read, path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    return str(error.value)


def with_doctype(content: str, doctype: str) -> str:
    declaration, rest = content.split("\n", 1)
    return f"{declaration}\n{doctype}\n{rest}"


@both
def test_entities_are_refused_and_nothing_is_opened(read: Read, content: str, tmp_path: Path) -> None:
    path, secret = tmp_path / "a.xml", tmp_path / "secret.txt"
    secret.write_text("SECRET")
    using = content.replace("TEXT", "&e;")
    for doctype in (
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>',
        f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{secret.as_uri()}"> %p; <!ENTITY e "a">]>',
        f'<!DOCTYPE x SYSTEM "{secret.as_uri()}">',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY e "inner">]>',
    ):
        told = refusal(read, path, with_doctype(using, doctype))
        assert "SECRET" not in told and ("DOCTYPE" in told or "not well-formed" in told)


@both
def test_entity_bombs_are_refused_at_once(read: Read, content: str, tmp_path: Path) -> None:
    doctype = f'<!DOCTYPE x [<!ENTITY e0 "ha">{BOMB}]>'
    assert refusal(read, tmp_path / "a.xml", with_doctype(content.replace("TEXT", "&e11;"), doctype))


@both
def test_xinclude_is_not_followed(read: Read, content: str, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("SECRET")
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="secret.txt" parse="text"/>'
    path = tmp_path / "a.xml"
    for place in ("<String", "<TextEquiv>", "TEXT</Unicode>"):
        path.write_text(content.replace(place, include + place))
        assert read(path).lines[0].text == "TEXT"


@both
def test_a_plain_doctype_comments_and_instructions_do_no_harm(read: Read, content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    noise = "<!-- a --><?b c?>"
    content = content.replace("><", f">{noise}<").replace("TEXT<", "TE<!-- x -->X<?b c?>T<")
    path.write_text(with_doctype(content, "<!DOCTYPE x>"))
    assert [line.text for line in read(path).lines] == ["TEXT"]


@both
def test_damaged_files(read: Read, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.xml"
    assert "truncated" in refusal(read, path, content[: len(content) // 2])
    assert "not well-formed" in refusal(read, path, content.replace("TEXT", "&nbsp;"))
    assert "not well-formed" in refusal(read, path, content.replace("TEXT", "é").encode("latin-1"))
    assert "the file is empty" in refusal(read, path, " \n")
    monkeypatch.setattr(xml, "MAX_BYTES", 10)
    assert "larger than" in refusal(read, path, content)
    with pytest.raises(DataError, match="there is no such file"):
        read(tmp_path / "b.xml")


@both
def test_other_encodings(read: Read, content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    content = content.replace("TEXT", "déjà")
    for encoding in ("iso-8859-1", "utf-16", "utf-8-sig"):
        declared = content.replace("UTF-8", encoding.removesuffix("-sig"), 1)
        path.write_bytes(declared.encode(encoding))
        assert read(path).lines[0].text == "déjà"


@both
def test_other_formats(read: Read, content: str, tmp_path: Path) -> None:
    told = refusal(read, tmp_path / "a.xml", "<html><body/></html>")
    assert "its root element is 'html'" in told
    other = next(text for reader, text in READERS if reader is not read)
    assert "its root element is" in refusal(read, tmp_path / "a.xml", other)


@both
def test_one_page_in_a_file(read: Read, content: str, tmp_path: Path) -> None:
    start, end = content.index("<Page "), content.index("</Page>") + len("</Page>")
    page = content[start:end]
    told = refusal(read, tmp_path / "a.xml", content.replace(page, ""))
    assert "there is no Page element" in told
    told = refusal(read, tmp_path / "a.xml", content.replace(page, page * 3))
    assert "there are 3 Page elements" in told


@both
def test_sizes(read: Read, content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    told = refusal(read, path, content.replace('="1000"', '="wide"', 1))
    assert "the width of its page is 'wide', which is not a number" in told
    path.write_text(content.replace('="1000"', '="0"', 1))
    assert read(path).size is None


def test_an_outline_of_very_many_points_is_a_problem_of_its_line() -> None:
    points = " ".join(f"{i % 500},{i % 7}" for i in range(xml.MAX_POINTS + 1))
    assert parse_shape(points, "").problem == "its outline has more than 10,000 points; draw it again"
    assert "its baseline has more than 10,000 points" in parse_shape("0,0 9,0 9,9", points).problem
    assert not parse_shape(points.rpartition(" ")[0], "").problem


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (None, "missing"),
        ("", "empty"),
        ("<a>", "damaged"),
        ('<!DOCTYPE a [<!ENTITY e "x">]><a/>', "entities"),
        ('<!DOCTYPE a SYSTEM "a.dtd"><a/>', "entities"),
        ("<a>" + " " * 100 + "</a>", "too_large"),
    ],
)
def test_kinds_of_errors(content: str | None, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "MAX_BYTES", 100)
    path = tmp_path / "a.xml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError) as error:
        xml.read_xml(path)
    assert (error.value.kind, error.value.file) == (kind, path) and error.value.remedy


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<a/>")
    monkeypatch.setattr(xml, "MAX_BYTES", 4)
    assert xml.read_xml(path).tag == "a"
    path.write_text("<a/>\n")
    with pytest.raises(DataError, match="larger than 0 MB"):
        xml.read_xml(path)


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read") as error:
        xml.read_xml(tmp_path)
    assert (error.value.kind, error.value.file) == ("unreadable", tmp_path)
    assert xml.read_root_name(tmp_path) == xml.read_root_name(tmp_path / "none.xml") == ""


def test_an_external_dtd_can_be_ignored_but_entities_cannot(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text('<!DOCTYPE a SYSTEM "a.dtd"><a/>')
    assert xml.read_xml(path, allow_external_dtd=True).tag == "a"
    path.write_text('<!DOCTYPE a SYSTEM "a.dtd" [<!ENTITY e "x">]><a/>')
    with pytest.raises(DataError):
        xml.read_xml(path, allow_external_dtd=True)


def test_comments_and_cdata_are_kept_for_a_file_that_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<a><!-- c --><b><![CDATA[<x>]]></b></a>")
    kept = etree.tostring(xml.read_xml(path, keep_comments=True))
    assert kept == b"<a><!-- c --><b><![CDATA[<x>]]></b></a>"
    assert etree.tostring(xml.read_xml(path)) == b"<a><b>&lt;x&gt;</b></a>"


def test_the_root_is_named_without_reading_on(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    for content, name in (('<a xmlns="urn:x"><b>', "a"), ("<a/>", "a"), ("no xml", ""), ("", "")):
        path.write_text(content)
        assert xml.read_root_name(path) == name


def test_names_and_namespaces() -> None:
    element = etree.fromstring('<a xmlns="urn:x"><b xmlns=""/><!-- c --></a>')
    names = [(xml.get_local_name(e), xml.get_namespace(e)) for e in (element, *element)]
    assert names == [("a", "urn:x"), ("b", ""), ("", "")]


def test_an_element_at_any_depth_must_be_the_only_one() -> None:
    root = etree.fromstring("<a><b><c/></b><d/><d/></a>")
    assert xml.get_only_element(root, "c", Path("a.xml")).tag == "c"
    for name in ("d", "e"):
        with pytest.raises(DataError) as error:
            xml.get_only_element(root, name, Path("a.xml"))
        assert (error.value.kind, error.value.file) == ("malformed", Path("a.xml"))


def test_limits_of_coordinates() -> None:
    assert xml.parse_points("1e7,-1e7").tolist() == [[1e7, -1e7]]
    assert xml.parse_points("").shape == (0, 2) and xml.parse_points("1 2").dtype == np.float32
    for written in ("1.0000001e7,0", "0,-1.0000001e7"):
        with pytest.raises(ValueError, match="beyond 10,000,000"):
            xml.parse_points(written)
    with pytest.raises(ValueError, match="has 'b' where"):
        xml.parse_points("1,b,c,4")


def test_the_reason_of_the_parser_stays_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(b"<a>\0</a>")
    with pytest.raises(DataError) as error:
        xml.read_xml(path)
    assert error.value.kind == "damaged" and "\n" not in str(error.value)
