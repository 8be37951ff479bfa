"""Names from outside: where they may become paths, HTML, Markdown, a line for the shell, or a picture."""

import json
import shlex
import subprocess
from html.parser import HTMLParser

from attn.catalogue import RunError, check_name
from attn.study_report import safe
from diagnostics.adapters import OracleSubject
from diagnostics.checks import CHECKS
from diagnostics.markdown import escape, fenced
from diagnostics.report import write_report
from diagnostics.runner import run_checks
from diagnostics.symptom import measure_symptom
from tests.reliability.harness import run
from tests.reliability.hostile import NAMES
from tests.reliability.ledger import Promise
from tests.reliability.sound import PROCESS, make_run


def is_text(name: str) -> bool:
    """No half of a surrogate pair, which no file can hold."""
    return name.encode("utf-8", "ignore").decode() == name


# What a CSV file can hold as the name of a series.
SERIES = [name for name in NAMES if name.strip() and "\x00" not in name and is_text(name)]


def test_run_names(tmp_path, promise):
    kept = 0
    for name in NAMES:
        try:
            kept += (tmp_path / check_name(name)).resolve().parent == tmp_path.resolve()
        except RunError:
            kept += 1
    promise(Promise("security", "the name of a run stays in its folder, or is refused", kept, len(NAMES)))


class Page(HTMLParser):
    """The elements of a page, and what they would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.reach, self.policy = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (
                name in ("style", "srcset", "srcdoc", "formaction", "http-equiv") and tag != "meta"
            ):
                self.reach.append(f"{tag} {name}")
            if name in ("src", "href", "data", "action") and not (value or "").startswith(("data:", "#")):
                self.reach.append(f"{tag} {name}={value}")
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"]


def report_named(name):
    """A report on the exact posterior under a name, with failures that mention it."""
    subject = OracleSubject(PROCESS, name)
    symptoms = [measure_symptom(subject, PROCESS, num_pairs=4, num_context=2, seed=0)]
    expected = {CHECKS[0].name: name}
    return run_checks(
        subject, num_pairs=4, checks=CHECKS[:3], symptoms=symptoms, spec=name, expected_failures=expected
    )


def test_reports(tmp_path, promise, is_smallest):
    """The same elements whatever the name, and the policy that forbids all else."""
    names = [name for name in NAMES if name.strip()]
    plain = write_report([report_named("plain")], tmp_path / "plain", command="diagnose report")
    expected, broken = Page(plain.html.read_text()).tags, []
    for number, name in enumerate(names[::12] if is_smallest else names):
        command = shlex.join(["diagnose", "report", "--subject", name.encode("utf-8", "replace").decode()])
        written = write_report([report_named(name)], tmp_path / str(number), command=command)
        page = Page(written.html.read_text())
        files = {path.name for path in (tmp_path / str(number)).iterdir()}
        is_closed = page.policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
        json.loads(written.json.read_text())
        if (
            page.tags != expected
            or page.reach
            or not is_closed
            or files != {p.name for p in (tmp_path / "plain").iterdir()}
        ):
            broken.append(repr(name)[:40])
    num_cases = number + 1
    text = (
        "a report has the same elements whatever its subject is called, loads nothing, forbids all else (CSP)"
    )
    promise(Promise("security", text, num_cases - len(broken), num_cases, note=", ".join(broken)))


def test_markdown(promise):
    special = set("`*_{}[]<>#!|~&$")
    kept = 0
    for name in NAMES:
        for shown in (escape(name), safe(name)):
            bare = [
                letter for place, letter in enumerate(shown) if letter in special and shown[place - 1] != "\\"
            ]
            kept += not bare and shown.isprintable()
        block = str(fenced(name)).split("\n")
        kept += block[0] == block[-1] and block[0] not in block[1:-1]
    promise(Promise("security", "a name in Markdown is text: nothing in it is markup", kept, 3 * len(NAMES)))


def test_lines_for_the_shell(promise):
    """What is printed to be copied gives the same words again, to Python and to a shell."""
    kept, names = 0, [name for name in NAMES if "\x00" not in name and is_text(name)]
    for name in names:
        report = run_checks(OracleSubject(PROCESS, "sound"), num_pairs=2, checks=CHECKS[:1], spec=name or "-")
        words = shlex.split(report.results[0].repro)
        told = subprocess.run(
            ["sh", "-c", f"printf '%s\\0' {report.results[0].repro}"], capture_output=True, check=True
        )
        kept += words[3] == (name or "-") and told.stdout.decode("utf-8").split("\0")[3] == (name or "-")
    promise(
        Promise(
            "security",
            "a printed command gives the same words in a shell, whatever is named",
            kept,
            len(names),
        )
    )


def test_series_and_columns(tmp_path, promise, is_smallest):
    """Names of series and columns in plots, tables and files of an inference."""
    broken, cases = [], SERIES[::9] if is_smallest else SERIES
    for number, name in enumerate(cases):
        home = tmp_path / str(number)
        make_run(home / "mine")
        cell = '"' + name.replace('"', '""') + '"'
        rows = [f"x,series,{cell}", *(f"{i // 2},{(cell, 'b')[i % 2]},{i * i % 7}" for i in range(40))]
        (home / "table.csv").write_text("\n".join(rows), encoding="utf-8", newline="")
        arguments = [
            "infer",
            "--run",
            "mine",
            "--csv",
            "table.csv",
            "--y-column",
            name.strip(),
            "--window",
            "5",
        ]
        arguments += ["--observed", "2", "--number", "2", "--samples", "1", "--plots", "1", "--out", "out"]
        ended = run("attn", arguments, home, may_write=("out",))
        written = (
            {str(path.relative_to(home / "out")) for path in (home / "out").rglob("*")}
            if ended.code == 0
            else set()
        )
        if ended.wrong or (
            ended.code == 0 and written != {"pair-000.png", "predictions.csv", "metrics.json"}
        ):
            broken.append(f"{name!r}: {ended.wrong} {sorted(written)} {ended.err}"[:200])
    text = "names of series and columns stay text in plots, tables and files, and name no file"
    promise(Promise("security", text, len(cases) - len(broken), len(cases), note="; ".join(broken[:3])))
