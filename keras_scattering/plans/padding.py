"""How an axis is extended beyond the ends of the signal."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Padding:
    """How one axis is extended: by pieces of itself, possibly reversed, or by zeros."""

    pieces: tuple[slice, ...]  # of the signal, to concatenate
    zeros: tuple[int, int] = (0, 0)  # then zeros, before and after


def runs(index: np.ndarray) -> tuple[slice, ...]:
    """An index array as few slices of step 1 or -1."""
    index = np.asarray(index)
    steps = np.diff(index)
    turns = np.append(np.nonzero(np.diff(steps))[0] + 1, len(steps))  # where the step changes
    pieces, start = [], 0
    while start < len(index):
        step, stop = 1, start + 1
        if start < len(steps) and abs(steps[start]) == 1:
            step = int(steps[start])
            stop += int(turns[np.searchsorted(turns, start, "right")]) - start
        end = int(index[stop - 1]) + step
        pieces.append(slice(int(index[start]), None if end < 0 else end, step))
        start = stop
    return tuple(pieces)


_NUMPY_MODES = {"reflect": "reflect", "symmetric": "symmetric", "periodic": "wrap"}


def pad_axis(N: int, before: int, after: int, padding: str) -> Padding:
    """Extension of an axis of `N` samples; reflections repeat as often as it takes."""
    if padding == "zero":
        return Padding((slice(0, N, 1),), (before, after))
    if before == after == 0:
        return Padding((slice(0, N, 1),))
    index = np.pad(np.arange(N), (before, after), mode=_NUMPY_MODES[padding])  # type: ignore[call-overload]
    return Padding(runs(index))
