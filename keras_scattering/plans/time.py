"""The time axis: its padding, its sampling, and the average along it (Andén & Mallat 2014)."""

import bisect
import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
import scipy.fft
import scipy.special

from keras_scattering.filters import FilterBank
from keras_scattering.filters.gaussian import SIGMA0, lowpass
from keras_scattering.plans.averages import Average, LowPass, SpectralLowPass
from keras_scattering.plans.banks import Bank, Box
from keras_scattering.plans.compact import Arrays, circulant, periodise
from keras_scattering.plans.grid import Grid, log2_step, lowpass_support
from keras_scattering.plans.padding import Padding, pad_axis

# Signals of more samples have their padding from a formula, not from an FFT of that length.
_LONG = 2**20
# Above this many output samples per support of the low-pass, averages are cheaper in Fourier.
_DENSE_OUTPUTS = 4


def _deviations(threshold: float) -> float:
    """Deviations from its centre at which a Gaussian falls below a threshold times its peak."""
    return math.sqrt(-2 * math.log(threshold))


def _tail(N: int, support: float) -> int:
    """Where half of the low-pass on N points has a tail of at most 1e-3; N // 2 - 1 if nowhere."""
    half = N // 2
    if N > _LONG:
        # Of a sampled Gaussian this wide, sums are integrals to rounding.
        deviation = support / (2 * math.pi * SIGMA0)
        periods = N * np.arange(-5, 6)

        def above(k: int) -> bool:
            """Whether the part of the low-pass from k to the middle is too much."""
            ends = (np.array([[half], [k]]) - 0.5 + periods) / deviation
            return bool(np.subtract(*scipy.special.ndtr(ends).sum(1)) > 1e-3)

        return bisect.bisect_left(range(half - 1), 1, key=lambda k: not above(k))
    h = np.abs(np.fft.ifft(lowpass(SIGMA0 / support, N)))[:half]
    (small,) = np.nonzero(np.cumsum(h[::-1])[::-1] <= 1e-3)
    return int(small[0]) if len(small) else half - 1


def _widest(banks: Sequence[FilterBank], after: float = -math.inf) -> float:
    """The largest sum of squared deviations of the wavelets of one path, of rising scale."""
    if not banks:
        return 0.0
    first, *later = banks
    following = {j: _widest(later, j) for j in set(first.j)}
    return max(
        (first.deviation(n) ** 2 + following[j] for n, j in enumerate(first.j) if j > after),
        default=0.0,
    )


