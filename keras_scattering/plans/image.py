"""The image plane: its padding, its sampling, and the average over it (Bruna & Mallat 2013)."""

import dataclasses

import numpy as np

from keras_scattering.filters.gaussian import lowpass_in_space
from keras_scattering.plans.averages import Average, LowPass
from keras_scattering.plans.banks import Box
from keras_scattering.plans.compact import Arrays, circulant, crop_lines
from keras_scattering.plans.grid import Grid, log2_step
from keras_scattering.plans.padding import Padding, pad_axis


@dataclasses.dataclass(frozen=True)
class ImagePlane(Grid):
    """A padded image and the average over it.

    Args:
        shape: Rows and columns of the image.
        J: log2 of the largest scale, and of the low-pass.
        T: None, "global", "signal" or 0.
        stride: Output step on both axes, or None for 2**J.
        padding: The kind of padding.
    """

    shape: tuple[int, int]
    J: int
    T: float | str | None
    stride: int | None
    padding: str

    def __post_init__(self) -> None:
        scale = 2**self.J
        if min(self.shape) < scale:
            raise ValueError(
                f"The image must have at least 2**J = {scale} rows and columns. "
                f"Received: J={self.J}, an image of shape {self.shape}"
            )
        if self.padding == "none" and any(n % scale for n in self.shape):
            raise ValueError(
                f"With padding='none' rows and columns must be multiples of 2**J = {scale}. "
                f"Received: J={self.J}, an image of shape {self.shape}"
            )

    @property
    def _extended(self) -> bool:
        """Whether there is padding on all sides."""
        return self.padding not in ("periodic", "none")

    @property
    def log2_stride(self) -> int:
        """log2 of the output step."""
        return log2_step(self.stride, 2**self.J)

    @property
    def padded(self) -> tuple[int, ...]:
        """Rows and columns after padding."""
        scale = 2**self.J
        if self._extended:
            return tuple(((n + scale) // scale + 1) * scale for n in self.shape)
        return tuple(-(-n // scale) * scale for n in self.shape)

    @property
    def _before(self) -> tuple[int, ...]:
        """Padding above and to the left."""
        if self._extended:
            return tuple((p - n) // 2 for p, n in zip(self.padded, self.shape, strict=True))
        return (0, 0)

    @property
    def extension(self) -> tuple[Padding, ...]:
        """The padding of rows and columns."""
        mode = "periodic" if self.padding == "none" else self.padding
        return tuple(
            pad_axis(n, before, padded - n - before, mode)
            for n, before, padded in zip(self.shape, self._before, self.padded, strict=True)
        )

    def keep(self, k: int) -> Box:
        """The samples [start, stop) to keep, one every 2**k; local averages keep whole steps."""
        step = 2**k
        if self.local and self._extended:
            margin = 2**self.J // step
            return tuple((margin, n // step - margin) for n in self.padded)
        return tuple(
            (-(-before // step), -(-(before + n) // step))
            for n, before in zip(self.shape, self._before, strict=True)
        )

    def coarsen(self, spectra: np.ndarray, k: int) -> np.ndarray:
        """Filters on a coarser plane, at the frequencies that it can represent."""
        return crop_lines(spectra, self.size(k))

    def lowpass(self, arrays: Arrays, k: int) -> Average:
        """The local average, by one matrix per axis, since the Gaussian is separable."""
        deviation = 0.8 * 2 ** (self.J - 1)
        step = 2 ** (self.log2_stride - k)
        names = []
        for axis, keep in enumerate(self.keep(self.log2_stride)):
            phi = lowpass_in_space(self.padded[axis], deviation)
            phi = crop_lines(phi[None], self.size(k)[axis : axis + 1])[0]
            matrix = circulant(np.fft.ifft(phi).real, step, range(*keep))
            names.append(arrays.add(f"phi_{k}_{axis}", matrix))
        return LowPass(tuple(names))
