"""ConvAttention: a convolutional backbone, self-attention with relative positions, and a CTC head."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from htr_lightning.errors import InputError
from htr_lightning.model.backbone import Downsample, build_backbone, check_settings, compute_features
from htr_lightning.model.dropout import Dropout
from htr_lightning.model.network import Frames, collect_arguments

_MARGIN_FRAMES = 8  # behind the last ink that attention still sees: a space, and what the convolutions look at


class ConvAttention(nn.Module):
    """Residual CNN, max-pooling over columns, blocks of self-attention and convolution, linear CTC head.

    The blocks are those of the Conformer (Gulati et al. 2020, arXiv 2005.08100, figure 1) with one feed-forward module
    instead of two halves, and normalization before each module. Attention adds a learned bias for the distance
    between two frames (Raffel et al. 2020, arXiv 1910.10683, section 2.1, one bias for each distance), so that a line
    may be longer than any in training. Frames to the right of the last ink are padding or empty paper: no frame
    attends to them, so that the logits of a line depend on its padding only at its edge. In training, a shortcut head
    gives the CNN a CTC loss of its own (Retsinas et al. 2022, arXiv 2404.11339).

    The defaults have 1.8 M parameters at 80 classes, for lines of 48 px.

    Args:
        num_classes: K, including the blank; training derives it from the charset.
        height_px: height of the line images; other heights are refused.
        stem_channels: see `ResidualBackbone`.
        stem_kernel: see `ResidualBackbone`.
        stem_stride: see `ResidualBackbone`.
        channels: see `ResidualBackbone`.
        blocks: see `ResidualBackbone`.
        strides: see `ResidualBackbone`.
        downsample: see `ResidualBackbone`.
        width: D, features per frame in the attention blocks.
        layers: number of attention blocks.
        attention_heads: in each block; must divide ``width``.
        kernel: frames that the convolution of a block sees; odd.
        max_distance: distance in frames beyond which all frames have the same bias.
        dropout: dropout probability before the first block, and after each module of a block.

    Raises:
        InputError: an argument is out of range; names ``model.<key>``.

    Attributes:
        arguments, heads: see `htr_lightning.model.network.Network`.
    """

    heads = ("head", "auxiliary_head")

    def __init__(
        self,
        num_classes: int,
        *,
        height_px: int = 48,
        stem_channels: int = 16,
        stem_kernel: int = 5,
        stem_stride: Sequence[int] = (2, 2),
        channels: Sequence[int] = (64, 96, 128),
        blocks: Sequence[int] = (1, 1, 2),
        strides: Sequence[Sequence[int]] = ((2, 2), (2, 1), (2, 1)),
        downsample: Downsample = "stride",
        width: int = 128,
        layers: int = 4,
        attention_heads: int = 4,
        kernel: int = 15,
        max_distance: int = 64,
        dropout: float = 0.1,
    ) -> None:
        given = dict(locals())
        check_settings(given, ("height_px", "width", "layers", "attention_heads", "max_distance"))
        if width % attention_heads:
            remedy = f"give a divisor of model.width={width}"
            raise InputError(
                "the heads have no equal size", key="model.attention_heads", value=attention_heads, remedy=remedy
            )
        if kernel < 1 or kernel % 2 == 0:
            raise InputError("the kernel size is not odd", key="model.kernel", value=kernel, remedy="give 1, 3, 5, ...")
        super().__init__()
        self.num_classes, self.height_px = num_classes, height_px
        self.arguments = collect_arguments(ConvAttention, given)
        self.backbone = build_backbone(given)
        features = self.backbone.out_channels
        self.projection = nn.Linear(features, width)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            AttentionBlock(width, attention_heads, kernel, max_distance, dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_classes)
        self.auxiliary_head = nn.Conv1d(features, num_classes, 3, padding=1)

    def forward(self, images: Tensor) -> Frames:
        """Compute the logits of line images.

        Args:
            images: ``(N, 1, H, W)``, from 0 (paper) to 1 (ink); H must be ``height_px``.

        Returns:
            Logits ``(N, T, K)``, where T is `frame_lengths` of W.

        Raises:
            ValueError: the lines have another height.
        """
        features = compute_features(self.backbone, images, self.height_px)  # (N, D, T)
        auxiliary = self.auxiliary_head(features).transpose(1, 2) if self.training else None
        x = self.dropout(self.projection(features.transpose(1, 2)))  # (N, T, width)
        is_visible = self._find_visible_frames(images, x.shape[1])
        for layer in self.layers:
            x = layer(x, is_visible)
        return Frames(self.head(self.norm(x)), auxiliary)

    def _find_visible_frames(self, images: Tensor, num_frames: int) -> Tensor:
        """Return ``(N, T)``, False behind the last ink of a line and a margin."""
        ink = F.pad(images.amax(dim=(1, 2)), (0, num_frames * self.frame_px - images.shape[3]))  # (N, T frame_px)
        has_ink = ink.view(-1, num_frames, self.frame_px).amax(dim=2) > 0
        number = torch.arange(num_frames, device=images.device)
        is_visible: Tensor = number <= (number * has_ink).amax(dim=1, keepdim=True) + _MARGIN_FRAMES
        return is_visible

    def frame_lengths(self, widths: Tensor) -> Tensor:
        """Return the number of frames of lines that are ``widths`` pixels wide, both ``(N,)`` int64."""
        return self.backbone.frame_lengths(widths)

    def blocks(self) -> list[str]:
        """Return the attention blocks from the last to the first, the projection, the stages likewise, and the stem."""
        layers = [f"layers.{number}" for number in reversed(range(len(self.layers)))]
        return ["norm", *layers, "projection", *self.backbone.blocks("backbone")]

    @property
    def frame_px(self) -> int:
        """Width of a frame in pixels of the line image."""
        return self.backbone.frame_px


class AttentionBlock(nn.Module):
    """Self-attention, convolution over frames, and a feed-forward network, each added to its normalized input.

    Args:
        width: D.
        num_heads: attention heads.
        kernel: of the depthwise convolution, in frames.
        max_distance: distances beyond it share a bias.
        dropout: dropout probability.
    """

    def __init__(self, width: int, num_heads: int, kernel: int, max_distance: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.max_distance = num_heads, max_distance
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.bias = nn.Embedding(2 * max_distance + 1, num_heads)
        nn.init.zeros_(self.bias.weight)  # at first, attention does not know distances
        self.attention_out = nn.Linear(width, width)
        self.convolution_norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, 2 * width)
        self.convolution = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.convolution_out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.SiLU(),
            Dropout(dropout),
            nn.Linear(4 * width, width),
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, is_visible: Tensor) -> Tensor:
        """``(N, T, D)``, and ``(N, T)`` bool: frames that others may attend to -> ``(N, T, D)``."""
        x = x + self.dropout(self._attend(self.attention_norm(x), is_visible))
        x = x + self.dropout(self._convolve(self.convolution_norm(x), is_visible))
        x = x + self.dropout(self.feed_forward(x))
        return x

    def _attend(self, x: Tensor, is_visible: Tensor) -> Tensor:
        number = torch.arange(x.shape[1], device=x.device)
        distance = (number[None] - number[:, None]).clamp(-self.max_distance, self.max_distance) + self.max_distance
        bias = self.bias(distance).permute(2, 0, 1)[None]  # (1, heads, T, T)
        bias = bias.masked_fill(~is_visible[:, None, None], float("-inf"))
        shape = (*x.shape[:2], 3, self.num_heads, x.shape[2] // self.num_heads)
        together = self.query_key_value(x).view(shape).permute(2, 0, 3, 1, 4)  # (3, N, heads, T, D / heads)
        query, key, value = together.unbind(0)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        projected: Tensor = self.attention_out(attended.transpose(1, 2).flatten(2))
        return projected

    def _convolve(self, x: Tensor, is_visible: Tensor) -> Tensor:
        gated = F.glu(self.gate(x), dim=2) * is_visible[:, :, None]
        convolved = F.silu(self.convolution(gated.transpose(1, 2)).transpose(1, 2))
        projected: Tensor = self.convolution_out(convolved)
        return projected
