"""Words of messages."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun: ``1 line``, ``1,024 lines``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
