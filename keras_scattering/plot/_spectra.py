"""Pictures of scattering spectra."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.layers.spectra1d import ScatteringSpectra1D
from keras_scattering.layers.spectra2d import ScatteringSpectra2D
from keras_scattering.plot._shared import ink, plan_of, refuse
from keras_scattering.spectra import moments

_SIZE = (6.8, 5.4)
_THIN = {"alpha": 0.6, "linestyle": "--", "linewidth": 0.8, "marker": None}
_OCTAVES = 2  # that the axis of power spans at least
_LEAST = (1.05, 0.05, 0.05)  # upper ends of the other axes, for normalised moments


def spectra(
    layer: ScatteringLayer,
    coefficients: Any,
    labels: Sequence[str] | None = None,
    axes: Any = None,
) -> Any:
    """Draw scattering spectra against scales and lags, several signals over each other.

    The four pictures are power and sparsity at each scale, and phase and modulus at each lag.
    Phase and modulus are absolute values of means over all scales with the same lag, and over
    angles in images. The thin, dashed lines of modulus stand for two scales that differ, by one
    octave, two, and so on. Scales and lags are in octaves. A label says if sparsity, phase and
    modulus are divided by other powers than the signal's own.

    Args:
        layer: A built layer of scattering spectra.
        coefficients: Its output for one signal without channels, `(K,)`, or for some, `(n, K)`.
        labels: One name per signal, for a legend.
        axes: Four axes; None for a new figure.

    Returns:
        An array with the four axes.

    Raises:
        ValueError: For a layer of another kind or not built, coefficients of another shape, or the
            wrong number of labels or axes.

    Example:

    >>> import numpy as np
    >>> import keras_scattering
    >>> layer = keras_scattering.ScatteringSpectra1D(J=5)
    >>> y = layer(np.random.default_rng(0).standard_normal((2, 512)))
    >>> axes = keras_scattering.plot.spectra(layer, y, labels=["one", "other"])
    >>> [ax.get_title() for ax in axes]
    ['power', 'sparsity', 'phase', 'modulus']

    Source: Morel et al. 2022 (arXiv 2204.10177), for the choice of pictures.
    """
    rows = plan_of(layer, "spectra").outputs[0][0]
    if not isinstance(layer, ScatteringSpectra1D | ScatteringSpectra2D):
        raise refuse(layer, "spectra", "of scattering spectra")
    y = np.atleast_2d(np.asarray(coefficients, "float64"))
    if y.ndim != 2 or y.shape[1] != rows:
        raise ValueError(
            "Argument `coefficients` must be those of signals without channels, of shape "
            f"({rows},) or (n, {rows}). Received: shape {np.shape(coefficients)}"
        )
    names = [None] * len(y) if labels is None else list(labels)
    if len(names) != len(y):
        raise ValueError(
            f"Argument `labels` must have one name per signal, {len(y)}. Received: {len(names)}"
        )
    if axes is None:
        axes = plt.subplots(2, 2, figsize=_SIZE, layout="constrained")[1]
    axes = np.ravel(np.asarray(axes, object))
    if len(axes) != 4:
        raise ValueError(f"Argument `axes` must hold 4 axes. Received: {len(axes)}")
    values, meta = moments(layer, y)
    scale, first, second = _octaves(meta)
    colors = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    for i, name in enumerate(names):
        style = {"color": colors[i % len(colors)], "marker": "o", "markersize": 3}
        for ax, kind in zip(axes[:2], ("power", "sparsity"), strict=True):
            some = (meta["kind"] == kind) & (scale >= 0)
            ax.plot(*_means(scale[some], values[i, some]), label=name, **style)
        some = (meta["kind"] == "phase") & (second >= 0)
        axes[2].plot(*_means(second[some], values[i, some]), **style)
        for lag in np.unique(first[first >= 0]):
            some = (meta["kind"] == "modulus") & (second > 0) & (first == lag)
            if some.any():
                thin = _THIN if lag else {}
                axes[3].plot(*_means(second[some], values[i, some]), **{**style, **thin})
    if any(line.get_linestyle() == "--" for line in axes[3].get_lines()):
        _key(axes[3])
    _limit(axes, layer.normalize)
    for ax, kind in zip(axes, ("power", "sparsity", "phase", "modulus"), strict=True):
        ax.set_title(kind)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("scale, octaves" if kind in ("power", "sparsity") else "lag, octaves")
    if labels is not None:
        handles = axes[0].get_legend_handles_labels()[0]
        axes[0].figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False)
    return axes


def _key(ax: Any) -> None:
    """What the lines of modulus stand for, where the curves have fallen."""
    lines = (
        Line2D([], [], color=ink(), marker="o", markersize=3, label="one scale"),
        Line2D([], [], color=ink(), label="two scales", **_THIN),
    )
    ax.legend(handles=lines, loc="upper right", frameon=False, fontsize="small")


def _limit(axes: Any, normalize: Any) -> None:
    """Limits wide enough that chance does not look like structure, and words on the divisor."""
    power, *others = axes
    power.set_yscale("log", base=2)
    low, high = np.log2(power.get_ylim())
    middle, half = (low + high) / 2, max((high - low) / 2, _OCTAVES / 2)
    power.set_ylim(2 ** (middle - half), 2 ** (middle + half))
    for ax, least in zip(others, _LEAST, strict=True):
        ax.set_ylim(0, max(ax.get_ylim()[1], 0 if normalize is False else least))
        if normalize == "adapted":
            ax.set_ylabel("over adapted powers")
        elif normalize is False:
            ax.set_ylabel("not divided by powers")


def _means(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Absolute values of the means of y at each value of x."""
    places = np.unique(x)
    return places, np.array([abs(y[x == place].mean()) for place in places])


def _octaves(meta: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """In octaves: the scale of each moment, the lag of its moduli, and of its second filter.

    -1 stands for none, and for moments with the low-pass.
    """
    if "j1" in meta:
        j1, j2, j3 = (meta[f"j{i}"] for i in (1, 2, 3))
        last = np.where(j3 >= 0, j3, j2)
        before = np.where(j3 >= 0, j2, j1)
        return j1, np.where(j3 >= 0, j2 - j1, -1), np.where(j2 >= 0, last - before, -1)

    def octaves(centre: np.ndarray) -> np.ndarray:
        return np.round(-np.log2(centre / np.nanmax(meta["xi1"])), 3)

    first, other, second = (octaves(meta[name]) for name in ("xi1", "xi1b", "xi2"))
    return tuple(
        np.nan_to_num(column, nan=-1.0)
        for column in (first, np.abs(first - other), np.maximum(second - first, 0))
    )  # type: ignore[return-value]  # three columns
