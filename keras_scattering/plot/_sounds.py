"""Pictures of the coefficients of signals in time."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plans.time import TimeAxis
from keras_scattering.plot._shared import (
    BLUE,
    HEAT,
    ORDERS,
    axes_or_new,
    number,
    of_one_signal,
    over_time,
    plain,
    plan_of,
    rate_and_unit,
    refuse,
)

_RANGE = 60  # decibels from the brightest to the darkest colour
_ROUNDING = 1e-3  # of the peak: averages of moduli are negative by rounding alone


def scattergram(
    layer: ScatteringLayer,
    coefficients: Any,
    order: int = 1,
    n1: int | None = None,
    sampling_rate: float | None = None,
    scale: str = "db",
    ax: Any = None,
) -> Any:
    r"""Draw the coefficients of a signal over time and frequency, one order at a time.

    * Order 0 is a curve: the average of the signal.
    * Order 1 is a picture over time and the frequency of the wavelets.
    * Order 2 is a picture over time and the rate at which the first order varies. It takes one
      wavelet of the first order, `n1`, or sums over all of them.

    Decibels are $20 \log_{10}$ of a coefficient over the largest one in the picture, which the
    colour bar names. The colours span at most 60 decibels.

    Args:
        layer: A built layer of signals in time with one path per wavelet, such as `Scattering1D`.
            `T` is None or a number. With `T=0` the picture shows the moduli before the average: in
            order 1, a scalogram.
        coefficients: The layer's output for one signal without channels, without the batch axis:
            `(time', K)`, or `(K, time')` with channels first. With `T=0`, a list of `K` arrays.
        order: Order of the coefficients: 0, 1 or 2.
        n1: Index of a first-order wavelet, as in the column `n1` of `layer.meta()`; only for order
            2. None sums over all first-order wavelets.
        sampling_rate: Samples per second, for axes in seconds and Hz.
        scale: `"db"`, or `"linear"` for the numbers themselves. Take `"linear"` to draw a function
            of the coefficients, such as their logarithm. It makes no difference for order 0.
        ax: Axes to draw into; None for a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: For a layer of another kind or not built, coefficients of another shape or
            negative ones in decibels, or an argument with a value not stated here.

    Example:

    >>> import numpy as np
    >>> import keras_scattering
    >>> layer = keras_scattering.Scattering1D(J=5, Q=8, T=8)
    >>> S = layer(np.sin(np.arange(1024) ** 2 / 3000)[None])
    >>> ax = keras_scattering.plot.scattergram(layer, S[0], sampling_rate=8000)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('time, s', 'frequency, Hz')
    >>> ax = keras_scattering.plot.scattergram(layer, S[0], order=2, sampling_rate=8000)
    >>> ax.get_ylabel()
    'rate, Hz'

    Source: J. Andén and S. Mallat, "Deep Scattering Spectrum", 2014.
    """
    plan = plan_of(layer, "scattergram")
    axis, meta = plan.grid, plan.meta
    first = meta["order"] == 1
    if (
        not isinstance(axis, TimeAxis)
        or "xi1" not in meta
        or len(np.unique(meta["xi1"][first])) < np.count_nonzero(first)
    ):
        raise refuse(layer, "scattergram", "of signals in time, with one path per wavelet")
    if axis.mean:
        raise ValueError(
            "scattergram() needs a layer with a local average, T None or a number, or with T=0. "
            f"Received: T={axis.T!r}"
        )
    _validate.one_of("order", order, tuple(np.unique(meta["order"])[:3].tolist()))
    _validate.one_of("scale", scale, ("db", "linear"))
    rate, unit = rate_and_unit(layer, sampling_rate)
    paths = meta["order"] == order
    title = f"{ORDERS[order]}{'' if plan.stacked else ', no average'}"
    if n1 is not None:
        known = np.unique(meta["n1"][paths]).tolist() if order == 2 else []
        if n1 not in known:
            raise ValueError(
                "Argument `n1` must be None, or with order=2 the index of a first-order wavelet "
                f"with paths of order 2: {known}. Received: n1={_validate.shown(n1)}, order={order}"
            )
        paths &= meta["n1"] == n1
        title += f" at {number(meta['xi1'][paths][0] * rate)} {unit}"
    elif order == 2:
        title += ", summed over the first"
    edges, rows = over_time(layer, plan, axis, coefficients)
    if order == 0:
        ax = axes_or_new(ax)
        ax.plot((edges[:-1] + edges[1:]) / 2 / rate, rows[0], color=BLUE)
    else:
        xi, which = np.unique(meta[f"xi{order}"][paths], return_inverse=True)
        cells = np.zeros((len(xi), rows.shape[1]))
        np.add.at(cells, which, rows[paths])
        cells, label = _decibels(cells) if scale == "db" else (cells, "coefficient")
        ax = axes_or_new(ax)
        corners = edges / rate, _log_edges(xi * rate)
        mesh = ax.pcolormesh(*corners, cells, cmap=HEAT, rasterized=True)
        ax.figure.colorbar(mesh, ax=ax, label=label)
        ax.set_yscale("log")
        plain(ax.yaxis)
    ax.set(
        title=title,
        xlim=(0, axis.N / rate),
        xlabel="time, samples" if rate == 1 else "time, s",
        ylabel=("average", f"frequency, {unit}", f"rate, {unit}")[order],
    )
    return ax


def _decibels(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Decibels relative to the largest value, and a label that names it."""
    peak = np.nanmax(values, initial=0)
    if np.nanmin(values, initial=0) < -_ROUNDING * peak:
        raise ValueError(
            "Argument `coefficients` must not be negative in decibels: give the layer's output, or "
            f"scale='linear' to draw a function of it. Received: {np.nanmin(values):.3g}"
        )
    reference = peak or 1.0  # silence has no peak
    floor = 10 ** (-_RANGE / 20) * reference
    return 20 * np.log10(np.maximum(values, floor) / reference), f"dB re {number(reference)}"


