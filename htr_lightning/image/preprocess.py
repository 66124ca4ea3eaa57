"""Line image -> normalized line: gray, paper 255, ink dark, of one height. Pure functions of the pixels.

Every function here takes and returns ``(H, W)`` gray ``uint8`` images unless it says otherwise; `Preprocess`
strings them together. What is random belongs to `htr_lightning.data.augment`.
"""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.deslant import MIN_CONTRAST, count_levels, deskew, deslant, ink_mask
from htr_lightning.image.files import MAX_PIXELS, DataError
from htr_lightning.image.transform import Transform


def to_gray(image: NDArray[np.uint8], gray: Literal["luminance", "darkest_channel"]) -> NDArray[np.uint8]:
    """Reduce ``(H, W, 3)`` RGB to ``(H, W)``; a gray image comes back as it is.

    ``luminance`` weighs the channels as the eye does (ITU-R BT.601). ``darkest_channel`` takes their minimum:
    colored ink, such as pale blue or red, is dark in at least one of them.
    """
    if image.ndim == 2:
        return image
    if gray == "luminance":
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    return np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])


def percentiles(counts: NDArray[np.int64], *percents: float) -> list[int]:
    """Gray levels below or at which so many percent of the pixels are, of an image's `count_levels`."""
    cumulated = np.cumsum(counts, dtype=np.float64)
    return [int(np.searchsorted(cumulated, cumulated[-1] * p / 100)) for p in percents]


def is_light_on_dark(counts: NDArray[np.int64]) -> bool:
    """Whether the ink is lighter than its ground, as on a negative or a blackboard, by an image's `count_levels`.

    So it is when the ground (the median) is dark and the levels reach further above it than below.
    """
    low, ground, high = percentiles(counts, 1, 50, 99)
    return ground < 128 and high - ground > ground - low


