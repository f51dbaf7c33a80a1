"""Padding: the extension of an axis beyond the ends of the signal."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Padding:
    """The extension of one axis, by runs of its own samples or by zeros."""

    runs: tuple[slice, ...]  # runs of samples to concatenate, some of them backwards
    zeros: tuple[int, int] = (0, 0)  # numbers of zeros to add before and after


def runs(index: np.ndarray) -> tuple[slice, ...]:
    """Split an index array into few runs, slices of step 1 or -1."""
    index = np.asarray(index)
    steps = np.diff(index)
    turns = np.append(np.nonzero(np.diff(steps))[0] + 1, len(steps))  # where the step changes
    found, start = [], 0
    while start < len(index):
        step, stop = 1, start + 1
        if start < len(steps) and abs(steps[start]) == 1:
            step = int(steps[start])
            stop += int(turns[np.searchsorted(turns, start, "right")]) - start
        end = int(index[stop - 1]) + step
        found.append(slice(int(index[start]), None if end < 0 else end, step))
        start = stop
    return tuple(found)


_NUMPY_MODES = {"reflect": "reflect", "symmetric": "symmetric", "periodic": "wrap"}


def pad_axis(N: int, before: int, after: int, padding: str) -> Padding:
    """The padding of an axis of `N` samples; reflections repeat as often as needed."""
    if padding == "zero":
        return Padding((slice(0, N, 1),), (before, after))
    if before == after == 0:
        return Padding((slice(0, N, 1),))
    index = np.pad(np.arange(N), (before, after), mode=_NUMPY_MODES[padding])  # type: ignore[call-overload]
    return Padding(runs(index))
