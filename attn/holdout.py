"""Which pairs are held out from training: the last fifth, as they stand.

The windows of a table stand in the order of time, so that the latest are held out: no window of the test
lies between two that were learnt from.
"""


def num_training(num_pairs: int) -> int:
    """How many of the first pairs are learnt from; the rest, a fifth or at least one, is held out.

    Raises ValueError for fewer than two pairs.
    """
    if num_pairs < 2:
        raise ValueError(f"training needs at least 2 pairs, one to hold out; got {num_pairs}")
    return num_pairs - max(1, num_pairs // 5)
