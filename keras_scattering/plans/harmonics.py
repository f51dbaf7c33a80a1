"""Solid harmonics as a plan holds them: real filters, even or odd along each axis."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from keras_scattering.plans.banks import Box


def cas_name(n: int, lines: tuple[int, int], odd: Sequence[bool]) -> str:
    """Name of the array (F, n, lines) that transforms lines of an axis back to its n samples.

    For a filter that is even along the axis it holds cas(2 pi k t / n). For an odd filter it holds
    cas(-2 pi k t / n). Here cas is the sum of cosine and sine.
    """
    return f"cas_{n}_{lines[1] - lines[0]}_{''.join(str(int(is_odd)) for is_odd in odd)}"


class Face(NamedTuple):
    """The part of filters at line -n/2 of one axis, whose responses are imaginary.

    That line stands for one sign of the frequency only, so an odd filter is not odd there.
    """

    axis: int
    filters: str  # name of an array (F, *lines of the other axes)
    odd: tuple[tuple[bool, ...], ...]  # per other axis, whether each filter is odd along it


@dataclasses.dataclass(frozen=True)
class HarmonicBank:
    """Solid harmonics of one degree; the engine sums the squares of their responses.

    A harmonic is even or odd along each axis, so its response to a real signal is real. Only lines
    at the end of an even axis add an imaginary part (`faces`).
    """

    filters: str  # name of an array (F, *lines), divided by the samples of the input
    odd: tuple[tuple[bool, ...], ...]  # per axis, whether each filter is odd along it
    faces: tuple[Face, ...]
    coherent: bool  # whether faces add to the responses, or only to their squares
    lines: Box
    size: tuple[int, ...]

    @property
    def responses(self) -> int:
        """Number of responses that make one signal."""
        return len(self.odd[0])
