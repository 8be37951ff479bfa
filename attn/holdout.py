"""What is held out from training: the last fifth of the pairs, or of the shards, as they stand.

The windows of a table stand in the order of time, so that the latest are held out: no window of the test
lies between two that were learnt from.  Of shards whole files are held out: a training need not open them.
"""


def num_training(number: int, what: str = "pairs") -> int:
    """How many of the first are learnt from; the rest, a fifth or at least one, is held out.

    Raises ValueError for fewer than two, which it calls `what`.
    """
    if number < 2:
        raise ValueError(f"training needs at least 2 {what}, one to hold out; got {number}")
    return number - max(1, number // 5)
