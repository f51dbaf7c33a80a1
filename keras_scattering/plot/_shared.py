"""What all pictures share: axes, colours, units, and coefficients of one signal.

Sizes of text are those of matplotlib's settings, which nothing here changes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import LogFormatter

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plans.plan import Plan
from keras_scattering.plans.time import TimeAxis

HEAT = "magma"
ORDERS = "zeroth order", "first order", "second order"
BLUE, ORANGE = "#0072B2", "#D55E00"  # distinct for colour-blind readers (Okabe and Ito)
# Inches. Text of 10 points is 8 pixels high on a phone, where a page is some 360 pixels wide.
ONE, SQUARE, _TWO = (5.6, 3.6), (5.2, 4.6), (6.8, 3.9)
_MOST_CELLS = 2000  # of time in one picture


def axes_or_new(axes: Any, count: int | None = None, size: tuple[float, float] = ONE) -> Any:
    """The given axes, or those of a new figure: one axes, or an array of `count`."""
    if count is None:
        return plt.subplots(figsize=size, layout="constrained")[1] if axes is None else axes
    if axes is None:
        size = SQUARE if count == 1 else _TWO
        return plt.subplots(1, count, figsize=size, layout="constrained", squeeze=False)[1][0]
    axes = np.ravel(np.asarray(axes, object))
    if len(axes) != count:
        raise ValueError(f"Argument `axes` must hold {count} axes. Received: {len(axes)}")
    return axes


def ink() -> str:
    """The colour of text, which shows on the background whatever the style."""
    return plt.rcParams["text.color"]


def legend_above(ax: Any, handles: Any = None, ncols: int = 3) -> None:
    """A legend above the axes, where it hides nothing."""
    ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1),
        borderaxespad=0.2,
        ncols=ncols,
        frameon=False,
        handlelength=1.4,
        columnspacing=1.2,
    )


def plan_of(layer: Any, function: str) -> Plan:
    """The plan of a built layer; refuses other objects."""
    if not isinstance(layer, ScatteringLayer):
        raise ValueError(
            f"Argument `layer` of {function}() must be a scattering layer. "
            f"Received: {_validate.shown(layer)}"
        )
    return layer._built(f"{function}()").plan


def refuse(layer: Any, function: str, needed: str) -> ValueError:
    """The error for a layer whose plan lacks something that a picture needs."""
    return ValueError(
        f"Argument `layer` of {function}() must be a layer {needed}. "
        f"Received: {_validate.shown(layer)}"
    )


def rate_and_unit(layer: ScatteringLayer, sampling_rate: float | None) -> tuple[float, str]:
    """Samples per unit of time, and the unit of frequency."""
    if sampling_rate is None:
        return 1.0, "cycles/sample"
    layer.meta(sampling_rate)  # refuses bad rates
    return float(sampling_rate), "Hz"


def of_one_signal(layer: ScatteringLayer, plan: Plan, coefficients: Any) -> np.ndarray:
    """Coefficients of one signal, with the paths last; refuses other shapes."""
    if not plan.stacked:
        raise ValueError(
            "Pictures need an average: T None, a number, 'global' or 'signal'. Received: T=0"
        )
    paths, *size = plan.outputs[0]
    first = layer.data_format == "channels_first"
    allowed = (paths, *size) if first else (*size, paths)
    y = np.asarray(coefficients, "float64")
    if y.shape != allowed:
        batch = "This is a batch S: take S[0]. " if y.shape[1:] == allowed else ""
        raise ValueError(
            "Argument `coefficients` must be those of one signal without channels, of shape "
            f"{allowed}. {batch}Received: shape {y.shape}"
        )
    return np.moveaxis(y, 0, -1) if first else y


def over_time(
    layer: ScatteringLayer, plan: Plan, axis: TimeAxis, coefficients: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Edges of cells of time, in samples of the signal, and each path's values (paths, cells).

    Without an average the paths differ in sampling. Each cell then has the largest value within it,
    so that no click is missed.
    """
    if plan.stacked:
        rows = of_one_signal(layer, plan, coefficients).T
        step = 2**axis.log2_stride
        edges = _first(axis, step) + step * (np.arange(rows.shape[1] + 1) - 0.5)
        edges[0], edges[-1] = min(edges[0], 0), max(edges[-1], axis.N)  # no blank strip at the ends
        return edges, rows
    sizes = [(n,) for (n,) in plan.outputs]
    rows = [np.asarray(row, "float64") for row in coefficients]
    if [row.shape for row in rows] != sizes:
        raise ValueError(
            "Argument `coefficients` must be those of one signal without channels, for T=0 a list "
            f"of {len(sizes)} arrays: for a batch S, take [y[0] for y in S]. "
            f"Received: shapes {_validate.shown([row.shape for row in rows])}"
        )
    edges = np.unique(np.linspace(0, axis.N, _MOST_CELLS + 1).astype(int))
    t = np.arange(axis.N)
    cells = [
        np.maximum.reduceat(
            np.interp(t, _first(axis, step) + step * np.arange(len(row)), row), edges[:-1]
        )
        for row, step in zip(rows, plan.steps, strict=True)
    ]
    return edges, np.stack(cells)


def _first(axis: TimeAxis, step: float) -> float:
    """Time of the first sample that is not padding, of a signal sampled every `step` samples."""
    return -axis.left % step


def octaves(centres: Sequence[float]) -> list[int]:
    """Indices of one wavelet per octave, from the highest frequency down."""
    shown: list[int] = []
    for n in np.argsort(centres)[::-1].tolist():
        # Neighbours differ by at least 1/256 of an octave, and centres by a rounding.
        if not shown or centres[n] <= centres[shown[-1]] / 2 * 1.001:
            shown.append(n)
    return shown


def number(x: float) -> str:
    """A number with three digits, and with a minus sign in place of a hyphen."""
    return (f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}").replace("-", "−")


class Plain(LogFormatter):
    """Plain numbers at those ticks of a logarithmic axis that matplotlib would label."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label at `x`, empty for most of the minor ticks."""
        return number(x) if super().__call__(x, pos) else ""


def plain(axis: Any) -> None:
    """Label a logarithmic axis by plain numbers."""
    axis.set_major_formatter(Plain())
    axis.set_minor_formatter(Plain())


def degrees(angle: float) -> str:
    """An angle in radians, as a label in degrees."""
    return f"{number(np.degrees(angle))}°"
