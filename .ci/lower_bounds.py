"""Print the lower bounds of the dependencies in pyproject.toml as pinned requirements, for pip-audit."""

import re
import tomllib
from pathlib import Path


def main() -> None:
    """Print a line ``name==version`` for each package with a lower bound, development tools excluded."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (names for extra, names in project["optional-dependencies"].items() if extra not in ("dev", "docs"))
    for requirement in [*project["dependencies"], *(name for names in extras for name in names)]:
        if match := re.match(r"([\w.-]+)>=([\d.]+)", requirement):
            print(f"{match[1]}=={match[2]}")


if __name__ == "__main__":
    main()
