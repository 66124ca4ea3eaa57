"""Errors carry fields, and are worded once."""

import pickle
from pathlib import Path

import pytest

from htr_lightning.errors import InputError
from htr_lightning.image.files import DataError


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("is empty"), "is empty"),
        (InputError("is empty", file=Path("a.png"), remedy="copy it again"), "a.png: is empty; copy it again"),
        (InputError("no such folder", key="dataset.root", value="x"), "dataset.root=x: no such folder"),
        (InputError("no such value", key="dataset.root"), "dataset.root: no such value"),
        (InputError("is a file", key="--out", value="x"), "--out x: is a file"),
        (InputError("has no text", line_id="p1/l2", file="p1.xml"), "p1/l2: p1.xml: has no text"),
        (InputError("is empty", line_id="a.png", file="/x/a.png"), "/x/a.png: is empty"),
        (InputError("/x/a.png: is empty").with_line_id("a.png"), "/x/a.png: is empty"),
        (InputError("is empty", line_id="1").with_line_id("2"), "1: is empty"),
        (
            InputError("x", key="dataset.root", remedy="set dataset.train").with_key_prefix(
                "dataset", "dataset.sources.a"
            ),
            "dataset.sources.a.root: x; set dataset.sources.a.train",
        ),
    ],
)
def test_the_sentence_is_made_of_the_fields(error: InputError, sentence: str) -> None:
    assert str(error) == sentence


def test_errors_come_whole_out_of_other_processes() -> None:
    error = DataError(
        "is empty", file=Path("a.png"), remedy="copy it again", line_id="a", key="k", value=1, kind="empty"
    )
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is DataError and str(copied) == str(error) and vars(copied) == vars(error)


def test_what_a_damaged_file_says_cannot_garble_the_terminal() -> None:
    message = str(InputError("type \x1b[31m\x07\x9b", file="a\r\nb.png", remedy="\tcopy\nit"))
    assert message == "a<U+000D><U+000A>b.png: type <U+001B>[31m<U+0007><U+009B>; \tcopy\nit"


def test_a_message_stays_readable_whatever_it_quotes() -> None:
    message = str(InputError("x" * 100_000, file="a.tsv", remedy="y"))
    assert message.startswith("a.tsv: x") and message.endswith("x; y") and len(message) < 3000