def flatten_background(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Divide by the paper: removes shading, folds and stains wider than about a third of the line's height.

    The paper is estimated by a gray-scale closing, which fills in everything narrower than its window
    and darker than its surroundings (handwriting, ruling), smoothed by a box of the same size.
    """
    window = max(5, image.shape[0] // 3 | 1)
    kernel = np.ones((window, window), np.uint8)
    # The median first, or the closing would follow the brightest speck in every window.
    paper = cv2.morphologyEx(cv2.medianBlur(image, 3), cv2.MORPH_CLOSE, kernel)
    paper = cv2.blur(paper, (window, window))
    return np.asarray(cv2.divide(image, paper, scale=255), np.uint8)


def stretch_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Map paper and everything lighter to 255 and the ink level to 0, so that pencil and pen look alike.

    Paper is the median, less its own noise (twice the distance to the 90th percentile, 4 to 16 levels); ink
    is the 1st percentile, but at least `MIN_CONTRAST` darker than paper, so that a blank sheet stays blank.
    """
    return _mapped(image, _contrast_table(count_levels(image)))


def _contrast_table(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    ink, paper, bright = percentiles(counts, 1, 50, 90)
    high = paper - min(max(2 * (bright - paper), 4), 16)
    return _stretching(min(ink, high - MIN_CONTRAST), high)


def _paper_table(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Scale the levels so that the median, which is paper, becomes 255; the ratio of ink to paper is kept."""
    (paper,) = percentiles(counts, 50)
    return _stretching(0, max(paper, 1))


def _stretching(low: int, high: int) -> NDArray[np.uint8]:
    """The new level of each, ``(256,)``: ``low`` becomes 0 and ``high`` 255; what is beyond is cut off."""
    levels = (np.arange(256) - low) * (255 / (high - low))
    return levels.round().clip(0, 255).astype(np.uint8)


def _mapped(image: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.LUT(image, table), np.uint8)


def denoise_median(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Median of 3 x 3 px: removes specks of one or two pixels."""
    return np.asarray(cv2.medianBlur(image, 3), np.uint8)


def denoise_bilateral(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Smooth grain and JPEG noise of up to about 30 levels, keeping the edges of strokes (Tomasi 1998)."""
    return np.asarray(cv2.bilateralFilter(image, d=5, sigmaColor=30, sigmaSpace=2), np.uint8)


def binarize_otsu(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ink 0, paper 255, at one threshold for the whole line (Otsu 1979); a blank sheet stays blank."""
    return (1 - ink_mask(image)) * np.uint8(255)


def binarize_sauvola(image: NDArray[np.uint8], k: float = 0.2) -> NDArray[np.uint8]:
    """Ink 0, paper 255, at a threshold of each pixel's surroundings.

    Sauvola and Pietikäinen 2000, "Adaptive document image binarization": ``t = m (1 + k (s / 128 - 1))`` with
    mean ``m`` and standard deviation ``s`` of a square window, here a third of the line's height. The 128 supposes
    that the levels fill 0 to 255, so they are stretched first; by at most 255 / 96, or a blank sheet's noise would
    become ink.
    """
    low, high = percentiles(count_levels(image), 1, 99)
    image = _mapped(image, _stretching(min(low, high - 96), high))
    window = max(15, image.shape[0] // 3 | 1)
    gray = image.astype(np.float32)
    mean = cv2.boxFilter(gray, cv2.CV_32F, (window, window), borderType=cv2.BORDER_REPLICATE)
    square = cv2.sqrBoxFilter(gray, cv2.CV_32F, (window, window), borderType=cv2.BORDER_REPLICATE)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    threshold = mean * (1 + k * (deviation / 128 - 1))
    return np.where(gray > threshold, np.uint8(255), np.uint8(0))


def scale_to_height(image: NDArray[np.uint8], height_px: int, transform: Transform | None = None) -> NDArray[np.uint8]:
    """Scale to a height, keeping the aspect ratio: by area when it shrinks, cubic when it grows."""
    height, width = image.shape
    if height == height_px:
        return image
    size = (scaled_width(width, height, height_px), height_px)
    if transform is not None:
        transform.scaled(image.shape, size[::-1])
    interpolation = cv2.INTER_AREA if height_px < height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)


def scaled_width(width: int, height: int, height_px: int) -> int:
    """Width of a ``height`` x ``width`` image when it is scaled to a height; at least 1."""
    return max(1, round(width * height_px / height))


@dataclass(frozen=True)
class Preprocess:
    """Everything that happens once to a line before it is stored, learnt or read.

    The steps, in this order: gray; shrink to twice the height (so that the rest costs the same for every
    scanner resolution); polarity; background; denoise; contrast; binarize; deskew; deslant; scale to the
    height; pad. What follows binarization makes the edges gray again. Sauvola's binarization takes the place of
    ``contrast``.

    Plain paper comes out as exactly 255, with and without ``contrast``, because batches are padded with 255.

    Args:
        height_px: height of the result, at least 8.
        gray: how colors become gray; see `to_gray`.
        polarity: whether ink is darker or lighter than its ground; ``auto`` looks (`is_light_on_dark`).
        background: ``flatten`` divides by the paper (`flatten_background`): for photographs, folds, stains.
        denoise: ``median`` against specks, ``bilateral`` against grain.
        binarize: ``otsu`` (one threshold) or ``sauvola`` (a threshold for each surroundings).
        deskew: turn the line level (`htr_lightning.image.deslant.deskew`).
        deslant: shear the strokes upright (`htr_lightning.image.deslant.deslant`).
        contrast: stretch paper to 255 and ink to 0 (`stretch_contrast`); otherwise levels are only scaled so
            that paper is 255 (the median becomes 255).
        pad_px: blank columns left and right, added after scaling.
        max_width_px: widest result allowed, padding included.
        max_pixels: most pixels an image file may have, a whole page for lines that are cut from one. More than
            about 179 million are refused by Pillow, whatever this says.

    Raises:
        ValueError: a value is out of its range; names ``preprocess.<key>``.
    """

    height_px: int = 48
    gray: Literal["luminance", "darkest_channel"] = "luminance"
    polarity: Literal["auto", "dark_on_light", "light_on_dark"] = "auto"
    background: Literal["none", "flatten"] = "none"
    denoise: Literal["none", "median", "bilateral"] = "none"
    binarize: Literal["none", "otsu", "sauvola"] = "none"
    deskew: bool = False
    deslant: bool = False
    contrast: bool = True
    pad_px: int = 0
    max_width_px: int = 8192
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        for key, hint in typing.get_type_hints(type(self)).items():
            value, choices = getattr(self, key), typing.get_args(hint)
            if choices and value not in choices:
                raise ValueError(f"preprocess.{key}: {value!r} is none of {', '.join(choices)}")
            if not choices and type(value) is not hint:
                raise ValueError(f"preprocess.{key}: {value!r} is not {'an' if hint is int else 'a'} {hint.__name__}")
        for key, least in (("height_px", 8), ("pad_px", 0), ("max_width_px", 8), ("max_pixels", 64)):
            if getattr(self, key) < least:
                raise ValueError(f"preprocess.{key}: {getattr(self, key)} is too small; give at least {least}")

    def __call__(self, image: NDArray[np.uint8], transform: Transform | None = None) -> NDArray[np.uint8]:
        """Normalize a line.

        Args:
            image: ``(H, W)`` gray or ``(H, W, 3)`` RGB, ``uint8``.
            transform: follows what is done, so that places in the result can be found in the image.

        Returns:
            ``(height_px, W')`` gray ``uint8``, paper 255, ink dark, C-contiguous.

        Raises:
            DataError: the image is smaller than 2 px, not of 8 bits, or would be wider than ``max_width_px``.
        """
        self._check(image)
        line = to_gray(image, self.gray)
        if line.shape[0] > 2 * self.height_px:
            line = scale_to_height(line, 2 * self.height_px, transform)
        line = self._straighten(*self._tone(line), transform)
        self._check_width(line.shape, image.shape)
        line = scale_to_height(line, self.height_px, transform)
        if self.pad_px:
            if transform is not None:
                transform.cropped(-self.pad_px, 0)
            line = np.pad(line, ((0, 0), (self.pad_px, self.pad_px)), constant_values=255)
        # Never a view of the caller's pixels: a step that had nothing to do hands its input through.
        return line.copy() if np.may_share_memory(line, image) else np.ascontiguousarray(line)

    def _tone(self, line: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
        """Return the line with its final levels, and how many of each there are if that is known.

        Levels are counted once and their counts followed, as counting takes longer than mapping.
        """
        counts = count_levels(line)
        if self.polarity == "light_on_dark" or (self.polarity == "auto" and is_light_on_dark(counts)):
            line, counts = np.bitwise_not(line), counts[::-1]
        if self.background == "flatten":
            line = flatten_background(line)
        if self.denoise != "none":
            line = denoise_median(line) if self.denoise == "median" else denoise_bilateral(line)
        if self.binarize == "sauvola":  # before the levels, which take one paper level for the whole line
            return binarize_sauvola(line), None
        if self.background != "none" or self.denoise != "none":
            counts = count_levels(line)
        table = _contrast_table(counts) if self.contrast else _paper_table(counts)
        line, counts = _mapped(line, table), np.bincount(table, counts, minlength=256).astype(np.int64)
        return (binarize_otsu(line), None) if self.binarize == "otsu" else (line, counts)

    def _straighten(
        self, line: NDArray[np.uint8], counts: NDArray[np.int64] | None, transform: Transform | None
    ) -> NDArray[np.uint8]:
        if self.deskew:
            line = deskew(line, transform, counts)
        return deslant(line, transform) if self.deslant else line

    def _check(self, image: NDArray[np.uint8]) -> None:
        if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
            raise DataError(f"a line image must be (H, W) or (H, W, 3) uint8, not {image.shape} {image.dtype}")
        if min(image.shape[:2]) < 2:
            raise DataError(
                f"the image is {image.shape[1]} x {image.shape[0]} px, too small to hold a line; "
                "remove it from the data set"
            )
        self._check_width(image.shape, image.shape)

    def _check_width(self, shape: tuple[int, ...], source: tuple[int, ...]) -> None:
        width = scaled_width(shape[1], shape[0], self.height_px) + 2 * self.pad_px
        if width > self.max_width_px:
            raise DataError(
                f"the image of {source[1]} x {source[0]} px would become {width} x {self.height_px} px, "
                f"wider than preprocess.max_width_px={self.max_width_px}; raise that, or cut it into lines"
            )

    def to_dict(self) -> dict[str, object]:
        """Plain values, for a model file; `from_dict` reads them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocess":
        """Make one from what `to_dict` gave.

        Raises:
            ValueError: names keys that are unknown here, or a value out of its range.
        """
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(
                f"preprocess: unknown keys {', '.join(unknown)}; made by another version of htr_lightning?"
            )
        return cls(**values)