def joint(
    layer: ScatteringLayer,
    coefficients: Any,
    sampling_rate: float | None = None,
    axes: Any = None,
) -> Any:
    """Draw the second order of joint time-frequency scattering by spin.

    Each cell is the mean over time and frequency for one wavelet in time and one along frequency.
    The left picture has spin -1, which responds to falling patterns. The right picture has spin +1,
    which responds to rising patterns.

    Args:
        layer: A built `TimeFrequencyScattering` with an average in time (`T` not 0).
        coefficients: The layer's output for one signal without channels, without the batch axis.
        sampling_rate: Samples per second, for rates in Hz.
        axes: A sequence of two axes; None for a new figure.

    Returns:
        An array of two axes.

    Raises:
        ValueError: For a layer of another kind or not built, coefficients of another shape, or the
            wrong number of axes. Also for an argument with a value not stated here.

    Example:

    >>> import numpy as np
    >>> import keras_scattering
    >>> layer = keras_scattering.TimeFrequencyScattering(J=6, J_fr=3, Q=8, T="global")
    >>> (y,) = layer(np.sin(np.arange(2048) ** 2 / 6000)[None])
    >>> axes = keras_scattering.plot.joint(layer, y, sampling_rate=8000)
    >>> axes[0].get_ylabel()
    'rate, Hz'

    Source: J. Andén, V. Lostanlen, S. Mallat, "Joint Time-Frequency Scattering", 2019.
    """
    plan = plan_of(layer, "joint")
    meta = plan.meta
    if not {"xi2", "xi_fr", "spin"} <= meta.keys():
        raise refuse(layer, "joint", "whose paths have a spin")
    rate, unit = rate_and_unit(layer, sampling_rate)
    y = of_one_signal(layer, plan, coefficients)
    y = y.reshape(-1, y.shape[-1]).mean(0)
    axes = axes_or_new(axes, 2)
    second = meta["order"] == 2
    rates = np.unique(meta["xi2"][second])
    scales = [np.unique(meta["xi_fr"][second & (meta["spin"] == spin)]) for spin in (-1, 1)]

    def mean(xi2: float, xi_fr: float) -> float:
        return y[second & (meta["xi2"] == xi2) & (meta["xi_fr"] == xi_fr)].mean()

    pictures = np.array([[[mean(xi2, f) for f in fs] for xi2 in rates] for fs in scales])
    limits = {"vmin": min(0, pictures.min()), "vmax": pictures.max()}
    titles = "spin −1: falling", "spin +1: rising"
    images = [
        ax.imshow(picture, origin="lower", aspect="auto", cmap=HEAT, **limits)
        for ax, picture in zip(axes, pictures, strict=True)
    ]
    for ax, fs, title in zip(axes, scales, titles, strict=True):
        ax.set(
            xticks=range(len(fs)),
            xticklabels=[number(f) for f in fs],
            yticks=range(len(rates)),
            yticklabels=[number(xi2 * rate) for xi2 in rates],
            xlabel="along frequency,\ncycles/wavelet",
            title=title,
        )
        ax.tick_params("x", rotation=45)
    axes[0].set_ylabel(f"rate, {unit}")
    axes[0].figure.colorbar(images[0], ax=list(axes), label="mean coefficient")
    return axes


def _log_edges(centres: Iterable[float]) -> np.ndarray:
    """Edges of cells on a logarithmic axis, half-way between the centres."""
    log = np.log(np.asarray(centres))
    if len(log) == 1:
        return np.exp([log[0] - 0.5, log[0] + 0.5])
    middle = (log[:-1] + log[1:]) / 2
    return np.exp(np.concatenate([[2 * log[0] - middle[0]], middle, [2 * log[-1] - middle[-1]]]))
