"""Preprocessing of line images: gray, paper 255, ink dark, of one height. Pure functions of the pixels.

Every function here takes and returns ``(H, W)`` gray ``uint8`` images unless it says otherwise; `Preprocess` applies
them and those of `htr_lightning.image.levels` and `htr_lightning.image.deslant` in sequence. Random operations are in
`htr_lightning.data.augment`.
"""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.errors import InputError
from htr_lightning.image.deslant import deskew, deslant
from htr_lightning.image.files import MAX_PIXELS, DataError
from htr_lightning.image.levels import (
    apply_lut,
    binarize_otsu,
    binarize_sauvola,
    build_contrast_lut,
    build_paper_lut,
    compute_histogram,
    denoise_bilateral,
    denoise_median,
    flatten_background,
    is_light_on_dark,
)
from htr_lightning.image.transform import Transform

# A model file sets these values too: with the upper limits, no file can ask for all memory of a machine.
_RANGES = {"height_px": (8, 1024), "pad_px": (0, 1024), "max_width_px": (8, 100_000), "max_pixels": (64, 2**31)}
LIMITS = ("max_width_px", "max_pixels")
"""Settings of `Preprocess` that refuse images, and change no pixel."""


def to_gray(image: NDArray[np.uint8], gray: Literal["luminance", "darkest_channel"]) -> NDArray[np.uint8]:
    """Convert ``(H, W, 3)`` RGB to ``(H, W)``; a gray image is returned unchanged.

    ``luminance`` weights the channels as the eye does (ITU-R BT.601). ``darkest_channel`` takes their minimum:
    colored ink, such as pale blue or red, is dark in at least one of them.
    """
    if image.ndim == 2:
        return image
    if gray == "luminance":
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    return np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])


def scale_to_height(image: NDArray[np.uint8], height_px: int, transform: Transform | None = None) -> NDArray[np.uint8]:
    """Resize to a height and keep the aspect ratio: area interpolation to shrink, cubic to enlarge.

    A transform records the resize.
    """
    height, width = image.shape
    if height == height_px:
        return image
    size = (compute_scaled_width(width, height, height_px), height_px)
    if transform is not None:
        transform.record_resize(image.shape, size[::-1])
    interpolation = cv2.INTER_AREA if height_px < height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)


def compute_scaled_width(width: int, height: int, height_px: int) -> int:
    """Return the width of an image after `scale_to_height`, at least 1."""
    return max(1, round(width * height_px / height))


