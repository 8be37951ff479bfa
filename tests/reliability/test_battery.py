"""A subject that hangs, crashes, leaks, prints or ends what it can: the battery says so, and goes on."""

import re
import time
from collections import defaultdict
from pathlib import Path

import pytest

from diagnostics.checks import CHECKS
from diagnostics.cli import main
from diagnostics.result import Report
from diagnostics.schema import ReportFile
from tests.reliability.ledger import Promise
from tests.reliability.troubled import EACH, METHODS, TROUBLES

SECTION = "Subjects that misbehave"
SUBJECTS = "tests.reliability.troubled"
# Of every method a check that asks it, and none beside it but `teacher_force` and `predict_next`.
CHECK_OF = {
    "teacher_force": "no_future_leak",
    "predict_next": "single_step_equals_column",
    "rollout": "rollout_keeps_the_context",
    "attention": "attention_rows_sum_to_one",
    "loss": "every_target_is_scored",
    "score": "metric_counts_every_target",
    "record": "record_is_reproduced",
    "reload": "reload_predicts_the_same",
    "training_batches": "labels_belong_to_their_series",
}
# These ask nothing of the subject.
UNTROUBLED = ("pairs_follow_their_process", "pairs_are_independent", "noise_is_independent")
TIMEOUT = 2.0
MEMORY = 2**29
NUM_RUNS = 3

LATE = r"the subject did not answer within 2 s"
ENDED = r"the subject ended the process"
NO_END = r"a subject must not end the run; got"
# {trouble: (what is promised, what the check says; None where the answer counts)}
PROMISES = {
    "hangs": ("A subject that hangs is given up, and the check says after how many seconds.", LATE),
    "hangs_whatever_is_raised": (
        "A subject that hangs and catches whatever is raised is ended, and the check says so.",
        rf"{LATE}, and did not let itself be interrupted",
    ),
    "hangs_in_compiled_code": (
        "A subject that hangs in compiled code, where no alarm is heard, is ended, and the check says so.",
        rf"{LATE}, and did not let itself be interrupted",
    ),
    "segfaults": (
        "After a segmentation fault the check names the signal, and the others are asked in a new process.",
        rf"{ENDED} \(signal 11, segmentation fault\)",
    ),
    "aborts": (
        "After abort(), as of a failed assertion in compiled code, the check names the signal.",
        rf"{ENDED} \(signal 6, aborted\)",
    ),
    "ends_the_process": (
        "os._exit(0) is no success: the check says that the process ended.",
        rf"{ENDED} \(exit code 0\)",
    ),
    "is_killed": (
        "A process that is killed, as by the system where memory runs out, is said to be.",
        rf"{ENDED} \(signal 9, killed; so does the system where memory runs out\)",
    ),
    "leaks": (
        "A subject that leaks 600 MB a call is ended at its limit, here 0.5 GiB, and the check says so.",
        r"the subject used more than 0\.5 GiB of memory",
    ),
    "exits": ("sys.exit of a subject ends nothing, and the check says so.", rf"{NO_END} SystemExit: 0"),
    "interrupts": (
        "KeyboardInterrupt raised by a subject is told from Ctrl-C, and the check says so.",
        rf"{NO_END} KeyboardInterrupt",
    ),
    "prints": (
        "Of 60 MB that a call prints, 64 kB are shown on stderr, none on stdout; the answer counts.",
        None,
    ),
    "closes_stdout": ("A subject that closes stdout loses no answer.", None),
    "forks": ("A copy of the process that comes back from a check answers nothing.", None),
    "leaves_processes_and_threads": ("Processes and threads left running keep nobody waiting.", None),
    "changes_directory": ("A subject that changes its directory moves nothing that is written.", None),
    "answers_in_another_shape": (
        "Of another shape at the second call the check names the method, the rule and the shape.",
        r"(must have|must be|must return|training_batches\().*got",
    ),
}