@dataclasses.dataclass(frozen=True)
class TimeAxis(Grid):
    """A padded time axis and the average along it.

    Args:
        N: Samples of the signal.
        J: log2 of the largest scale.
        T: Support of the low-pass; None, "global", "signal" and 0 give support 2**J.
        stride: Output step, or None for 2**floor(log2 T).
        padding: The kind of padding.
        margin: Samples of padding per side that suffice, or None for the padding by definition.
    """

    N: int
    J: int
    T: float | str | None
    stride: int | None
    padding: str
    margin: int | None = None

    def __post_init__(self) -> None:
        if self.N < 2**self.J:
            raise ValueError(
                f"The signal must have at least 2**J = {2**self.J} samples. "
                f"Received: J={self.J}, a signal of {self.N} samples"
            )
        if self.support > self.N:
            raise ValueError(
                f"Argument `T` must not exceed the signal's {self.N} samples. Received: T={self.T}"
            )
        if self.padding == "none" and self.N % self._multiple:
            raise ValueError(
                f"With padding='none' the signal's size must be a multiple of {self._multiple} "
                f"(J={self.J}, T={self.T}). Received: a signal of {self.N} samples"
            )

    @property
    def support(self) -> float:
        """Support of the low-pass in samples."""
        return lowpass_support(self.T, self.J)

    @property
    def log2_stride(self) -> int:
        """log2 of the output step."""
        return log2_step(self.stride, self.support)

    @property
    def _periodic(self) -> bool:
        return self.padding in ("periodic", "none")

    @property
    def _multiple(self) -> int:
        return 2 ** max(self.J, log2_step(None, self.support))

    @functools.cached_property
    def _whole(self) -> int:
        """Samples after the padding that the definition of the transform prescribes."""
        if self._periodic:
            return -(-self.N // self._multiple) * self._multiple
        # Pad by three reaches of the low-pass on each side, as far as one reflection allows.
        reach = 1 + _tail(self.N, self.support)
        largest = math.floor(math.log2(3 * self.N - 2))
        return 2 ** min(math.ceil(math.log2(self.N + 6 * reach)), largest)

    @functools.cached_property
    def _extent(self) -> tuple[int, int]:
        """Samples of padding before the signal, and samples in total."""
        if self._periodic:
            return 0, self._whole
        left = (self._whole - self.N) // 2
        if self.margin is None:
            return left, self._whole
        # Leave out whole steps, so that each resolution keeps the same samples.
        step, margin = self._multiple, self.margin
        kept = left - max(0, left - margin) // step * step
        steps = -(-(kept + self.N + margin) // step)
        samples = step * scipy.fft.next_fast_len(steps)  # type: ignore[operator]  # never None
        return (kept, samples) if samples < self._whole else (left, self._whole)

    @property
    def left(self) -> int:
        """Samples of padding before the signal."""
        return self._extent[0]

    @property
    def samples(self) -> int:
        """Samples after padding."""
        return self._extent[1]

    def working(self, banks: Sequence[FilterBank], threshold: float) -> "TimeAxis":
        """The axis without the padding that outputs depend on by less than a threshold.

        A modulus expands no difference. So the convolution of a path's envelopes bounds how far its
        outputs depend on the signal. The envelopes are Gaussians, and their squared deviations add.

        Args:
            banks: The wavelets of each order, on the whole axis.
            threshold: Largest allowed difference of outputs, relative to the signal.
        """
        if threshold == 0 or self._periodic or self.T == "global":
            return self
        deviation = math.hypot(math.sqrt(_widest(banks)), self.support / (2 * math.pi * SIGMA0))
        reach = _deviations(threshold) * deviation
        if not math.isfinite(reach):
            return self
        # Two more samples serve outputs that lie between those of the finest sampling.
        return dataclasses.replace(self, margin=math.ceil(reach) + 2)

    @functools.cached_property
    def phi(self) -> np.ndarray:
        """Spectrum of the low-pass on the padded axis."""
        return lowpass(SIGMA0 / self.support, self.samples)

    @property
    def padded(self) -> tuple[int, ...]:
        """Samples after padding."""
        return (self.samples,)

    @property
    def extension(self) -> tuple[Padding, ...]:
        """The padding of the signal."""
        mode = "periodic" if self.padding == "none" else self.padding
        return (pad_axis(self.N, self.left, self.samples - self.N - self.left, mode),)

    def keep(self, k: int) -> Box:
        """The samples [start, stop) of the signal itself, one every 2**k."""
        return ((-(-self.left // 2**k), -(-(self.left + self.N) // 2**k)),)

    def coarsen(self, spectra: np.ndarray, k: int) -> np.ndarray:
        """Filters on a coarser axis, as sums of their aliases."""
        return periodise(spectra, self.size(k))

    def spectral_lowpass(self, arrays: Arrays, name: str, k: int) -> Bank:
        """The low-pass as a bank for signals sampled every 2**k, with the output step."""
        size = self.size(self.log2_stride)
        # The window starts at a multiple of the output's size, which preserves the phase.
        box = ((0,), (1,)) if k == self.log2_stride else ((-size[0],), (2,))
        return arrays.bank(name, self.coarsen(self.phi[None], k), size, box)

    def lowpass(self, arrays: Arrays, k: int) -> Average:
        """The local average, by a matrix over frames, or in Fourier where outputs are many."""
        (n,), (outputs,) = self.size(k), self.size(self.log2_stride)
        (keep,) = self.keep(self.log2_stride)
        name, step = f"phi_{k}", 2 ** (self.log2_stride - k)
        if self.support > _DENSE_OUTPUTS * 2**self.log2_stride:
            return SpectralLowPass(self.spectral_lowpass(arrays, name, k), keep)
        h = np.fft.ifft(self.coarsen(self.phi[None], k)[0]).real
        frames = self._frames(arrays.threshold)
        if frames == 1:
            return LowPass((arrays.add(name, circulant(h, step, range(*keep))),))
        length = outputs // frames
        matrix = circulant(h, step, range(-length, 2 * length), n // frames)
        return LowPass((arrays.add(name, matrix),), frames, keep)

    def _frames(self, threshold: float) -> int:
        """Number of frames to cut a signal into, the same for every sampling.

        Each frame is at least as long as the reach of the low-pass. 1 means no frames.
        """
        (outputs,) = self.size(self.log2_stride)
        # In time the low-pass is a Gaussian of deviation 1 / (2 pi sigma).
        reach = _deviations(threshold) * self.support / (2 * math.pi * SIGMA0)
        most = min(
            min(self.samples // 2**k // (math.ceil(reach / 2**k) + 1), outputs // 2)
            for k in range(self.log2_stride + 1)
        )
        return next((frames for frames in range(most, 3, -1) if outputs % frames == 0), 1)
