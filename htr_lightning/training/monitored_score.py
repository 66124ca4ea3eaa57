"""The score that a run monitors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MonitoredScore:
    """The score on val that decides which weights are the best.

    Attributes:
        score: its name, such as ``val/cer``.
        mode: whether a low or a high score is good.
        labels: the scores that a log line of a validation gives, with their labels.
    """

    score: str
    mode: Literal["min", "max"]
    labels: Mapping[str, str]

    def to_objective(self, scores: Mapping[str, float]) -> float | None:
        """Return what a sweep minimizes; None without the score."""
        value = scores.get(self.score)
        return value if value is None or self.mode == "min" else 1 - value
