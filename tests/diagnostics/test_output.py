import json

from diagnostics.commands.output import printable_json


def test_json_that_is_printed_is_the_same_and_cannot_steer_the_terminal():
    content = {"name": '\x1b[31m"\\\x7f\x9b\u202e\U000e0001 ö 名', "list": [1, "\n"]}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    shown = printable_json(text)
    assert json.loads(shown) == content
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert "ö 名" in shown
