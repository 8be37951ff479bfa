"""Files of pairs, expected failures, stored failures and baselines that were damaged or made up."""

import json
import shutil
import sys
from types import ModuleType

import numpy as np
import pytest
from hypothesis import strategies as st

from attn.commands import train as training
from attn.files import save_pairs
from attn.types import Pairs
from diagnostics import examiner
from diagnostics.adapters import OracleSubject
from diagnostics.checks import CHECKS
from diagnostics.failures import Failure
from diagnostics.regression.baseline import Plan, examine, to_baseline, write_baseline
from tests.reliability.harness import Tally, each, run
from tests.reliability.hostile import NAMES, NO_FILES, mutated
from tests.reliability.ledger import Promise
from tests.reliability.sound import ODD, PROCESS, exchanged, make_pairs

pytestmark = pytest.mark.usefixtures("in_this_process")

NUM_CASES, NUM_SMALLEST = 600, 25
SUBJECT = "a_sound_subject:oracle"


@pytest.fixture(autouse=True)
def subject(monkeypatch):
    """The exact posterior, where `--subject` finds it; and no training."""
    module = ModuleType("a_sound_subject")
    module.oracle = OracleSubject(PROCESS)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(training, "train_visibly", lambda *arguments, **options: None)


def ask_all(kind, cases, num_cases, tmp_path, file, command, promise):
    """Put every case in the place of a file, run the command, and write down what was seen."""
    tally, home = Tally(), tmp_path / "home"

    def ask(content):
        shutil.rmtree(home, ignore_errors=True)
        (home / file).parent.mkdir(parents=True)
        if isinstance(content, bytes):
            (home / file).write_bytes(content)
        else:
            NO_FILES[content](home / file)
        program, *arguments = command
        tally.add(run(program, arguments, home), content)

    each(cases, num_cases, ask)
    kept = tally.num_cases - len(tally.broken)
    text = f"{kind} that is damaged or made up ends in a sentence and a documented exit code"
    promise(Promise("fuzz", text, kept, tally.num_cases, is_random=True, note=tally.note))


def foreign_pairs(tmp_path) -> st.SearchStrategy[bytes]:
    """Files with a checksum that holds, but arrays and specs that no draw has."""
    shapes = st.sampled_from([(6, 10), (6, 0), (0, 10), (1, 1), (60,), (2, 3, 4), ()])
    fills = st.sampled_from([0.0, 1.0, np.nan, np.inf, 1e308, 1e39, 7.0, -1.0])
    kinds = st.sampled_from(["f8", "f4", "f2", ">f8", "i8", "u1", "?", "c16", "S3", "U3"])
    arrays = st.builds(
        lambda shape, fill, kind: np.full(shape, 1 if kind[0] in "SUMmiu" else fill).astype(kind),
        shapes,
        fills,
        kinds,
    )
    path = tmp_path / "foreign.npz"

    def write(changes, spec):
        sound = PROCESS.sample(6, np.random.default_rng(0))
        parts = {name: getattr(sound, name) for name in ("x", "series", "y", "valid")} | changes
        pairs = object.__new__(Pairs)
        for name, array in parts.items():
            object.__setattr__(pairs, name, array)
        save_pairs(path, pairs, spec)
        return path.read_bytes()

    changes = st.dictionaries(st.sampled_from(["x", "series", "y", "valid"]), arrays, max_size=2)
    spec = {"kernel": "rbf", "num_points": 5}
    specs = st.sampled_from(
        [
            spec,
            [],
            3,
            None,
            {"kernel": []},
            {name: [] for name in vars(PROCESS)},
            vars(PROCESS) | {"num_points": 5.5},
        ]
    )
    return st.builds(write, changes, specs)


@pytest.mark.filterwarnings("ignore")
def test_pairs(tmp_path, promise, is_smallest):
    whole = make_pairs(tmp_path / "pairs.npz")
    cases = st.one_of(mutated(whole), foreign_pairs(tmp_path), st.sampled_from(list(NO_FILES)))
    command = ("attn", "train", "--run", "new", "--pairs", "pairs.npz", "--batch-size", "2", "--context", "2")
    ask_all(
        "a file of pairs",
        cases,
        NUM_SMALLEST if is_smallest else 2 * NUM_CASES,
        tmp_path,
        "pairs.npz",
        command,
        promise,
    )


def test_expected_failures(tmp_path, promise, is_smallest):
    sound = {check.name: "known" for check in CHECKS[:3]}
    deep = st.integers(1, 5000).map(lambda depth: b"[" * depth)
    cases = st.one_of(
        exchanged(sound), mutated(json.dumps(sound).encode()), deep, st.sampled_from(list(NO_FILES))
    )
    command = (
        "diagnose",
        "check",
        "--subject",
        SUBJECT,
        "--check",
        CHECKS[0].name,
        "--num-pairs",
        "2",
        "--no-store",
    )
    command += ("--expected-failures", "known.json")
    ask_all(
        "a file of expected failures",
        cases,
        NUM_SMALLEST if is_smallest else NUM_CASES,
        tmp_path,
        "known.json",
        command,
        promise,
    )


def test_stored_failures(tmp_path, promise, is_smallest):
    failure = Failure(
        spec=SUBJECT, check=CHECKS[0].name, seed=0, num_pairs=2, status="failed", detail="moved"
    )
    sound = json.loads(failure.model_dump_json())
    ids = st.tuples(
        st.sampled_from(["check", "seed", "num_pairs", "pairs", "detail"]),
        st.sampled_from([*ODD[:12], *NAMES]),
    )

    def renamed(change):
        """Another question under the name of the first: it must be noticed."""
        return json.dumps(sound | dict([change])).encode()

    cases = st.one_of(
        exchanged(sound),
        ids.map(renamed),
        mutated(json.dumps(sound).encode()),
        st.sampled_from(list(NO_FILES)),
    )
    command = ("diagnose", "replay", failure.id, "--failures", "stored")
    ask_all(
        "a stored failure",
        cases,
        NUM_SMALLEST if is_smallest else NUM_CASES,
        tmp_path,
        f"stored/{failure.id}.json",
        command,
        promise,
    )


def test_baselines(tmp_path, promise, is_smallest, monkeypatch):
    # what is whole is refused as well, after it was read: the battery behind it takes seconds
    def stop(baseline, process):
        raise ValueError("a baseline that was read")

    monkeypatch.setattr(examiner, "require_same_process", stop)
    plan = Plan(seed=0, num_pairs=32, num_context=2)
    examined = examine(OracleSubject(PROCESS), plan, checks=CHECKS[:1])
    write_baseline(tmp_path / "sound.json", to_baseline(examined, plan))
    whole = (tmp_path / "sound.json").read_bytes()
    cases = st.one_of(exchanged(json.loads(whole)), mutated(whole), st.sampled_from(list(NO_FILES)))
    command = ("diagnose", "compare", "base.json", "--subject", SUBJECT)
    ask_all(
        "a baseline",
        cases,
        NUM_SMALLEST if is_smallest else NUM_CASES,
        tmp_path,
        "base.json",
        command,
        promise,
    )
