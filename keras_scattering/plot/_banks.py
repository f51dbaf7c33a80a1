"""Pictures of filter banks, in Fourier and in time or space."""

import math
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from scipy import ndimage

from keras_scattering import _validate
from keras_scattering.filters import FilterBank
from keras_scattering.filters.gaussian import SIGMA0
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plot._shared import (
    BLUE,
    ONE,
    ORANGE,
    SQUARE,
    axes_or_new,
    degrees,
    ink,
    legend_above,
    number,
    octaves,
    plain,
    plan_of,
    rate_and_unit,
    refuse,
)

_POINTS = 4000  # of a curve
_PER_WIDTH = 8  # points of a grid per deviation of the narrowest spectrum on it
_LARGEST = 2**20  # points of such a grid
_MANY = 40  # wavelets, of which the picture brings out one per octave
_SEEN = 2e-3  # of a wavelet's peak
_BEYOND = 0.7  # cycles/sample: a plane's edge is 0.5, and the finest wavelets reach beyond it


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
    Wavelets respond to positive frequencies alone, so they pass half of the energy of a real
    signal: about 0.5 in the sum is right. Averages with `T < 2**J` pass low frequencies that
    wavelets pass too. The sum then rises above 1, and the picture shades the excess.

    For images, it draws the sum in grey, and a contour where each filter falls to half of its peak.
    The square holds the frequencies of the image's grid. What a filter passes beyond an edge enters
    again at the opposite edge.

    Args:
        layer: A built layer of signals in time or of images, such as `Scattering1D`,
            `TimeFrequencyScattering` or `Scattering2D`.
        order: Order of the wavelets, from 1. It makes no difference for `Scattering2D`.
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
    if len(bank.shape) == 1:
        grid = plan_of(layer, "filter_bank").grid
        support = getattr(grid, "support", 2.0 ** max(bank.j))  # of the low-pass
        return _bank_in_time(axes_or_new(ax), bank, support, rate, unit)
    return _bank_in_plane(axes_or_new(ax, size=SQUARE), bank)


def _bank_in_time(ax: Any, bank: FilterBank, support: float, rate: float, unit: str) -> Any:
    centres = _centres(bank)
    omega = np.geomspace(min(min(centres) / 4, 0.01 / support), 0.5, _POINTS)

    def energy(spectrum: np.ndarray) -> np.ndarray:
        """The energy that a filter passes of a real signal."""
        grid, passed = np.arange(len(spectrum)) / len(spectrum), np.abs(spectrum) ** 2
        there, back = (np.interp(sign * omega, grid, passed, period=1) for sign in (1, -1))
        return (there + back) / 2

    shown = octaves(centres) if len(bank) > _MANY else range(len(bank))
    faint = min(0.6, _MANY / len(bank))
    # Four times as fine as its width asks for, since a logarithmic axis enlarges what is near 0.
    low = energy(_smooth(bank, 4 * support / (2 * math.pi * SIGMA0)).phi())
    total = low.copy()
    for n in range(len(bank)):
        passed = energy(_smooth(bank, bank.deviation(n)).psi(n))
        total += passed
        (seen,) = np.nonzero(passed > 1e-5 * passed.max())
        part = slice(seen[0], seen[-1] + 1)
        style = {"linewidth": 1.2} if n in shown else {"linewidth": 0.4, "alpha": faint}
        ax.plot(omega[part] * rate, passed[part], color=BLUE, **style)
    ax.plot(omega * rate, low, color=ORANGE, linestyle="--")
    ax.plot(omega * rate, total, color=ink(), linewidth=1.5 if len(bank) < _MANY else 0.8)
    handles = [
        Line2D([], [], color=BLUE, label="wavelets"),
        Line2D([], [], color=ORANGE, linestyle="--", label="low-pass"),
        Line2D([], [], color=ink(), label="sum"),
    ]
    if total.max() > 1.01:
        above = {"color": ORANGE, "alpha": 0.3, "linewidth": 0}
        label = "above 1: low-pass and wavelets overlap"
        handles.append(ax.fill_between(omega * rate, 1, total, total > 1, label=label, **above))
    ax.set_xscale("log")
    plain(ax.xaxis)
    ax.set(
        xlim=(omega[0] * rate, rate / 2),
        ylim=(0, 1.05 * max(total.max(), 1)),
        xlabel=f"frequency, {unit}",
        ylabel="share of energy passed",
    )
    legend_above(ax, handles, ncols=3 if len(handles) == 3 else 2)
    return ax


