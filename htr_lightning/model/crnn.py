"""The CRNN: a convolutional backbone, a bidirectional LSTM and a CTC head."""

from collections.abc import Sequence

from torch import Tensor, nn

from htr_lightning.model.backbone import Downsample, build_backbone, check_settings, compute_features
from htr_lightning.model.dropout import LSTM, Dropout
from htr_lightning.model.network import Frames, collect_arguments


class CRNN(nn.Module):
    """Residual CNN, max-pooling over columns, bidirectional LSTM, linear CTC head.

    After Retsinas et al. 2022, *Best Practices for a Handwritten Text Recognition System* (arXiv 2404.11339):
    features are max-pooled over each column instead of flattened, and in training a shortcut head (one convolution on
    the CNN's features) gives the CNN a CTC loss that does not pass through the LSTM.

    The defaults are ``crnn_small``: 1.5 M parameters at 80 classes, made for two CPU cores and lines of 48 px.
    ``crnn`` (conf/model/crnn.yaml) is the paper's network: 7.4 M parameters, for lines of 128 px.

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
        rnn_size: hidden size of the LSTM in each direction.
        rnn_layers: number of LSTM layers.
        dropout: dropout probability before, between and after the LSTM layers.

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
        rnn_size: int = 128,
        rnn_layers: int = 2,
        dropout: float = 0.2,
    ) -> None:
        # This signature is the only list of the settings: `arguments` and the backbone's arguments are taken from it.
        given = dict(locals())
        check_settings(given, ("height_px", "rnn_size", "rnn_layers"))
        super().__init__()
        self.num_classes, self.height_px = num_classes, height_px
        self.arguments = collect_arguments(CRNN, given)
        self.backbone = build_backbone(given)
        features = self.backbone.out_channels
        self.dropout = Dropout(dropout)
        self.rnn = LSTM(features, rnn_size, rnn_layers, dropout)
        self.head = nn.Linear(2 * rnn_size, num_classes)
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
        sequence, _ = self.rnn(self.dropout(features.permute(2, 0, 1)))  # (T, N, 2 rnn_size)
        return Frames(self.head(self.dropout(sequence)).transpose(0, 1), auxiliary)

    def frame_lengths(self, widths: Tensor) -> Tensor:
        """Return the number of frames of lines that are ``widths`` pixels wide, both ``(N,)`` int64."""
        return self.backbone.frame_lengths(widths)

    def blocks(self) -> list[str]:
        """Return the LSTM, the stages of the backbone from the last to the first, and its stem."""
        return ["rnn", *self.backbone.blocks("backbone")]

    @property
    def frame_px(self) -> int:
        """Width of a frame in pixels of the line image."""
        return self.backbone.frame_px
