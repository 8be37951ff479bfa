import errno
import html.parser
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from attn import files
from diagnostics.report import ReportFile, write_report
from diagnostics.result import (
    Attribution,
    AttributionRow,
    BoundaryAttention,
    Cause,
    CheckResult,
    Curve,
    Diagnosis,
    Environment,
    Estimate,
    Example,
    Measure,
    Report,
    Symptom,
)

NAN = float("nan")
HOSTILE = "<script>alert(1)</script> $x$ | `a` ](http://evil)"
COMMAND = "diagnose report --subject historic --out 'a b'"


def curve(name, level, num=12):
    at = np.arange(1.0, num + 1)
    value = level * at**0.3
    low, high = 0.8 * value, 1.2 * value
    return Curve(name=name, at=at.tolist(), value=value.tolist(), low=low.tolist(), high=high.tolist())


def example(title, has_oracle):
    rng = np.random.default_rng(0)
    x = np.r_[np.linspace(5, 15, 20), np.linspace(5, 15, 20)]
    series = [0] * 20 + [1] * 20
    y = np.sin(x) + 3 * np.array(series)
    exact = np.where(np.arange(40) < 26, NAN, y).tolist()
    return Example(
        title=title, x=x.tolist(), series=series, y=y.tolist(), num_context=26, mean=(y - 1).tolist(),
        scale=[0.1] * 40, samples=(y - 1 + rng.normal(0, 0.2, (8, 40))).tolist(),
        oracle_mean=exact if has_oracle else None, oracle_scale=[0.1] * 40 if has_oracle else None,
    )  # fmt: skip


def symptom(name, *, has_oracle=True, drift=0.3):
    names = ["rmse_teacher_forced", "rmse_free_running"]
    names += ["rmse_oracle_teacher_forced", "rmse_oracle_free_running"] if has_oracle else []
    measures = [
        Measure(name="drift_first", value=drift, low=drift - 0.01, high=drift + 0.01, num_pairs=512,
                meaning="drift 1"),
        Measure(name="drift_later", value=0.5, low=0.4, high=0.6, num_pairs=512, meaning="drift later"),
        Measure(name="jump_ratio", value=NAN, low=NAN, high=NAN, num_pairs=512, meaning="jump"),
        *(Measure(name=n, value=1.25, low=1.0, high=1.5, num_pairs=512, meaning=n) for n in names),
    ]  # fmt: skip
    return Symptom(
        subject=name,
        data="512 held-out pairs" if has_oracle else "175 windows of Seattle and San Francisco",
        measures=tuple(measures),
        curves=(*(curve(n, 0.1 * (place + 1)) for place, n in enumerate(names)), curve("drift", drift)),
        examples=tuple(example(f"{word} of 512 pairs", has_oracle) for word in ("best", "median", "worst")),
        attention=BoundaryAttention(
            mass_on_a=[0.8] * 12, mass_on_b=[0.2] * 12, points_of_a=[0.79] * 12,
            heat_map=np.full((4, 26), 1 / 26).tolist(), heat_map_x=list(range(26)),
            heat_map_series=[0] * 20 + [1] * 6,
        ),
        remarks=() if has_oracle else ("No process is known, so there is no oracle.",),
    )  # fmt: skip


def attribution(detail):
    def row(name, where, role, value, **drifts):
        found = Estimate(value=value, low=value - 0.1, high=value + 0.1)
        return AttributionRow(name=name, title=name, where=where, role=role, error=found, drift=found,
                              sentence=f"{name} {where}: {detail}.", **drifts)  # fmt: skip

    parts = [("oracle", "part", 0.25), ("training_order", "part", 0.5), ("total", "total", 0.75)]
    return Attribution(
        num_pairs=128, later=(11, 12), training_order="A random permutation.",
        rows=(
            *(row(name, where, role, value) for where in ("first", "later") for name, role, value in parts),
            row("half_of_a", "first", "probe", -0.2, after=Estimate(value=0.125, low=0.0, high=0.25)),
        ),
        free_running=curve("free_running", 0.1),
        left_out=(f"Save and restore are left out: {detail}.",),
    )  # fmt: skip


