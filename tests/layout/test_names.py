import pytest
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.layout.names import make_unique_ids, parse_image_name, sort_by_reading_order


def test_ids_that_repeat_or_are_missing() -> None:
    assert make_unique_ids(["a", "b", "a", "", "a"]) == ["a", "b", "a_2", "line_0004", "a_3"]


def test_an_id_of_the_file_is_never_given_to_another_line() -> None:
    written = ["a", "a", "a_2", "", "", "line_0005", "a"]
    assert make_unique_ids(written) == ["a", "a_3", "a_2", "line_0004", "line_0005_2", "line_0005", "a_4"]


@given(st.lists(st.sampled_from(["", "a", "a_2", "a_2_2", "a_3", "line_0001", "line_0002", "line_0002_2"])))
def test_ids_are_unique_and_first_comers_keep_theirs(written: list[str]) -> None:
    ids = make_unique_ids(written)
    assert len(set(ids)) == len(ids) == len(written) and all(ids)
    assert all(ids[written.index(name)] == name for name in set(written) - {""})


def test_many_repeated_ids_take_no_time() -> None:
    assert len(set(make_unique_ids(["a"] * 50_000))) == 50_000


def test_order_names_lines_and_regions() -> None:
    names = [["l1", "r1"], ["l2", "r1"], ["l3", "r2", "r9"], ["l4", "r2", "r9"], ["l5"]]
    lines = ["l1", "l2", "l3", "l4", "l5"]
    assert sort_by_reading_order(lines, names, []) == lines
    assert sort_by_reading_order(lines, names, ["r9", "r1"]) == ["l3", "l4", "l1", "l2", "l5"]
    assert sort_by_reading_order(lines, names, ["l4", "r1", "r9"]) == ["l4", "l1", "l2", "l3", "l5"]
    assert sort_by_reading_order(lines, names, ["r1", "r1", "l2", "nothing", "l5", "r1"]) == [
        "l1",
        "l2",
        "l5",
        "l3",
        "l4",
    ]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("a.jpg", "a.jpg"),
        (" images/a b%20c.jpg\n", "images/a b%20c.jpg"),
        ("a#1?.jpg", "a#1?.jpg"),
        ("file:///scans/a%20b.jpg", "/scans/a b.jpg"),
        ("FILE:///scans/a b#1.jpg", "/scans/a b#1.jpg"),
        ("file:a.jpg", "a.jpg"),
        ("file:/scans/a.jpg", "/scans/a.jpg"),
        ("file://host/share/a.jpg", "/share/a.jpg"),
        ("file:///C:/scans/a.jpg", "C:/scans/a.jpg"),
        ("file:///X:/scans/a.jpg", "X:/scans/a.jpg"),
        ("https://host//X/a.jpg", "X/a.jpg"),
        (r"C:\scans\a.jpg", "C:/scans/a.jpg"),
        (r"..\images\a.jpg", "../images/a.jpg"),
        ("https://host/iiif/a%2Cb.jpg?x=1#y", "iiif/a,b.jpg"),
        ("http://[host", ""),
        ("C://scans/a.jpg", "C://scans/a.jpg"),
        ("ark:/12148/a", "ark:/12148/a"),
        ("", ""),
    ],
)
def test_image_names(written: str, name: str) -> None:
    assert parse_image_name(written) == name
