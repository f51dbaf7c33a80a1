"""Pictures of filters and coefficients; needs the extra `plot`.

Each function draws into the axes that it is given, or into a new figure, and returns them.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_scattering import _validate
from keras_scattering._layer import ScatteringLayer
from keras_scattering.filters import MorletBank1D, MorletBank2D
from keras_scattering.plans.scattering1d import TimeAxis
from keras_scattering.plans.scattering2d import ImagePlane
from keras_scattering.scattering1d import Scattering1D
from keras_scattering.scattering2d import Scattering2D
from keras_scattering.timefrequency import TimeFrequencyScattering

try:
    from matplotlib import pyplot as plt
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Patch, Wedge
except ImportError as error:
    raise ImportError(
        "keras_scattering.plot needs matplotlib: "
        f'pip install "keras-scattering[plot]". Received: {error}'
    ) from error

__all__ = ["discs", "filter_bank", "joint", "scattergram", "wavelets"]

_BLUE, _ORANGE = "#0072B2", "#D55E00"  # told apart by all eyes (Okabe and Ito)
_HEAT = "magma"
_WIDTHS = 4.0  # a Gaussian is drawn this many deviations out
_WAVELETS = (Scattering1D, TimeFrequencyScattering, Scattering2D)


def filter_bank(
    layer: ScatteringLayer,
    order: int = 1,
    sampling_rate: float | None = None,
    ax: Any = None,
) -> Any:
    r"""Draw a layer's wavelets and low-pass in Fourier, and their Littlewood-Paley sum.

    $$A(\omega) = |\hat\phi(\omega)|^2
      + \tfrac12 \sum_n |\hat\psi_n(\omega)|^2 + |\hat\psi_n(-\omega)|^2$$

    In time, each filter's part of the sum over a logarithmic axis of frequency. In the plane the
    sum in grey, and one line around each wavelet where it falls to half of its peak.

    Args:
        layer: A built `Scattering1D`, `TimeFrequencyScattering` or `Scattering2D`.
        order: 1 or 2: which order's wavelets, in time.
        sampling_rate: Samples a second, for an axis in Hz; in time only.
        ax: Axes to draw into; None for a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: For a layer of another kind or not built, or an argument outside of what is
            stated here.

    Example:

    >>> import keras_scattering
    >>> layer = keras_scattering.Scattering1D(J=5, Q=4)
    >>> layer.build((None, 1024))
    >>> ax = keras_scattering.plot.filter_bank(layer, sampling_rate=8000)
    >>> ax.get_xlabel()
    'frequency, Hz'

    Source: S. Mallat, "Group Invariant Scattering", 2012, for the sum.
    """
    bank = _bank(layer, "filter_bank", order)
    rate, unit = _rate(layer, sampling_rate)
    ax = _axes(ax)
    if isinstance(bank, MorletBank1D):
        return _bank_in_time(ax, bank, rate, unit)
    return _bank_in_plane(ax, bank)


def _bank_in_time(ax: Any, bank: MorletBank1D, rate: float, unit: str) -> Any:
    # Fine enough to be smooth at the lowest frequencies too.
    bank = dataclasses.replace(bank, N=max(bank.N, min(128 * 2**bank.J, 2**16)))
    half = bank.N // 2
    omega = np.arange(half + 1) / bank.N * rate
    width = 1 if len(bank) < 60 else 0.4
    for n in range(len(bank)):
        energy = bank.psi(n)[: half + 1] ** 2 / 2
        (seen,) = np.nonzero(energy > 1e-5)
        part = slice(seen[0], seen[-1] + 1)
        label = "wavelets" if n == 0 else None
        ax.plot(omega[part], energy[part], color=_BLUE, linewidth=width, label=label)
    ax.plot(omega, bank.phi()[: half + 1] ** 2, color=_ORANGE, linestyle="--", label="low-pass")
    total = bank.littlewood_paley()[: half + 1]
    ax.plot(omega, total, color="black", linewidth=1.5 * width, label="sum")
    ax.set_xscale("log")
    ax.set(
        xlim=(bank.xi[-1] / 4 * rate, rate / 2),
        ylim=(0, 1.05 * total.max()),
        xlabel=f"frequency, {unit}",
        ylabel="share of energy passed",
    )
    _legend_above(ax)
    return ax


def _bank_in_plane(ax: Any, bank: MorletBank2D) -> Any:
    v, u = (np.fft.fftshift(np.fft.fftfreq(n)) for n in bank.grid)
    steps = 1 / (2 * bank.grid[1]), 1 / (2 * bank.grid[0])
    extent = (u[0] - steps[0], u[-1] + steps[0], v[-1] + steps[1], v[0] - steps[1])
    total = np.fft.fftshift(bank.littlewood_paley())
    image = ax.imshow(total, cmap="Greys", vmin=0, alpha=0.6, extent=extent)
    ax.figure.colorbar(image, ax=ax, label="Littlewood-Paley sum")
    colors = _scale_colors(bank.J)
    for n, j in enumerate(bank.j):
        psi = np.fft.fftshift(bank.psi(n))
        ax.contour(u, v, psi, levels=[psi.max() / 2], colors=[colors[j]], linewidths=1.2)
    handles = [Patch(color=color, label=f"{2**j}") for j, color in enumerate(colors)]
    ax.legend(handles=handles, title="scale, samples", loc="upper right")
    ax.set(
        xlabel="frequency across, cycles/sample",
        ylabel="frequency down, cycles/sample",
        aspect="equal",
    )
    return ax


def wavelets(
    layer: ScatteringLayer,
    order: int = 1,
    sampling_rate: float | None = None,
    ax: Any = None,
) -> Any:
    """Draw a layer's wavelets as they are convolved with the signal.

    In time, one wavelet an octave above the other, real part and modulus, each to its own height.
    In the plane the real parts, a row for each scale and a column for each angle.

    Args:
        layer: A built `Scattering1D`, `TimeFrequencyScattering` or `Scattering2D`.
        order: 1 or 2: which order's wavelets, in time.
        sampling_rate: Samples a second, for axes in seconds and Hz; in time only.
        ax: Axes to draw into; None for a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: For a layer of another kind or not built, or an argument outside of what is
            stated here.

    Example:

    >>> import keras_scattering
    >>> layer = keras_scattering.Scattering2D(J=2, L=4)
    >>> layer.build((None, 32, 32))
    >>> ax = keras_scattering.plot.wavelets(layer)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['1', '2']
    """
    bank = _bank(layer, "wavelets", order)
    rate, unit = _rate(layer, sampling_rate)
    ax = _axes(ax)
    if isinstance(bank, MorletBank1D):
        return _wavelets_in_time(ax, bank, rate, unit)
    return _wavelets_in_plane(ax, bank)


def _wavelets_in_time(ax: Any, bank: MorletBank1D, rate: float, unit: str) -> Any:
    shown = range(0, len(bank), bank.Q)
    # In time a filter is a Gaussian of deviation 1 / (2 pi sigma) samples.
    reach = int(min(_WIDTHS / (2 * np.pi * bank.sigma[shown[-1]]), bank.N // 2 - 1))
    t = np.arange(-reach, reach + 1) / rate
    for row, n in enumerate(shown):
        psi = np.fft.fftshift(np.fft.ifft(bank.psi(n)))[bank.N // 2 + np.arange(-reach, reach + 1)]
        psi = psi / np.abs(psi).max() * 0.45
        ax.plot(t, row - np.real(psi), color=_BLUE, linewidth=1, label="real part" * (row == 0))
        ax.plot(t, row - np.abs(psi), color=_ORANGE, linewidth=1, label="modulus" * (row == 0))
    ax.set(
        xlim=(t[0], t[-1]),
        ylim=(len(shown) - 0.4, -0.6),
        yticks=range(len(shown)),
        yticklabels=[_number(bank.xi[n] * rate) for n in shown],
        xlabel="time, samples" if rate == 1 else "time, s",
        ylabel=f"centre frequency, {unit}",
    )
    _legend_above(ax)
    return ax


def _wavelets_in_plane(ax: Any, bank: MorletBank2D) -> Any:
    reach = [min(int(3 * 0.8 * 2 ** (bank.J - 1)), n // 2 - 1) for n in bank.grid]
    window = np.ix_(*(np.arange(-r, r + 1) for r in reach))
    tiles = []
    for n in range(len(bank)):
        psi = np.real(np.fft.ifft2(bank.psi(n)))[window]
        tiles.append(np.pad(psi / np.abs(psi).max(), 1, constant_values=np.nan))
    mosaic = np.block([tiles[j * bank.L : (j + 1) * bank.L] for j in range(bank.J)])
    image = ax.imshow(mosaic, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.figure.colorbar(image, ax=ax, label="real part, over its peak", shrink=0.6)
    height, width = tiles[0].shape
    ax.set(
        xticks=(np.arange(bank.L) + 0.5) * width - 0.5,
        xticklabels=[_degrees(bank.angle(i)) for i in range(bank.L)],
        yticks=(np.arange(bank.J) + 0.5) * height - 0.5,
        yticklabels=[f"{2**j}" for j in range(bank.J)],
        xlabel="angle, from the vertical axis",
        ylabel="scale, samples",
    )
    return ax


def scattergram(
    layer: ScatteringLayer,
    coefficients: Any,
    sampling_rate: float | None = None,
    ax: Any = None,
) -> Any:
    """Draw the first order of a signal over time and frequency.

    Args:
        layer: A built `Scattering1D` with a local average (`T` None or a number).
        coefficients: What the layer returns for one signal without channels, batch aside:
            `(time', K)`, or `(K, time')` with channels first. Or a function of them, such as their
            logarithm.
        sampling_rate: Samples a second, for axes in seconds and Hz.
        ax: Axes to draw into; None for a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: For a layer of another kind or not built, coefficients of another shape, or an
            argument outside of what is stated here.

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
    _need(layer, "scattergram", (Scattering1D,))
    rate, unit = _rate(layer, sampling_rate)
    axis = _time_axis(layer)
    if not axis.local:
        raise ValueError(
            "scattergram() needs a layer with a local average: T None or a number. "
            f"Received: T={layer.T!r}"
        )
    rows = _coefficients(layer, coefficients)
    ax = _axes(ax)
    meta = layer.meta()
    first = meta["order"] == 1
    step = 2**axis.log2_stride
    # The first output sample that is not padding stands this far into the signal.
    start = -axis.left % step
    t = (start + step * (np.arange(len(rows) + 1) - 0.5)) / rate
    mesh = ax.pcolormesh(
        t, _log_edges(meta["xi1"][first]) * rate, rows[:, first].T, cmap=_HEAT, rasterized=True
    )
    ax.figure.colorbar(mesh, ax=ax, label="first-order coefficient")
    ax.set_yscale("log")
    ax.set(
        xlim=(0, axis.N / rate),
        xlabel="time, samples" if rate == 1 else "time, s",
        ylabel=f"frequency, {unit}",
    )
    return ax