def _smooth(bank: FilterBank, deviation: float) -> FilterBank:
    """The bank on a grid whose points resolve the spectrum of a filter of some deviation."""
    if deviation == math.inf:
        return bank
    points = np.clip(_PER_WIDTH * 2 * math.pi * deviation, 512, _LARGEST)
    return bank.on_grid((2 ** math.ceil(math.log2(points)),))


def _bank_in_plane(ax: Any, bank: FilterBank) -> Any:
    n = int(np.clip(_PER_WIDTH * 2 ** (max(bank.j) + 2), 128, 512))
    bank = bank.on_grid((n, n))
    total = np.fft.fftshift(bank.littlewood_paley())
    square = (-0.5, 0.5, 0.5, -0.5)
    image = ax.imshow(total, cmap="Greys", vmin=0, vmax=2 * total.max(), extent=square)
    bar = ax.figure.colorbar(image, ax=ax, label="Littlewood-Paley sum", shrink=0.8)
    bar.ax.set_ylim(0, total.max())
    colors = _scale_colors(max(bank.j) + 1)
    for n, j in enumerate(bank.j):
        _half_peak(ax, bank.psi(n), colors[j])
    _half_peak(ax, bank.phi(), ORANGE)
    ax.add_patch(Rectangle((-0.5, -0.5), 1, 1, fill=False, edgecolor=ink(), linewidth=0.8))
    handles = [Line2D([], [], color=c, label=f"scale {2**j}") for j, c in enumerate(colors)]
    handles.append(Line2D([], [], color=ORANGE, label="low-pass"))
    ax.set(
        xlim=(-_BEYOND, _BEYOND),
        ylim=(_BEYOND, -_BEYOND),
        xlabel="frequency across, cycles/sample",
        ylabel="frequency down, cycles/sample",
        aspect="equal",
    )
    legend_above(ax, handles)
    return ax


