"""Pictures of what preprocessing and augmentation do, to look at before training on it.

``python -m htr_lightning gallery LINE_IMAGE... --out FOLDER`` writes ``preprocessing.png`` and
``augmentation.png``.
"""

import argparse
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from htr_lightning.config.compose import conf_dir
from htr_lightning.image.deslant import rotate, shear
from htr_lightning.image.files import DataError, read_image
from htr_lightning.image.preprocess import Preprocess

if TYPE_CHECKING:
    from htr_lightning.data.augment import Augment

_Gray = NDArray[np.uint8]

_MAX_WIDTH_PX = 1600
_GAP_PX = 8
_LABEL_PX = 16
_GROUND = 225  # between the lines, so that their paper stands out

_PLAIN = Preprocess(height_px=64, polarity="dark_on_light", contrast=False)


def _shaded(line: _Gray) -> _Gray:
    """As photographed beside a window."""
    light = np.linspace(1.0, 0.45, line.shape[1])[None, :] * np.linspace(1.0, 0.85, line.shape[0])[:, None]
    return (line * light).astype(np.uint8)


def _faint(line: _Gray) -> _Gray:
    return (150 + line * 0.25).astype(np.uint8)


def _speckled(line: _Gray) -> _Gray:
    noise = np.random.default_rng(1).random(line.shape)
    return np.where(noise < 0.015, np.uint8(60), line)


def _grainy(line: _Gray) -> _Gray:
    noise = np.random.default_rng(1).normal(0, 14, line.shape)
    return (line * 0.8 + noise).clip(0, 255).astype(np.uint8)


# What is switched on, and what was done to the line to show it.
_SWITCHES: tuple[tuple[str, dict[str, object], str, Callable[[_Gray], _Gray]], ...] = (
    ("contrast: true", {"contrast": True}, "faded", _faint),
    ("polarity: auto", {"polarity": "auto"}, "a negative", np.bitwise_not),
    ("background: flatten", {"background": "flatten"}, "shaded", _shaded),
    ("denoise: median", {"denoise": "median"}, "with specks", _speckled),
    ("denoise: bilateral", {"denoise": "bilateral"}, "with grain", _grainy),
    ("binarize: otsu", {"binarize": "otsu"}, "gray", lambda line: line),
    ("binarize: sauvola", {"binarize": "sauvola"}, "shaded", _shaded),
    ("deskew: true", {"deskew": True}, "turned by 3 degrees", lambda line: rotate(line, 3)),
    ("deslant: true", {"deslant": True}, "sheared by 25 degrees", lambda line: shear(line, 25)),
)


def preprocess_picture(images: Sequence[NDArray[np.uint8]]) -> Image.Image:
    """Every switch of `Preprocess`, one a row: a line before it on the left, after it on the right.

    Args:
        images: at least one line, ``(H, W)`` or ``(H, W, 3)`` ``uint8``; the rows take them in turn. Each row
            first plants what its switch is there to remove, and says so.

    Returns:
        A gray picture, 1600 px wide.
    """
    half = (_MAX_WIDTH_PX - 3 * _GAP_PX) // 2
    rows: list[tuple[str, _Gray, str, _Gray]] = []
    for index, (label, switch, planted, plant) in enumerate(_SWITCHES):
        before = plant(_PLAIN(images[index % len(images)]))
        values = {**_PLAIN.to_dict(), **switch}
        rows.append((f"before: {planted}", before, label, Preprocess.from_dict(values)(before)))
    cells = [[(left, _fit(before, half)), (right, _fit(after, half))] for left, before, right, after in rows]
    return _table(cells, half)


def augment_picture(
    lines: Sequence[NDArray[np.uint8]], augment: "Augment", num_draws: int = 6, seed: int = 1
) -> Image.Image:
    """Lines as they are, each with some random draws of an augmentation below it, in two columns.

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
            pixels = (255 - 255 * image[:, : int(width)]).round().clamp(0, 255)
            stack.append(_fit(pixels.to(torch.uint8).numpy(), half))
    cells = [
        [("original, and random draws", _stack(stack)) for stack in stacks[i : i + 2]] for i in range(0, len(stacks), 2)
    ]
    return _table(cells, half)


def _fit(image: _Gray, width: int) -> _Gray:
    """Cut at the right, or fill up with the ground's gray."""
    image = image[:, :width]
    return np.pad(image, ((0, 0), (0, width - image.shape[1])), constant_values=_GROUND)


def _stack(images: Sequence[_Gray]) -> _Gray:
    gap = np.full((2, images[0].shape[1]), _GROUND, np.uint8)
    return np.vstack([part for image in images for part in (image, gap)])


def _table(cells: Sequence[Sequence[tuple[str, _Gray]]], column_px: int) -> Image.Image:
    """Labeled images in rows and columns."""
    heights = [max(image.shape[0] for _, image in row) + _LABEL_PX + _GAP_PX for row in cells]
    picture = Image.new("L", (_MAX_WIDTH_PX, sum(heights) + _GAP_PX), _GROUND)
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


def _save(picture: Image.Image, path: Path, num_levels: int) -> None:
    """Write with few levels of gray: a picture in a README need not be large."""
    picture.quantize(num_levels, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path)


def _strong() -> "Augment":
    from omegaconf import OmegaConf

    from htr_lightning.data.augment import Augment

    values = OmegaConf.to_container(OmegaConf.load(conf_dir() / "augment" / "strong.yaml"))
    assert isinstance(values, dict)
    return Augment(**{str(key): value for key, value in values.items() if key != "_target_"})


def _page_picture(path: Path, images: Path | None) -> Image.Image:
    from htr_lightning.data.sources.page_images import PageImages
    from htr_lightning.image.files import ImageFile
    from htr_lightning.layout.formats import read_layout
    from htr_lightning.report.layout_picture import draw_layout

    page = read_layout(path)
    # Beside the layout, or one folder up, as Transkribus and eScriptorium have it.
    folders = [images] if images else [path.absolute().parent, path.absolute().parent.parent]
    found: Path | None = None
    for folder in folders:
        with contextlib.suppress(DataError):
            found = found or PageImages(folder).find(path, page.image_name)
    if found is None:
        raise DataError(f"{path}: its image {page.image_name!r} is not found; name its folder with --images")
    return draw_layout(page, ImageFile(found))


def main(argv: Sequence[str] | None = None) -> None:
    """Write the pictures for the line images and layouts named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning gallery",
        description="Show what preprocessing and augmentation do to lines; for a layout (ALTO, PAGE), what is cut from "
        "its page.",
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="image file of one line, or XML file of a page beside its image",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the PNG files")
    parser.add_argument(
        "--images", type=Path, metavar="FOLDER", help="folder of the page images (default: where the XML is)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the random draws (default: 1)")
    arguments = parser.parse_args(argv)
    try:
        layouts = [path for path in arguments.files if path.suffix.lower() == ".xml"]
        images = [read_image(path) for path in arguments.files if path not in layouts]
        lines = [Preprocess()(image) for image in images[:8]]
        arguments.out.mkdir(parents=True, exist_ok=True)
        for path in layouts:
            _save(_page_picture(path, arguments.images), arguments.out / f"{path.stem}.png", 64)
        if images:
            _save(preprocess_picture(images), arguments.out / "preprocessing.png", 64)
            _save(augment_picture(lines, _strong(), seed=arguments.seed), arguments.out / "augmentation.png", 8)
    except DataError as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(f"--out {arguments.out}: cannot be written ({error.strerror})") from None
