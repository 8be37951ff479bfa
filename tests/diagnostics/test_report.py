import errno
import html.parser
import json
import re

import pytest

from attn import files
from diagnostics.report import write_report
from diagnostics.schema import ReportFile
from tests.diagnostics.sample_reports import report

HOSTILE = "<script>alert(1)</script> $x$ | `a` ](http://evil)"
COMMAND = "diagnose report --subject historic --out 'a b'"


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
    places = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert all(value.startswith("data:") or value[1:] in places for value in linked)
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
        "Where the drop comes from",
        "Causes, each with its evidence",
        "Attention at the boundary",
        "Calibration",
        "Drift and error by distance from the boundary",
        "Examples: the best, the median and the worst pair",
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
    kinds = [image["alt"].partition(".")[0] for image in page.images if "total 0.750" in image["alt"]]
    assert kinds == ["Waterfall of historic", "Waterfall of corrected"]


def test_every_picture_is_svg_with_an_alt_text_of_its_own(written):
    page = Outline(written.html.read_text())
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in page.images)
    assert all(len(image["alt"]) > 20 for image in page.images)
    kinds = ("Inference plot", "Drift fraction", "Waterfall", "Heat map", "Share of attention",
             "PIT histogram", "Coverage", "Root mean square error", "Status of all checks")  # fmt: skip
    assert all(any(image["alt"].startswith(kind) for image in page.images) for kind in kinds)


def test_examples_show_the_best_the_median_and_the_worst_pair_of_both(written):
    _, examples = written.html.read_text().split('<section id="examples">')
    shown = Outline(examples.partition("</section>")[0]).images
    said = [image["alt"].partition(" of 512")[0] for image in shown]
    names = ("historic", "corrected")
    assert said == [f"Inference plot of {n}, {rank}" for rank in ("best", "median", "worst") for n in names]


def test_calibration_is_said_in_words(written):
    page = Outline(written.html.read_text())
    said = "given the true past 40 % do at the first target and 84 % at the last"
    assert (
        f"historic: 90 % of the true values should lie in the central 90 % of their prediction; {said}"
        in page.text
    )
    assert said in written.markdown.read_text()


def test_evidence_leads_to_its_check_and_only_what_passed_for_all_is_folded(written):
    page = Outline(written.html.read_text())
    assert ("a", {"href": "#check-no_drift_later"}) in page.tags
    checks = {a["id"]: "open" in a for tag, a in page.tags if tag == "details" and "id" in a}
    assert checks == {"check-no_drift_later": True, "check-no_future_leak": False}
    assert page.text.count("diagnose check --check no_future_leak") == 2


def test_markdown_shows_at_most_three_pictures_and_each_has_its_file(written):
    shown = re.findall(r"\]\(([^)]+\.png)\)", written.markdown.read_text())
    assert sorted(shown) == sorted(path.name for path in written.pictures)
    assert shown == ["forecast.png", "waterfall.png", "drift.png"]
    assert "![Inference plot of historic, worst of 512 pairs" in written.markdown.read_text()
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written.pictures)
    assert written.markdown.stat().st_size < 1e6


def test_markdown_holds_every_check_in_a_table_and_asks_again_what_failed(written):
    lines = written.markdown.read_text().splitlines()
    assert "| check | family | historic | corrected |" in lines
    assert "| no\\_drift\\_later | boundary | **failed**: it drops | **passed**: no drop |" in lines
    assert lines.count("diagnose check --subject 'historic'") == 1
    assert "diagnose check --subject 'corrected'" not in lines


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
    assert page.headings == ["Causes, each with its evidence", "All checks", "How this report was made"]
    assert [path.name for path in alone.pictures] == ["checks.png"]


@pytest.fixture
def undrawn(monkeypatch):
    """A report of words: to draw takes far longer."""
    monkeypatch.setattr("diagnostics.report.render_svg", lambda draw, height: "<svg/>")
    monkeypatch.setattr("diagnostics.report.render_png", lambda draw, height: b"")


@pytest.mark.usefixtures("undrawn")
def test_what_could_not_be_measured_is_said_beneath_the_verdict(tmp_path):
    why = "The symptom was not measured: the subject ended the process (signal 11, segmentation fault)."
    broken = report(num_data=0).model_copy(update={"unmeasured": (why,)})
    written = write_report([broken, report("corrected")], tmp_path, command=COMMAND)
    page = Outline(written.html.read_text())
    assert page.open == []
    assert page.text.count(why) == 1
    assert page.text.index(broken.diagnosis.verdict) < page.text.index(why) < page.text.index("corrected.")
    assert "the pair of largest error of corrected" in page.text  # of the subject that has one
    text = written.markdown.read_text()
    assert f"\n\n{why}\n" in text
    assert text.index(broken.diagnosis.verdict) < text.index(why) < text.index("**corrected.**")


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
