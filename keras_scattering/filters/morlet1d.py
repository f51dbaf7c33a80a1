"""Morlet wavelets on a line, and the constant-Q schedule that places them.

Frequencies and widths are in cycles/sample (0.5 is Nyquist). Sources: Andén & Mallat, "Deep
Scattering Spectrum", IEEE TSP 2014; Andreux et al., "Kymatio", JMLR 2020.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from keras_scattering.filters.bank import FilterBank
from keras_scattering.filters.gaussian import SIGMA0, gaussian, lowpass, normalise

ALPHA = 5.0  # a filter's band ends this many widths above its centre
_R = math.sqrt(0.5)  # height at which neighbouring wavelets cross, relative to their peaks


def morlet(xi: float, sigma: float, N: int) -> np.ndarray:
    """Spectrum of the Morlet wavelet: a Gaussian minus the low-pass that makes its mean zero."""
    bump = gaussian(xi, sigma, N)
    low = gaussian(0.0, sigma, N)
    return normalise(bump - bump[0] / low[0] * low)


def schedule(J: int, Q: int) -> tuple[tuple[float, float], ...]:
    """Centres and widths (xi, sigma) of the wavelets, from the highest frequency down.

    Centres and widths fall geometrically, with `Q` wavelets per octave, while the width stays above
    `sigma_min = 0.1 / 2**J`. Then Q - 1 more wavelets of that width step down evenly towards zero.
    """
    xi = max(1 / (1 + 2 ** (3 / Q)), 0.35)
    ratio = 2 ** (-1 / Q)
    sigma = xi * (1 - ratio) / (1 + ratio) / math.sqrt(2 * math.log(1 / _R))
    sigma_min = SIGMA0 / 2**J
    wavelets = []
    if sigma <= sigma_min:
        xi = sigma  # as Kymatio and ScatNet do
    else:
        wavelets.append((xi, sigma))
        while sigma > sigma_min / ratio:
            xi, sigma = xi * ratio, sigma * ratio
            wavelets.append((xi, sigma))
    step = xi / Q
    wavelets += [(xi - q * step, sigma_min) for q in range(1, Q)]
    return tuple(wavelets)


def resolution(xi: float, sigma: float) -> int:
    """The largest j for which a band-pass signal may be sampled every 2**j samples."""
    return math.floor(-math.log2(min(abs(xi) + ALPHA * sigma, 0.5))) - 1


@dataclasses.dataclass(frozen=True)
class MorletBank1D(FilterBank):
    """Morlet wavelets with `Q` filters per octave up to the scale `2**J`, on `N` points.

    Args:
        N: Number of points of the periodic grid.
        J: log2 of the largest scale.
        Q: Wavelets per octave.
        T: Support of the low-pass in samples.
        spin: Sign of the centre frequencies: 1 or -1.

    Source: Andén & Mallat 2014, with the schedule of Kymatio (Andreux et al. 2020).
    """

    N: int
    J: int
    Q: int
    T: float
    spin: int = 1

    @functools.cached_property
    def wavelets(self) -> tuple[tuple[float, float], ...]:
        """(xi, sigma) of each filter, in cycles/sample."""
        return tuple((self.spin * xi, sigma) for xi, sigma in schedule(self.J, self.Q))

    @property
    def j(self) -> tuple[int, ...]:
        """log2 of the sampling step that each filter's output allows."""
        return tuple(resolution(xi, sigma) for xi, sigma in self.wavelets)

    @property
    def xi(self) -> tuple[float, ...]:
        """Centre frequencies in cycles/sample."""
        return tuple(xi for xi, _ in self.wavelets)

    @property
    def sigma(self) -> tuple[float, ...]:
        """Widths in cycles/sample."""
        return tuple(sigma for _, sigma in self.wavelets)

    @property
    def columns(self) -> dict[str, Sequence[float]]:
        """Scale, centre frequency and width of each wavelet."""
        return {"j": self.j, "xi": self.xi, "sigma": self.sigma}

    def deviation(self, n: int) -> float:
        """Deviation in samples of the Gaussian envelope of wavelet `n`."""
        return 1 / (2 * math.pi * self.wavelets[n][1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Points of the grid along its axis."""
        return (self.N,)

    def on_grid(self, shape: tuple[int, ...]) -> "MorletBank1D":
        """The same filters on a grid of `shape`."""
        return dataclasses.replace(self, N=shape[0])

    def __len__(self) -> int:
        """The number of wavelets."""
        return len(self.wavelets)

    def psi(self, n: int) -> np.ndarray:
        """Spectrum of wavelet `n`, shape (N,)."""
        return morlet(*self.wavelets[n], self.N)

    def phi(self) -> np.ndarray:
        """Spectrum of the low-pass of width `0.1 / T`, shape (N,)."""
        return lowpass(SIGMA0 / self.T, self.N)
