"""Random variation of a batch of lines, on the device that holds it.

Batches are ink: float ``(N, 1, H, W)``, 0 is paper and 1 is ink, 0 on the right of each line's width. All
that is random comes from one generator on the CPU, so that a batch can be replayed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

# Of the height: of squared paper, and of ruled paper, of which one line or two are in sight.
_SQUARE_PERIODS = (0.3, 0.6)
_RULE_PERIODS = (0.7, 1.0)
_MIN_SCALE = 0.1


@dataclass(frozen=True)
class Augment:
    """Varies lines as hands, pens, paper and scanners do; the defaults change nothing.

    The steps, in this order: geometry (scale, shear, rotation, shift and elastic distortion in one
    resampling); stroke; gamma; contrast; ruling; show-through; blur; noise; span masks. Probabilities are per
    line; other amounts are drawn uniformly for each line from their range. Ranges are ``[low, high]``.

    The canvas becomes as wide as the transformed lines need, so nothing is cut off on the left or right. Its
    height is the model's and stays: ``scale_y`` above 1, ``shift_y`` and rotation may push a stroke over the
    upper or lower edge.

    Args:
        shear_degrees: largest lean to either side, under 60.
        rotate_degrees: largest rotation to either side, under 45; less for long lines, whose ends move up
            or down by at most an eighth of the height.
        scale_x: range of the horizontal scale; above 1 widens.
        scale_y: range of the vertical scale.
        shift_y: largest vertical shift to either side, as a fraction of the height.
        elastic_px: largest displacement of the elastic distortion, in input pixels (Simard et al. 2003,
            with a coarse grid of displacements in place of a blurred field).
        elastic_cell_px: distance of that grid's nodes.
        zone_px: largest vertical displacement of that grid's rows, the same all along a line: hands differ in how high
            their ascenders are, and how deep their descenders, as against their small letters.
        stroke_probability: of thicker or thinner strokes, by gray dilation or erosion of 3 x 3 px, in part.
        gamma: range of the exponent of ink, drawn uniformly; below 1 makes faint strokes stronger.
        contrast: range of the factor of ink; the result is cut at 1.
        ruling_probability: of ruled, dotted or squared paper.
        show_through_probability: of another line of the batch showing faintly, mirrored.
        blur_probability: of a blur of up to 1.2 px standard deviation.
        noise_std: largest standard deviation of Gaussian noise; each line draws its own.
        span_mask_probability: of paper in place of a few vertical spans.
        span_mask_count: most spans masked in a line.
        span_mask_width_px: widest span, down to a quarter of it; never more than an eighth of the line.
        width_multiple_px: the canvas is rounded up to a multiple of this when the geometry changes it; few
            different widths let the kernels of the network be reused.

    Raises:
        ValueError: a value is out of its range; names ``augment.<key>``.
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
                _require(0 <= value <= 1, name, value, "give a probability, 0 to 1")
            elif name in ("scale_x", "scale_y", "gamma", "contrast"):
                least = 0.0 if name == "contrast" else _MIN_SCALE
                ordered = len(value) == 2 and least <= value[0] <= value[1] < math.inf
                _require(ordered, name, value, f"give [low, high] with {least} <= low <= high")
            elif name in ("elastic_cell_px", "span_mask_count", "span_mask_width_px", "width_multiple_px"):
                _require(value >= 1, name, value, "give 1 or more")
        _require(0 <= self.shear_degrees < 60, "shear_degrees", self.shear_degrees, "give 0 up to 60")
        _require(0 <= self.rotate_degrees < 45, "rotate_degrees", self.rotate_degrees, "give 0 up to 45")
        _require(0 <= self.shift_y <= 0.5, "shift_y", self.shift_y, "give a fraction of the height, 0 to 0.5")
        _require(0 <= self.elastic_px < math.inf, "elastic_px", self.elastic_px, "give 0 or more")
        _require(0 <= self.zone_px < math.inf, "zone_px", self.zone_px, "give 0 or more")
        _require(0 <= self.noise_std <= 1, "noise_std", self.noise_std, "give 0 to 1")

    @torch.no_grad()
    def __call__(
        self, images: Tensor, widths: Tensor, generator: torch.Generator, num_views: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Vary a batch.

        Args:
            images: float32 ``(N, 1, H, W)``, ink; not changed.
            widths: int64 ``(N,)`` on the CPU, width in px of each line's content.
            generator: a CPU generator; the only source of randomness. On another device the same
                generator gives the same result but for the noise.
            num_views: V, how often each line is varied. Its views share their geometry, so that a column is the same
                place of the line in all of them; the other steps are drawn anew for each.

        Returns:
            Images ``(V N, 1, H, W')`` and widths ``(V N,)``, all lines once, then all again; the very same tensors
            where everything is off and there is one view.
        """
        if len(images) == 0:
            return images, widths
        varied, widths = self._geometry(images, widths, generator)
        if num_views > 1:
            varied, widths = varied.repeat(num_views, 1, 1, 1), widths.repeat(num_views)
        varied = self._strokes(varied, generator)
        varied = self._tone(varied, generator)
        varied = self._paper(varied, widths, generator)
        varied = self._scanner(varied, generator)
        varied = self._span_masks(varied, widths, generator)
        if varied is images:
            return images, widths
        columns = torch.arange(varied.shape[3])
        inside = (columns < widths[:, None]).to(varied.device)
        return varied * inside[:, None, None, :], widths

    def _geometry(self, images: Tensor, widths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Resample each line through an affine map and an elastic displacement."""
        scales = (*self.scale_x, *self.scale_y)
        amounts = (self.shear_degrees, self.rotate_degrees, self.shift_y, self.elastic_px, self.zone_px)
        if not any(amounts) and all(scale == 1 for scale in scales):
            return images, widths
        num, height = images.shape[0], images.shape[2]
        scale_x, scale_y = _uniform(num, self.scale_x, generator), _uniform(num, self.scale_y, generator)
        tangent = torch.tan(_uniform(num, (-self.shear_degrees, self.shear_degrees), generator).deg2rad())
        steepest = torch.atan(0.25 * height / (scale_x * widths)).clamp(max=math.radians(self.rotate_degrees))
        angle = _uniform(num, (-1, 1), generator) * steepest
        shift = _uniform(num, (-self.shift_y, self.shift_y), generator) * height
        forward = _affine(scale_x, scale_y, tangent, angle)
        content = torch.stack((widths, torch.full_like(widths, height)), 1) + 2 * self.elastic_px
        new_widths = ((forward[:, 0].abs() * content).sum(1) - 1e-3).ceil().long().clamp(min=1)
        multiple = self.width_multiple_px
        canvas = math.ceil(int(new_widths.max()) / multiple) * multiple
        nodes = self._nodes(forward.inverse(), shift, widths, new_widths, images.shape, canvas, generator)
        # An affine map is linear between nodes, so that one interpolation serves it and the distortion.
        grid = F.interpolate(nodes.to(images.device), size=(height, canvas), mode="bilinear", align_corners=True)
        warped = F.grid_sample(images, grid.permute(0, 2, 3, 1), align_corners=False)
        return warped, new_widths

    def _nodes(
        self,
        backward: Tensor,
        shift: Tensor,
        widths: Tensor,
        new_widths: Tensor,
        shape: torch.Size,
        canvas: int,
        generator: torch.Generator,
    ) -> Tensor:
        """Where the nodes of a coarse grid over the canvas come from, ``(N, 2, rows, columns)``, in -1..1."""
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

    def _strokes(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Dilate or erode; never in full when eroding, or a fine pen would vanish."""
        chosen = _choose(len(images), self.stroke_probability, generator)
        if not len(chosen):
            return images
        amount = _per_line(_uniform(len(chosen), (-0.5, 1.0), generator), images)
        chosen = chosen.to(images.device)
        lines = images[chosen]
        sign = torch.where(amount < 0, -1.0, 1.0)  # erosion is the dilation of the negative
        pooled = F.max_pool2d(lines * sign, kernel_size=3, stride=1, padding=1) * sign
        return images.index_copy(0, chosen, torch.lerp(lines, pooled, amount.abs()))

    def _tone(self, images: Tensor, generator: torch.Generator) -> Tensor:
        if tuple(self.gamma) != (1, 1):
            gamma = _per_line(_uniform(len(images), self.gamma, generator), images)
            images = images.clamp(min=0).pow_(gamma)
        if tuple(self.contrast) != (1, 1):
            factor = _per_line(_uniform(len(images), self.contrast, generator), images)
            images = (images * factor).clamp_(0, 1)
        return images

    def _paper(self, images: Tensor, widths: Tensor, generator: torch.Generator) -> Tensor:
        num, device = len(images), images.device
        ruled = _choose(num, self.ruling_probability, generator)
        if len(ruled):
            rules = _rules(len(ruled), images.shape[2], images.shape[3], generator).to(device)
            ruled = ruled.to(device)
            images = images.index_copy(0, ruled, torch.maximum(images[ruled], rules))
        shown = _choose(num, self.show_through_probability, generator)
        if len(shown):
            strength = _per_line(_uniform(len(shown), (0.05, 0.25), generator), images)
            # The next line, mirrored about this line's own width, wherever the canvas ends.
            mirrored = (widths[shown, None] - 1 - torch.arange(images.shape[3])).clamp(min=0).to(device)
            behind = images[((shown + 1) % num).to(device)]
            behind = behind.gather(3, mirrored[:, None, None, :].expand_as(behind))
            shown = shown.to(device)
            faint = F.avg_pool2d(behind, kernel_size=3, stride=1, padding=1) * strength
            images = images.index_copy(0, shown, torch.maximum(images[shown], faint))
        return images

    def _scanner(self, images: Tensor, generator: torch.Generator) -> Tensor:
        device = images.device
        blurred = _choose(len(images), self.blur_probability, generator)
        if len(blurred):
            amount = _per_line(_uniform(len(blurred), (0.2, 1.0), generator), images)
            blurred = blurred.to(device)
            lines = images[blurred]
            soft = lines
            for _ in range(2):  # two boxes of 3 px: a standard deviation of 1.2 px
                soft = F.avg_pool2d(soft, kernel_size=3, stride=1, padding=1)
            images = images.index_copy(0, blurred, torch.lerp(lines, soft, amount))
        if self.noise_std:
            std = _per_line(_uniform(len(images), (0, self.noise_std), generator), images)
            noise = torch.randn(images.shape, generator=_on(device, generator), device=device)
            images = noise.mul_(std).add_(images).clamp_(0, 1)
        return images

    def _span_masks(self, images: Tensor, widths: Tensor, generator: torch.Generator) -> Tensor:
        chosen = _choose(len(images), self.span_mask_probability, generator)
        if not len(chosen):
            return images
        size = (len(chosen), self.span_mask_count)
        width = widths[chosen, None]
        length = (torch.rand(size, generator=generator) * 0.75 + 0.25) * (width / 8).clamp(max=self.span_mask_width_px)
        start = torch.rand(size, generator=generator) * (width - length)
        # Of the spans drawn, a random number is used: the first always.
        used = torch.arange(size[1]) <= (torch.rand((size[0], 1), generator=generator) * size[1]).floor()
        column = torch.arange(images.shape[3])
        inside = (column >= start[..., None]) & (column < (start + length)[..., None]) & used[..., None]
        keep = torch.ones((len(images), images.shape[3]), dtype=images.dtype)
        keep[chosen] = (~inside.any(1)).to(images.dtype)
        return images * keep.to(images.device)[:, None, None, :]


def _affine(scale_x: Tensor, scale_y: Tensor, tangent: Tensor, angle: Tensor) -> Tensor:
    """Maps of offsets from a line's center, ``(N, 2, 2)``: scale, then shear (the top to the right), then rotate."""
    cos, sin = angle.cos(), angle.sin()
    x = torch.stack((cos * scale_x, -(cos * tangent + sin) * scale_y), 1)
    y = torch.stack((sin * scale_x, (cos - sin * tangent) * scale_y), 1)
    return torch.stack((x, y), 1)


def _rules(num: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Ink of ruled, dotted and squared paper, ``(num, 1, height, width)``."""
    squared = torch.rand((num, 1), generator=generator) < 0.3
    squares, rules = (_uniform(num, bounds, generator) for bounds in (_SQUARE_PERIODS, _RULE_PERIODS))
    period = torch.where(squared, squares[:, None], rules[:, None]) * height
    strength = _uniform(num, (0.15, 0.7), generator)[:, None, None, None]
    thickness = _uniform(num, (0.6, 1.4), generator)[:, None]
    dotted = torch.rand((num, 1), generator=generator) < 0.3

    def profile(size: int) -> Tensor:
        position = torch.arange(size) + torch.rand((num, 1), generator=generator) * period
        distance = (position % period - period / 2).abs()
        return (thickness + 0.5 - distance).clamp(0, 1)

    rows, columns = profile(height), profile(width) * squared
    gaps = (torch.arange(width) % 6 < 3) | ~dotted
    return torch.maximum(rows[:, None, :, None] * gaps[:, None, None, :], columns[:, None, None, :]) * strength


def _require(valid: bool, name: str, value: object, remedy: str) -> None:
    if not valid:
        raise ValueError(f"augment.{name}: {value!r} is out of range; {remedy}")


def _uniform(num: int, bounds: Sequence[float], generator: torch.Generator) -> Tensor:
    low, high = bounds
    return torch.rand(num, generator=generator) * (high - low) + low


def _per_line(values: Tensor, images: Tensor) -> Tensor:
    """One number a line, ``(N,)``, as ``(N, 1, 1, 1)`` where the images are."""
    return values.to(images.device)[:, None, None, None]


def _choose(num: int, probability: float, generator: torch.Generator) -> Tensor:
    """Indices of the lines to which a step happens; draws nothing where it is off."""
    if probability == 0:
        return torch.empty(0, dtype=torch.int64)
    return torch.nonzero(torch.rand(num, generator=generator) < probability)[:, 0]


def _on(device: torch.device, generator: torch.Generator) -> torch.Generator:
    """A generator on the device, seeded by the one given."""
    if device.type == "cpu":
        return generator
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.Generator(device).manual_seed(seed)
