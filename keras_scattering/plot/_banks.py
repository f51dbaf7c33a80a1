"""Pictures of filter banks, in Fourier and in time or space."""

import dataclasses
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Patch

from keras_scattering import _validate
from keras_scattering.filters import MorletBank1D, MorletBank2D
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.layers.scattering1d import Scattering1D
from keras_scattering.layers.scattering2d import Scattering2D
from keras_scattering.layers.timefrequency import TimeFrequencyScattering
from keras_scattering.plot._shared import (
    axes_or_new,
    degrees,
    need,
    number,
    rate_and_unit,
)

_BLUE, _ORANGE = "#0072B2", "#D55E00"  # distinct for colour-blind readers (Okabe and Ito)
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

    For signals in time, it draws each filter's term of the sum over a logarithmic frequency axis.
    For images, it draws the sum in grey, and a contour where each wavelet falls to half of its
    peak.

    Args:
        layer: A built `Scattering1D`, `TimeFrequencyScattering` or `Scattering2D`.
        order: Order of the wavelets, 1 or 2. It makes no difference for images.
        sampling_rate: Samples per second, for an axis in Hz; only for signals in time.
        ax: Axes to draw into; None for a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: For a layer of another kind or not built, or an argument with a value not stated
            here.

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
    rate, unit = rate_and_unit(layer, sampling_rate)
    ax = axes_or_new(ax)
    if isinstance(bank, MorletBank1D):
        return _bank_in_time(ax, bank, rate, unit)
    return _bank_in_plane(ax, bank)


def _bank_in_time(ax: Any, bank: MorletBank1D, rate: float, unit: str) -> Any:
    # A fine grid makes the curves smooth at the lowest frequencies too.
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
    """Draw a layer's wavelets in time or space.

    For signals in time, it draws the real part and the modulus of one wavelet per octave, each
    relative to its peak. For images, it draws the real parts, with one row per scale and one column
    per angle.

    Args:
        layer: A built `Scattering1D`, `TimeFrequencyScattering` or `Scattering2D`.
        order: Order of the wavelets, 1 or 2. It makes no difference for images.
        sampling_rate: Samples per second, for axes in seconds and Hz; only for signals in time.
        ax: Axes to draw into; None for a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: For a layer of another kind or not built, or an argument with a value not stated
            here.

    Example:

    >>> import keras_scattering
    >>> layer = keras_scattering.Scattering2D(J=2, L=4)
    >>> layer.build((None, 32, 32))
    >>> ax = keras_scattering.plot.wavelets(layer)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['1', '2']
    """
    bank = _bank(layer, "wavelets", order)
    rate, unit = rate_and_unit(layer, sampling_rate)
    ax = axes_or_new(ax)
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
        yticklabels=[number(bank.xi[n] * rate) for n in shown],
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
        xticklabels=[degrees(bank.angle(i)) for i in range(bank.L)],
        yticks=(np.arange(bank.J) + 0.5) * height - 0.5,
        yticklabels=[f"{2**j}" for j in range(bank.J)],
        xlabel="angle, from the vertical axis",
        ylabel="scale, samples",
    )
    return ax


def _bank(layer: Any, function: str, order: int) -> MorletBank1D | MorletBank2D:
    """The filters of a layer on its padded grid."""
    need(layer, function, _WAVELETS)
    _validate.one_of("order", order, (1, 2))
    return layer._built(function).plan.banks[order - 1]


def _legend_above(ax: Any) -> None:
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)


def _scale_colors(count: int) -> list[Any]:
    """One colour per scale, from dark to light."""
    return [plt.get_cmap("viridis")(i / max(count - 1, 1) * 0.9) for i in range(count)]
