"""Filters as a plan holds them: the spectral lines at which they count, in windows of blocks.

A *line* is one frequency of a discrete Fourier transform. Lines are numbered as frequencies are
signed: line -1 is the last one in FFT order.
"""

import dataclasses
from collections.abc import Sequence

Box = tuple[tuple[int, int], ...]
"""For each axis the lines [start, stop) of a periodic spectrum."""


def hull(boxes: Sequence[Box]) -> Box:
    """The smallest box around boxes."""
    return tuple(
        (min(start for start, _ in spans), max(stop for _, stop in spans))
        for spans in zip(*boxes, strict=True)
    )


@dataclasses.dataclass(frozen=True)
class Window:
    """Filters that vanish outside of one box of lines.

    Each side of the box is a number of blocks, and a block has the size of the output grid.
    Summing the blocks in Fourier sub-samples in space. The modulus forgets the phase, so the box
    may start at any line.
    """

    filters: str  # name of an array (F, blocks, *size), divided by the samples of the input
    origin: tuple[int, ...]
    blocks: tuple[int, ...]
    imaginary: str | None = None  # the same of the imaginary part, where spectra are complex


@dataclasses.dataclass(frozen=True)
class Bank:
    """Filters whose outputs share one grid of `size` points."""

    windows: tuple[Window, ...]
    size: tuple[int, ...]
    responses = 1  # how many make one signal

    @property
    def lines(self) -> Box:
        """The smallest box that holds all windows."""
        return hull(
            [
                tuple((o, o + c * m) for o, c, m in zip(w.origin, w.blocks, self.size, strict=True))
                for w in self.windows
            ]
        )
