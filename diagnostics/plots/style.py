"""How every picture looks: colours that the colour-blind can tell apart, plain text, one width.

The colours are those of Okabe and Ito (2008), "Color Universal Design".  No series is told apart by its
colour alone: each has a line style or a marker of its own.

On a page a picture is SVG: sharp at every width, read aloud and searched as text, and dark where the reader
has chosen dark.  As a file it is PNG, on white.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

BLACK, ORANGE, SKY_BLUE, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#6B6B6B"

# Inches.  On a page: shown 360 px wide, as on a telephone, 10 pt are 11 px.  As a file: room for long labels.
PAGE_WIDTH, FILE_WIDTH, HEIGHT = 4.6, 5.2, 3.3
DOTS_PER_INCH = 180
LONGEST_LABEL = 32
MINUS = "\N{MINUS SIGN}"  # as on the axes

PAPER, GRID, PANEL = "#FFFFFF", "#E4E4E4", "#EAEAEA"

# what each colour becomes where the reader has chosen dark; the others are seen on both
_DARK = {
    PAPER: "#212327",
    BLACK: "#ECEBE6",
    GRID: "#3A3D42",
    PANEL: "#2B2E33",
    GREY: "#A9A8A2",
    BLUE: "#4AA3E0",
    VERMILLION: "#EE7733",
}

_SETTINGS: dict[Any, Any] = {
    # Verdana is as wide as DejaVu Sans, in which the pictures are laid out
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "svg.fonttype": "none",
    "svg.hashsalt": "picture",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.facecolor": "white",
    # names of subjects come from outside: a dollar sign in one is not mathematics
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Line:
    """How one of several subjects is drawn: by colour, marker and line style at once."""

    color: str
    marker: str
    linestyle: str


# in the order of the subjects of a report
SUBJECT_LINES = (Line(VERMILLION, "o", "-"), Line(BLUE, "s", "--"), Line(GREEN, "^", "-."))


def label_of(name: str) -> str:
    """A name from outside as a label: printable, on one line, not too long."""
    shown = "".join(letter if letter.isprintable() else " " for letter in name)
    shown = shown if len(shown) <= LONGEST_LABEL else f"{shown[: LONGEST_LABEL - 1]}…"
    # matplotlib hides labels that start with an underscore
    return f" {shown}" if shown.startswith("_") else shown


def count_targets(ax: Axes) -> None:
    """The x axis counts targets: in whole numbers."""
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set_xlabel("target, counted from the boundary")


def say_undefined(ax: Axes, reason: str) -> Axes:
    """Write into an empty picture why it is empty."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, reason, ha="center", va="center", wrap=True, transform=ax.transAxes, color=GREY)
    return ax


Draw = Callable[[Axes], Axes]


def render_png(
    draw: Draw, width: float = FILE_WIDTH, height: float = HEIGHT, dots_per_inch: int = DOTS_PER_INCH
) -> bytes:
    """Draw on a new Axes of `width` x `height` inches and return the picture as PNG."""
    # without Software the same picture is the same file under every version of matplotlib
    return _render(draw, width, height, format="png", dpi=dots_per_inch, metadata={"Software": None})


def render_svg(draw: Draw, width: float = PAGE_WIDTH, height: float = HEIGHT) -> str:
    """Draw on a new Axes of `width` x `height` inches and return the picture as SVG, light and dark."""
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    text = _render(draw, width, height, format="svg", metadata=metadata).decode()
    text = _NUMBERS.sub(lambda found: _LONG.sub(r"\1", found[0]), text)
    text = _COLOR.sub(_themed, text)
    return text.replace("<defs>", f"<style>{_THEME}</style><defs>", 1)


def _render(draw: Draw, width: float, height: float, **how: Any) -> bytes:
    with styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.add_subplot())
        buffer = io.BytesIO()
        figure.savefig(buffer, **how)
    return buffer.getvalue()


# places in an SVG: a hundredth of a point is enough
_NUMBERS = re.compile(r' (?:d|x|y)="[^"]*"')
_LONG = re.compile(r"(\.\d\d)\d+")
_COLOR = re.compile(r"(?<=: )#[0-9A-Fa-f]{6}\b")


def _themed(color: re.Match[str]) -> str:
    return f"var(--c{color[0][1:].lower()})" if color[0].upper() in _DARK else color[0]


def _variables(colors: Iterable[str]) -> str:
    return "".join(f"--c{light[1:].lower()}:{shown};" for light, shown in zip(_DARK, colors, strict=True))


# black is what SVG fills with where nothing is said
_THEME = (
    f":root{{{_variables(_DARK)}fill:var(--c000000)}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_variables(_DARK.values())}}}}}"
)


@contextmanager
def styled() -> Iterator[None]:
    """What is drawn inside looks like all pictures here."""
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # a name in a script that the font lacks is drawn as boxes; that is no news for the terminal
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield
