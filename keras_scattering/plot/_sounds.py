"""Pictures of the coefficients of signals in time."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.layers.scattering1d import Scattering1D
from keras_scattering.layers.timefrequency import TimeFrequencyScattering
from keras_scattering.plot._shared import (
    HEAT,
    axes_or_new,
    need,
    number,
    of_one_signal,
    rate_and_unit,
    time_axis,
)


def scattergram(
    layer: ScatteringLayer,
    coefficients: Any,
    sampling_rate: float | None = None,
    ax: Any = None,
) -> Any:
    """Draw the first-order coefficients of a signal over time and frequency.

    Args:
        layer: A built `Scattering1D` with a local average (`T` None or a number).
        coefficients: The layer's output for one signal without channels, without the batch axis:
            `(time', K)`, or `(K, time')` with channels first. You may also pass a function of it,
            such as its logarithm.
        sampling_rate: Samples per second, for axes in seconds and Hz.
        ax: Axes to draw into; None for a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: For a layer of another kind or not built, coefficients of another shape, or an
            argument with a value not stated here.

    Example:

    >>> import numpy as np
    >>> import keras_scattering
    >>> layer = keras_scattering.Scattering1D(J=5, Q=8, T=8)
    >>> (y,) = layer(np.sin(np.arange(1024) ** 2 / 3000)[None])
    >>> ax = keras_scattering.plot.scattergram(layer, y, sampling_rate=8000)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('time, s', 'frequency, Hz')

    Source: J. Andén and S. Mallat, "Deep Scattering Spectrum", 2014.
    """
    need(layer, "scattergram", (Scattering1D,))
    rate, unit = rate_and_unit(layer, sampling_rate)
    axis = time_axis(layer)
    if not axis.local:
        raise ValueError(
            "scattergram() needs a layer with a local average: T None or a number. "
            f"Received: T={layer.T!r}"
        )
    rows = of_one_signal(layer, coefficients)
    ax = axes_or_new(ax)
    meta = layer.meta()
    first = meta["order"] == 1
    step = 2**axis.log2_stride
    # Time of the first output sample that is not padding, in samples of the signal.
    start = -axis.left % step
    t = start + step * (np.arange(len(rows) + 1) - 0.5)
    t[0], t[-1] = min(t[0], 0), max(t[-1], axis.N)  # no blank strip at the signal's ends
    mesh = ax.pcolormesh(
        t / rate,
        _log_edges(meta["xi1"][first]) * rate,
        rows[:, first].T,
        cmap=HEAT,
        rasterized=True,
    )
    ax.figure.colorbar(mesh, ax=ax, label="first-order coefficient")
    ax.set_yscale("log")
    ax.set(
        xlim=(0, axis.N / rate),
        xlabel="time, samples" if rate == 1 else "time, s",
        ylabel=f"frequency, {unit}",
    )
    return ax


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
    need(layer, "joint", (TimeFrequencyScattering,))
    rate, unit = rate_and_unit(layer, sampling_rate)
    y = of_one_signal(layer, coefficients)
    y = y.reshape(-1, y.shape[-1]).mean(0)
    meta = layer.meta()
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
            xlabel="frequency along the wavelets, cycles/wavelet",
            title=title,
        )
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
