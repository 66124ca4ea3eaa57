"""Pictures of the effect of preprocessing and augmentation on lines."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from htr_lightning.image.deslant import rotate, shear
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.report.panel import ink_to_gray

if TYPE_CHECKING:
    from htr_lightning.data.augment import Augment

_Gray = NDArray[np.uint8]

_MAX_WIDTH_PX = 1600
_GAP_PX = 8
_LABEL_PX = 16
_MARGIN_GRAY = 225  # between the lines, so that their background stands out

_PLAIN = Preprocess(height_px=64, polarity="dark_on_light", contrast=False)


def _shade(line: _Gray) -> _Gray:
    """Darken towards one corner, as in a photograph taken beside a window."""
    light = np.linspace(1.0, 0.45, line.shape[1])[None, :] * np.linspace(1.0, 0.85, line.shape[0])[:, None]
    return (line * light).astype(np.uint8)


def _fade(line: _Gray) -> _Gray:
    return (150 + line * 0.25).astype(np.uint8)


def _add_specks(line: _Gray) -> _Gray:
    noise = np.random.default_rng(1).random(line.shape)
    return np.where(noise < 0.015, np.uint8(60), line)


def _add_grain(line: _Gray) -> _Gray:
    noise = np.random.default_rng(1).normal(0, 14, line.shape)
    return (line * 0.8 + noise).clip(0, 255).astype(np.uint8)


# Label, option of `Preprocess`, the defect that it removes, and how the defect is added to a line.
_OPTIONS: tuple[tuple[str, dict[str, object], str, Callable[[_Gray], _Gray]], ...] = (
    ("contrast: true", {"contrast": True}, "faded", _fade),
    ("polarity: auto", {"polarity": "auto"}, "a negative", np.bitwise_not),
    ("background: flatten", {"background": "flatten"}, "shaded", _shade),
    ("denoise: median", {"denoise": "median"}, "with specks", _add_specks),
    ("denoise: bilateral", {"denoise": "bilateral"}, "with grain", _add_grain),
    ("binarize: otsu", {"binarize": "otsu"}, "gray", lambda line: line),
    ("binarize: sauvola", {"binarize": "sauvola"}, "shaded", _shade),
    ("deskew: true", {"deskew": True}, "turned by 3 degrees", lambda line: rotate(line, 3)),
    ("deslant: true", {"deslant": True}, "sheared by 25 degrees", lambda line: shear(line, 25)),
)


def draw_preprocessing(images: Sequence[NDArray[np.uint8]]) -> Image.Image:
    """Draw the effect of each option of `Preprocess` in a row of its own: a line before (left) and after (right).

    Args:
        images: at least one line, ``(H, W)`` or ``(H, W, 3)`` ``uint8``; the rows take them in turn. Each row first
            adds the defect that its option removes, and says so.

    Returns:
        A gray picture, 1600 px wide.
    """
    half = (_MAX_WIDTH_PX - 3 * _GAP_PX) // 2
    rows: list[tuple[str, _Gray, str, _Gray]] = []
    for index, (label, option, defect, add_defect) in enumerate(_OPTIONS):
        before = add_defect(_PLAIN(images[index % len(images)]))
        values = {**_PLAIN.to_dict(), **option}
        rows.append((f"before: {defect}", before, label, Preprocess.from_dict(values)(before)))
    cells = [[(left, _fit(before, half)), (right, _fit(after, half))] for left, before, right, after in rows]
    return _draw_table(cells, half)


def draw_augmentation(
    lines: Sequence[NDArray[np.uint8]], augment: "Augment", num_draws: int = 6, seed: int = 1
) -> Image.Image:
    """Draw lines with random draws of an augmentation below each, in two columns.

    Args:
        lines: preprocessed lines, ``(height_px, W)`` ``uint8``, paper 255, all of one height.
        augment: what to draw from; see `htr_lightning.data.augment.Augment`.
        num_draws: pictures of each line besides the original.
        seed: of the random draws.

    Returns:
        A gray picture, 1600 px wide; lines too long for half of it are cut at the right.
    """
    import torch

    from htr_lightning.image.ink import to_ink

    generator = torch.Generator().manual_seed(seed)
    half = (_MAX_WIDTH_PX - 3 * _GAP_PX) // 2
    ink, widths = torch.zeros(len(lines), 1, lines[0].shape[0], max(x.shape[1] for x in lines)), []
    for row, line in zip(ink, lines, strict=True):
        row[0, :, : line.shape[1]] = to_ink(torch.from_numpy(line))
        widths.append(line.shape[1])
    stacks = [[_fit(line, half)] for line in lines]
    for _ in range(num_draws):
        drawn, drawn_widths = augment(ink, torch.tensor(widths), generator)
        for stack, image, width in zip(stacks, drawn[:, 0], drawn_widths, strict=True):
            stack.append(_fit(ink_to_gray(image[:, : int(width)].numpy()), half))
    cells = [
        [("original, and random draws", _stack(stack)) for stack in stacks[i : i + 2]] for i in range(0, len(stacks), 2)
    ]
    return _draw_table(cells, half)


def _fit(image: _Gray, width: int) -> _Gray:
    """Crop at the right, or pad with the gray of the margins."""
    image = image[:, :width]
    return np.pad(image, ((0, 0), (0, width - image.shape[1])), constant_values=_MARGIN_GRAY)


def _stack(images: Sequence[_Gray]) -> _Gray:
    gap = np.full((2, images[0].shape[1]), _MARGIN_GRAY, np.uint8)
    return np.vstack([part for image in images for part in (image, gap)])


def _draw_table(cells: Sequence[Sequence[tuple[str, _Gray]]], column_px: int) -> Image.Image:
    """Draw labeled images in rows and columns."""
    heights = [max(image.shape[0] for _, image in row) + _LABEL_PX + _GAP_PX for row in cells]
    picture = Image.new("L", (_MAX_WIDTH_PX, sum(heights) + _GAP_PX), _MARGIN_GRAY)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=13)
    top = _GAP_PX
    for row, height in zip(cells, heights, strict=True):
        left = _GAP_PX
        for label, image in row:
            draw.text((left, top - 2), label, fill=0, font=font)
            picture.paste(Image.fromarray(image), (left, top + _LABEL_PX))
            left += column_px + _GAP_PX
        top += height
    return picture
