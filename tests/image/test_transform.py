"""Points of a preprocessed line are mapped to the image that it was made from."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from htr_lightning.image.preprocess import Preprocess
from htr_lightning.image.transform import Transform


def slanted_line() -> NDArray[np.uint8]:
    """Strokes that lean, on a slope; one blot at a known place stands out."""
    image = np.full((150, 900), 250, np.uint8)
    for x in range(40, 860, 30):
        y = 60 + x // 20
        cv2.line(image, (x, y + 40), (x + 16, y), 30, 3)
    return image


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pad_px": 7},
        {"height_px": 96},
        {"height_px": 200},
        {"deskew": True},
        {"deslant": True},
        {"deskew": True, "deslant": True, "pad_px": 3, "height_px": 64},
    ],
)
def test_every_pixel_comes_from_where_the_transform_says(settings: dict[str, int]) -> None:
    image, transform = cv2.GaussianBlur(slanted_line(), (0, 0), 3).astype(np.uint8), Transform()
    line = Preprocess(contrast=False, **settings)(image, transform)  # type: ignore[arg-type]
    ys, xs = np.mgrid[: line.shape[0], : line.shape[1]] + 0.5
    places = transform.to_source(np.stack([xs, ys], 2)) - 0.5
    found = cv2.remap(image, *np.moveaxis(places, 2, 0).astype(np.float32), cv2.INTER_LINEAR, borderValue=255)
    moved = cv2.remap(image, *np.moveaxis(places + 4, 2, 0).astype(np.float32), cv2.INTER_LINEAR, borderValue=255)
    ink = line < 230
    wrong, far = (float(np.abs(line.astype(int) - other)[ink].mean()) for other in (found, moved))
    assert wrong < 8 < 20 < far


def test_a_transform_changes_no_pixel() -> None:
    preprocess = Preprocess(deskew=True, deslant=True, pad_px=2)
    assert np.array_equal(preprocess(slanted_line()), preprocess(slanted_line(), Transform()))


def test_identity_at_first() -> None:
    assert np.array_equal(Transform().to_source(np.array([[3.0, 4.5]])), np.array([[3.0, 4.5]]))
