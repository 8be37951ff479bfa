import io
import sys

from attn.commands.output import one_sentence, printable, progress_bar, say, shown, tell


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_shows_what_is_done_what_is_left_and_how_long_it_takes(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_bar(2, "loading") as advance:
        advance("predicting")
        advance()
    drawn = sys.stderr.getvalue()
    assert "2/2" in drawn
    assert "predicting" in drawn
    assert ":0" in drawn


def test_no_bar_is_drawn_where_stderr_is_no_terminal_or_all_is_to_be_quiet(monkeypatch, capfd):
    with progress_bar(2, "loading") as advance:
        advance("predicting")
    assert tuple(capfd.readouterr()) == ("", "")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_bar(2, "loading", quiet=True) as advance:
        advance("predicting")
    assert sys.stderr.getvalue() == ""


def test_what_is_done_is_said_as_lines_as_json_or_not_at_all(capsys):
    for quiet, as_json, said in (
        (False, False, "one\ntwo\n"),
        (True, False, ""),
        (False, True, '{\n "n": 1\n}\n'),
        (True, True, '{\n "n": 1\n}\n'),
    ):
        say({"n": 1}, ["one", "two"], quiet=quiet, as_json=as_json)
        assert capsys.readouterr().out == said


def test_a_number_is_short_and_a_missing_one_is_a_dash():
    assert (shown(0.123456), shown(None)) == ("0.123", "-")


def test_what_comes_from_outside_cannot_steer_the_terminal(capsys):
    hostile = "\x1b[31mred\x1b[0m\x9b\u202e\x07 plain ö"
    assert printable(hostile) == "?[31mred?[0m??? plain ö"
    say({}, [hostile], quiet=False, as_json=False)
    tell(hostile)
    assert capsys.readouterr().out == 2 * "?[31mred?[0m??? plain ö\n"


def test_a_mistake_is_one_line_and_its_end_is_kept():
    assert one_sentence("two\nlines\tand \x1b") == "two lines and ?"
    long = one_sentence("start " + "x" * 9000 + " File name too long")
    assert long.startswith("start xxx")
    assert long.endswith("xxx File name too long")
    assert len(long) < 1000
