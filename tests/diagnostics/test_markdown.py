import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from diagnostics.markdown import escape, fenced


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("[x](y)", r"\[x\](y)"),
        ("<b>", r"\<b\>"),
        ("two\nlines  here", "two lines here"),
        (3, "3"),
    ],
)
def test_markup_becomes_text(text, shown):
    assert escape(text) == shown


def test_what_is_markup_already_stays():
    assert escape(Markup("![a](b)")) == "![a](b)"


@given(st.text(alphabet="`ab\n ", max_size=30))
def test_a_fence_is_longer_than_any_run_inside_it(text):
    lines = fenced(text).split("\n")
    assert lines[0] == lines[-1]
    assert set(lines[0]) == {"`"}
    assert len(lines[0]) >= 3
    assert lines[0] not in "\n".join(lines[1:-1])
