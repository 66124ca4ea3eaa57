import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from htr_lightning.data.augment import Augment
from htr_lightning.data.augmentation import adapt_augmentation
from htr_lightning.errors import InputError

IMAGES = torch.zeros(3, 1, 8, 40)
WIDTHS = torch.tensor([40, 10, 25])
for row, width in enumerate(WIDTHS):
    IMAGES[row, ..., :width] = torch.rand(8, int(width), generator=torch.Generator().manual_seed(row))


def vary(augment: object, seed: int = 1) -> tuple[Tensor, Tensor]:
    return adapt_augmentation(augment)(IMAGES, WIDTHS, torch.Generator().manual_seed(seed))  # type: ignore[arg-type]


def test_ours_stays_what_it_is() -> None:
    ours = Augment(gamma=(0.5, 2))
    assert adapt_augmentation(ours) is ours


def test_each_line_is_transformed_by_itself_without_its_padding() -> None:
    sizes = []

    def flip(image: Tensor) -> Tensor:
        sizes.append(tuple(image.shape))
        return image.flip(-1)

    images, widths = vary(flip)
    assert sizes == [(1, 8, 40), (1, 8, 10), (1, 8, 25)] and torch.equal(widths, WIDTHS)
    for row, width in enumerate(WIDTHS.tolist()):
        assert torch.equal(images[row, ..., :width], IMAGES[row, ..., :width].flip(-1))
        assert not images[row, ..., width:].any()


def test_lines_may_change_their_width() -> None:
    images, widths = vary(v2.Lambda(lambda image: image.repeat(1, 1, 2)))
    assert widths.tolist() == [80, 20, 50] and images.shape == (3, 1, 8, 80)
    images, widths = vary(v2.Lambda(lambda image: image[..., ::2]))
    assert widths.tolist() == [20, 5, 13] and images.shape == (3, 1, 8, 40)  # the canvas stays as wide as it was

    def stretch(images: Tensor, generator: torch.Generator) -> Tensor:
        return images.repeat_interleave(2, dim=3)

    images, widths = vary(stretch)
    assert widths.tolist() == [80, 20, 50] and images.shape == (3, 1, 8, 80)


def test_randomness_comes_from_the_generator_and_lines_differ() -> None:
    rotate = v2.RandomAffine(20, shear=20)
    first, again, other = vary(rotate), vary(rotate), vary(rotate, seed=2)
    assert torch.equal(first[0], again[0]) and not torch.equal(first[0], other[0])
    state = torch.get_rng_state()
    vary(rotate)
    assert torch.equal(state, torch.get_rng_state())
    same = IMAGES[:1].expand(2, -1, -1, -1)
    twins, _ = adapt_augmentation(rotate)(same, WIDTHS[:1].expand(2), torch.Generator().manual_seed(1))
    assert not torch.equal(twins[0], twins[1])


@pytest.mark.parametrize("augment", [v2.Resize((4, 20)), v2.Lambda(lambda image: 3), v2.ToDtype(torch.uint8)])
def test_other_results_are_refused(augment: object) -> None:
    with pytest.raises(InputError, match=r"augment: torchvision.*returned .*; return floats of the shape \(1, 8, any"):
        vary(augment)


def test_no_images(  # an empty batch
) -> None:
    empty = IMAGES[:0], WIDTHS[:0]
    images, _ = adapt_augmentation(v2.RandomAffine(3))(*empty, torch.Generator())
    assert len(images) == 0
