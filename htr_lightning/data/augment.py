"""Augmentation of a batch of lines, on the device of the batch.

Batches are float ``(N, 1, H, W)``: 0 is paper and 1 is ink; pixels to the right of a line's width are 0. All randomness
comes from one generator on the CPU, so that the augmentation of a batch can be reproduced.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from htr_lightning.data.random_draws import choose_rows, draw_uniform, make_device_generator
from htr_lightning.errors import InputError

# Distance of ruling lines as a fraction of the height; of ruled paper, an image shows one line or two.
_SQUARED_PERIODS = (0.3, 0.6)
_RULED_PERIODS = (0.7, 1.0)
_MIN_SCALE = 0.1


@dataclass(frozen=True)
class Augment:
    """Random variation of lines: handwriting, pen, paper and scanner. The defaults change nothing.

    The steps, in this order: geometry (scale, shear, rotation, shift and elastic distortion in one
    resampling); stroke width; gamma; contrast; ruling lines; show-through; blur; noise; span masks. Probabilities are
    per line; other amounts are drawn uniformly for each line from their range. Ranges are ``[low, high]``.

    The canvas becomes as wide as the transformed lines need, so nothing is cut off on the left or right. Its
    height does not change: ``scale_y`` above 1, ``shift_y`` and rotation may move a stroke over the upper or lower
    edge.

    Args:
        shear_degrees: maximum shear to either side, under 60.
        rotate_degrees: maximum rotation to either side, under 45; less for long lines, whose ends move up
            or down by at most an eighth of the height.
        scale_x: range of the horizontal scale; above 1 widens.
        scale_y: range of the vertical scale.
        shift_y: maximum vertical shift to either side, as a fraction of the height.
        elastic_px: maximum displacement of the elastic distortion, in input pixels (Simard et al. 2003,
            with a coarse grid of displacements in place of a blurred field).
        elastic_cell_px: distance between the nodes of that grid.
        zone_px: maximum vertical displacement of the rows of that grid, constant along a line. It varies the height of
            ascenders and the depth of descenders relative to the x-height, as writers do.
        stroke_probability: probability of thicker or thinner strokes, by partial gray dilation or erosion of 3 x 3 px.
        gamma: range of the exponent of the ink; below 1 makes faint strokes darker.
        contrast: range of the factor of the ink; the result is clipped at 1.
        ruling_probability: probability of ruled, dotted or squared paper.
        show_through_probability: probability that another line of the batch shows through, faint and mirrored.
        blur_probability: probability of a blur of up to 1.2 px standard deviation.
        noise_std: maximum standard deviation of Gaussian noise; each line draws its own.
        span_mask_probability: probability that paper replaces a few vertical spans.
        span_mask_count: maximum number of masked spans in a line.
        span_mask_width_px: maximum width of a span; the minimum is a quarter of it. A span never covers more than an
            eighth of the line.
        width_multiple_px: the canvas is rounded up to a multiple of this when the geometry changes it; with few
            different widths, the network reuses its compiled kernels.

    Raises:
        InputError: a value is out of range; its key is ``augment.<name>``.
    """

    shear_degrees: float = 0.0
    rotate_degrees: float = 0.0
    scale_x: Sequence[float] = (1.0, 1.0)
    scale_y: Sequence[float] = (1.0, 1.0)
    shift_y: float = 0.0
    elastic_px: float = 0.0
    elastic_cell_px: int = 24
    zone_px: float = 0.0
    stroke_probability: float = 0.0
    gamma: Sequence[float] = (1.0, 1.0)
    contrast: Sequence[float] = (1.0, 1.0)
    ruling_probability: float = 0.0
    show_through_probability: float = 0.0
    blur_probability: float = 0.0
    noise_std: float = 0.0
    span_mask_probability: float = 0.0
    span_mask_count: int = 2
    span_mask_width_px: int = 24
    width_multiple_px: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if name.endswith("_probability"):
                _check(0 <= value <= 1, name, value, "give a probability, 0 to 1")
            elif name in ("scale_x", "scale_y", "gamma", "contrast"):
                lowest = 0.0 if name == "contrast" else _MIN_SCALE
                is_range = len(value) == 2 and lowest <= value[0] <= value[1] < math.inf
                _check(is_range, name, value, f"give [low, high] with {lowest} <= low <= high")
            elif name in ("elastic_cell_px", "span_mask_count", "span_mask_width_px", "width_multiple_px"):
                _check(value >= 1, name, value, "give 1 or more")
        _check(0 <= self.shear_degrees < 60, "shear_degrees", self.shear_degrees, "give at least 0 and less than 60")
        _check(0 <= self.rotate_degrees < 45, "rotate_degrees", self.rotate_degrees, "give at least 0 and less than 45")
        _check(0 <= self.shift_y <= 0.5, "shift_y", self.shift_y, "give a fraction of the height, 0 to 0.5")
        _check(0 <= self.elastic_px < math.inf, "elastic_px", self.elastic_px, "give 0 or more")
        _check(0 <= self.zone_px < math.inf, "zone_px", self.zone_px, "give 0 or more")
        _check(0 <= self.noise_std <= 1, "noise_std", self.noise_std, "give 0 to 1")

    @torch.no_grad()
    def __call__(
        self, images: Tensor, widths: Tensor, generator: torch.Generator, num_views: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            images: float32 ``(N, 1, H, W)``, paper 0 and ink 1; not modified.
            widths: int64 ``(N,)`` on the CPU, width of each line in px, without the padding.
            generator: a CPU generator, the only source of randomness. On another device the same
                generator gives the same result except for the noise.
            num_views: V, the number of augmented views of each line. Views of a line share their geometry, so that a
                column is the same position in all of them; the other steps are random for each view.

        Returns:
            Images ``(V N, 1, H, W')`` and widths ``(V N,)``: the first view of all lines, then the second. The given
            tensors themselves if no step changes anything and there is one view.
        """
        if len(images) == 0:
            return images, widths
        varied, widths = self._warp(images, widths, generator)
        if num_views > 1:
            varied, widths = varied.repeat(num_views, 1, 1, 1), widths.repeat(num_views)
        varied = self._vary_strokes(varied, generator)
        varied = self._vary_tone(varied, generator)
        varied = self._vary_paper(varied, widths, generator)
        varied = self._vary_scan(varied, generator)
        varied = self._mask_spans(varied, widths, generator)
        if varied is images:
            return images, widths
        columns = torch.arange(varied.shape[3])
        inside = (columns < widths[:, None]).to(varied.device)
        return varied * inside[:, None, None, :], widths

    def _warp(self, images: Tensor, widths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Resample each line through an affine map and an elastic displacement."""
        scales = (*self.scale_x, *self.scale_y)
        amounts = (self.shear_degrees, self.rotate_degrees, self.shift_y, self.elastic_px, self.zone_px)
        if not any(amounts) and all(scale == 1 for scale in scales):
            return images, widths
        num, height = images.shape[0], images.shape[2]
        scale_x, scale_y = draw_uniform(num, self.scale_x, generator), draw_uniform(num, self.scale_y, generator)
        tangent = torch.tan(draw_uniform(num, (-self.shear_degrees, self.shear_degrees), generator).deg2rad())
        max_angle = torch.atan(0.25 * height / (scale_x * widths)).clamp(max=math.radians(self.rotate_degrees))
        angle = draw_uniform(num, (-1, 1), generator) * max_angle
        shift = draw_uniform(num, (-self.shift_y, self.shift_y), generator) * height
        forward = _build_affine(scale_x, scale_y, tangent, angle)
        content = torch.stack((widths, torch.full_like(widths, height)), 1) + 2 * self.elastic_px
        new_widths = ((forward[:, 0].abs() * content).sum(1) - 1e-3).ceil().long().clamp(min=1)
        multiple = self.width_multiple_px
        canvas = math.ceil(int(new_widths.max()) / multiple) * multiple
        nodes = self._sample_nodes(forward.inverse(), shift, widths, new_widths, images.shape, canvas, generator)
        # An affine map is linear between nodes, so one interpolation covers both the map and the distortion.
        grid = F.interpolate(nodes.to(images.device), size=(height, canvas), mode="bilinear", align_corners=True)
        warped = F.grid_sample(images, grid.permute(0, 2, 3, 1), align_corners=False)
        return warped, new_widths

    def _sample_nodes(
        self,
        backward: Tensor,
        shift: Tensor,
        widths: Tensor,
        new_widths: Tensor,
        shape: torch.Size,
        canvas: int,
        generator: torch.Generator,
    ) -> Tensor:
        """Return the source of each node of a coarse grid over the canvas: ``(N, 2, rows, columns)``, -1..1."""
        height, width = shape[2:]
        rows = max(2, math.ceil(height / self.elastic_cell_px) + 1)
        columns = max(2, math.ceil(canvas / self.elastic_cell_px) + 1)
        y = torch.linspace(0.5, height - 0.5, rows)[None, :, None] - height / 2 - shift[:, None, None]
        x = torch.linspace(0.5, canvas - 0.5, columns)[None, None, :] - new_widths[:, None, None] / 2
        coefficient = backward[:, :, :, None, None]
        source_x = coefficient[:, 0, 0] * x + coefficient[:, 0, 1] * y + widths[:, None, None] / 2
        source_y = coefficient[:, 1, 0] * x + coefficient[:, 1, 1] * y + height / 2
        source = torch.stack((source_x, source_y), 1)
        if self.elastic_px:
            source += (torch.rand(source.shape, generator=generator) * 2 - 1) * self.elastic_px
        if self.zone_px:
            source[:, 1] += (torch.rand((len(source), rows, 1), generator=generator) * 2 - 1) * self.zone_px
        return source * torch.tensor((2 / width, 2 / height))[:, None, None] - 1

    def _vary_strokes(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Dilate or erode strokes; erosion is only partial, because a thin stroke would vanish."""
        chosen = choose_rows(len(images), self.stroke_probability, generator)
        if not len(chosen):
            return images
        amount = _broadcast(draw_uniform(len(chosen), (-0.5, 1.0), generator), images)
        chosen = chosen.to(images.device)
        lines = images[chosen]
        sign = torch.where(amount < 0, -1.0, 1.0)  # erosion is the dilation of the negative
        pooled = F.max_pool2d(lines * sign, kernel_size=3, stride=1, padding=1) * sign
        return images.index_copy(0, chosen, torch.lerp(lines, pooled, amount.abs()))

    def _vary_tone(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Apply gamma, then contrast."""
        if tuple(self.gamma) != (1, 1):
            gamma = _broadcast(draw_uniform(len(images), self.gamma, generator), images)
            images = images.clamp(min=0).pow_(gamma)
        if tuple(self.contrast) != (1, 1):
            factor = _broadcast(draw_uniform(len(images), self.contrast, generator), images)
            images = (images * factor).clamp_(0, 1)
        return images

    def _vary_paper(self, images: Tensor, widths: Tensor, generator: torch.Generator) -> Tensor:
        """Add ruling lines, then the next line of the batch as show-through."""
        num, device = len(images), images.device
        ruled = choose_rows(num, self.ruling_probability, generator)
        if len(ruled):
            ruling = _draw_ruling(len(ruled), images.shape[2], images.shape[3], generator).to(device)
            ruled = ruled.to(device)
            images = images.index_copy(0, ruled, torch.maximum(images[ruled], ruling))
        shown = choose_rows(num, self.show_through_probability, generator)
        if len(shown):
            strength = _broadcast(draw_uniform(len(shown), (0.05, 0.25), generator), images)
            # Mirror the next line within the width of this line, not of the canvas.
            mirrored = (widths[shown, None] - 1 - torch.arange(images.shape[3])).clamp(min=0).to(device)
            behind = images[((shown + 1) % num).to(device)]
            behind = behind.gather(3, mirrored[:, None, None, :].expand_as(behind))
            shown = shown.to(device)
            faint = F.avg_pool2d(behind, kernel_size=3, stride=1, padding=1) * strength
            images = images.index_copy(0, shown, torch.maximum(images[shown], faint))
        return images

    def _vary_scan(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Blur, then add noise."""
        device = images.device
        blurred = choose_rows(len(images), self.blur_probability, generator)
        if len(blurred):
            amount = _broadcast(draw_uniform(len(blurred), (0.2, 1.0), generator), images)
            blurred = blurred.to(device)
            lines = images[blurred]
            smoothed = lines
            for _ in range(2):  # two box filters of 3 px: a standard deviation of 1.2 px
                smoothed = F.avg_pool2d(smoothed, kernel_size=3, stride=1, padding=1)
            images = images.index_copy(0, blurred, torch.lerp(lines, smoothed, amount))
        if self.noise_std:
            std = _broadcast(draw_uniform(len(images), (0, self.noise_std), generator), images)
            noise = torch.randn(images.shape, generator=make_device_generator(device, generator), device=device)
            images = noise.mul_(std).add_(images).clamp_(0, 1)
        return images

    def _mask_spans(self, images: Tensor, widths: Tensor, generator: torch.Generator) -> Tensor:
        """Replace vertical spans by paper."""
        chosen = choose_rows(len(images), self.span_mask_probability, generator)
        if not len(chosen):
            return images
        size = (len(chosen), self.span_mask_count)
        width = widths[chosen, None]
        length = (torch.rand(size, generator=generator) * 0.75 + 0.25) * (width / 8).clamp(max=self.span_mask_width_px)
        start = torch.rand(size, generator=generator) * (width - length)
        # A random number of these spans is used, but at least the first.
        used = torch.arange(size[1]) <= (torch.rand((size[0], 1), generator=generator) * size[1]).floor()
        column = torch.arange(images.shape[3])
        inside = (column >= start[..., None]) & (column < (start + length)[..., None]) & used[..., None]
        keep = torch.ones((len(images), images.shape[3]), dtype=images.dtype)
        keep[chosen] = (~inside.any(1)).to(images.dtype)
        return images * keep.to(images.device)[:, None, None, :]


def _build_affine(scale_x: Tensor, scale_y: Tensor, tangent: Tensor, angle: Tensor) -> Tensor:
    """Return ``(N, 2, 2)`` matrices about the center: scale, then shear (the top to the right), then rotate."""
    cos, sin = angle.cos(), angle.sin()
    x = torch.stack((cos * scale_x, -(cos * tangent + sin) * scale_y), 1)
    y = torch.stack((sin * scale_x, (cos - sin * tangent) * scale_y), 1)
    return torch.stack((x, y), 1)


def _draw_ruling(num: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw the ink of ruled, dotted and squared paper: ``(num, 1, height, width)``."""
    squared = torch.rand((num, 1), generator=generator) < 0.3
    squared_periods, ruled_periods = (
        draw_uniform(num, bounds, generator) for bounds in (_SQUARED_PERIODS, _RULED_PERIODS)
    )
    period = torch.where(squared, squared_periods[:, None], ruled_periods[:, None]) * height
    strength = draw_uniform(num, (0.15, 0.7), generator)[:, None, None, None]
    thickness = draw_uniform(num, (0.6, 1.4), generator)[:, None]
    dotted = torch.rand((num, 1), generator=generator) < 0.3

    def draw_profile(size: int) -> Tensor:
        position = torch.arange(size) + torch.rand((num, 1), generator=generator) * period
        distance = (position % period - period / 2).abs()
        return (thickness + 0.5 - distance).clamp(0, 1)

    rows, columns = draw_profile(height), draw_profile(width) * squared
    gaps = (torch.arange(width) % 6 < 3) | ~dotted
    return torch.maximum(rows[:, None, :, None] * gaps[:, None, None, :], columns[:, None, None, :]) * strength


def _check(is_valid: bool, name: str, value: object, remedy: str) -> None:
    if not is_valid:
        raise InputError("the value is out of range", remedy=remedy, key=f"augment.{name}", value=value, kind="range")


def _broadcast(values: Tensor, images: Tensor) -> Tensor:
    """Reshape one number per line, ``(N,)``, to ``(N, 1, 1, 1)`` on the device of the images."""
    return values.to(images.device)[:, None, None, None]