def report(name="historic", *, status="failed", detail="it drops", drift=0.3, num_data=2):
    results = [
        CheckResult(check="no_drift_later", family="boundary", status=status, detail=detail, seed=0,
                    repro=f"diagnose check --subject '{name}'", seconds=0.1, evidence={"a": [1.0, NAN]}),
        CheckResult(check="no_future_leak", family="masking", status="passed", detail="hidden", seed=0,
                    repro="diagnose check --check no_future_leak", seconds=0.1),
    ]  # fmt: skip
    cause = Cause(
        fault="label_blind_history", family="position", title="The history is label-blind",
        evidence=(f"no_drift_later: {detail}",), mend="Add the label.", confirm=("no_drift_later",),
    )  # fmt: skip
    return Report(
        subject=name,
        environment=Environment(python="3.11", platform="Linux", packages={"numpy": "2.4"}),
        seed=0,
        num_manifest=2,
        results=tuple(results),
        diagnosis=Diagnosis(verdict="There is a drop. First cause: labels.",
                            causes=(cause,) if status == "failed" else ()),
        symptoms=(symptom(name, drift=drift), symptom(name, has_oracle=False))[:num_data],
        attribution=attribution(detail) if num_data else None,
    )  # fmt: skip


class Outline(html.parser.HTMLParser):
    """Headings in order, tags, and the texts that stand for pictures; complains of what is not closed."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.headings, self.images, self.text = [], [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "h2":
            self.headings.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "h2":
            self.headings[-1] += data


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    both = [report(), report("corrected", status="passed", detail="no drop", drift=0.0)]
    return write_report(both, tmp_path_factory.mktemp("report"), command=COMMAND)


def test_the_page_stands_alone_and_is_small(written):
    text = written.html.read_text()
    assert written.html.stat().st_size < 3e6
    page = Outline(text)
    assert page.open == []
    assert "script" not in {tag for tag, _ in page.tags}
    linked = [value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href")]
    assert linked
    assert all(value.startswith("data:") for value in linked)
    assert "url(" not in text
    assert "@import" not in text
    policy = next(
        attrs["content"] for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert not any("style" in attrs for _, attrs in page.tags)


def test_the_contents_stand_in_their_order_beside_each_other(written):
    page = Outline(written.html.read_text())
    assert page.headings == [
        "The symptom",
        "Figures",
        "Evidence: where the first targets look",
        "Error by distance from the boundary",
        "Where the drop comes from",
        "Causes",
        "Data without an oracle",
        "All checks",
        "How this report was made",
    ]
    assert page.text.index("There is a drop.") < page.text.index("The symptom")
    assert "0.300 [0.290, 0.310]" in page.text
    assert "0.000 [-0.010, 0.010]" in page.text
    assert "not defined" in page.text
    assert COMMAND in page.text


def test_parts_and_probes_stand_in_tables_with_their_sentences(written):
    page = Outline(written.html.read_text())
    text = " ".join(page.text.split())
    assert all(figures in text for figures in ("0.5 [0.4, 0.6]", "0.125 [0, 0.25]"))
    assert "half_of_a first: it drops." in text
    assert "Save and restore are left out: it drops." in text
    assert "What free running adds, by target: 0.123 at target 2" in text
    lines = written.markdown.read_text().splitlines()
    assert "| oracle | later targets | 0.25 [0.15, 0.35] | 0.25 [0.15, 0.35] |" in lines
    assert "| half\\_of\\_a | 0.125 [0, 0.25] | -0.2 [-0.3, -0.1] | -0.2 [-0.3, -0.1] |" in lines
    pictures = [path.name for path in written.pictures if path.name.startswith("attribution")]
    assert pictures == [f"attribution-{place}{kind}.png" for place in (1, 2) for kind in ("", "-probes")]


def test_every_picture_has_an_alt_text_and_a_file(written):
    page = Outline(written.html.read_text())
    assert len(page.images) == len(written.pictures) == len(set(written.pictures))
    assert all(len(image["alt"]) > 20 for image in page.images)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written.pictures)
    shown = re.findall(r"\]\(([^)]+\.png)\)", written.markdown.read_text())
    assert sorted(shown) == sorted(path.name for path in written.pictures)


def test_the_json_holds_both_reports_again(written):
    both = ReportFile.from_json(written.json.read_text())
    assert [r.subject for r in both.reports] == ["historic", "corrected"]
    assert both.command == COMMAND
    content = json.loads(written.json.read_text())
    assert content["file_version"] == 1
    assert content["reports"][0]["results"][0]["evidence"]["a"] == [1.0, "NaN"]
    with pytest.raises(ValueError, match="file_version must be 1; got 2"):
        ReportFile.from_json(json.dumps(content | {"file_version": 2}))


def test_one_subject_alone_without_symptoms_is_reported(tmp_path):
    alone = write_report([report(num_data=0)], tmp_path, command=COMMAND)
    page = Outline(alone.html.read_text())
    assert page.headings == ["Causes", "All checks", "How this report was made"]
    assert [path.name for path in alone.pictures] == ["checks.png"]


def test_text_from_outside_is_shown_and_never_read_as_markup(tmp_path):
    hostile = write_report([report(HOSTILE, detail=HOSTILE, num_data=1)], tmp_path, command=HOSTILE)
    page = Outline(hostile.html.read_text())
    assert "script" not in {tag for tag, _ in page.tags}
    assert HOSTILE in page.text
    outside_code = re.sub(r"(`{3,})\n.*?\n\1", "", hostile.markdown.read_text(), flags=re.S)
    assert "<script>" not in outside_code.replace("\\<script\\>", "")
    assert "](http://evil)" not in outside_code.replace("\\](", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["report.html", "report.md", "report.json", *(path.name for path in hostile.pictures)]
    )


def test_a_full_disk_leaves_the_old_report_whole_and_nothing_beside_it(tmp_path, monkeypatch):
    first = write_report([report(num_data=0)], tmp_path, command="first")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    real, calls = files.os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_report([report(status="passed", num_data=0)], tmp_path, command="second")
    monkeypatch.setattr(files.os, "fsync", real)
    assert calls
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert "first" in first.html.read_text()


def test_a_report_of_nobody_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one subject; got none"):
        write_report([], tmp_path, command="c")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed to look at the page with")
@pytest.mark.parametrize("width", [390, 1440])
def test_a_browser_shows_the_page_without_overflow_or_complaint(written, tmp_path, width):
    # a frame is as narrow as a telephone, unlike a headless window; it answers by its title
    frame = tmp_path / "frame.html"
    frame.write_text(f"""<!doctype html><title>waiting</title>
<iframe src="{written.html.as_uri()}" width="{width}" height="900" style="border:0"></iframe>
<script>onload = () => {{
  const page = document.querySelector("iframe").contentDocument;
  const broken = [...page.images].filter(image => !image.complete || image.naturalWidth === 0).length;
  document.title = [page.documentElement.scrollWidth, page.images.length, broken].join(" ");
}}</script>""")
    assert CHROMIUM is not None
    shown = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--allow-file-access-from-files", "--enable-logging=stderr",
         f"--user-data-dir={tmp_path / 'profile'}",
         f"--window-size={width + 100},1000", "--dump-dom", frame.as_uri()],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    scroll_width, num_images, num_broken = re.search(
        r"<title>(\d+) (\d+) (\d+)</title>", shown.stdout
    ).groups()
    assert int(scroll_width) <= width
    assert int(num_images) == len(written.pictures)
    assert int(num_broken) == 0
    assert "CONSOLE" not in shown.stderr
