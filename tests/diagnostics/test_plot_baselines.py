"""What is drawn stays where it is: pictures without words against kept ones.

Words are left out, and with them the layout that depends on their size, so that another version of a font or
of its rendering moves nothing.  After a wanted change: pytest --force-regen, and look at what has changed.
"""

import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from diagnostics.pictures import draw_attribution, draw_checks, draw_data
from diagnostics.plots import style
from diagnostics.result import Report
from tests.diagnostics.sample_reports import report

# Per cent of the largest possible difference.  Another report makes 0.24 (the forecast: small dots that move)
# to 6.4; other hinting of text, another font or another size of it make 0.
TOLERANCE = 0.1
# keys of what is drawn as numbers; a change of each is drawn
NUMBERS = ("value", "low", "high", "mean", "mass_on_a", "mass_on_b", "heat_map")
KINDS = (
    "forecast",
    "drift",
    "error",
    "attention",
    "mass",
    "pit",
    "coverage",
    "waterfall",
    "probes",
    "checks",
)


def pictures_of(whole):
    drawn = draw_data(whole.symptoms[:1], ["one"])
    pictures = (drawn.worst[0], drawn.drift, *drawn.errors, *drawn.attention, *drawn.calibration,
                *draw_attribution(whole.attribution, "one"), draw_checks([whole]))  # fmt: skip
    return dict(zip(KINDS, pictures, strict=True))


def changed(value, rng, key=""):
    """The content of a report with every number that is drawn, and every status, another."""
    if isinstance(value, dict):
        return {key: changed(inner, rng, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [changed(inner, rng, key) for inner in value]
    if key == "status":
        return "skipped"
    return value * rng.uniform(0.6, 1.4) if key in NUMBERS else value


def draw_without_words(picture):
    """The axes, and the picture on 184 x 132 pixels."""
    # snapped to pixels, a line may jump by a whole one under another version
    with style.styled(), mpl.rc_context({"path.snap": False}):
        figure = Figure(figsize=(4.6, 3.3))
        ax = picture.draw(figure.add_axes((0, 0, 1, 1)))
        for words in (*figure.findobj(Text), *figure.legends):
            words.set_visible(False)
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=200)
    return ax, Image.open(png).convert("RGB").resize((184, 132), Image.Resampling.BOX)


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_is_as_it_was(kind, image_regression):
    _, image = draw_without_words(pictures_of(report())[kind])
    image_regression.check(image, TOLERANCE, basename=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_another_report_is_another_picture(kind, image_regression):
    other = Report.model_validate(changed(report().model_dump(), np.random.default_rng(0)))
    _, image = draw_without_words(pictures_of(other)[kind])
    image_regression.check(image, TOLERANCE, expect_equal=False, basename=kind)


def test_the_axes_reach_as_far_as_they_did(num_regression):
    axes = {kind: draw_without_words(picture)[0] for kind, picture in pictures_of(report()).items()}
    limits = {kind: np.array([*ax.get_xlim(), *ax.get_ylim()]) for kind, ax in axes.items()}
    # a margin of an axis may be reckoned in another way
    num_regression.check(limits, default_tolerance={"rtol": 0.01, "atol": 1e-6}, basename="limits")
