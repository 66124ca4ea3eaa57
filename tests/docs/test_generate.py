"""The generated pages say what the code says."""

import inspect
import json
import re
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from generate.api import list_packages, list_public_names, list_shape_letters, render_pages
from generate.check import find_problems
from generate.commands import find_parser, render_commands
from generate.configuration import parse_arguments, render_configuration, render_target
from generate.floors import draw_floors, find_direct_edges, find_imports, list_floors
from generate.links import list_linked_files, rewrite_links
from generate.notebook import render_notebook

from htr_lightning.__main__ import COMMANDS
from htr_lightning.config.compose import conf_dir, list_groups
from htr_lightning.training.optim import AdamW

REPOSITORY = Path(__file__).parents[2]


def test_every_option_of_every_command_is_listed() -> None:
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", render_commands(), re.DOTALL | re.MULTILINE))
    assert list(sections) == ["train", *COMMANDS]
    for name, (module, _) in COMMANDS.items():
        for action in find_parser(module)._actions[1:]:  # without --help
            for option in action.option_strings or [str(action.metavar or action.dest)]:
                assert option in sections[name]
    assert "`--beam-width N`" in sections["predict"] and "(default: 16)" in sections["predict"]


def test_every_option_and_key_of_the_configuration_is_listed() -> None:
    page = render_configuration()
    for group, options in list_groups().items():
        for option in options:
            assert f'title="conf/{group}/{option}.yaml"' in page
    rows = "\n".join(render_target("htr_lightning.training.optim.AdamW"))
    for key in inspect.signature(AdamW).parameters:
        assert f"| `{key}` |" in rows
        assert parse_arguments(AdamW)[key]
    assert "| `lr` | `float` | `0.001` | the peak learning rate. |" in rows
    assert "| `seed` | `int` | `1` | seed of everything" in page
    assert (conf_dir() / "hydra" / "sweeper" / "study.yaml").read_text().splitlines()[-1] in page


def test_arguments_of_a_docstring() -> None:
    def documented() -> None:
        """Do something.

        Args:
            first: one line.
            second: two lines,
                joined.

        Returns:
            nothing: at all.
        """

    assert parse_arguments(documented) == {"first": "one line.", "second": "two lines, joined."}


def test_every_module_with_a_public_name_has_a_section() -> None:
    pages = dict(render_pages())
    for package, modules in list_packages().items():
        for module in modules:
            assert not list_public_names(module) or f"::: {module}\n" in pages[package]
    assert "htr_lightning.reading.api.Reader" in list_public_names("htr_lightning.reading.api")
    assert ("T", "frames: time steps of the recognizer's head") in list_shape_letters()


def test_the_picture_of_the_floors_shows_the_imports() -> None:
    floors = list_floors(REPOSITORY / "pyproject.toml")
    height = {name: number for number, floor in enumerate(floors) for name in floor}
    imports = find_imports(list(height))
    assert "model" in imports["reading"] and not imports["version"]
    assert all(height[a] < height[b] for a in imports for b in imports[a])
    picture = ElementTree.fromstring(draw_floors(REPOSITORY / "pyproject.toml"))
    titles = {title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")}
    assert {f"{a} imports {b}" for a, b in find_direct_edges(imports)} <= titles
    assert {title.partition(":")[0] for title in titles if title and ":" in title} == set(height)


def test_imports_that_follow_from_others_are_left_out() -> None:
    imports = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": set()}
    assert find_direct_edges(imports) == [("a", "b"), ("a", "d"), ("b", "c")]


def test_links_lead_to_the_places_in_the_site() -> None:
    page = "[a](../../experiments/tta/README.md#x) [b](data.md) [c](https://x.org/a.md)\n```\n[d](../README.md)\n```\n"
    assert rewrite_links(page, "docs/howto/predict.md") == page.replace("../../experiments", "../experiments")
    assert rewrite_links("[a](docs/howto/data.md)", "CONTRIBUTING.md") == "[a](howto/data.md)"
    assert rewrite_links("[a](first_model.ipynb)", "docs/index.md") == "[a](first_model.md)"
    linked = list_linked_files(["docs/howto/predict.md"])
    assert {"experiments/tta/README.md", "experiments/gallery/read.png"} <= set(linked)


def test_a_notebook_becomes_a_page(tmp_path: Path) -> None:
    output = {"output_type": "stream", "text": ["three\n"]}
    picture = {"output_type": "display_data", "data": {"image/png": "QUJD\n", "text/plain": ["<Figure>"]}}
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {"cell_type": "code", "source": ["print(3)"], "outputs": [output, picture]},
    ]
    (tmp_path / "x.ipynb").write_text(json.dumps({"cells": cells}))
    page = render_notebook(tmp_path / "x.ipynb")
    assert "# Title\ntext\n" in page and "```python\nprint(3)\n```\n\n```text\nthree\n```" in page
    assert 'src="data:image/png;base64,QUJD"' in page and "<Figure>" not in page


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<a href="other.html#there">x</a> <a href="https://x.org">y</a>', []),
        ('<a href="missing.html">x</a>', ["missing.html"]),
        ('<a href="other.html#nowhere">x</a>', ["other.html#nowhere"]),
        ('<script src="https://cdn.org/x.js"></script>', ["fetches https://cdn.org/x.js"]),
        ('<link rel="stylesheet" href="//fonts.org/a.css">', ["fetches //fonts.org/a.css"]),
    ],
)
def test_the_check_of_the_site_finds_what_is_wrong(body: str, expected: list[str], tmp_path: Path) -> None:
    names = [name for modules in list_packages().values() for module in modules for name in list_public_names(module)]
    inventory = "\n".join(f"{name} py:function 1 $ -" for name in names[1:])
    head = b"# Sphinx inventory version 2\n# The remainder of this file is compressed using zlib.\n"
    (tmp_path / "objects.inv").write_bytes(head + zlib.compress(inventory.encode()))
    (tmp_path / "index.html").write_text(body)
    (tmp_path / "other.html").write_text('<h2 id="there">x</h2>')
    *problems, last = find_problems(tmp_path)
    assert last == f"{names[0]} has no page"
    assert len(problems) == len(expected) and all(part in text for part, text in zip(expected, problems, strict=True))
