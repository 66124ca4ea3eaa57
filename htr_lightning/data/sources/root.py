"""The folder of a data set."""

from pathlib import Path

from htr_lightning.data.line import DataError


def check_root(root: Path, what: str) -> None:
    """Check that the root is a folder.

    Args:
        root: of the data set.
        what: whose folder it should be, for the message: ``of your lines``.

    Raises:
        DataError: it is not.
    """
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "there is no such folder"
        raise DataError(f"{root}: {problem}; set dataset.root to the folder {what}")
