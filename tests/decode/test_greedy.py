import itertools

import pytest
import torch

from htr_lightning.decode.greedy import greedy_decode


def scores_of(path, num_classes):
    """Scores (T, K) whose best path is the given one."""
    return torch.nn.functional.one_hot(torch.tensor(path), num_classes).float()


def plain_decode(path):
    return [key for key, _ in itertools.groupby(path) if key != 0]


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ([0, 0, 0], []),
        ([1, 1, 1], [1]),
        ([1, 0, 1], [1, 1]),
        ([0, 1, 1, 0, 0, 1, 2, 2], [1, 1, 2]),
        ([2, 1, 2, 1], [2, 1, 2, 1]),
    ],
)
def test_repeats_collapse_before_blanks_go(path, ids):
    assert greedy_decode(scores_of(path, 3)[None], torch.tensor([len(path)])) == [ids]


def test_every_path_of_a_batch_is_read_as_the_textbook_says():
    paths = list(itertools.product(range(3), repeat=5))
    scores = torch.stack([scores_of(path, 3) for path in paths])
    assert greedy_decode(scores, torch.full((len(paths),), 5)) == [plain_decode(path) for path in paths]


def test_frames_behind_the_length_are_not_read():
    path = [1, 2, 2, 3, 1]
    scores = scores_of(path, 4).expand(6, 5, 4)
    lengths = torch.arange(6)
    assert greedy_decode(scores, lengths) == [plain_decode(path[:n]) for n in range(6)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_logits_and_log_probabilities_of_any_precision_read_alike(dtype):
    logits = (4 * torch.randn(3, 20, 7, generator=torch.Generator().manual_seed(1))).to(dtype)
    lengths = torch.tensor([20, 5, 0])
    assert greedy_decode(logits, lengths) == greedy_decode(logits.float().log_softmax(-1), lengths)


@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3)])
def test_nothing_gives_nothing(shape):
    assert greedy_decode(torch.zeros(shape), torch.zeros(shape[0], dtype=torch.int64)) == [[]] * shape[0]


def test_the_scores_stay_as_they_were_and_may_need_gradients():
    scores = scores_of([1, 0, 2], 3)[None].requires_grad_()
    before = scores.detach().clone()
    assert greedy_decode(scores, torch.tensor([3])) == [[1, 2]]
    assert torch.equal(scores, before)
    assert isinstance(greedy_decode(scores, torch.tensor([3]))[0][0], int)
