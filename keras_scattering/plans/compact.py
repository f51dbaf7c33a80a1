"""The arrays of a design: filters as compact windows of lines, averages as matrices."""

import math
from collections.abc import Sequence

import numpy as np

from keras_scattering.plans.banks import Bank, Window


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


def _extent(profile: np.ndarray) -> tuple[int, int]:
    """The shortest cyclic interval (start, length) that covers all true lines."""
    n = len(profile)
    (on,) = np.nonzero(profile)
    if len(on) == 0:
        return 0, 1
    gaps = np.diff(np.append(on, on[0] + n))
    widest = int(np.argmax(gaps))
    start = int(on[(widest + 1) % len(on)])
    length = n - int(gaps[widest]) + 1
    # Of the equivalent positions, the one whose middle is nearest to frequency zero.
    return (start - n if start + length // 2 >= n / 2 else start), length


def split_blocks(
    spectra: np.ndarray, origin: Sequence[int], blocks: Sequence[int], size: Sequence[int]
) -> np.ndarray:
    """Spectra (F, *n) in a window, cut into blocks (F, blocks, *size).

    The window may reach across the end of an axis.
    """
    for axis, (o, c, M) in enumerate(zip(origin, blocks, size, strict=True)):
        lines = np.arange(o, o + c * M)
        spectra = np.take(spectra, lines, axis=2 * axis + 1, mode="wrap")
        shape = spectra.shape
        spectra = spectra.reshape(*shape[: 2 * axis + 1], c, M, *shape[2 * axis + 2 :])
    # (F, c0, M0, c1, M1, ...): the axes of blocks before those of lines.
    spectra = np.moveaxis(spectra, range(1, 2 * len(size), 2), range(1, len(size) + 1))
    return spectra.reshape(len(spectra), -1, *size)


class Arrays(dict[str, np.ndarray]):
    """The arrays of a design, in its precision; filters enter as compact windows."""

    def __init__(self, dtype: np.dtype):
        super().__init__()
        self.dtype = np.dtype(dtype)
        self.threshold = float(np.finfo(self.dtype).eps)

    def add(self, name: str, array: np.ndarray) -> str:
        """Keep a real array under a name, which is returned."""
        if np.iscomplexobj(array):
            raise ValueError(
                "The arrays of a design are real: keep real and imaginary parts under names of "
                f"their own. Received: {name}, of {array.dtype}"
            )
        self[name] = np.ascontiguousarray(array, self.dtype)
        return name

    def box(
        self, spectra: np.ndarray, size: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Origin and blocks of the smallest window that holds all that counts of spectra (F, *n).

        A line counts if it stands above the rounding of its filter's peak.
        """
        n = spectra.shape[1:]
        counts = np.abs(spectra)
        peaks = counts.reshape(len(spectra), -1).max(1)
        counts = (counts > self.threshold * peaks.reshape(-1, *[1] * len(n))).any(0)
        origin, blocks = [], []
        for axis, (N, M) in enumerate(zip(n, size, strict=True)):
            others = tuple(a for a in range(len(n)) if a != axis)
            start, length = _extent(counts.any(others))
            c = -(-length // M)
            if c * M >= N:  # everything: the canonical order, which costs least to read
                last = axis == len(n) - 1
                origin.append(-((N - 1) // 2) if last else 0)
                blocks.append(N // M)
            else:  # as near to line 0 as the window allows, so as to read few mirrored lines
                origin.append(int(np.clip(0, start + length - c * M, start)))
                blocks.append(c)
        return tuple(origin), tuple(blocks)

    def bank(
        self,
        name: str,
        spectra: np.ndarray,
        size: tuple[int, ...],
        box: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
    ) -> Bank:
        """Filters (F, *n) with outputs on a grid `size`: one shared window, or one per filter.

        Sharing takes one multiplication instead of many, and a graph as much smaller: it wins where
        the union of the supports needs at most half as many blocks again as the largest of them.
        A `box` (origin, blocks) is given where the phase of the output matters. Complex spectra
        are kept as two arrays.
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


def circulant(
    kernel: np.ndarray, step: int, outputs: range, inputs: int | None = None
) -> np.ndarray:
    """Matrix (inputs, outputs) of a periodic convolution of the first inputs, every `step`."""
    n = len(kernel)
    rows = np.arange(n if inputs is None else inputs)
    return kernel[(step * np.asarray(outputs)[None, :] - rows[:, None]) % n]