def discs(
    layer: ScatteringLayer,
    coefficients: Any,
    position: tuple[int, int] | None = None,
    axes: Any = None,
) -> Any:
    """Draw the coefficients of an image at one position as discs: first and second order.

    A disc is the plane of spatial frequencies. Rings are scales, the finest outside; sectors are
    angles, drawn on both sides since a real image does not tell them apart. In the second order
    each sector of (scale, angle) 1 is divided into rings by scale 2 and into sectors by angle 2.
    An angle is that in which a wavelet oscillates: an edge lights the sectors across it.

    Args:
        layer: A built `Scattering2D`, of order 2 for two discs.
        coefficients: What the layer returns for one image without channels, batch aside:
            `(height', width', K)`, `(K, height', width')` with channels first, or `(K,)` for a
            global average.
        position: Row and column of the output; None for the middle.
        axes: One axes for each order, a sequence; None for a new figure.

    Returns:
        An array of axes, one for each order.

    Raises:
        ValueError: For a layer of another kind or not built, coefficients of another shape, a
            position outside of them, or the wrong number of axes.

    Example:

    >>> import numpy as np
    >>> import keras_scattering
    >>> layer = keras_scattering.Scattering2D(J=3, L=6)
    >>> (y,) = layer(np.random.default_rng(0).standard_normal((1, 32, 32)))
    >>> axes = keras_scattering.plot.discs(layer, y, position=(1, 2))
    >>> [ax.get_title() for ax in axes]
    ['first order', 'second order']

    Source: J. Bruna and S. Mallat, "Invariant Scattering Convolution Networks", 2013.
    """
    _need(layer, "discs", (Scattering2D,))
    y = _coefficients(layer, coefficients)
    size = y.shape[:-1]
    place = tuple(n // 2 for n in size) if position is None else tuple(position)
    if len(place) != len(size) or not all(0 <= i < n for i, n in zip(place, size, strict=True)):
        raise ValueError(
            f"Argument `position` must lie within outputs of shape {size}. "
            f"Received: position={position!r}"
        )
    values, meta = y[place], layer.meta()
    axes = _axes(axes, layer.max_order)
    for order, ax in enumerate(axes, start=1):
        paths = np.flatnonzero(meta["order"] == order)
        # Both sides of a path have its value.
        wedges = [wedge for path in paths for wedge in _wedges(layer, meta, int(path))]
        disc = PatchCollection(wedges, cmap=_HEAT, edgecolor="face", linewidth=0.2)
        disc.set_array(np.repeat(values[paths], 2))
        ax.add_collection(disc)
        ax.figure.colorbar(disc, ax=ax, label="coefficient", shrink=0.8)
        for angle in np.unique(meta["angle1"][paths]):
            place = 1.12 * np.sin(angle), 1.12 * np.cos(angle)
            ax.text(*place, _degrees(angle), ha="center", va="center", fontsize="small")
        ax.spines[:].set_visible(False)
        ax.set(
            title=("first order", "second order")[order - 1],
            xlim=(-1.2, 1.2),
            ylim=(1.2, -1.2),
            aspect="equal",
            xticks=1 - (np.arange(layer.J) + 0.5) / layer.J,
            xticklabels=[f"{2**j}" for j in range(layer.J)],
            yticks=[],
            xlabel=f"scale of the {'first ' * (order - 1)}wavelet, samples",
        )
    return axes


def _wedges(layer: Scattering2D, meta: dict[str, np.ndarray], path: int) -> list[Wedge]:
    """Where a path stands in its disc of radius 1, on both sides."""
    ring, turn = 1 / layer.J, 180 / layer.L
    j1, j2, theta2 = (int(meta[name][path]) for name in ("j1", "j2", "theta2"))
    # Angles of wavelets run from the axis of rows, which points down, to that of columns.
    outer, low, width = 1 - j1 * ring, 90 - np.degrees(meta["angle1"][path]) - turn / 2, ring
    if j2 >= 0:
        width, turn = ring / (layer.J - 1 - j1), turn / layer.L
        outer, low = outer - (j2 - j1 - 1) * width, low + theta2 * turn
    return [Wedge((0, 0), outer, start, start + turn, width=width) for start in (low, low + 180)]


def joint(
    layer: ScatteringLayer,
    coefficients: Any,
    sampling_rate: float | None = None,
    axes: Any = None,
) -> Any:
    """Draw the second order of joint time-frequency scattering by spin.

    The mean over time and frequency of all paths of one wavelet in time and one along frequency:
    on the left those of spin -1, which answer to falling patterns, on the right those of spin +1.

    Args:
        layer: A built `TimeFrequencyScattering` with an average in time (`T` not 0).
        coefficients: What the layer returns for one signal without channels, batch aside.
        sampling_rate: Samples a second, for rates in Hz.
        axes: Two axes, a sequence; None for a new figure.

    Returns:
        An array of two axes.

    Raises:
        ValueError: For a layer of another kind or not built, coefficients of another shape, the
            wrong number of axes, or an argument outside of what is stated here.

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
    _need(layer, "joint", (TimeFrequencyScattering,))
    rate, unit = _rate(layer, sampling_rate)
    y = _coefficients(layer, coefficients)
    y = y.reshape(-1, y.shape[-1]).mean(0)
    meta = layer.meta()
    axes = _axes(axes, 2)
    second = meta["order"] == 2
    rates = np.unique(meta["xi2"][second])
    scales = [np.unique(meta["xi_fr"][second & (meta["spin"] == spin)]) for spin in (-1, 1)]

    def mean(xi2: float, xi_fr: float) -> float:
        return y[second & (meta["xi2"] == xi2) & (meta["xi_fr"] == xi_fr)].mean()

    pictures = np.array([[[mean(xi2, f) for f in fs] for xi2 in rates] for fs in scales])
    limits = {"vmin": min(0, pictures.min()), "vmax": pictures.max()}
    titles = "spin −1: falling", "spin +1: rising"
    images = [
        ax.imshow(picture, origin="lower", aspect="auto", cmap=_HEAT, **limits)
        for ax, picture in zip(axes, pictures, strict=True)
    ]
    for ax, fs, title in zip(axes, scales, titles, strict=True):
        ax.set(
            xticks=range(len(fs)),
            xticklabels=[_number(f) for f in fs],
            yticks=range(len(rates)),
            yticklabels=[_number(xi2 * rate) for xi2 in rates],
            xlabel="frequency along the wavelets, cycles/wavelet",
            title=title,
        )
    axes[0].set_ylabel(f"rate, {unit}")
    axes[0].figure.colorbar(images[0], ax=list(axes), label="mean coefficient")
    return axes


# What all share


def _axes(axes: Any, count: int | None = None) -> Any:
    """The axes given, or those of a new figure: one, or an array of `count`."""
    if count is None:
        return plt.subplots(layout="constrained")[1] if axes is None else axes
    if axes is None:
        size = (5.5 * count, 4.5)
        return plt.subplots(1, count, figsize=size, layout="constrained", squeeze=False)[1][0]
    axes = np.ravel(np.asarray(axes, object))
    if len(axes) != count:
        raise ValueError(f"Argument `axes` must hold {count} axes. Received: {len(axes)}")
    return axes


def _need(layer: Any, function: str, kinds: tuple[type, ...]) -> None:
    """Refuse a layer that is of none of the kinds, or not built."""
    if not isinstance(layer, kinds):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise ValueError(
            f"Argument `layer` of {function}() must be one of {names}. Received: {layer!r}"
        )
    layer._built(f"{function}()")


def _rate(layer: ScatteringLayer, sampling_rate: float | None) -> tuple[float, str]:
    """Samples a unit of time, and the unit of frequency."""
    if sampling_rate is None:
        return 1.0, "cycles/sample"
    layer.meta(sampling_rate)  # which says what is allowed
    return float(sampling_rate), "Hz"


def _time_axis(layer: Any) -> TimeAxis:
    (N,) = layer._size(layer._built("plot").shape)
    return TimeAxis(N, layer.J, layer.T, layer.stride, layer.padding)


def _bank(layer: Any, function: str, order: int) -> MorletBank1D | MorletBank2D:
    """The filters of a layer on its padded grid."""
    _need(layer, function, _WAVELETS)
    _validate.one_of("order", order, (1, 2))
    if isinstance(layer, Scattering2D):
        height, width = layer._size(layer._built(function).shape)
        plane = ImagePlane((height, width), layer.J, layer.T, layer.stride, layer.padding)
        return MorletBank2D(plane.padded, layer.J, layer.L)
    return _time_axis(layer).banks(layer._Q)[order - 1]


def _coefficients(layer: ScatteringLayer, coefficients: Any) -> np.ndarray:
    """Coefficients of one signal with the paths last, or an error."""
    built = layer._built("plot")
    if not built.plan.stacked:
        raise ValueError("Pictures need an average: T None, a number or 'global'. Received: T=0")
    paths, *size = built.plan.outputs[0]
    first = layer.data_format == "channels_first"
    allowed = (paths, *size) if first else (*size, paths)
    y = np.asarray(coefficients, "float64")
    if y.shape != allowed:
        raise ValueError(
            "Argument `coefficients` must be those of one signal without channels, of shape "
            f"{allowed}. Received: shape {y.shape}"
        )
    return np.moveaxis(y, 0, -1) if first else y


def _log_edges(centres: Iterable[float]) -> np.ndarray:
    """Edges of cells on a logarithmic axis, half-way between their centres."""
    log = np.log(np.asarray(centres))
    if len(log) == 1:
        return np.exp([log[0] - 0.5, log[0] + 0.5])
    middle = (log[:-1] + log[1:]) / 2
    return np.exp(np.concatenate([[2 * log[0] - middle[0]], middle, [2 * log[-1] - middle[-1]]]))


def _legend_above(ax: Any) -> None:
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)


def _scale_colors(count: int) -> list[Any]:
    """One colour a scale, from dark to light."""
    return [plt.get_cmap("viridis")(i / max(count - 1, 1) * 0.9) for i in range(count)]


def _number(x: float) -> str:
    return (f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}").replace("-", "−")


def _degrees(angle: float) -> str:
    return f"{_number(np.degrees(angle))}°"
