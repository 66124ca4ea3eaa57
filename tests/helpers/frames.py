"""Random logits for tests of decoders."""

import numpy as np
from numpy.typing import NDArray


def random_logits(seed: int, *shape: int) -> NDArray[np.float32]:
    """Draw logits from a normal distribution."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)