def _half_peak(ax: Any, spectrum: np.ndarray, color: Any) -> None:
    """Draw the contour at half of a spectrum's peak: one curve around the peak.

    Spectra are periodic, so the curve may leave the square of the grid's frequencies.
    """
    n = len(spectrum)
    height = np.pad(np.fft.fftshift(np.abs(spectrum)), n // 4, mode="wrap")
    half = height.max() / 2
    within = np.zeros(height.shape, int)
    ndimage.label(height >= half, output=within)
    inner = height[n // 4 : -n // 4, n // 4 : -n // 4]
    peak = within[n // 4 : -n // 4, n // 4 : -n // 4].flat[inner.argmax()]
    others = (within > 0) & (within != peak)
    omega = (np.arange(len(height)) - len(height) // 2) / n
    ax.contour(omega, omega, np.where(others, 0, height), levels=[half], colors=[color])


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
        layer: A built layer of signals in time or of images, such as `Scattering1D`,
            `TimeFrequencyScattering` or `Scattering2D`.
        order: Order of the wavelets, from 1. It makes no difference for `Scattering2D`.
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
    if len(bank.shape) == 1:
        return _wavelets_in_time(axes_or_new(ax), bank, rate, unit)
    if "angle" not in bank.columns:
        raise refuse(layer, "wavelets", "of signals in time, or of images with oriented wavelets")
    return _wavelets_in_plane(ax, bank)


def _wavelets_in_time(ax: Any, bank: FilterBank, rate: float, unit: str) -> Any:
    centres = _centres(bank)
    shown = octaves(centres)
    psis = [np.fft.fftshift(np.fft.ifft(bank.psi(n))) for n in shown]
    psis = [psi / np.abs(psi).max() for psi in psis]
    middle = len(psis[0]) // 2
    # As far as the longest wavelet is to be seen.
    reach = max(np.abs(np.flatnonzero(np.abs(psi) > _SEEN) - middle).max() for psi in psis)
    reach = min(int(reach), middle - 1)
    t = np.arange(-reach, reach + 1) / rate
    for row, psi in enumerate(psis):
        psi = 0.45 * psi[middle - reach : middle + reach + 1]
        ax.plot(t, row - np.real(psi), color=BLUE, linewidth=1, label="real part" * (row == 0))
        ax.plot(t, row - np.abs(psi), color=ORANGE, linewidth=1, label="modulus" * (row == 0))
    ax.set(
        xlim=(t[0], t[-1]),
        ylim=(len(shown) - 0.4, -0.6),
        yticks=range(len(shown)),
        yticklabels=[number(centres[n] * rate) for n in shown],
        xlabel="time, samples" if rate == 1 else "time, s",
        ylabel=f"centre frequency, {unit}",
    )
    ax.locator_params(axis="x", nbins=6)
    legend_above(ax)
    return ax


def _wavelets_in_plane(ax: Any, bank: FilterBank) -> Any:
    scales, angles = max(bank.j) + 1, bank.columns["angle"][: len(bank) // (max(bank.j) + 1)]
    reach = [min(int(3 * 0.8 * 2 ** (scales - 1)), n // 2 - 1) for n in bank.shape]
    window = np.ix_(*(np.arange(-r, r + 1) for r in reach))
    tiles = []
    for n in range(len(bank)):
        psi = np.real(np.fft.ifft2(bank.psi(n)))[window]
        tiles.append(np.pad(psi / np.abs(psi).max(), 1, constant_values=np.nan))
    ax = axes_or_new(ax, size=(ONE[0], 1.4 + 0.85 * ONE[0] * scales / len(angles)))
    mosaic = np.block([tiles[j * len(angles) : (j + 1) * len(angles)] for j in range(scales)])
    image = ax.imshow(mosaic, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.figure.colorbar(
        image, ax=ax, label="part of its peak", location="bottom", shrink=0.6, aspect=30
    )
    height, width = tiles[0].shape
    ax.set(
        xticks=(np.arange(len(angles)) + 0.5) * width - 0.5,
        xticklabels=[degrees(angle) for angle in angles],
        yticks=(np.arange(scales) + 0.5) * height - 0.5,
        yticklabels=[f"{2**j}" for j in range(scales)],
        xlabel="angle, from the vertical axis",
        ylabel="scale, samples",
    )
    return ax


def _bank(layer: Any, function: str, order: int) -> FilterBank:
    """The filters of one order of a layer, on its padded grid."""
    banks = plan_of(layer, function).banks
    if not banks or len(banks[0].shape) > 2:
        arrays = "`filters.SolidHarmonics(box, sigma_0).radial(j, l)`"
        needed = f"of signals in time or of images (filters of volumes are arrays: {arrays})"
        raise refuse(layer, function, needed)
    _validate.one_of("order", order, tuple(range(1, len(banks) + 1)))
    return banks[order - 1]


def _centres(bank: FilterBank) -> list[float]:
    """Centre frequencies of wavelets in time, in cycles/sample."""
    if "xi" in bank.columns:
        return list(bank.columns["xi"])
    return [float(np.abs(bank.psi(n)).argmax() / bank.shape[0]) for n in range(len(bank))]


def _scale_colors(count: int) -> list[Any]:
    """One colour per scale, from dark to light."""
    return [plt.get_cmap("viridis")(i / max(count - 1, 1) * 0.9) for i in range(count)]