@dataclass(frozen=True)
class Preprocess:
    """Deterministic preprocessing of line images, the same for training and prediction.

    The steps, in this order: gray; shrink to twice the height (so that all scanner resolutions cost the same);
    polarity; background; denoise; contrast; binarize; deskew; deslant; scale to the height; pad. The steps after
    binarization make edges gray again. ``binarize=sauvola`` replaces ``contrast``.

    Blank paper becomes exactly 255, with and without ``contrast``, because batches are padded with 255.

    Args:
        height_px: height of the result, 8 to 1024.
        gray: conversion of colors to gray; see `to_gray`.
        polarity: whether ink is darker or lighter than the background; ``auto`` detects it (`is_light_on_dark`).
        background: ``flatten`` divides by the estimated paper (`flatten_background`), for photographs, folds, stains.
        denoise: ``median`` removes specks, ``bilateral`` removes grain.
        binarize: ``otsu`` uses one threshold per line, ``sauvola`` a local threshold.
        deskew: rotate the line to the horizontal.
        deslant: shear the strokes upright.
        contrast: stretch paper to 255 and ink to 0 (`stretch_contrast`); False only scales the gray levels so that
            the median, which is paper, becomes 255.
        pad_px: blank columns added left and right after scaling, at most 1024.
        max_width_px: maximum width of the result, padding included; at most 100,000.
        max_pixels: maximum number of pixels of an image file, of the whole page for lines that are cropped from one.
            Decoding takes about 4 bytes for each. Formats that take more in their decoders (WebP, AVIF, progressive
            JPEG, JPEG 2000 without tiles) count with more pixels than they have. Pillow refuses more than about 179
            million, whatever this limit is.

    Raises:
        InputError: a value is out of its range; ``key`` is ``preprocess.<name>``.
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
        for name, hint in typing.get_type_hints(type(self)).items():
            value, choices = getattr(self, name), typing.get_args(hint)
            key = f"preprocess.{name}"
            if choices and value not in choices:
                raise InputError("unknown value", key=key, value=value, remedy=f"choose from {', '.join(choices)}")
            if not choices and type(value) is not hint:
                article = "an" if hint is int else "a"
                raise InputError(f"the value must be {article} {hint.__name__}", key=key, value=value)
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:
                problem, remedy = ("small", f"at least {least}") if value < least else ("large", f"at most {most}")
                raise InputError(
                    f"the value is too {problem}", key=f"preprocess.{name}", value=value, remedy=f"set {remedy}"
                )

    def __call__(self, image: NDArray[np.uint8], transform: Transform | None = None) -> NDArray[np.uint8]:
        """Preprocess a line.

        Args:
            image: ``(H, W)`` gray or ``(H, W, 3)`` RGB, ``uint8``.
            transform: records the geometry, to map points of the result to points of the image.

        Returns:
            ``(height_px, W')`` gray ``uint8``, paper 255, ink dark, C-contiguous.

        Raises:
            DataError: the image is smaller than 2 px, not of 8 bits, or would be wider than ``max_width_px``.
        """
        self._check(image)
        line = to_gray(image, self.gray)
        if line.shape[0] > 2 * self.height_px:
            line = scale_to_height(line, 2 * self.height_px, transform)
        line = self._normalize_geometry(*self._normalize_levels(line), transform)
        self._check_width(line.shape, image.shape)
        line = scale_to_height(line, self.height_px, transform)
        if self.pad_px:
            if transform is not None:
                transform.record_crop(-self.pad_px, 0)
            line = np.pad(line, ((0, 0), (self.pad_px, self.pad_px)), constant_values=255)
        # Never a view of the caller's pixels: a step that has nothing to do returns its input.
        return line.copy() if np.may_share_memory(line, image) else np.ascontiguousarray(line)

    def _normalize_levels(self, line: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
        """Return the line with its final gray levels, and their histogram if it is known.

        The histogram is computed once and then updated, as computing it takes longer than applying a lookup table.
        """
        histogram = compute_histogram(line)
        if self.polarity == "light_on_dark" or (self.polarity == "auto" and is_light_on_dark(histogram)):
            line, histogram = np.bitwise_not(line), histogram[::-1]
        if self.background == "flatten":
            line = flatten_background(line)
        if self.denoise != "none":
            line = denoise_median(line) if self.denoise == "median" else denoise_bilateral(line)
        if self.binarize == "sauvola":  # before contrast, which assumes one paper level for the whole line
            return binarize_sauvola(line), None
        if self.background != "none" or self.denoise != "none":
            histogram = compute_histogram(line)
        lut = build_contrast_lut(histogram) if self.contrast else build_paper_lut(histogram)
        line, histogram = apply_lut(line, lut), np.bincount(lut, histogram, minlength=256).astype(np.int64)
        return (binarize_otsu(line), None) if self.binarize == "otsu" else (line, histogram)

    def _normalize_geometry(
        self, line: NDArray[np.uint8], histogram: NDArray[np.int64] | None, transform: Transform | None
    ) -> NDArray[np.uint8]:
        if self.deskew:
            line = deskew(line, transform, histogram)
        return deslant(line, transform) if self.deslant else line

    def _check(self, image: NDArray[np.uint8]) -> None:
        if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
            raise DataError(
                f"a line image must be (H, W) or (H, W, 3) uint8, not {image.shape} {image.dtype}", kind="format"
            )
        if min(image.shape[:2]) < 2:
            raise DataError(
                f"the image is {image.shape[1]} x {image.shape[0]} px, too small to hold a line",
                remedy="remove it from the dataset",
                kind="too_small",
            )
        self._check_width(image.shape, image.shape)

    def _check_width(self, shape: tuple[int, ...], source: tuple[int, ...]) -> None:
        width = compute_scaled_width(shape[1], shape[0], self.height_px) + 2 * self.pad_px
        if width > self.max_width_px:
            raise DataError(
                f"the image of {source[1]} x {source[0]} px would become {width} x {self.height_px} px, "
                f"wider than preprocess.max_width_px={self.max_width_px}",
                remedy="increase the limit, or crop the image into lines",
                kind="too_wide",
            )

    def find_differences(self, other: "Preprocess") -> list[str]:
        """Return the names of the settings by which another preprocessing gives other pixels."""
        names = [field.name for field in dataclasses.fields(self) if field.name not in LIMITS]
        return [name for name in names if getattr(self, name) != getattr(other, name)]

    def to_dict(self) -> dict[str, object]:
        """Return plain values for a model file; `from_dict` is the inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocess":
        """Create an instance from the values of `to_dict`.

        Raises:
            InputError: a key is unknown, or a value is out of its range.
        """
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise InputError(
                f"unknown keys {', '.join(unknown)}",
                key="preprocess",
                remedy="use the version of htr_lightning that wrote them",
            )
        return cls(**values)