@pytest.fixture(autouse=True)
def _limits(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("diagnostics.apart.GRACE", 2.0)
    monkeypatch.setattr("diagnostics.isolated.free_memory", lambda: MEMORY)


@pytest.fixture
def check(capfd):
    """Run `diagnose check --json`: the results by check, and how much was written to stderr."""

    def run(subject, checks, *options):
        words = ["check", "--subject", f"{SUBJECTS}:{subject}", "--json", "--no-store", *options]
        code = main([*words, *(word for name in checks for word in ("--check", name))])
        said = capfd.readouterr()
        report = Report.from_json(said.out)
        assert [result.check for result in report.results] == list(checks)
        assert code == report.exit_code
        return {result.check: result for result in report.results}, len(said.err)

    return run


def names():
    return [check.name for check in CHECKS]


def is_kept(trouble, result):
    """Whether a check says what is due, or nothing where the answer counts."""
    said = PROMISES[trouble][1]
    if said is None:
        return result.status == "passed"
    return result.status == "error" and re.search(said, result.detail) is not None


def test_whatever_a_subject_does_every_check_has_a_result(is_smallest, promise, check):
    each = {"each": {method: trouble.__name__ for method, trouble in EACH.items()}}
    always = {f"always_{name}": dict.fromkeys(METHODS, name) for name in TROUBLES}
    del always["always_answers_in_another_shape"]  # it has a test of its own
    found, untroubled = defaultdict(list), []
    for subject, troubles in (each if is_smallest else each | always).items():
        asked = list(CHECK_OF.values())
        # a sound check in between, so that no more processes are lost in a row than may be
        asked = [*asked[:5], UNTROUBLED[0], *asked[5:], UNTROUBLED[1]]
        results, num_written = check(subject, asked, "--check-timeout", f"{TIMEOUT:g}")
        assert num_written < 1e6
        for method, trouble in troubles.items():
            found[trouble].append(results[CHECK_OF[method]])
        untroubled += [results[name].status == "passed" for name in UNTROUBLED[:2]]
    for trouble in sorted(found, key=list(PROMISES).index):
        results = found[trouble]
        num_kept = sum(is_kept(trouble, result) for result in results)
        broken = [result.detail for result in results if not is_kept(trouble, result)]
        note = broken[0] if broken else f"at most {max(result.seconds for result in results):.1f} s a check"
        promise(Promise(SECTION, PROMISES[trouble][0], num_kept, len(results), note=note))
    text = "Checks that ask nothing of the subject are answered all the same."
    promise(Promise(SECTION, text, sum(untroubled), len(untroubled)))


def test_another_shape_at_the_second_call_is_named_for_every_method(is_smallest, promise, check):
    """`record` is asked once, and `reload` returns another subject each time: they have no second call."""
    trouble = "answers_in_another_shape"
    methods = METHODS[:1] if is_smallest else [m for m in METHODS if m not in ("record", "reload")]
    num_kept = 0
    for method in methods:
        results, _ = check(f"reshapes_{method}", [CHECK_OF[method]] if is_smallest else names())
        num_kept += any(is_kept(trouble, result) and method in result.detail for result in results.values())
    promise(Promise(SECTION, PROMISES[trouble][0], num_kept, len(methods)))


def test_what_is_not_troubled_is_answered_as_by_the_sound_subject(is_smallest, promise, check):
    asked = [CHECK_OF["loss"], CHECK_OF["teacher_force"], *UNTROUBLED] if is_smallest else names()
    sound, _ = check("sound", asked)
    kept, num_ended = [], 0
    for _ in range(1 if is_smallest else NUM_RUNS):
        results, _ = check("each", asked, "--check-timeout", f"{TIMEOUT:g}")
        for name, result in results.items():
            if result.status == "error":
                num_ended += re.search(f"{ENDED}|GiB|interrupted", result.detail) is not None
            else:
                kept.append((result.status, result.detail) == (sound[name].status, sound[name].detail))
    text = "What is answered is word for word what is said of a sound subject, whatever was lost before."
    note = f"{num_ended} processes were lost in between"
    promise(Promise(SECTION, text, sum(kept), len(kept), note=note))


def test_a_subject_that_dies_in_every_check_is_given_up(is_smallest, promise, check, monkeypatch):
    if is_smallest:
        monkeypatch.setattr("diagnostics.apart.MOST_LOST", 2)
    started = time.perf_counter()
    results, _ = check("always_segfaults", names())
    given_up = [r for r in results.values() if "not asked: the subject lost" in r.detail]
    lost = [r for r in results.values() if ENDED in r.detail]
    is_right = len(lost) == (2 if is_smallest else 7) and len(given_up) == len(CHECKS) - len(lost)
    text = "Where 7 processes in a row are lost, no more is started, and the checks that are left say so."
    note = f"{time.perf_counter() - started:.0f} s for {len(CHECKS)} checks"
    promise(Promise(SECTION, text, int(is_right), 1, note=note))


def test_a_report_is_written_without_what_could_not_be_measured(is_smallest, promise, capfd, monkeypatch):
    monkeypatch.setattr("diagnostics.isolated.CHECKS_OF_A_MEASURE", 2)
    troubles = ["segfaults"] if is_smallest else ["segfaults", "hangs_in_compiled_code", "leaks", "exits"]
    sizes = ["--num-pairs", "66", "--num-context", "3", "--check-timeout", "5", "--quiet"]
    kept = []
    for trouble in troubles:
        code = main(["report", "--subject", f"{SUBJECTS}:report_{trouble}", "--out", trouble, *sizes])
        said = capfd.readouterr()
        (written,) = ReportFile.from_json(Path(trouble, "report.json").read_text()).reports
        page = Path(trouble, "report.html").read_text()
        kept.append(
            (code, said.out, written.symptoms, written.attribution) == (3, "", (), None)
            and written.count("error") == 0
            and len(written.unmeasured) == 2
            and all(why in said.err and why.partition(":")[0] in page for why in written.unmeasured)
        )
    text = "Where symptom and attribution are lost, the report is written and says so; exit code 3."
    promise(Promise(SECTION, text, sum(kept), len(kept)))
