import numpy as np
import pytest

from attn import masks

VALID = np.array(
    [[True, True, True, True, True], [True, False, True, True, False], [True, True, True, False, False]]
)


def loop(valid, may_see):
    """[B,L,L] from a rule for one row, one query and one key."""
    rows, length = valid.shape
    mask = np.zeros((rows, length, length), bool)
    for row in range(rows):
        for query in range(length):
            for key in range(length):
                mask[row, query, key] = valid[row, key] and may_see(row, query, key)
    return mask


def test_earlier_sees_valid_keys_before_the_query():
    expected = loop(VALID, lambda row, query, key: key < query)
    np.testing.assert_array_equal(masks.earlier(VALID).numpy(), expected)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_context_sees_context_and_targets_see_what_came_before(dtype):
    num_context = np.array([2, 4, 1], dtype)

    def may_see(row, query, key):
        if key < num_context[row]:
            return True
        return num_context[row] <= query and key <= query

    mask = masks.context_and_earlier(VALID, num_context)
    np.testing.assert_array_equal(mask.numpy(), loop(VALID, may_see))


def test_others_and_earlier_is_that_without_oneself():
    num_context = np.array([2, 4, 1])

    def may_see(row, query, key):
        if key == query:
            return False
        return key < num_context[row] or (num_context[row] <= query and key < query)

    mask = masks.others_and_earlier(VALID, num_context)
    np.testing.assert_array_equal(mask.numpy(), loop(VALID, may_see))


@pytest.mark.parametrize("step", [0, 1, 4])
def test_written_is_the_slots_filled_so_far(step):
    assert masks.written(4, step).numpy().tolist() == [slot < step for slot in range(4)]
