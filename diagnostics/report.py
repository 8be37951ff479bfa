"""A report on disk: one HTML file that needs no network, Markdown, JSON, and three of the pictures as PNG.

All texts that come from a subject (its name, what its checks say) are untrusted: they are escaped in HTML
and in Markdown, and never become the name of a file.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from attn.files import write_whole
from diagnostics import markdown
from diagnostics.attribution import words as attributed
from diagnostics.contents import Contents, put_in_order
from diagnostics.pictures import Picture
from diagnostics.plots.overview import LOOKS
from diagnostics.plots.style import render_png, render_svg
from diagnostics.result import Estimate, Report, Status
from diagnostics.schema import ReportFile


@dataclass(frozen=True)
class Written:
    """The files of a report."""

    html: Path
    markdown: Path
    json: Path
    pictures: tuple[Path, ...]


def write_report(reports: Sequence[Report], directory: Path, *, command: str) -> Written:
    """Write report.html, report.md, report.json and three pictures of one subject, or of two, to `directory`.

    reports     of the subject, and of the one to compare with; the symptoms of both in the same order of data
    command     the line that made the report, quoted for a shell

    Everything is drawn and rendered before the first file is touched, and no file takes its name before all
    are on the disk.  Raises ValueError for no report, OSError where the system refuses.
    """
    if not reports:
        raise ValueError("a report needs at least one subject; got none")
    contents = put_in_order(reports, command)
    texts = {
        "report.html": _render_html(contents),
        "report.md": _render_markdown(contents),
        "report.json": ReportFile(command=command, reports=tuple(reports)).model_dump_json(indent=1),
    }
    files = {name: text.encode() for name, text in texts.items()}
    pictures = {name: render_png(p.draw, height=p.height) for name, p in contents.files.items()}
    _write_together(directory, files | pictures)
    return Written(
        html=directory / "report.html",
        markdown=directory / "report.md",
        json=directory / "report.json",
        pictures=tuple(directory / name for name in pictures),
    )


def _write_together(directory: Path, files: dict[str, bytes]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as open_files:
        for name, content in files.items():
            file = open_files.enter_context(write_whole(directory / name))
            file.write(content)
            file.flush()  # a full disk shows here, before any file has taken its name


def _data_uri(picture: Picture) -> Markup:
    svg = render_svg(picture.draw, height=picture.height)
    return Markup(f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}")


def _amount(found: Estimate | None) -> str:
    return "not defined" if found is None else attributed.amount(found)


def _signed(status: Status) -> str:
    """The status with its sign, as in the picture of all checks: told apart without colour."""
    return f"{LOOKS[status][1]} {status.replace('_', ' ')}"


def _environment(*, autoescape: bool, finalize: Callable[[object], object] | None = None) -> Environment:
    environment = Environment(
        loader=PackageLoader("diagnostics"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=autoescape,
        finalize=finalize,
        keep_trailing_newline=True,
    )
    environment.filters |= {"amount": _amount, "signed": _signed}
    return environment


def _render_html(contents: Contents) -> str:
    environment = _environment(autoescape=True)
    environment.filters["data_uri"] = _data_uri
    css = environment.loader.get_source(environment, "report.css")[0]  # type: ignore[union-attr]
    # the page may use this style sheet and pictures that it carries itself; nothing else, no script at all
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return environment.get_template("report.html.j2").render(c=contents, css=Markup(css), policy=policy)


def _render_markdown(contents: Contents) -> str:
    environment = _environment(autoescape=False, finalize=markdown.escape)
    environment.filters |= {"fenced": markdown.fenced}
    return environment.get_template("report.md.j2").render(c=contents)
