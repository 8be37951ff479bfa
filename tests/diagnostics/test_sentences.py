import pytest

from diagnostics.sentences import one_line, said


@pytest.mark.parametrize(
    ("text", "line"),
    [("one\n two\t three ", "one two three"), ("half \ud800 a pair", "half ? a pair"), ("", "")],
)
def test_text_becomes_one_line_that_any_file_can_hold(text, line):
    assert one_line(text) == line


class MuteError(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("x" * 300), "x" * 200),
        (ValueError(), "no message"),
        (MuteError(), "a message that cannot be read"),
    ],
)
def test_of_an_error_its_first_line_is_said(error, line):
    assert said(error) == line
