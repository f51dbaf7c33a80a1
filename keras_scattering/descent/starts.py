"""Signals to start a descent from: noise, alone or of the spectrum of data."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

_SCALINGS = 20  # largest number of attempts to scale noise


def norms(y: np.ndarray) -> np.ndarray:
    """The norm of each row, whose squares may vanish or overflow."""
    largest = np.abs(y).max(1)
    scale = np.where(largest > 0, largest, 1.0)
    return largest * np.sqrt(((y / scale[:, None]) ** 2).sum(1))


def matching_units(
    norms_at: Callable[[np.ndarray], np.ndarray],
    wanted: np.ndarray,
    degree: Any,
    check: Callable[[np.ndarray], None],
    each: bool = False,
) -> np.ndarray:
    """Factors of signals by which their coefficients get the wanted norms.

    Args:
        norms_at: The norms of the coefficients, for given factors.
        wanted: Norms.
        degree: The power of a factor that coefficients grow by.
        check: Refuses factors of no use.
        each: Whether a factor stays once it will do, whatever those of other signals.
    """
    unit = np.ones(len(wanted))
    for _ in range(_SCALINGS):  # one suffices, except for coefficients of mixed degrees
        ratio = wanted / norms_at(unit)
        near = np.abs(ratio - 1) < 0.01
        unit = unit * np.where(near & each, 1.0, ratio ** (1 / degree))
        check(unit)
        if near.all():
            break
    return unit


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the channels of signals are.

    Args:
        shape: Of one signal.
        axis: Position of the channels in a batch of signals, or None without channels.
    """

    shape: tuple[int, ...]
    axis: int | None

    @property
    def size(self) -> tuple[int, ...]:
        """Samples along each axis of a signal."""
        return tuple(n for i, n in enumerate(self.shape, 1) if i != self.axis)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 1 if self.axis is None else self.shape[self.axis - 1]

    def last(self, x: np.ndarray) -> np.ndarray:
        """Signals (batch, *size, channels) of a batch of any size."""
        return x[..., None] if self.axis is None else np.moveaxis(x, self.axis, -1)

    def back(self, x: np.ndarray) -> np.ndarray:
        """The inverse of `last`."""
        return x[..., 0] if self.axis is None else np.moveaxis(x, -1, self.axis)

    def per_channel(self, values: np.ndarray) -> np.ndarray:
        """Values (batch, channels), to be multiplied with a batch of signals."""
        return self.back(values.reshape(len(values), *[1] * len(self.size), -1))

    def statistics(self, x: np.ndarray, each: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each channel of a batch, or of each signal's, in its layout."""
        axes = tuple(i for i in range(x.ndim) if i != self.axis and not (each and i == 0))
        return x.mean(axes, keepdims=True), x.std(axes, keepdims=True)

    def noise(self, seed: int, n: int) -> np.ndarray:
        """White Gaussian noise of variance one for each of n samples, with independent channels."""
        shape = *self.size, self.channels
        return self.back(np.stack([_draw(seed, i).standard_normal(shape) for i in range(n)]))

    def field(self, seed: int, n: int, data: np.ndarray) -> np.ndarray:
        """Gaussian fields of the spectra and cross-spectra of data, for each of n samples.

        Each is the sum of noises, filtered by the deviations of one datum from the mean. All
        channels of a datum filter the same noise.
        """
        centred = self.last(data)
        axes = tuple(range(len(self.size)))
        centred = centred - centred.mean((0, *(axis + 1 for axis in axes)))
        fields = np.zeros((n, *self.size, self.channels))
        draws = [_draw(seed, i) for i in range(n)]
        for datum in centred:
            spectra = np.fft.rfftn(_on_circle(datum, self.size), axes=axes)
            for field, rng in zip(fields, draws, strict=True):
                noise = np.fft.rfftn(rng.standard_normal(self.size), axes=axes)
                field += np.fft.irfftn(spectra * noise[..., None], self.size, axes)
        return self.back(fields / np.sqrt(centred[..., 0].size))


def _draw(seed: int, i: int) -> np.random.Generator:
    """The numbers of sample `i`, whatever the number of samples."""
    return np.random.default_rng([seed, i])


def _on_circle(kernel: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """A kernel (*any size, channels) from the origin of a circle on, folded where it is larger."""
    for axis, n in enumerate(size):
        kernel = np.moveaxis(kernel, axis, 0)
        kernel = np.concatenate([kernel, np.zeros((-len(kernel) % n, *kernel.shape[1:]))])
        kernel = kernel.reshape(-1, n, *kernel.shape[1:]).sum(0)
        kernel = np.moveaxis(kernel, 0, axis)
    return kernel
