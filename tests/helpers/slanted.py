"""Lines to deslant."""

import numpy as np
from numpy.typing import NDArray


def writing(height: int = 96, width: int = 800, paper: int = 255, ink: int = 0) -> NDArray[np.uint8]:
    """Letters of upright strokes with ascenders on a level line."""
    line = np.full((height, width), paper, np.uint8)
    for index, x in enumerate(range(40, width - 40, 24)):
        top = height // 4 if index % 3 == 0 else height // 2
        line[top : height * 3 // 4, x : x + 4] = ink
        line[height * 3 // 4 - 4 : height * 3 // 4, x : x + 14] = ink
    return line
