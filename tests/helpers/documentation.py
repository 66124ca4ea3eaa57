"""The pages of the documentation, and the blocks of code in them."""

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
READMES = [REPOSITORY / "README.md", REPOSITORY / "README.zh.md"]
DOCS = sorted((REPOSITORY / "docs").rglob("*.md"))
EXPERIMENTS = sorted((REPOSITORY / "experiments").rglob("README.md"))
_BLOCK = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code: its page, the name of its language, the file that it is, and its text."""

    page: Path
    language: str
    title: str
    code: str


def list_blocks(*pages: Path) -> list[Block]:
    """Return the blocks of pages, in their order."""
    return [Block(page, *found) for page in pages for found in _BLOCK.findall(page.read_text(encoding="utf-8"))]


def find_block(page: str, language: str, containing: str) -> str:
    """Return the only block of a page, named from the repository, that has this text."""
    blocks = [b for b in list_blocks(REPOSITORY / page) if b.language == language and containing in b.code]
    assert len(blocks) == 1, f"{page} has {len(blocks)} blocks with {containing!r}"
    return blocks[0].code


def write_files(page: str, folder: Path) -> None:
    """Write the blocks of a page that have a title into a folder, under that name."""
    titled = [block for block in list_blocks(REPOSITORY / page) if block.title]
    assert titled
    for block in titled:
        path = folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code, encoding="utf-8")


def list_commands(*pages: Path) -> list[tuple[Path, str]]:
    """Return the lines of the blocks of shell commands, with their page; continued lines are joined."""
    return [
        (block.page, line.strip())
        for block in list_blocks(*pages)
        if block.language in ("", "sh", "bash")
        for line in block.code.replace("\\\n", " ").splitlines()
    ]
