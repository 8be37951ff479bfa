"""How every picture looks: colours that the colour-blind can tell apart, plain text, one width.

The colours are those of Okabe and Ito (2008), "Color Universal Design".  No series is told apart by its
colour alone: each has a line style or a marker of its own.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLACK, ORANGE, SKY_BLUE, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#6B6B6B"

# Inches: at this width 10 pt are still read when the picture is shown 360 px wide.
WIDTH, HEIGHT = 5.2, 3.6
DOTS_PER_INCH = 180
LONGEST_LABEL = 32
MINUS = "\N{MINUS SIGN}"  # as on the axes

_SETTINGS: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
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


def say_undefined(ax: Axes, reason: str) -> Axes:
    """Write into an empty picture why it is empty."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, reason, ha="center", va="center", wrap=True, transform=ax.transAxes, color=GREY)
    return ax


def render_png(draw: Callable[[Axes], Axes], width: float = WIDTH, height: float = HEIGHT) -> bytes:
    """Draw on a new Axes of `width` x `height` inches and return the picture as PNG."""
    with _styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.add_subplot())
        buffer = io.BytesIO()
        # without Software the same picture is the same file under every version of matplotlib
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


@contextmanager
def _styled() -> Iterator[None]:
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # a name in a script that the font lacks is drawn as boxes; that is no news for the terminal
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield
