"""Command lines with options that are missing, doubled, unknown, or hold what nobody would type."""

import shutil

import numpy as np
import pytest
from hypothesis import strategies as st
from typer.main import get_command

from attn.cli import app as attn_app
from attn.commands import study, train
from attn.files import save_pairs
from diagnostics.cli import app as diagnose_app
from tests.reliability.harness import Tally, each, run
from tests.reliability.hostile import NUMBERS, VALUES
from tests.reliability.ledger import Promise
from tests.reliability.sound import PROCESS, make_run

pytestmark = pytest.mark.usefixtures("in_this_process")

NUM_CASES, NUM_SMALLEST = 2500, 60
PAIRS = ("--pairs", "pairs.npz", "--number", "2")
# Sound and small; those of which even the smallest takes long name a run or a subject that there is none of.
SOUND = [
    ("attn", "data", "--kernel", "rbf_const_2D", "--number", "2", "--num-points", "5", "--no-overwrite"),
    (
        "attn",
        "train",
        "--run",
        "new",
        "--kernel",
        "rbf",
        "--num-points",
        "5",
        "--context",
        "2",
        "--batch-size",
        "2",
    ),
    (
        "attn",
        "infer",
        "--run",
        "mine",
        *PAIRS,
        "--observed",
        "2",
        "--steps",
        "1",
        "--samples",
        "1",
        "--plots",
        "0",
    ),
    ("attn", "infer", "--run", "nowhere", "--csv", "table.csv", "--window", "4"),
    ("attn", "study", "--run", "nowhere", "--csv", "table.csv"),
    ("attn", "project", "--run", "mine", "--layer", "table", "--out", "out"),
    ("attn", "runs", "--folder", "."),
    ("attn", "runs", "list", "--json"),
    ("attn", "runs", "delete", "mine", "--yes"),
    ("attn", "runs", "export", "mine", "--out", "out.zip"),
    ("attn", "runs", "import", "mine.zip", "--folder", "runs"),
    ("diagnose", "check", "--subject", "nowhere", "--num-pairs", "2"),
    ("diagnose", "report", "--subject", "nowhere", "--out", "out"),
    ("diagnose", "power", "--subject", "nowhere", "--out", "out", "--num-runs", "2"),
    ("diagnose", "baseline", "--subject", "nowhere", "--out", "out.json"),
    ("diagnose", "compare", "base.json", "--subject", "nowhere"),
    ("diagnose", "replay", "0123abcd"),
    ("diagnose", "explain", "no_future_leak"),
    ("diagnose", "list", "--json"),
    ("diagnose", "schema", "check"),
]
# Places to write to that are anywhere but in the folder of the case would be hit by every case.
VALUES_HERE = VALUES.filter(lambda text: not text.startswith(("/", "~")) and ".." not in text)
NEVER = {"--install-completion", "--show-completion"}


def options_of(words) -> list[str]:
    """The names of the options of the command that stands in those words."""
    command = get_command({"attn": attn_app, "diagnose": diagnose_app}[words[0]])
    for word in words[1:]:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
    return sorted(
        {name for parameter in command.params for name in parameter.opts if name.startswith("-")} - NEVER
    )


OPTIONS = {words: options_of(words) for words in SOUND}


@st.composite
def lines(draw) -> tuple[str, ...]:
    """A sound line with one to three changes: a word exchanged, dropped, doubled or added."""
    sound = draw(st.sampled_from(SOUND))
    words = list(sound)
    first = 3 if sound[1] == "runs" and len(sound) > 2 and not sound[2].startswith("-") else 2
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from([*["exchange", "option"] * 5, "drop", "double", "word"]))
        values = [place for place in range(first, len(words)) if not words[place].startswith("--")]
        if kind == "exchange" and values:
            words[draw(st.sampled_from(values))] = draw(VALUES_HERE)
        elif kind == "option" and OPTIONS[sound]:
            words += [draw(st.sampled_from(OPTIONS[sound]))]
            words += [draw(st.one_of(VALUES_HERE, st.sampled_from(NUMBERS)))] * draw(
                st.sampled_from([0, 1, 1, 1])
            )
        elif kind == "word":
            words.append(draw(VALUES_HERE))
        elif len(words) > first:
            place = draw(st.integers(first, len(words) - 1))
            words[place : place + 1] = [words[place]] * (2 if kind == "double" else 0)
    return tuple(words)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A folder with a small run and a file of pairs."""
    folder = tmp_path_factory.mktemp("sound") / "home"
    make_run(folder / "mine")
    save_pairs(folder / "pairs.npz", PROCESS.sample(4, np.random.default_rng(0)), {})
    return folder


@pytest.fixture
def untrained(monkeypatch):
    """Commands up to where a training would begin."""
    monkeypatch.setattr(train, "train_visibly", lambda *arguments, **options: None)
    monkeypatch.setattr(study, "progress_bar", None)


def test_lines(tmp_path, sound, untrained, promise, is_smallest):
    tally, home = Tally(), tmp_path / "home"

    def ask(words):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(sound, home)
        program, *arguments = words
        tally.add(run(program, arguments, home), words)

    each(lines(), NUM_SMALLEST if is_smallest else NUM_CASES, ask)
    text = "a command line that cannot be followed ends in a sentence, and writes nothing"
    kept = tally.num_cases - len(tally.broken)
    promise(Promise("fuzz", text, kept, tally.num_cases, is_random=True, note=tally.note))
