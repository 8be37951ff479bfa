"""One command line, run in this process, and what may not become of it whatever it was given."""

import io
import os
import signal
import sys
import time
from collections import Counter
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from attn.cli import main as attn_main
from diagnostics.cli import main as diagnose_main

# The home of a command is a folder of the test, where it would make the folders of these two.
os.environ.setdefault("MPLCONFIGDIR", matplotlib.get_cachedir())
os.environ.setdefault("KERAS_HOME", str(Path.home() / ".keras"))
PROGRAMS = {"attn": attn_main, "diagnose": diagnose_main}
EXIT_CODES = {"attn": {0, 2, 130}, "diagnose": {0, 1, 2, 3, 130}}
SECONDS = 30.0  # far above what any of these cases takes on a busy machine
LONGEST = 1100  # letters of a sentence


class HangError(BaseException):
    """A command that was not done in time."""


@dataclass(frozen=True)
class Ended:
    """What became of a command: its code, what stood on stdout and stderr, and what is wrong with that."""

    code: int | None
    out: str
    err: str
    wrong: str | None


def run(program: str, arguments: list[str], folder: Path, *, may_write: tuple[str, ...] = ()) -> Ended:
    """Run a command in `folder`, in this process; see `_broken` for what is wrong.

    may_write   names in `folder` that may come to be where the command succeeds
    """
    out, err = _stream("strict"), _stream("backslashreplace")
    before, began = _names(folder), time.monotonic()
    code, raised = None, None
    with _inside(folder), redirect_stdout(out), redirect_stderr(err), _alarm():
        try:
            code = PROGRAMS[program](arguments)
        except SystemExit as end:
            code = end.code
        except HangError:
            raised = "a hang"
        except BaseException as error:
            raised = f"a traceback: {type(error).__name__}: {error}"[:300]
    texts = [_text(stream) for stream in (out, err)]
    left = _names(folder) - before
    wrong = raised or _steers(texts[0]) or _broken(program, code, texts[1], left, may_write)
    if wrong is None and time.monotonic() - began > SECONDS:
        wrong = "a hang"
    return Ended(code, *texts, wrong)


def _broken(
    program: str, code: int | None, err: str, left: set[str], may_write: tuple[str, ...]
) -> str | None:
    """What the command did that no command may do; None where all is well."""
    if code not in EXIT_CODES[program]:
        return f"exit code {code}"
    if "Traceback" in err:
        return "a traceback on stderr"
    if code == 2:
        sentence = err.removeprefix(f"{program}: ").removesuffix("\n")
        if not err.startswith(f"{program}: ") or "\n" in sentence or not sentence.isprintable():
            return f"no sentence: {err[:200]!r}"
        if not 5 < len(sentence) < LONGEST:
            return f"a sentence of {len(sentence)} letters"
        if left:
            return f"refused, but wrote {sorted(left)[:3]}"
    partial = [name for name in left if name.endswith((".tmp", ".new"))]
    if partial:
        return f"left {partial[0]}"
    foreign = [name for name in left if not name.startswith(may_write or ("",))]
    return f"wrote {foreign[0]}" if foreign else None


def _steers(out: str) -> str | None:
    """What on stdout could steer a terminal."""
    letters = sorted({letter for letter in out if not letter.isprintable() and letter != "\n"})
    return f"printed {letters}" if letters else None


def _names(folder: Path) -> set[str]:
    """All that lies below a folder but what Python keeps of a module there; what a link leads to does not."""
    return {
        os.path.relpath(os.path.join(place, name), folder)
        for place, folders, files in os.walk(folder)
        if "__pycache__" not in place
        for name in (*folders, *files)
        if name != "__pycache__"
    }


def _stream(errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    return stream.buffer.getvalue().decode("utf-8", "replace")


@contextmanager
def _inside(folder: Path):
    """`folder` is where the command stands and where it is at home, and nobody sits at its terminal."""
    here, home, stdin = os.getcwd(), os.environ.get("HOME"), sys.stdin
    os.chdir(folder)
    os.environ["HOME"] = str(folder)
    sys.stdin = io.StringIO()
    try:
        yield
    finally:
        os.chdir(here)
        os.environ["HOME"] = home or here
        sys.stdin = stdin


@contextmanager
def _alarm():
    def ring(number, frame):
        raise HangError

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@dataclass
class Tally:
    """How many cases were run, how each ended, and those that broke a rule."""

    num_cases: int = 0
    codes: Counter = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, ended: Ended, case: object) -> None:
        self.num_cases += 1
        self.codes[ended.code] += 1
        if ended.wrong is not None:
            self.broken.append(f"{ended.wrong} <- {case!r}"[:300])

    @property
    def note(self) -> str:
        """The exit codes; where a rule was broken, the first case that did."""
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(self.codes.items(), key=str))
        return f"exit codes {codes}" + "".join(f"; {case}" for case in self.broken[:3])


def each(cases: st.SearchStrategy, num_cases: int, ask) -> None:
    """Ask about `num_cases` cases drawn from a strategy, always the same ones; all are asked."""

    @settings(
        max_examples=num_cases,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def asked(case):
        ask(case)

    asked()
