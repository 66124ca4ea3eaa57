"""What a run starts from, and which weights may move."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pretrain:
    """Train every weight from its initial value."""
