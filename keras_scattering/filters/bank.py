"""The interface of filter banks: band-pass spectra `psi(n)`, a low-pass `phi()`, and their sum."""

import abc
import math
from collections.abc import Sequence

import numpy as np


def mirror(spectra: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Spectra in FFT order with line k moved to line -k; a Nyquist line stays in place."""
    return np.roll(np.flip(spectra, axes), 1, axes)


class FilterBank(abc.ABC):
    """A family of wavelets and its low-pass on one periodic grid.

    A bank samples its spectra at the FFT frequencies of the grid, in FFT order. They are float64,
    or complex128 where a filter is not symmetric in space. A bank computes one filter at a time, on
    demand, since all filters on a long grid take much memory.
    """

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Points of the grid along each axis."""

    @property
    @abc.abstractmethod
    def j(self) -> tuple[int, ...]:
        """log2 of the sampling step that each filter's output allows."""

    @property
    @abc.abstractmethod
    def columns(self) -> dict[str, Sequence[float]]:
        """Metadata by name, with one value per filter; `j` is one of the names."""

    def deviation(self, n: int) -> float:
        """Deviation in samples of a Gaussian that bounds filter `n` in space.

        It determines how much padding the outputs depend on. The default is infinite, for banks
        without a known bound: plans then keep all padding.
        """
        return math.inf

    def on_grid(self, shape: tuple[int, ...]) -> "FilterBank":
        """The same filters on a grid of `shape`, for smooth pictures of them.

        The default is the bank itself, which then shows on its own grid.
        """
        return self

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
        r"""Littlewood-Paley sum of the bank for real signals.

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
