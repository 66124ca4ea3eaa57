"""Lines to test with: typeset, so that tests need no data and no fonts."""

import html.parser
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from helpers.typesetting import texts, write_split

from htr_lightning.model.file import Model, load_model
from htr_lightning.model.onnx_export import write_onnx
from htr_lightning.reading.onnx_cache import CACHE_VARIABLE

pytest_plugins = ["helpers.scans_read", "helpers.remote"]  # fixtures of several files of tests


class _Elements(html.parser.HTMLParser):
    """Checks that every element is closed where it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def elements_of() -> Callable[[str], set[str]]:
    """Return a check that a page is well-formed; it gives the names of the page's elements."""

    def check(page: str) -> set[str]:
        elements = _Elements()
        elements.feed(page)
        assert not elements.open
        return elements.seen

    return check


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[[Sequence[str], str], Path]:
    """Write texts as a split of a ``lines`` dataset under ``tmp_path / "set"``, and return its folder."""

    def write(lines: Sequence[str], split: str) -> Path:
        write_split(tmp_path / "set", lines, split)
        return tmp_path / "set"

    return write


@pytest.fixture
def small_set(write_lines: Callable[[Sequence[str], str], Path]) -> Path:
    """A dataset of 24 + 8 + 8 typeset lines."""
    for seed, (split, number) in enumerate((("train", 24), ("val", 8), ("test", 8))):
        root = write_lines(texts(number, seed), split)
    return root


@pytest.fixture
def needs() -> Callable[[str], None]:
    """Return a function that skips a test, aloud, where a module is not installed."""

    def check(module: str) -> None:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")

    return check


@pytest.fixture
def many_steps(write_lines: Callable[[Sequence[str], str], Path]) -> Path:
    """A dataset that makes seven batches of an epoch."""
    for seed, (split, number) in enumerate((("train", 14), ("val", 4))):
        root: Path = write_lines(texts(number, seed), split)
    return root


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of exported models, also of processes that tests start; not the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="session")
def latin() -> Model:
    """The small model that ships; not to be changed."""
    return load_model("zoo:latin")


@pytest.fixture(scope="session")
def latin_onnx(latin: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as an ONNX file; not to be changed."""
    path = tmp_path_factory.mktemp("onnx") / "latin.onnx"
    write_onnx(path, latin)
    return path
