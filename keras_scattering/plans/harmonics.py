"""Solid harmonics as a plan holds them: real filters, each even or odd along each axis."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from keras_scattering.plans.banks import Box


def cas_name(n: int, lines: tuple[int, int], odd: Sequence[bool]) -> str:
    """Name of the array (F, n, lines) that takes lines of an axis back to its n samples.

    It holds cas(2 pi k t / n) for a filter that is even along the axis, and cas(-2 pi k t / n) for
    an odd one; cas is the sum of cosine and sine.
    """
    return f"cas_{n}_{lines[1] - lines[0]}_{''.join(str(int(o)) for o in odd)}"


class Face(NamedTuple):
    """The part of filters at line -n/2 of one axis that makes responses imaginary.

    That line stands for one sign of the frequency alone, so an odd filter is not odd there.
    """

    axis: int
    filters: str  # name of an array (F, *lines of the other axes)
    odd: tuple[tuple[bool, ...], ...]  # for each of the other axes, which filters are odd along it


@dataclasses.dataclass(frozen=True)
class HarmonicBank:
    """Solid harmonics of one degree, whose responses to a real signal are summed in squares.

    A harmonic is even or odd along each axis, so its response is real. Only lines at the end of an
    even axis add an imaginary part (`faces`).
    """

    filters: str  # name of an array (F, *lines), divided by the samples of the input
    odd: tuple[tuple[bool, ...], ...]  # for each axis, which filters are odd along it
    faces: tuple[Face, ...]
    coherent: bool  # whether faces add to the responses, or only to their squares
    lines: Box
    size: tuple[int, ...]

    @property
    def responses(self) -> int:
        """How many responses make one signal."""
        return len(self.odd[0])
