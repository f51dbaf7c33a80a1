"""What every filter bank offers: band-pass spectra `psi(n)`, a low-pass `phi()`, and their sum."""

import abc
import math
from collections.abc import Sequence

import numpy as np


def mirror(spectra: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Spectra in FFT order with line k taken to line -k; a Nyquist line stays where it is."""
    return np.roll(np.flip(spectra, axes), 1, axes)


class FilterBank(abc.ABC):
    """A family of wavelets and its low-pass on one periodic grid.

    Spectra are sampled at the FFT frequencies of the grid, in FFT order, in float64, or in
    complex128 where a filter is not symmetric in space. They are computed on demand, one filter at
    a time, since a whole bank on a long grid is large.
    """

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Size of the grid, one number per axis."""

    @property
    @abc.abstractmethod
    def j(self) -> tuple[int, ...]:
        """log2 of the sampling step that each filter's output allows."""

    @property
    @abc.abstractmethod
    def columns(self) -> dict[str, Sequence[float]]:
        """Metadata: one value per filter under each name, `j` among them."""

    def deviation(self, n: int) -> float:
        """Deviation in samples of a Gaussian that bounds filter `n` in space.

        It says how much padding outputs depend on. Infinite where no bound is known: then all
        padding is kept.
        """
        return math.inf

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of band-pass filters."""

    @abc.abstractmethod
    def psi(self, n: int) -> np.ndarray:
        """Spectrum of the band-pass filter of index `n`."""

    @abc.abstractmethod
    def phi(self) -> np.ndarray:
        """Spectrum of the low-pass filter."""

    def littlewood_paley(self) -> np.ndarray:
        r"""Littlewood-Paley sum of the bank, as seen by real signals.

        $$A(\omega) = |\hat\phi(\omega)|^2
          + \tfrac12 \sum_n |\hat\psi_n(\omega)|^2 + |\hat\psi_n(-\omega)|^2$$

        For real x, $\|x * \phi\|^2 + \sum_n \|x * \psi_n\|^2$ lies between
        $\min A \, \|x\|^2$ and $\max A \, \|x\|^2$ (Mallat 2012, section 2.1).

        Returns:
            Array of shape `shape`, in FFT order.
        """
        total = np.abs(self.phi()) ** 2
        for n in range(len(self)):
            energy = np.abs(self.psi(n)) ** 2
            total += (energy + mirror(energy, tuple(range(energy.ndim)))) / 2
        return total
