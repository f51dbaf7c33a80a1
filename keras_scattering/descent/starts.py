"""Signals to start a descent from: noise, alone or of the spectrum of data."""

from collections.abc import Callable

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
    degree: float,
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


def refuse_beyond(name: str, sizes: np.ndarray, precision: str) -> None:
    """Refuse signals of a size whose last digits a precision does not hold."""
    held = np.finfo(precision)
    least, most = held.tiny / held.eps, held.max * held.eps
    beyond = sizes[~((sizes >= least) & (sizes <= most))]
    if len(beyond):
        raise ValueError(
            f"Argument `{name}` must be of signals of a size from {least:.0e} to {most:.0e}, which "
            f"{precision} holds with all their digits: scale them, or make the layer in float64. "
            f"Received: {name} of signals of size {beyond[0]:.0e}"
        )


def white(seed: int, i: int, size: tuple[int, ...], channels: int) -> np.ndarray:
    """White Gaussian noise of variance one for sample `i`, (*size, channels)."""
    return np.random.default_rng([seed, i]).standard_normal((*size, channels))


def gaussian(seed: int, i: int, data: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """A Gaussian field of the spectra and cross-spectra of data, for sample `i`, (*size, channels).

    It is the sum of noises, each filtered by the deviations of one datum from the mean. All
    channels of a datum filter the same noise.

    Args:
        seed: With `i`, what noises are drawn from.
        i: Number of the sample.
        data: Deviations (B, *any size, channels).
        size: Of the circle that the field lives on.
    """
    rng = np.random.default_rng([seed, i])
    axes = tuple(range(len(size)))
    field = np.zeros((*size, data.shape[-1]))
    for datum in data:
        noise = np.fft.rfftn(rng.standard_normal(size), axes=axes)
        spectra = np.fft.rfftn(_on_circle(datum, size), axes=axes)
        field += np.fft.irfftn(spectra * noise[..., None], size, axes)
    return field / np.sqrt(data[..., 0].size)


def _on_circle(kernel: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """A kernel (*any size, channels) from the origin of a circle on, folded where it is larger."""
    for axis, n in enumerate(size):
        kernel = np.moveaxis(kernel, axis, 0)
        kernel = np.concatenate([kernel, np.zeros((-len(kernel) % n, *kernel.shape[1:]))])
        kernel = kernel.reshape(-1, n, *kernel.shape[1:]).sum(0)
        kernel = np.moveaxis(kernel, 0, axis)
    return kernel
