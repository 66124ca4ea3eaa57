"""Links from the pages to files of the repository that are outside of docs/: these files become pages too."""

import posixpath
import re
from pathlib import Path

from generate.markdown import split_fences

REPOSITORY = Path(__file__).parents[2]
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_PLACES = {"README.md": "index.md", "docs/first_model.ipynb": "first_model.md"}  # of the site, where they differ


def find_place(path: str) -> str:
    """Return the place in the site of a file, named from the repository."""
    return _PLACES.get(path) or path.removeprefix("docs/")


def rewrite_links(markdown: str, source: str) -> str:
    """Return a page whose relative links lead to the places of files in the site.

    Args:
        markdown: the page.
        source: its file, named from the repository.
    """

    def rewrite(match: re.Match[str]) -> str:
        target = resolve(match[2], source)
        if target is None:
            return match[0]
        folder = posixpath.dirname(find_place(source)) or "."
        return f"{match[1]}{posixpath.relpath(find_place(target), folder)}{match[3]}"

    parts = split_fences(markdown)
    parts[::2] = [_LINK.sub(rewrite, part) for part in parts[::2]]
    return "".join(parts)


def list_linked_files(sources: list[str]) -> list[str]:
    """Return the files outside of docs/ to which pages lead, and those to which these lead in turn."""
    seen: dict[str, None] = {}
    waiting = list(sources)
    while waiting:
        source = waiting.pop()
        text = "".join(split_fences((REPOSITORY / source).read_text(encoding="utf-8"))[::2])
        for match in _LINK.finditer(text):
            target = resolve(match[2], source)
            if target is None or target in seen or target in _PLACES or target.startswith("docs/"):
                continue
            if (REPOSITORY / target).is_file():
                seen[target] = None
                waiting += [target] if target.endswith(".md") else []
    return sorted(seen)


def resolve(link: str, source: str) -> str | None:
    """Return the file that a relative link leads to, named from the repository; None for addresses."""
    if re.match(r"[a-z]+:|/", link):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
