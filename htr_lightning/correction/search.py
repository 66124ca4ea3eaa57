"""Find and replace in the texts of all lines."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from htr_lightning.correction.errors import ProjectError
from htr_lightning.correction.project import Project
from htr_lightning.text import normalize

MAX_MATCHES = 500
"""Lines that are shown at most; a more precise search finds the others."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for.

    Attributes:
        text: not empty.
        is_word: only where no letter, mark or digit is beside it.
        ignores_case: letter case does not count.
    """

    text: str
    is_word: bool = False
    ignores_case: bool = False

    def compile(self) -> re.Pattern[str]:
        """Return the pattern that finds it.

        Raises:
            ProjectError: there is nothing to search for.
        """
        if not self.text.strip():
            raise ProjectError("there is nothing to search for", key="text", remedy="type a word", kind="empty")
        pattern = re.escape(normalize(self.text, "NFC"))
        if self.is_word:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        return re.compile(pattern, re.IGNORECASE if self.ignores_case else 0)


@dataclass(frozen=True, slots=True)
class Match:
    """A line in which something was found.

    Attributes:
        page: key of its page.
        line: its id.
        number: of the line on its page, from 1.
        text: of the line.
        spans: start and end of each place in the text.
    """

    page: str
    line: str
    number: int
    text: str
    spans: tuple[tuple[int, int], ...]


def find_matches(project: Project, query: Query) -> list[Match]:
    """Return all lines in which something is found, in the order of the pages.

    Raises:
        ProjectError: there is nothing to search for.
    """
    pattern = query.compile()
    matches = []
    with project.lock:
        for page in project.pages.values():
            for number, line in enumerate(page.line_ids, 1):
                text = page.show_text(line)
                spans = tuple(found.span() for found in pattern.finditer(text))
                if spans:
                    matches.append(Match(page.key, line, number, text, spans))
    return matches


def replace_matches(
    project: Project, query: Query, replacement: str, lines: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Replace what is found in some lines, in all of them or in none.

    Args:
        project: to change.
        query: what to replace; its places are searched again, since the texts may have changed.
        replacement: what to put there; may be empty.
        lines: key of the page and id of each line.

    Returns:
        The lines that have changed.

    Raises:
        ProjectError: there is nothing to search for, or a line is not there.
        OutputError: the journal cannot be written.
    """
    pattern = query.compile()
    with project.lock:
        changes = []
        for key, line in lines:
            text = project.get_page(key).show_text(line)
            new = pattern.sub(lambda _: replacement, text)
            if new != text:
                changes.append((key, line, new))
        project.set_texts(changes, "replaced")
    return [(key, line) for key, line, _ in changes]
