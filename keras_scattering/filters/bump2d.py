"""Bump steerable wavelets on a plane (Mallat, Zhang & Rochette 2018; Allys et al. 2020).

Wavelet (j, l) has frequency 0.85 pi / 2**j radians/sample along its angle. Its spectrum is real,
smooth, and zero beyond half a plane and beyond twice its frequency.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from keras_scattering.filters.bank import FilterBank
from keras_scattering.filters.gaussian import lowpass_in_space

_XI0 = 0.85 * math.pi  # frequency of the finest wavelets, in radians/sample


def lowpass_deviation(j: int) -> float:
    """Deviation in samples of the Gaussian low-pass of scale 2**j."""
    return 2**j / (0.496 * 2**-0.55 * _XI0)


@dataclasses.dataclass(frozen=True)
class BumpSteerableBank2D(FilterBank):
    """`J` scales times `L` angles of bump steerable wavelets on a grid of `grid` points.

    Filter `n = j * L + l` has scale `2**j` and angle `angle(l)`.

    Args:
        grid: Rows and columns of the periodic grid.
        J: Number of scales; the low-pass is that of scale 2**(J - 1).
        L: Number of angles in a half turn.

    Source: constants of pywph 1.1.
    """

    grid: tuple[int, ...]
    J: int
    L: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Points of the grid along each axis."""
        return self.grid

    def on_grid(self, shape: tuple[int, ...]) -> "BumpSteerableBank2D":
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
        return math.pi / 2 - index * math.pi / self.L

    def psi(self, n: int) -> np.ndarray:
        """Spectrum of wavelet `n`, shape `grid`."""
        j, index = divmod(n, self.L)
        xi, angle, L = _XI0 / 2**j, self.angle(index), self.L
        height = 2 ** (L - 1) * math.factorial(L - 1)
        height /= 1.29 * math.sqrt(L * math.factorial(2 * (L - 1)))
        rows, columns = (2 * np.pi * np.fft.fftfreq(size) for size in self.grid)
        total = np.zeros(self.grid)
        turns = (-2 * np.pi, 0.0, 2 * np.pi)
        for w0, w1 in ((rows[:, None] + p, columns[None] + q) for p in turns for q in turns):
            offset = np.hypot(w0, w1) - xi
            along = w0 * math.cos(angle) + w1 * math.sin(angle)
            across = w1 * math.cos(angle) - w0 * math.sin(angle)
            between = np.arctan2(across, along)
            # The half plane is closed, which rounding must not undo; it matters for L = 1.
            inside = (np.abs(offset) < xi) & (np.abs(between) <= np.pi / 2 + 1e-12)
            radial = np.exp(-(offset[inside] ** 2) / (xi**2 - offset[inside] ** 2))
            total[inside] += height * radial * np.cos(between[inside]) ** (L - 1)
        return total

    def phi(self) -> np.ndarray:
        """Spectrum of the low-pass, shape `grid`."""
        sigma = lowpass_deviation(self.J - 1)
        return np.outer(*(lowpass_in_space(size, sigma) for size in self.grid))
