"""The share of runs that are flagged, by the size of the offset at the boundary."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from diagnostics.plots.style import GREY, SUBJECT_LINES, say_undefined
from diagnostics.power.curve import DECAYS, Power

TARGET_SHARE, TARGET_SIZE = 0.95, 0.5
NAMES = {0.0: "offset at the first target only", 0.8: "offset that decays over the horizon"}


def draw_power(ax: Axes, powers: Sequence[Power]) -> Axes:
    """Draw one line a decay of the offset, with exact 95 % intervals; dotted lines cross at the target."""
    offsets = [power for power in powers if power.size is not None]
    if not offsets:
        return say_undefined(ax, "No offset was tried.")
    for decay, line in zip(DECAYS, SUBJECT_LINES, strict=False):
        drawn = sorted((p for p in offsets if p.decay == decay), key=lambda p: p.size or 0.0)
        at, shares = [p.size or 0.0 for p in drawn], [p.share for p in drawn]
        # the lines lie on one another: a small step aside keeps both intervals visible
        at = [size + 0.012 * (DECAYS.index(decay) - 0.5) for size in at]
        ends = [p.interval for p in drawn]
        ax.vlines(at, [low for low, _ in ends], [high for _, high in ends], color=line.color, lw=1.2)
        ax.plot(at, shares, color=line.color, ls=line.linestyle, marker=line.marker, ms=5, label=NAMES[decay])
    ax.axhline(TARGET_SHARE, color=GREY, lw=1, ls=":")
    ax.axvline(TARGET_SIZE, color=GREY, lw=1, ls=":")
    ax.set(ylim=(-0.03, 1.05), ylabel="share of runs flagged")
    ax.set(xlabel="offset towards A, in standard deviations of the exact posterior")
    ax.figure.legend(loc="outside lower center", ncols=1)
    return ax
