"""The grid that signals live on: its padding, its sampling, and the averages over it."""

import abc
import math

import numpy as np

from keras_scattering.plans.averages import Average, Crop, Mean
from keras_scattering.plans.banks import Box
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.padding import Padding


def is_local(T: float | str | None) -> bool:
    """Whether T asks for averages over windows; False for a mean over the grid, and for T=0."""
    return not isinstance(T, str) and T != 0


def lowpass_support(T: float | str | None, J: int) -> float:
    """Support of the low-pass in samples: T if it is a positive number, else 2**J."""
    return float(T) if T and is_local(T) else float(2**J)


def log2_step(stride: int | None, support: float) -> int:
    """log2 of the output step; the default step is the largest power of two in the support."""
    return math.floor(math.log2(support)) if stride is None else stride.bit_length() - 1


class Grid(abc.ABC):
    """A padded grid, and the average over it.

    For `T="global"` the average is a mean over the whole grid, and for `T="signal"` a mean over the
    samples that are not padding. For `T=0` there is no average. Every other `T` gives local
    averages.
    """

    T: float | str | None

    @property
    @abc.abstractmethod
    def padded(self) -> tuple[int, ...]:
        """Samples after padding, per axis."""

    @property
    @abc.abstractmethod
    def extension(self) -> tuple[Padding, ...]:
        """The padding of each axis."""

    @property
    @abc.abstractmethod
    def log2_stride(self) -> int:
        """log2 of the output step of a local average."""

    @abc.abstractmethod
    def keep(self, k: int) -> Box:
        """The samples [start, stop) that are not padding, of a signal sampled every 2**k."""

    @abc.abstractmethod
    def lowpass(self, arrays: Arrays, k: int) -> Average:
        """The rule for the local average of a signal sampled every 2**k, at the output step."""

    @abc.abstractmethod
    def coarsen(self, spectra: np.ndarray, k: int) -> np.ndarray:
        """Filters (F, *padded) as they act on signals sampled every 2**k."""

    @property
    def local(self) -> bool:
        """Whether outputs are averages over windows of the signal."""
        return is_local(self.T)

    @property
    def mean(self) -> bool:
        """Whether outputs are means over the whole grid, or over the signal."""
        return isinstance(self.T, str)

    def size(self, k: int) -> tuple[int, ...]:
        """Size of the padded grid with one sample every 2**k."""
        return tuple(n >> k for n in self.padded)

    def sampling(self, j: int) -> int:
        """log2 of the sampling step of a signal of scale j: its own step, or the output's."""
        return min(j, self.log2_stride) if self.local else j

    def average(self, arrays: Arrays, k: int) -> Average:
        """The rule for the average of a signal sampled every 2**k."""
        return self.lowpass(arrays, k) if self.local else self.reduce(k)

    def reduce(self, k: int) -> Average:
        """The rule for a signal sampled every 2**k that needs no low-pass, or none any more."""
        if self.T == "global":
            return Mean(tuple((0, n) for n in self.size(k)))
        return (Mean if self.mean else Crop)(self.keep(k))

    def output_step(self, k: int) -> float:
        """Samples from one output to the next, for a path sampled every 2**k; NaN for a mean."""
        if self.mean:
            return math.nan
        return 2.0 ** (self.log2_stride if self.local else k)

    def output_size(self, k: int) -> tuple[int, ...]:
        """Size of the output of a path whose signal is sampled every 2**k."""
        if self.mean:
            return ()
        box = self.keep(self.log2_stride if self.local else k)
        return tuple(stop - start for start, stop in box)
