"""Oriented Morlet wavelets on a plane (Bruna & Mallat, IEEE TPAMI 2013; Kymatio, JMLR 2020).

A bank designs its wavelets in space on the grid of the padded image, periodises and transforms
them. Wavelet (j, theta) has frequency (3 pi / 4) / 2**j radians/sample along (cos theta, sin
theta), rows first.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from keras_scattering.filters.bank import FilterBank
from keras_scattering.filters.gaussian import lowpass_in_space, reached


def _wave_packets(
    shape: tuple[int, ...], sigma: float, theta: float, xi: float, slant: float
) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian envelope and its Gabor function, both in space and periodised."""
    u0, u1 = (reached(n, sigma * max(1.0, 1.0 / slant)) for n in shape)
    place = np.ix_(u0 % shape[0], u1 % shape[1])
    u0, u1 = u0[:, None], u1[None, :]
    cos, sin = math.cos(theta), math.sin(theta)
    # u^T R diag(1, slant^2) R^T u: unit curvature along theta, slant^2 across it.
    along, across = u0 * cos + u1 * sin, slant * (u1 * cos - u0 * sin)
    envelope = np.exp(-(along**2 + across**2) / (2 * sigma**2)) * slant / (2 * np.pi * sigma**2)
    gabor = envelope * (np.exp(1j * xi * cos * u0) * np.exp(1j * xi * sin * u1))
    periodic = np.zeros(shape), np.zeros(shape, complex)
    for total, packet in zip(periodic, (envelope, gabor), strict=True):
        np.add.at(total, place, packet)
    return periodic


@dataclasses.dataclass(frozen=True)
class MorletBank2D(FilterBank):
    """`J` scales times `L` angles of Morlet wavelets on a grid of `grid` points.

    Filter `n = j * L + l` has scale `2**j` and angle `angle(l)`.

    Args:
        grid: Rows and columns of the periodic grid.
        J: Number of scales; the low-pass has deviation `0.8 * 2**(J - 1)` samples.
        L: Number of angles in a half turn.

    Source: Bruna & Mallat 2013; constants of ScatNet and Kymatio.
    """

    grid: tuple[int, ...]
    J: int
    L: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Points of the grid along each axis."""
        return self.grid

    def on_grid(self, shape: tuple[int, ...]) -> "MorletBank2D":
        """The same filters on a grid of `shape`."""
        return dataclasses.replace(self, grid=shape)

    @property
    def j(self) -> tuple[int, ...]:
        """log2 of the scale of each wavelet."""
        return tuple(n // self.L for n in range(len(self)))

    @property
    def columns(self) -> dict[str, Sequence[float]]:
        """Scale of each wavelet, and its direction as an index and in radians."""
        theta = [n % self.L for n in range(len(self))]
        return {"j": self.j, "theta": theta, "angle": [self.angle(index) for index in theta]}

    def __len__(self) -> int:
        """The number of wavelets, J * L."""
        return self.J * self.L

    def angle(self, index: int) -> float:
        """Direction of wavelet number `index` of each scale, in radians, from the row axis."""
        return (int(self.L - self.L / 2 - 1) - index) * math.pi / self.L

    def psi(self, n: int) -> np.ndarray:
        """Spectrum of wavelet `n`, shape `grid`."""
        j, index = divmod(n, self.L)
        envelope, gabor = _wave_packets(
            self.grid, 0.8 * 2**j, self.angle(index), 0.75 * math.pi / 2**j, 4 / self.L
        )
        wavelet = gabor - gabor.sum() / envelope.sum() * envelope
        return np.fft.fft2(wavelet).real

    def phi_axis(self, axis: int) -> np.ndarray:
        """Spectrum of the low-pass along one axis, shape (grid[axis],)."""
        return lowpass_in_space(self.grid[axis], 0.8 * 2 ** (self.J - 1))

    def phi(self) -> np.ndarray:
        """Spectrum of the low-pass, shape `grid`."""
        return np.outer(self.phi_axis(0), self.phi_axis(1))
