"""Filters as a plan holds them: the spectral lines where they are not negligible.

A *line* is one frequency of a discrete Fourier transform. Lines have signed numbers: line -1 is the
last one in FFT order. Windows of lines consist of blocks.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

Box = tuple[tuple[int, int], ...]
"""The lines [start, stop) of a periodic spectrum along each axis."""


def hull(boxes: Sequence[Box]) -> Box:
    """The smallest box that contains all given boxes."""
    return tuple(
        (min(start for start, _ in spans), max(stop for _, stop in spans))
        for spans in zip(*boxes, strict=True)
    )


@dataclasses.dataclass(frozen=True)
class Window:
    """Filters that vanish outside of one box of lines.

    Along each axis the box holds a whole number of blocks, and a block has the size of the output
    grid. The sum of the blocks in Fourier sub-samples the signal in space. The modulus forgets the
    phase, so the box may start at any line.
    """

    filters: str  # name of an array (F, blocks, *size), divided by the samples of the input
    origin: tuple[int, ...]
    blocks: tuple[int, ...]
    imaginary: str | None = None  # name of the imaginary parts, for complex spectra


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights for sums over the lines of products of two real signals' spectra.

    Lines k and -k of a real signal are conjugate, so sums run over half of the lines. Their real
    parts add up, and their imaginary parts have opposite signs. Hence each has its own weights.
    """

    array: str  # name of an array (2, F, *lines): for real parts, and for imaginary parts
    lines: Box  # from line 0 along the last axis


@dataclasses.dataclass(frozen=True)
class Bank:
    """Filters whose outputs share one grid of `size` points."""

    windows: tuple[Window, ...]
    size: tuple[int, ...]
    responses = 1  # number of responses that make one signal

    @property
    def lines(self) -> Box:
        """The smallest box that holds all windows."""
        return hull(
            [
                tuple(
                    (start, start + count * n)
                    for start, count, n in zip(w.origin, w.blocks, self.size, strict=True)
                )
                for w in self.windows
            ]
        )


@dataclasses.dataclass(frozen=True)
class Paired:
    """Filters on a circle that act on one signal each: filter p + turn on signal p, for each turn.

    Filter f + F of the circle is the conjugate of filter f, one of the F of a bank of one window.
    """

    bank: Bank
    half: int  # F, the filters of half a circle
    turns: tuple[int, ...]
    responses = 1

    def places(self, signals: int) -> tuple[np.ndarray, np.ndarray]:
        """The filters in the bank, (turns, signals), and whether they are conjugates of these."""
        places = np.add.outer(self.turns, np.arange(signals))
        return places % self.half, places // self.half % 2 == 1

    @property
    def size(self) -> tuple[int, ...]:
        """Points of the outputs' grid."""
        return self.bank.size

    @property
    def lines(self) -> Box:
        """The box of the bank's window."""
        return self.bank.lines
