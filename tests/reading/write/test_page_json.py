import json
from pathlib import Path
from typing import Any

import pytest
from helpers.layouts import points
from helpers.predicted_pages import build_line, build_page, build_region, build_sample_page, predicted_pages
from hypothesis import given, settings
from hypothesis import strategies as st

from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write import page_json as module
from htr_lightning.reading.write.page_json import write_json
from htr_lightning.reading.write.tokens import sanitize

SCHEMA = json.loads((Path(module.__file__).parent / "page.schema.json").read_text())
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None)}
KNOWN = {
    "$schema",
    "title",
    "description",
    "$defs",
    "$ref",
    "type",
    "const",
    "enum",
    "properties",
    "required",
    "items",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
}


def check(value: Any, rule: dict[str, Any]) -> None:
    """Assert that a value follows a JSON Schema, with the keywords that ours uses."""
    assert rule.keys() <= KNOWN
    if "$ref" in rule:
        rule = SCHEMA["$defs"][rule["$ref"].removeprefix("#/$defs/")]
    kinds = [rule["type"]] if isinstance(rule.get("type"), str) else rule.get("type", [])
    assert not kinds or any(isinstance(value, TYPES[kind]) for kind in kinds), (value, kinds)
    assert value == rule.get("const", value) and value in rule.get("enum", [value])
    if isinstance(value, dict):
        assert set(rule["required"]) == set(rule["properties"]) == set(value)
        for key, part in value.items():
            check(part, rule["properties"][key])
    elif isinstance(value, list):
        assert rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", len(value))
        for part in value:
            check(part, rule["items"])
    elif isinstance(value, str):
        assert rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", len(value))
    elif value is not None:
        assert rule.get("minimum", value) <= value <= rule.get("maximum", value)


def read(page: PredictedPage) -> Any:
    written = json.loads(write_json(page))
    check(written, SCHEMA)
    return written


def test_the_sample_page() -> None:
    page = read(build_sample_page())
    assert page["image"] == {"name": "scan 1.jpg", "width_px": 1000, "height_px": 800}
    assert (page["number"], page["model"], page["notes"]) == (3, "peraire & co", list(build_sample_page().notes))
    assert [region["kind"] for region in page["regions"]] == ["paragraph", "marginalia", "MainZone:a {b};"]
    lines = [line for region in page["regions"] for line in region["lines"]]
    assert [line["text"] for line in lines] == [line.text for line in build_sample_page().lines]
    assert lines[4]["problem"] == build_sample_page().lines[4].problem and lines[2]["words"] == []


def test_places_and_confidences() -> None:
    line = build_line("l", "a b", 100.26, polygon=points(1.25, 2, 3.04, 4, 5, -6.16))
    (written,) = read(build_page(build_region("r", line)))["regions"][0]["lines"]
    assert (written["id"], written["confidence"]) == ("l", 0.625)
    assert written["polygon"] == [[1.2, 2], [3, 4], [5, -6.2]] and written["baseline"] == [[50, 124.3], [86, 124.3]]
    first, second = written["words"]
    assert second["outline"] == [[74, 100.3], [86, 100.3], [86, 130.3], [74, 130.3]] and second["confidence"] == 0.75
    assert first["characters"] == [{"text": "a", "confidence": 0.9, "outline": first["outline"]}]


def test_what_is_not_valid_is_refused_by_the_check() -> None:
    page = json.loads(write_json(build_sample_page()))
    page["regions"][0]["lines"][0]["confidence"] = 1.5
    with pytest.raises(AssertionError):
        check(page, SCHEMA)


def test_an_empty_page() -> None:
    assert read(PredictedPage("a.png", 5, 6, ()))["regions"] == []
    assert read(build_page(build_region("r", PredictedLine("l"))))["regions"][0]["lines"][0]["polygon"] == []


@settings(deadline=None, max_examples=50)
@given(predicted_pages(st.text(st.characters(), max_size=8)))
def test_any_text_is_there(page: PredictedPage) -> None:
    lines = [line for region in read(page)["regions"] for line in region["lines"]]
    assert [(line["id"], line["text"]) for line in lines] == [(line.id, sanitize(line.text)) for line in page.lines]
