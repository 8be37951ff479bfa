import pytest

from attn.holdout import num_training


@pytest.mark.parametrize(("num_pairs", "number"), [(2, 1), (4, 3), (5, 4), (9, 8), (10, 8), (365, 292)])
def test_a_fifth_is_held_out_and_at_least_one(num_pairs, number):
    assert num_training(num_pairs) == number


def test_one_pair_cannot_be_both():
    with pytest.raises(ValueError, match="training needs at least 2 pairs, one to hold out; got 1"):
        num_training(1)
