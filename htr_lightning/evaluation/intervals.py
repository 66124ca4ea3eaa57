"""How sure a measured score is: bootstrap intervals over writers or pages.

Percentile bootstrap (Efron 1979; Bisani & Ney 2004 for error rates). What is drawn, with replacement, are whole
groups: the lines of one writer succeed or fail together, so that lines drawn one by one would make the interval too
narrow. A sample is a vector of weights, how often each group was drawn, so that whatever is a function of sums of
counts follows from products of matrices.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from htr_lightning.metrics import compute_error_rate

NUM_SAMPLES = 2000
LEVEL = 0.95
_WEIGHTS_AT_ONCE = 2_000_000  # numbers held in memory

Floats = NDArray[np.float64]


def number_groups(groups: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Number what is drawn: groups, and each line by itself where it has none.

    Args:
        groups: of each line; empty for none.

    Returns:
        The names of all groups (empty for a single line), and the number of each line's group, ``(n,)``.
    """
    unique, place = np.unique([name or f"\0{i}" for i, name in enumerate(groups)], return_inverse=True)
    return ["" if name.startswith("\0") else str(name) for name in unique], place.astype(np.int64)


def draw_weights(num_groups: int, *, num_samples: int = NUM_SAMPLES, seed: int = 1) -> Iterator[Floats]:
    """Yield how often each group is drawn, ``(S, G)``, a block of samples at a time."""
    generator, even = np.random.default_rng(seed), np.full(num_groups, 1 / num_groups)
    block = max(1, min(num_samples, _WEIGHTS_AT_ONCE // num_groups))
    for start in range(0, num_samples, block):
        drawn = generator.multinomial(num_groups, even, size=min(block, num_samples - start))
        yield drawn.astype(np.float64)


def bootstrap(
    measure: Callable[[Floats], Mapping[str, Floats]],
    num_groups: int,
    *,
    num_samples: int = NUM_SAMPLES,
    seed: int = 1,
) -> dict[str, Floats]:
    """Measure scores in every sample.

    Args:
        measure: from weights ``(S, G)`` to scores ``(S,)``, by name.
        num_groups: how many there are to draw from.
        num_samples: drawn.
        seed: of the drawing; the same one draws the same samples of as many groups.

    Returns:
        Each score in all samples, ``(num_samples,)``.
    """
    blocks = [measure(weights) for weights in draw_weights(num_groups, num_samples=num_samples, seed=seed)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def bounds(samples: Floats, level: float = LEVEL) -> tuple[float, float]:
    """Return the lower and the upper bound that hold a share of the samples between them; NaN counts as none."""
    known = samples[~np.isnan(samples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def rate_interval(
    edits: Sequence[int],
    lengths: Sequence[int],
    groups: Sequence[str] | None = None,
    *,
    level: float = LEVEL,
    num_samples: int = NUM_SAMPLES,
    seed: int = 1,
) -> tuple[float, float]:
    """Return the interval of one error rate.

    Args:
        edits: of each line.
        lengths: of each line's reference.
        groups: of each line: its writer, or its page; None or all empty to draw lines.
        level: share of the samples inside the interval, 0..1.
        num_samples: drawn.
        seed: of the drawing.

    Returns:
        The lower and the upper bound; both are the rate itself where there is only one group.

    Raises:
        ValueError: no line, or sequences of different lengths.
    """
    if not edits or len(edits) != len(lengths) or (groups is not None and len(groups) != len(edits)):
        raise ValueError(f"{len(edits)} edits, {len(lengths)} lengths and their groups are not of the same lines")
    names, place = number_groups(groups or [""] * len(edits))
    per_group = np.stack([np.bincount(place, weights=values) for values in (edits, lengths)], axis=1)

    def rate(weights: Floats) -> dict[str, Floats]:
        sums = weights @ per_group
        return {"rate": compute_error_rate(sums[:, 0], sums[:, 1])}

    return bounds(bootstrap(rate, len(names), num_samples=num_samples, seed=seed)["rate"], level)
