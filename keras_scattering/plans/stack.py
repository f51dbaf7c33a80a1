"""A short axis of stacked signals: its filters, its sampling, and the average along it.

The joint transform stacks the wavelets of the first order along log-frequency.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from keras_scattering.filters import FilterBank
from keras_scattering.filters.gaussian import SIGMA0, lowpass
from keras_scattering.plans.averages import Average
from keras_scattering.plans.compact import Arrays, circulant, periodise
from keras_scattering.plans.grid import is_local, log2_step, lowpass_support
from keras_scattering.plans.plan import AlongStack


@dataclasses.dataclass(frozen=True)
class StackFilter:
    """A filter along a stack, with xi and sigma in cycles per stacked signal, NaN if unknown.

    It may be the product of a filter along the stack and of one across its blocks.
    """

    n: int  # 0 for the low-pass, then the wavelets of each spin
    xi: float
    sigma: float
    j: int
    spin: int  # sign of its frequency, 0 for the low-pass
    across: "StackFilter | None" = None

    @property
    def low(self) -> bool:
        """Whether it has averaged the stack, so that no average need follow."""
        return self.spin == 0 and (self.across is None or self.across.low)

    @property
    def rising(self) -> bool:
        """Whether it is the low-pass, or the one of two filters that real signals need."""
        return self.spin > 0 or (self.spin == 0 and (self.across is None or self.across.rising))


@dataclasses.dataclass(frozen=True)
class StackAxis:
    """The axis of a stack, its filters, and the average along it.

    Args:
        size: Samples of the periodic axis.
        J: log2 of the largest scale.
        F: Support of the average along the axis, None, "global" or 0.
        stride: Output step, or None for 2**floor(log2 F).
        banks: Wavelets on `size` points by their spin, in the order of the paths.
        blocks: The axis of blocks of signals, such as octaves, with filters from one block to the
            next. Each filter along the stack is then multiplied by each across blocks.
    """

    size: int
    J: int
    F: float | str | None
    stride: int | None
    banks: dict[int, FilterBank]
    blocks: "StackAxis | None" = None

    @property
    def local(self) -> bool:
        """Whether outputs are averages over windows of the axis."""
        return is_local(self.F)

    @property
    def support(self) -> float:
        """Support of the low-pass, in stacked signals."""
        return lowpass_support(self.F, self.J)

    @property
    def log2_stride(self) -> int:
        """log2 of the output step."""
        return log2_step(self.stride, self.support)

    @functools.cached_property
    def _wavelets(self) -> list[tuple[int, int]]:
        """Spin of each wavelet, and its index in the bank of that spin."""
        return [(spin, n) for spin, bank in self.banks.items() for n in range(len(bank))]

    @functools.cached_property
    def filters(self) -> tuple[StackFilter, ...]:
        """The low-pass, then the wavelets of each spin; each with all filters across blocks."""
        columns = {spin: bank.columns for spin, bank in self.banks.items()}

        def value(spin: int, n: int, name: str) -> float:
            return columns[spin][name][n] if name in columns[spin] else math.nan

        own = [
            StackFilter(0, 0.0, SIGMA0 / 2**self.J, self.J, 0),
            *(
                StackFilter(
                    i,
                    value(spin, n, "xi"),
                    value(spin, n, "sigma"),
                    self.banks[spin].j[n],
                    spin,
                )
                for i, (spin, n) in enumerate(self._wavelets, start=1)
            ),
        ]
        if self.blocks is None:
            return tuple(own)
        return tuple(
            dataclasses.replace(f, across=other) for f in own for other in self.blocks.filters
        )

    def sampling(self, n_fr: int) -> int:
        """log2 of the sampling step of a filter's output."""
        j = self.filters[n_fr].j
        return min(j, self.log2_stride) if self.local else j

    def step(self, n_fr: int) -> int:
        """Step of the output along the axis; the length of the axis for a mean."""
        if not self.filters[n_fr].low and self.local:
            return 2**self.log2_stride
        if not self.filters[n_fr].low and self.F == "global":
            return self.size
        return 2 ** self.sampling(n_fr)

    def spectrum(self, f: StackFilter) -> np.ndarray:
        """The spectrum of a filter on the axis' points."""
        if f.n == 0:
            psi = lowpass(SIGMA0 / 2**self.J, self.size)
        else:
            spin, n = self._wavelets[f.n - 1]
            psi = self.banks[spin].psi(n)
        if f.across is None or self.blocks is None:
            return psi
        # A filter with a tap for every block has a periodic spectrum.
        return psi * np.tile(self.blocks.spectrum(f.across), self.size // self.blocks.size)

    def response(self, n_fr: int) -> np.ndarray:
        """The complex filter along the axis, as it is convolved."""
        return np.fft.ifft(self.spectrum(self.filters[n_fr]))

    def matrix(self, group: Sequence[int], inputs: int, outputs: int) -> np.ndarray:
        """Filters of one sampling step on a stack of `inputs` signals, as a complex matrix.

        The stack is zero beyond its signals. The matrix (inputs, filters, outputs) yields the first
        samples of each filter's output.
        """
        step = 2 ** self.sampling(group[0])
        filters = [circulant(self.response(n), step, range(outputs), inputs) for n in group]
        return np.stack(filters, 1)

    def lowpass(self, n_fr: int, outputs: int) -> np.ndarray | None:
        """The average along the axis after a filter, as a matrix; None for no average."""
        if self.filters[n_fr].low or self.F == 0:
            return None
        k = self.sampling(n_fr)
        n = self.size >> k
        if not self.local:
            return np.full((n, 1), 1 / n)
        phi = periodise(lowpass(SIGMA0 / self.support, self.size)[None], (n,))[0]
        return circulant(np.fft.ifft(phi).real, 2 ** (self.log2_stride - k), range(outputs))

    def along(
        self,
        arrays: Arrays,
        name: str,
        group: Sequence[int],
        inputs: int,
        kept: int,
        average: Average,
        rows: tuple[int, ...],
    ) -> AlongStack:
        """Filters of one sampling step along a stack, averaged along it or not.

        Args:
            arrays: The arrays of the design, to which this adds matrices.
            name: Name of the matrices.
            group: Indices of the filters; the low-pass is a group of its own.
            inputs: Number of stacked signals; the axis is zero beyond.
            kept: Samples of the output along the axis.
            average: The average over the grid.
            rows: Rows of the averages in the output.
        """
        low = self.lowpass(group[0], kept)
        filters = self.matrix(group, inputs, kept if low is None else len(low))
        if low is not None:
            # Far from the stack the filters' outputs vanish, and need no average.
            peak = np.abs(filters).max((0, 1))
            near = peak > arrays.threshold * peak.max()
            filters, low = filters[..., near], low[near]
        flat = filters.reshape(inputs, -1)
        real, imag = np.real(flat), np.imag(flat)
        planes = np.stack([np.concatenate([real, -imag]), np.concatenate([imag, real])])
        matrix = arrays.add(name, planes)
        lowpass = None if low is None else arrays.add(f"{name}_low", low)
        return AlongStack(matrix, len(group), lowpass, average, rows)
