"""Check a built site: links lead to pages and headings, nothing is fetched, every public name has a page.

python docs/generate/check.py site
"""

import re
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from generate.api import list_packages, list_public_names

_FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
_FETCHED_RELATIONS = {"stylesheet", "preconnect", "preload", "prefetch", "modulepreload", "dns-prefetch", "icon"}


class Page(HTMLParser):
    """What a page links to and fetches, and the ids in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect links and ids."""
        values = {key: value or "" for key, value in attrs}
        self.ids |= {values[key] for key in ("id", "name") if key in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if _FETCHED.get(tag) in values:
            self.fetched.append(values[_FETCHED[tag]])
        if tag == "link" and _FETCHED_RELATIONS & set(values.get("rel", "").split()):
            self.fetched.append(values["href"])


def find_problems(site: Path) -> Iterator[str]:
    """Yield a sentence for each broken link, each address that is fetched, and each public name without a page."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    for path, page in pages.items():
        where = path.relative_to(site)
        for address in page.fetched:
            if urlsplit(address).netloc:
                yield f"{where}: fetches {address}"
        for link in [*page.links, *page.fetched]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{where}: leads to {link}, which does not exist"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                yield f"{where}: leads to {link}, a heading that does not exist"
    for path in sorted(site.rglob("*.css")):
        for address in re.findall(
            r"(?:url\(|@import\s+)['\"]?((?:https?:)?//[^'\")]+)", path.read_text(encoding="utf-8")
        ):
            yield f"{path.relative_to(site)}: fetches {address}"
    documented = read_inventory(site / "objects.inv")
    for modules in list_packages().values():
        for module in modules:
            yield from (f"{name} has no page" for name in list_public_names(module) if name not in documented)


def read_inventory(path: Path) -> set[str]:
    """Return the Python names in the inventory that mkdocstrings writes, in the format of Sphinx."""
    head, _, body = path.read_bytes().partition(b"zlib.\n")
    assert head.startswith(b"# Sphinx inventory version 2")
    return {line.split(" ")[0] for line in zlib.decompress(body).decode().splitlines()}


if __name__ == "__main__":
    site = Path(sys.argv[1]).resolve()
    problems = list(find_problems(site))
    print(
        "\n".join(problems)
        or f"{sum(1 for _ in site.rglob('*.html'))} pages: no broken link, nothing fetched, no name missing"
    )
    raise SystemExit(bool(problems))
