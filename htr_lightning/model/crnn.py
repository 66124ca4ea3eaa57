"""The CNN-RNN recognizer: columns of features, read left to right and right to left, classified frame by frame."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from htr_lightning.model.backbone import Downsample, ResidualBackbone


class Frames(NamedTuple):
    """What a recognizer says: logits ``(N, T, K)``, class 0 the CTC blank.

    ``auxiliary`` is the shortcut head's opinion, made in training only.
    """

    logits: Tensor
    auxiliary: Tensor | None


class CRNN(nn.Module):
    """Residual CNN, column max-pooling, bidirectional LSTM, linear CTC head.

    After Retsinas et al. 2022, *Best Practices for a Handwritten Text Recognition System* (arXiv 2404.11339):
    max-pooling over each column instead of flattening it, and, in training, a shortcut head of one convolution
    on the CNN's features, which teaches the CNN without the detour through the LSTM.

    The defaults are ``crnn_small``: 1.5 M parameters at 80 classes, made for two CPU cores and 48-pixel lines.
    ``crnn`` (conf/model/crnn.yaml) is the paper's network: 7.4 M parameters for 128-pixel lines.

    Args:
        num_classes: K, the blank included; the run knows it from the charset.
        height_px: the height of lines that it is made for; other heights are refused.
        stem_channels: see `ResidualBackbone`, as the next six.
        stem_kernel: size of the first convolution.
        stem_stride: (vertical, horizontal).
        channels: of each stage.
        blocks: of each stage.
        strides: of each stage (vertical, horizontal).
        downsample: strided convolutions or max-pooling.
        rnn_size: features of the LSTM in each direction.
        rnn_layers: of the LSTM.
        dropout: share of features dropped before, between and after the LSTM's layers.
    """

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
        rnn_size: int = 128,
        rnn_layers: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.num_classes, self.height_px = num_classes, height_px
        self.arguments: dict[str, Any] = {
            "height_px": height_px,
            "stem_channels": stem_channels,
            "stem_kernel": stem_kernel,
            "stem_stride": list(stem_stride),
            "channels": list(channels),
            "blocks": list(blocks),
            "strides": [list(stride) for stride in strides],
            "downsample": downsample,
            "rnn_size": rnn_size,
            "rnn_layers": rnn_layers,
            "dropout": dropout,
        }
        self.backbone = ResidualBackbone(
            stem_channels=stem_channels,
            stem_kernel=stem_kernel,
            stem_stride=stem_stride,
            channels=channels,
            blocks=blocks,
            strides=strides,
            downsample=downsample,
        )
        # Channels last in memory: on CPUs the convolutions run up to four times as fast, on GPUs no slower.
        self.backbone.to(memory_format=torch.channels_last)
        features = self.backbone.out_channels
        self.dropout = nn.Dropout(dropout)
        self.rnn = nn.LSTM(
            features,
            rnn_size,
            rnn_layers,
            dropout=dropout if rnn_layers > 1 else 0.0,
            bidirectional=True,
        )
        self.head = nn.Linear(2 * rnn_size, num_classes)
        self.auxiliary_head = nn.Conv1d(features, num_classes, 3, padding=1)

    def forward(self, images: Tensor) -> Frames:
        """Read lines.

        Args:
            images: ``(N, 1, H, W)``, ink from 0 (paper) to 1; H must be ``height_px``.

        Returns:
            Frames whose logits are ``(N, T, K)``, T as `frame_lengths` says of W.

        Raises:
            ValueError: lines of another height.
        """
        if images.shape[2] != self.height_px:
            raise ValueError(f"lines are {images.shape[2]} px high, but this model reads {self.height_px} px")
        features = self.backbone(images.contiguous(memory_format=torch.channels_last)).amax(dim=2)  # (N, D, T)
        auxiliary = self.auxiliary_head(features).transpose(1, 2) if self.training else None
        sequence, _ = self.rnn(self.dropout(features.permute(2, 0, 1)))  # (T, N, 2 rnn_size)
        return Frames(self.head(self.dropout(sequence)).transpose(0, 1), auxiliary)

    def frame_lengths(self, widths: Tensor) -> Tensor:
        """Return the frames of lines that are ``widths`` pixels wide, both ``(N,)`` int64."""
        return self.backbone.frame_lengths(widths)

    @property
    def frame_px(self) -> int:
        """How many columns of pixels each frame stands for."""
        return self.backbone.frame_px


ARCHITECTURES: dict[str, type[CRNN]] = {"CRNN": CRNN}


def build_network(architecture: str, num_classes: int, arguments: dict[str, Any]) -> CRNN:
    """Build the network that a model file names.

    Raises:
        ValueError: an architecture that this version does not have.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"architecture {architecture!r} is unknown here; there is {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[architecture](num_classes, **arguments)
