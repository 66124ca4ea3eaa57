"""Several datasets as one, each with its fraction of every epoch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import LeftOut, Line, SelectiveSource, Split, WeightedSource
from htr_lightning.image.files import DataError


class Mix:
    """Trains on several datasets, with other samples in each epoch; validates and tests on some of them.

    Lines get the id ``name/id`` and the group ``name/group``, with the name that their dataset has in ``sources``.

    Unless ``lines_per_epoch`` is set, an epoch is as long as it can be without repeating a line: with 3,000 real and
    100,000 synthetic lines of equal weight, it has 6,000 lines, among them all real ones and, in each epoch, other
    synthetic ones.

    A dataset that is weighted itself (`htr_lightning.data.line.WeightedSource`) keeps its weights within its fraction.

    Args:
        sources: datasets by name.
        weights: weight of each dataset; its fraction of an epoch is its weight divided by their sum. None for equal
            weights. A dataset with the weight 0 is not trained on.
        lines_per_epoch: number of lines in an epoch. The lines of a dataset that is too small for its fraction are
            repeated, all equally often up to one.
        evaluate_on: names of the datasets whose val and test splits are used; None for the first one alone.

    Raises:
        DataError: an unknown name, or an invalid weight or number.
    """

    def __init__(
        self,
        sources: Mapping[str, Any],
        *,
        weights: Mapping[str, float] | None = None,
        lines_per_epoch: int | None = None,
        evaluate_on: Sequence[str] | None = None,
    ) -> None:
        self.sources = dict(sources)
        if not self.sources:
            raise DataError("no dataset is given", key="dataset.sources", remedy="name at least one")
        self.weights = {name: 1.0 for name in self.sources} if weights is None else dict(weights)
        self.evaluate_on = [next(iter(self.sources))] if evaluate_on is None else list(evaluate_on)
        self.lines_per_epoch = lines_per_epoch
        for argument, names in (("weights", self.weights), ("evaluate_on", self.evaluate_on)):
            for name in names:
                if name not in self.sources:
                    remedy = f"choose from {', '.join(self.sources)}"
                    raise DataError(f"unknown dataset {name!r}", key=f"dataset.{argument}", remedy=remedy)
        self._check_weights()
        if lines_per_epoch is not None and lines_per_epoch < 1:
            remedy = "give 1 or more"
            raise DataError(
                "the number is too small", key="dataset.lines_per_epoch", value=lines_per_epoch, remedy=remedy
            )
        if not self.evaluate_on:
            remedy = "name a dataset to validate on"
            raise DataError("no dataset is given", key="dataset.evaluate_on", remedy=remedy)

    def _check_weights(self) -> None:
        for name in self.sources:
            if name not in self.weights:
                remedy = f"add ++dataset.weights.{name}=1, or =0 to leave it out"
                raise DataError(f"there is no weight for {name}", key="dataset.weights", remedy=remedy)
            weight = self.weights[name]
            if not (math.isfinite(weight) and weight >= 0):
                remedy = "give a number of 0 or more"
                raise DataError("this is not a weight", key=f"dataset.weights.{name}", value=weight, remedy=remedy)
        if not any(self.weights.values()):
            problem = "all weights are 0, so there is nothing to train on"
            raise DataError(problem, key="dataset.weights", remedy="give at least one dataset a weight above 0")

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of all datasets that take part in a split, one dataset after the other.

        Raises:
            DataError: one of the datasets raised it; keys have the prefix ``dataset.sources.<name>``.
        """
        names = [name for name, weight in self.weights.items() if weight > 0] if split == "train" else self.evaluate_on
        return [
            replace(line, id=f"{name}/{line.id}", group=f"{name}/{line.group}" if line.group else "")
            for name in self.sources
            if name in names
            for line in self._read_lines(name, split)
        ]

    def left_out(self, split: Split) -> LeftOut:
        """Return what the datasets left out; see `htr_lightning.data.line.SelectiveSource`."""
        merged: dict[str, list[str]] = {}
        for name, source in self.sources.items():
            for reason, ids in (source.left_out(split) if isinstance(source, SelectiveSource) else {}).items():
                merged.setdefault(reason, []).extend(f"{name}/{id}" for id in ids)
        return merged

    def _read_lines(self, name: str, split: Split) -> Sequence[Line]:
        try:
            lines: Sequence[Line] = self.sources[name].lines(split)
        except DataError as error:  # its keys are those of a dataset that is not in a mix
            raise error.with_key_prefix("dataset", f"dataset.sources.{name}") from None
        return lines

    def draws_per_epoch(self, ids: Iterable[str]) -> NDArray[np.float64]:
        """Return the expected number of times that each training line is sampled in an epoch.

        Args:
            ids: of the usable training lines.

        Returns:
            ``(number of ids,)``; the sum is the number of lines in an epoch.

        Raises:
            DataError: a dataset with a weight above 0 has none of the lines, or is too small a fraction for one line.
        """
        ids = list(ids)
        names = np.array([next(n for n in self._longest_first if i.startswith(f"{n}/")) for i in ids])
        inner = {name: self._draw_inside(name, ids, names) for name, weight in self.weights.items() if weight > 0}
        counts = {name: float(draws.sum()) for name, draws in inner.items()}
        for name, count in counts.items():
            if not count:
                problem = f"there are no training lines, but the weight is {self.weights[name]:g}"
                remedy = f"set ++dataset.weights.{name}=0"
                raise DataError(problem, key=f"dataset.sources.{name}", remedy=remedy)
        total = sum(self.weights.values())
        fractions = {name: self.weights[name] / total for name in counts}
        epoch_length = self.lines_per_epoch or min(counts[name] / fraction for name, fraction in fractions.items())
        result = np.zeros(len(names))
        for name, fraction in fractions.items():
            if round(epoch_length * fraction) < 1:
                raise DataError(
                    f"an epoch of {round(epoch_length)} lines would have none of {name}",
                    key="dataset.lines_per_epoch",
                    remedy=f"raise it, or set ++dataset.weights.{name}=0",
                )
            result[names == name] = inner[name] * epoch_length * fraction / counts[name]
        return result

    def _draw_inside(self, name: str, ids: list[str], names: NDArray[np.str_]) -> NDArray[np.float64]:
        """Return how often the lines of one dataset would be drawn in an epoch of that dataset alone."""
        own = [id.removeprefix(f"{name}/") for id, owner in zip(ids, names, strict=True) if owner == name]
        source = self.sources[name]
        return source.draws_per_epoch(own) if isinstance(source, WeightedSource) else np.ones(len(own))

    @property
    def _longest_first(self) -> list[str]:
        """The names, longest first, so that a name is tried before its own prefixes."""
        return sorted(self.sources, key=len, reverse=True)
