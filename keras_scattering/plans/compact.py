"""The arrays of a design: filters as compact windows of lines, and averages as matrices."""

import math
from collections.abc import Sequence

import numpy as np

from keras_scattering.filters.bank import mirror
from keras_scattering.plans.banks import Bank, Weights, Window


def periodise(spectrum: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Sum the aliases of spectra (F, *n) on the coarser grid `size`."""
    for axis, n in enumerate(size, start=1):
        before, after = spectrum.shape[:axis], spectrum.shape[axis + 1 :]
        spectrum = spectrum.reshape(*before, -1, n, *after).sum(axis)
    return spectrum


def crop_lines(spectra: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Keep the lines [-n/2, n/2) of spectra (F, *N) on each axis, in FFT order."""
    for axis, n in enumerate(size, start=1):
        lines = np.fft.ifftshift(np.arange(n) - n // 2)
        spectra = np.take(spectra, lines, axis=axis, mode="wrap")
    return spectra


def _shortest_interval(profile: np.ndarray) -> tuple[int, int]:
    """The shortest cyclic interval (start, length) that covers all true lines."""
    n = len(profile)
    (on,) = np.nonzero(profile)
    if len(on) == 0:
        return 0, 1
    gaps = np.diff(np.append(on, on[0] + n))
    widest = int(np.argmax(gaps))
    start = int(on[(widest + 1) % len(on)])
    length = n - int(gaps[widest]) + 1
    # Of the equivalent positions, take the one whose middle is nearest to frequency zero.
    return (start - n if start + length // 2 >= n / 2 else start), length


def split_blocks(
    spectra: np.ndarray, origin: Sequence[int], blocks: Sequence[int], size: Sequence[int]
) -> np.ndarray:
    """Cut a window of spectra (F, *n) into blocks (F, blocks, *size).

    The window may reach across the end of an axis.
    """
    for axis, (start, count, n) in enumerate(zip(origin, blocks, size, strict=True)):
        lines = np.arange(start, start + count * n)
        spectra = np.take(spectra, lines, axis=2 * axis + 1, mode="wrap")
        shape = spectra.shape
        spectra = spectra.reshape(*shape[: 2 * axis + 1], count, n, *shape[2 * axis + 2 :])
    # From (F, blocks, lines, blocks, lines, ...) to all axes of blocks before those of lines.
    spectra = np.moveaxis(spectra, range(1, 2 * len(size), 2), range(1, len(size) + 1))
    return spectra.reshape(len(spectra), -1, *size)


class Arrays(dict[str, np.ndarray]):
    """The arrays of a design by name, in its precision."""

    def __init__(self, dtype: np.dtype):
        super().__init__()
        self.dtype = np.dtype(dtype)
        self.threshold = float(np.finfo(self.dtype).eps)

    def add(self, name: str, array: np.ndarray) -> str:
        """Keep a real array under a name, and return the name."""
        if np.iscomplexobj(array):
            raise ValueError(
                "The arrays of a design must be real: add real and imaginary parts under two "
                f"names. Received: {name}, of {array.dtype}"
            )
        self[name] = np.ascontiguousarray(array, self.dtype)
        return name

    def box(
        self, spectra: np.ndarray, size: tuple[int, ...], aligned: bool = False
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Origin and blocks of the smallest window around the significant lines of spectra (F, *n).

        A line is significant if it exceeds the rounding of its filter's peak. An aligned window
        begins at a multiple of the output's size, so that outputs have their own phases.
        """
        n = spectra.shape[1:]
        magnitudes = np.abs(spectra)
        peaks = magnitudes.reshape(len(spectra), -1).max(1)
        significant = (magnitudes > self.threshold * peaks.reshape(-1, *[1] * len(n))).any(0)
        origin, blocks = [], []
        for axis, (N, M) in enumerate(zip(n, size, strict=True)):
            others = tuple(a for a in range(len(n)) if a != axis)
            start, length = _shortest_interval(significant.any(others))
            if aligned:
                start, length = start // M * M, length + start % M
            count = -(-length // M)
            if count * M >= N:  # all lines, in the order that costs least to read
                centred = axis == len(n) - 1 and not aligned
                origin.append(-((N - 1) // 2) if centred else 0)
                blocks.append(N // M)
            else:  # near line 0, since mirrored lines cost more to read
                origin.append(
                    start if aligned else int(np.clip(0, start + length - count * M, start))
                )
                blocks.append(count)
        return tuple(origin), tuple(blocks)

    def bank(
        self,
        name: str,
        spectra: np.ndarray,
        size: tuple[int, ...],
        box: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
    ) -> Bank:
        """Filters (F, *n) with outputs on a grid `size`: one shared window, or one per filter.

        A shared window takes one multiplication in place of many, and fewer operations in the
        graph. Filters share a window if it has at most 1.5 times the blocks of their largest own
        window. Pass a `box` (origin, blocks) where the phase of the output matters. Complex spectra
        become two arrays.
        """
        spectra = spectra / math.prod(spectra.shape[1:])
        groups = [(name, box or self.box(spectra, size), spectra)]
        if box is None and len(spectra) > 1:
            single = [
                (f"{name}_{i}", self.box(psi[None], size), psi[None])
                for i, psi in enumerate(spectra)
            ]
            shared, *each = (math.prod(blocks) for _, (_, blocks), _ in groups + single)
            if shared > 1.5 * max(each):
                groups = single
        windows = []
        for key, (origin, blocks), psi in groups:
            cut = split_blocks(psi, origin, blocks, size)
            imaginary = self.add(f"{key}_imag", np.imag(cut)) if np.iscomplexobj(cut) else None
            windows.append(Window(self.add(key, np.real(cut)), origin, blocks, imaginary))
        return Bank(tuple(windows), size)

    def weights(self, name: str, energies: np.ndarray) -> Weights:
        """Weights of real signals' lines, where those of all lines are `energies` (F, *n)."""
        n = energies.shape[1:]
        other = mirror(energies, tuple(range(1, energies.ndim)))
        even, odd = energies + other, energies - other
        alone = [0, n[-1] // 2] if n[-1] % 2 == 0 else [0]  # these columns hold k and -k
        even[..., alone] = odd[..., alone] = energies[..., alone]
        half = n[-1] // 2 + 1
        both = np.stack([even[..., :half], odd[..., :half]])
        # Energies are squares, so lines below the squared rounding of a filter's peak are noise.
        peaks = both[0].reshape(len(energies), -1).max(1).reshape(-1, *[1] * len(n))
        significant = (both[0] > self.threshold**2 * peaks).any(0)
        lines: list[tuple[int, int]] = []
        for axis, count in enumerate(n):
            profile = significant.any(tuple(a for a in range(len(n)) if a != axis))
            if axis == len(n) - 1:
                (on,) = np.nonzero(profile)
                start, stop = (int(on[0]), int(on[-1]) + 1) if len(on) else (0, 1)
            else:
                start, length = _shortest_interval(profile)
                start = -(count // 2) if length == count else start
                stop = start + length
            lines.append((start, stop))
            both = np.take(both, range(start, stop), axis + 2, mode="wrap")
        return Weights(self.add(name, both), tuple(lines))


def circulant(
    kernel: np.ndarray, step: int, outputs: range, inputs: int | None = None
) -> np.ndarray:
    """Matrix (inputs, outputs) of a periodic convolution, sampled every `step`.

    It takes only the first `inputs` samples of the period; None stands for all.
    """
    n = len(kernel)
    rows = np.arange(n if inputs is None else inputs)
    return kernel[(step * np.asarray(outputs)[None, :] - rows[:, None]) % n]
