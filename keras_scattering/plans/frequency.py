"""The axis of first-order wavelets, along which the joint transform filters once more."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from keras_scattering.filters.morlet1d import SIGMA0, lowpass, morlet, resolution, schedule
from keras_scattering.plans.compact import circulant, periodise
from keras_scattering.plans.grid import is_local, log2_step, support


@dataclasses.dataclass(frozen=True)
class FrequencyFilter:
    """A filter along log-frequency; xi and sigma in cycles a first-order wavelet."""

    xi: float
    sigma: float
    j: int
    spin: int


@dataclasses.dataclass(frozen=True)
class FrequencyAxis:
    """The axis of first-order wavelets, its filters, and the average along it.

    Args:
        J: log2 of the largest scale in time.
        Q: Wavelets an octave, of the first order in time.
        J_fr: log2 of the largest scale along frequency.
        Q_fr: Wavelets an octave along frequency.
        F: Support of the average along frequency, None, "global" or 0.
        stride_fr: Output step, or None for 2**floor(log2 F).
    """

    J: int
    Q: int
    J_fr: int
    Q_fr: int
    F: float | str | None
    stride_fr: int | None

    def __post_init__(self) -> None:
        count = len(schedule(self.J, self.Q))
        if count > self.size:
            raise ValueError(
                f"The {count} first-order wavelets do not fit on the frequency axis of {self.size} "
                f"samples: take a larger `J_fr` or `F`. "
                f"Received: J={self.J}, Q={self.Q}, J_fr={self.J_fr}, F={self.F}"
            )

    @property
    def local(self) -> bool:
        """Whether outputs are averages over windows of frequency."""
        return is_local(self.F)

    @property
    def support(self) -> float:
        """Support of the low-pass in first-order wavelets."""
        return support(self.F, self.J_fr)

    @property
    def log2_stride(self) -> int:
        """log2 of the output step."""
        return log2_step(self.stride_fr, self.support)

    @property
    def size(self) -> int:
        """Samples of the padded axis."""
        unpadded = (self.J + 1) * self.Q + 8 * min(self.support, 2**self.J_fr)
        return math.floor(unpadded / 2**self.J_fr) * 2**self.J_fr

    @functools.cached_property
    def filters(self) -> tuple[FrequencyFilter, ...]:
        """The low-pass, then the wavelets of spin +1, then those of spin -1."""
        low = FrequencyFilter(0.0, SIGMA0 / 2**self.J_fr, self.J_fr, 0)
        wavelets = schedule(self.J_fr, self.Q_fr)
        return low, *(
            FrequencyFilter(spin * xi, sigma, resolution(xi, sigma), spin)
            for spin in (1, -1)
            for xi, sigma in wavelets
        )

    def sampling(self, n_fr: int) -> int:
        """log2 of the step at which the output of a filter is kept."""
        j = self.filters[n_fr].j
        return min(j, self.log2_stride) if self.local else j

    def step(self, n_fr: int) -> int:
        """Step of the output along frequency; the whole axis for a mean over it."""
        if self.filters[n_fr].spin and self.local:
            return 2**self.log2_stride
        if self.filters[n_fr].spin and self.F == "global":
            return self.size
        return 2 ** self.sampling(n_fr)

    def response(self, n_fr: int) -> np.ndarray:
        """The filter itself, complex, as it is convolved."""
        f = self.filters[n_fr]
        spectrum = lowpass(f.sigma, self.size) if not f.spin else morlet(f.xi, f.sigma, self.size)
        return np.fft.ifft(spectrum)

    def matrix(self, group: Sequence[int], inputs: int, outputs: int) -> np.ndarray:
        """Filters of one sampling step on a stack of `inputs` wavelets, zero beyond, as a matrix.

        Complex, of shape (inputs, filters, outputs): the first samples of each filter's output.
        """
        step = 2 ** self.sampling(group[0])
        filters = [circulant(self.response(n), step, range(outputs), inputs) for n in group]
        return np.stack(filters, 1)

    def lowpass(self, n_fr: int, outputs: int) -> np.ndarray | None:
        """The average along frequency after a filter, as a matrix; None where there is none."""
        if not self.filters[n_fr].spin or self.F == 0:
            return None
        k = self.sampling(n_fr)
        n = self.size >> k
        if not self.local:
            return np.full((n, 1), 1 / n)
        phi = periodise(lowpass(SIGMA0 / self.support, self.size)[None], (n,))[0]
        return circulant(np.fft.ifft(phi).real, 2 ** (self.log2_stride - k), range(outputs))
