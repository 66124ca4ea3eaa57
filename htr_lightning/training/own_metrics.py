"""Metrics that a configuration or a notebook adds to ours."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from htr_lightning.config.schema import ConfigError
from htr_lightning.training.metrics import SCORE_NAMES


class OwnMetrics(nn.Module):
    """Metrics by name, each with ``update(predictions, references)``, ``compute()`` and ``reset()``.

    Those of torchmetrics are accumulated over devices; of others, the mean over the devices is logged.

    Args:
        metrics: by the name under which they are logged.

    Raises:
        ConfigError: we measure something of that name.
    """

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        super().__init__()
        for name in metrics:
            if name in (*SCORE_NAMES, "loss"):
                remedy = "give it another name"
                raise ConfigError("there is a score of this name", key=f"metrics.{name}", remedy=remedy)
        self._metrics = dict(metrics)
        if modules := {name: metric for name, metric in metrics.items() if isinstance(metric, nn.Module)}:
            self.modules_by_name = nn.ModuleDict(modules)  # moves with the task to its device

    def update(self, predictions: Sequence[str], references: Sequence[str]) -> None:
        """Measure lines."""
        for metric in self._metrics.values():
            metric.update(list(predictions), list(references))

    def compute(self) -> dict[str, float]:
        """Return the results by name, and start again."""
        results: dict[str, float] = {}
        for name, metric in self._metrics.items():
            results |= flatten_metric(name, metric.compute())
            metric.reset()
        return results


def flatten_metric(name: str, value: Any) -> dict[str, float]:
    """Return the result of a metric as ``{name: number}``, or ``{name_key: number}`` for each key of a mapping.

    Raises:
        TypeError: it is no number.
        ValueError: it is a tensor of several numbers.
    """
    if isinstance(value, Mapping):
        return {f"{name}_{key}": float(number) for key, number in value.items()}
    return {name: float(value)}
