r"""The language of moments: means over a grid, numbered by keys and divided by powers."""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_scattering.plans.averages import Average
from keras_scattering.plans.banks import Box
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.grid import Grid
from keras_scattering.plans.padding import Padding
from keras_scattering.plans.plan import Ratios

Averages = dict[Hashable, Callable[[Arrays], Average]]
"""Rules for means of the input, by the keys of their rows."""

LEVEL: Hashable = "level"
"""The key of the signal's mean square."""


class Ground(NamedTuple):
    """The periodic grid of padded signals, and the box of the signals' own samples."""

    size: tuple[int, ...]
    padding: tuple[Padding, ...]
    keep: Box

    @property
    def whole(self) -> bool:
        """Whether there is no padding."""
        return self.keep == tuple((0, n) for n in self.size)

    @property
    def own(self) -> tuple[int, ...]:
        """Size of the signals without padding."""
        return tuple(stop - start for start, stop in self.keep)

    def kept(self, k: int) -> Box:
        """The signals' own samples, one every 2**k on each axis."""
        return tuple((-(-start // 2**k), -(-stop // 2**k)) for start, stop in self.keep)

    def coarsest(self, k: int) -> int:
        """The largest power of two that divides all sizes, as its exponent, up to k."""
        return next(i for i in range(k, -1, -1) if all(n % 2**i == 0 for n in self.size))


def ground(grid: Callable[[str], Grid], size: tuple[int, ...], padding: str) -> Ground:
    """The grid of signals of a size, which `"periodic"` and `"none"` take as they are.

    Args:
        grid: The grid with a kind of padding; it refuses signals that are too short.
        size: The size.
        padding: The kind of padding.
    """
    if padding in ("periodic", "none"):
        grid("reflect")
        return Ground(size, (), tuple((0, n) for n in size))
    padded = grid(padding)
    return Ground(padded.padded, padded.extension, padded.keep(0))


class Term(NamedTuple):
    """A mean, divided by the roots of two powers, all by their keys; None for no divisor."""

    key: Hashable
    divisors: tuple[Hashable | None, Hashable | None] = (None, None)


class Row(NamedTuple):
    """A row of the output: its metadata, its degree, and the terms of its mean."""

    meta: tuple[Any, ...]
    degree: int
    terms: Sequence[Term]


def parts(imaginary: bool) -> tuple[bool, ...]:
    """Whether each part of a mean is imaginary: the real part, and the other if there is one."""
    return (False, True) if imaginary else (False,)


def part_name(imaginary: bool) -> str:
    """The entry of a part in the metadata."""
    return "imag" if imaginary else "real"


def table(rows: Sequence[Row], columns: Sequence[str]) -> dict[str, np.ndarray]:
    """The metadata of rows, as columns of these names."""
    values = zip(*(row.meta for row in rows), strict=True)
    return {name: np.array(column) for name, column in zip(columns, values, strict=True)}


def used_keys(
    rows: Iterable[Row], normalize: bool | str, levels: Sequence[Hashable] = (LEVEL,)
) -> dict[Hashable, None]:
    """The keys of all means that rows need, those of their divisors among them, in their order."""
    terms = [term for row in rows for term in row.terms]
    used = dict.fromkeys(term.key for term in terms)
    if normalize:
        used |= dict.fromkeys(key for term in terms for key in term.divisors if key)
        used |= dict.fromkeys(levels)
    return used


def ratios(
    rows: Sequence[Row],
    place: dict[Hashable, int],
    normalize: bool | str,
    level: Callable[[Hashable], Hashable] = lambda _: LEVEL,
) -> Ratios:
    """The ratios of the output's rows; all have as many terms as the longest mean.

    Args:
        rows: The rows.
        place: The number of each mean, by its key.
        normalize: Whether to divide by powers: those of the signal, or others for "adapted".
        level: The key of the mean square of the signal that has a power.
    """
    most = max(len(row.terms) for row in rows)  # fewer terms are repeated: their mean is the same
    terms = ([*row.terms] * (most // len(row.terms)) for row in rows)
    index = np.array([[place[term.key] for term in some] for some in terms])
    divisors = [key for row in rows for t in row.terms for key in t.divisors if key and normalize]
    powers = {key: i for i, key in enumerate(dict.fromkeys(divisors))}
    each = np.full((len(place), 2), len(powers))
    for term in (term for row in rows for term in row.terms):
        each[place[term.key]] = [powers.get(key, len(powers)) for key in term.divisors]
    levels = dict.fromkeys(level(key) for key in powers)
    number = {key: i for i, key in enumerate(levels)}
    return Ratios(
        powers=tuple(place[key] for key in powers),
        levels=tuple(place[key] for key in levels),
        level_of=tuple(number[level(key)] for key in powers),
        divisors=each,
        rows=index,
        own=normalize != "adapted",
    )


def steps(rows: Sequence[Row]) -> tuple[float, ...]:
    """Samples from one output to the next: none, since each is a mean over the signal."""
    return (math.nan,) * len(rows)
