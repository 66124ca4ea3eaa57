"""Several data sets as one, each with its share of every epoch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line, Split
from htr_lightning.image.files import DataError


class Mix:
    """Trains on several data sets, drawn anew in each epoch; validates and tests on one of them.

    Lines are named ``name/id``, and groups ``name/group``, after the name their data set has in ``sources``.

    An epoch has as many lines as it can without one that is seen twice, unless ``lines_per_epoch`` says otherwise:
    of 3,000 real and 100,000 synthetic lines in equal shares, 6,000, among them all real ones and each time
    other synthetic ones.

    Args:
        sources: data sets by name.
        weights: share of each in an epoch, in any unit; None for equal shares. A data set with the weight 0 is not
            learnt.
        lines_per_epoch: how many lines are drawn; those of a data set that is too small for its share are
            drawn several times, all equally often, up to one.
        evaluate_on: names of the data sets whose val and test lines count; None for the first alone.

    Raises:
        DataError: a weight or a name that cannot be.
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
            raise DataError("dataset.sources: is empty; name at least one data set")
        self.weights = {name: 1.0 for name in self.sources} if weights is None else dict(weights)
        self.evaluate_on = [next(iter(self.sources))] if evaluate_on is None else list(evaluate_on)
        self.lines_per_epoch = lines_per_epoch
        for key, names in (("weights", self.weights), ("evaluate_on", self.evaluate_on)):
            for name in names:
                if name not in self.sources:
                    raise DataError(f"dataset.{key}: there is no source {name!r}; there is {', '.join(self.sources)}")
        for name in self.sources:
            if name not in self.weights:
                raise DataError(f"dataset.weights: says nothing of {name}; add ++dataset.weights.{name}=1, or 0")
            weight = self.weights[name]
            if not (math.isfinite(weight) and weight >= 0):
                raise DataError(f"dataset.weights.{name}: {weight} is not a share; give 0 or more")
        if not any(self.weights.values()):
            raise DataError("dataset.weights: all are 0, which leaves nothing to train on")
        if lines_per_epoch is not None and lines_per_epoch < 1:
            raise DataError(f"dataset.lines_per_epoch: {lines_per_epoch} is too small; give 1 or more")
        if not self.evaluate_on:
            raise DataError("dataset.evaluate_on: is empty; name a source to choose the best model by")

    def lines(self, split: Split) -> list[Line]:
        """Return the lines of the data sets that have a share in a split, one data set after the other.

        Raises:
            DataError: what one of the data sets raises.
        """
        names = [name for name, weight in self.weights.items() if weight > 0] if split == "train" else self.evaluate_on
        return [
            replace(line, id=f"{name}/{line.id}", group=f"{name}/{line.group}" if line.group else "")
            for name in self.sources
            if name in names
            for line in self._of(name, split)
        ]

    def _of(self, name: str, split: Split) -> Sequence[Line]:
        try:
            lines: Sequence[Line] = self.sources[name].lines(split)
        except DataError as error:  # which advises keys of a data set that stands alone
            raise error.under("dataset", f"dataset.sources.{name}") from None
        return lines

    def draws_per_epoch(self, ids: Iterable[str]) -> NDArray[np.float64]:
        """Return how often each training line is to be seen in an epoch, on average.

        Args:
            ids: of the lines that are there to be learnt.

        Returns:
            ``(number of ids,)``; they add up to the length of an epoch.

        Raises:
            DataError: a data set with a share has not one of the lines.
        """
        names = np.array([next(n for n in self._longest_first if i.startswith(f"{n}/")) for i in ids])
        counts = {name: int((names == name).sum()) for name, weight in self.weights.items() if weight > 0}
        for name, count in counts.items():
            if not count:
                remedy = f"set ++dataset.weights.{name}=0"
                raise DataError(f"dataset.sources.{name}: has no training lines, but a share of them; {remedy}")
        total = sum(self.weights.values())
        shares = {name: self.weights[name] / total for name in counts}
        size = self.lines_per_epoch or min(counts[name] / share for name, share in shares.items())
        result = np.zeros(len(names))
        for name, share in shares.items():
            if round(size * share) < 1:
                raise DataError(
                    f"dataset.lines_per_epoch: of {round(size)} lines an epoch, {name} would get none; raise it"
                )
            result[names == name] = size * share / counts[name]
        return result

    @property
    def _longest_first(self) -> list[str]:
        """Names, so that none is met before one that it is the beginning of."""
        return sorted(self.sources, key=len, reverse=True)
