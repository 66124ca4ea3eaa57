"""What a trained model's file takes from its validation lines: the temperature, and whether a language model helps."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from htr_lightning.charset import Charset
from htr_lightning.data.module import LineDataModule
from htr_lightning.decode.confidence import MAX_CALIBRATION_LINES, CalibrationBatch, Calibrator
from htr_lightning.decode.decoder import Decoder, build_default_decoder
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.image.ink import to_ink
from htr_lightning.lm.ngram import LanguageModelError
from htr_lightning.metrics import edit_distance
from htr_lightning.model.info import ModelInfo
from htr_lightning.model.network import Network

log = logging.getLogger(__name__)
MIN_LINES, MAX_LINES = 10, 300
"""Validation lines from which, and at most how many with which, a language model is tried."""


def calibrate(info: ModelInfo, model: Network, data: LineDataModule) -> ModelInfo:
    """Return the metadata with the temperature and the language model that suit the validation lines.

    Without validation lines, or with too few for the language model, they stay.
    """
    assert data.charset is not None
    batches = compute_val_logits(model, data)
    if not batches:
        return info
    temperature = Calibrator(batches, data.charset).fit_temperature()
    return replace(info, temperature=temperature, lm=choose_lm(batches, data.charset, info))


def compute_val_logits(model: Network, data: LineDataModule) -> list[CalibrationBatch]:
    """Return the logits of the validation lines (of all, also with several processes)."""
    device = next(model.parameters()).device
    batches: list[CalibrationBatch] = []
    if not len(data.packed["val"]):
        return batches
    model.eval()
    with torch.inference_mode():
        for batch in data.batches("val", max_lines=MAX_CALIBRATION_LINES):
            logits = model(to_ink(batch.images.to(device))).logits.float().cpu().numpy()
            batches.append(CalibrationBatch(logits, model.frame_lengths(batch.widths).numpy(), batch.texts))
    return batches


def choose_lm(batches: Sequence[CalibrationBatch], charset: Charset, info: ModelInfo) -> str:
    """Return the language model of the metadata if it lowers the CER of lines, else an empty string.

    A base model has it for its own languages; those of the lines may be others. With fewer than `MIN_LINES` lines, it
    stays.

    Args:
        batches: logits and ground truth of the lines.
        charset: of the model.
        info: metadata of the model.
    """
    if not info.lm or sum(len(batch.texts) for batch in batches) < MIN_LINES:
        return info.lm
    try:
        decoder = build_default_decoder(charset, info.lm, info.languages)
    except LanguageModelError as error:  # the languages or the charset changed
        log.warning("%s; predict and evaluate will decode greedily", error)
        return ""
    sampled = _sample(batches, MAX_LINES)
    greedy, beam = (sum(_count_edits(batch, one, charset) for batch in sampled) for one in (greedy_decode, decoder))
    length = max(1, sum(len(text) for batch in sampled for text in batch.texts))
    log.info(
        "language model %s: CER %.2f %% instead of %.2f %% on val; predict and evaluate will %suse it",
        info.lm,
        100 * beam / length,
        100 * greedy / length,
        "" if beam < greedy else "not ",
    )
    return info.lm if beam < greedy else ""


def _sample(batches: Sequence[CalibrationBatch], max_lines: int) -> list[CalibrationBatch]:
    """Return at most about as many lines, evenly from all batches, which differ in the width of their lines."""
    total = sum(len(batch.texts) for batch in batches)
    step = max(1.0, total / max_lines)
    sampled = []
    for batch in batches:
        rows = np.unique(np.arange(0, len(batch.texts), step).astype(int))
        texts = [batch.texts[row] for row in rows.tolist()]
        sampled.append(CalibrationBatch(batch.logits[rows], batch.frame_lengths[rows], texts))
    return sampled


def _count_edits(batch: CalibrationBatch, decoder: Decoder, charset: Charset) -> int:
    texts = [charset.decode(ids).strip() for ids in decoder(batch.logits, batch.frame_lengths)]
    return sum(edit_distance(reference, text) for reference, text in zip(batch.texts, texts, strict=True))
