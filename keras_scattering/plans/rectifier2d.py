r"""The plan of generalised rectifier wavelet covariances of images (Brochard et al. 2022)."""

import functools
import itertools
import math
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

import numpy as np

from keras_scattering.filters import MorletBank2D
from keras_scattering.plans.covariances import (
    Filters,
    Input,
    Mean,
    Product,
    Square,
    plan_covariances,
)
from keras_scattering.plans.fields import Field, RealPart, Rectified
from keras_scattering.plans.limits import refuse_paths
from keras_scattering.plans.moments import Row, Term
from keras_scattering.plans.plan import Domain, Plan
from keras_scattering.plans.spectra2d import image_ground
from keras_scattering.plans.wavelet import spectra_of

COLUMNS = ("kind", "c1", "c2", "j1", "j2", "l1", "l2", "a", "n", "t1", "t2")
# Differences along both axes and across; they see the corners of the spectrum.
_HIGH = np.array([[[1, -1], [1, -1]], [[1, 1], [-1, -1]], [[1, -1], [-1, 1]]]) / 4


_LOW, _SELF = 0, 4  # places behind the wavelets: the low-pass, three differences, x itself
_NOWHERE = (-1,) * 5  # no scale, no angle, no phase


class Shift(NamedTuple):
    """A shift in rows and columns, and the index of its length, -1 for none."""

    t: tuple[int, int]
    n: int


_NONE = Shift((0, 0), -1)


def shifts(dn: int, directions: int) -> list[Shift]:
    """No shift, and shifts of 2**n samples in 8 directions, or in 4, each once."""
    found = {_NONE.t: _NONE}
    for n, k in itertools.product(range(dn), range(directions)):
        t = tuple(round(2**n * turn(k * math.pi / 4)) for turn in (math.cos, math.sin))
        found.setdefault(t, Shift(t, n))  # type: ignore[arg-type]
    return list(found.values())


def _highpasses(size: tuple[int, ...]) -> np.ndarray:
    return np.fft.fft2(_HIGH, size)


class _Model(NamedTuple):
    """The arguments of a plan, and the fields that its moments compare."""

    J: int
    L: int
    A: int
    dj: int
    dn: int
    same: bool
    masked: bool
    crossed: bool
    filters: int  # per channel
    ratio: int  # degree of a row that is divided

    # Fields

    @property
    def moved(self) -> Field:
        """Rectifiers of all phases, also on the margin, where the other factor's shift may end."""
        return Field(Rectified(self.A), before=True)

    @property
    def fixed(self) -> Field:
        """Rectifiers of phase 0."""
        return Field(Rectified(1), before=True, masked=self.masked)

    def plain(self, masked: bool) -> Field:
        """The low-pass, or the channel itself."""
        return Field(RealPart(), masked=masked and self.masked)

    def high(self, masked: bool) -> Field:
        """The size of differences."""
        return Field(RealPart(magnitude=True), after=False, masked=masked and self.masked)

    # Signals

    def wavelet(self, c: int, j: int, angle: int) -> int:
        """The number of a wavelet's response."""
        return c * self.filters + j * self.L + angle

    def other(self, c: int, index: int) -> int:
        """The low-pass for index 0, then three differences, then the channel itself."""
        return c * self.filters + self.J * self.L + index

    # Rows

    def row(
        self,
        kind: str,
        channels: tuple[int, int],
        term: Term,
        degree: int,
        places: tuple[int, ...] = _NOWHERE,
        shift: Shift = _NONE,
    ) -> Row:
        """A row with its metadata; channels count only where channels are compared."""
        named = channels if self.crossed else (-1, -1)
        return Row((kind, *named, *places, shift.n, *shift.t), degree, [term])

    def power(self, field: Field, signal: int, part: int = 0) -> Square:
        """The variance of a rectifier, or the mean square of another field."""
        return Square(field, signal, (part,))

    def product(
        self,
        block: str,
        group: Hashable,
        fields: tuple[Field, Field],
        signals: tuple[int, int],
        shift: Shift,
        phase: int = 0,
    ) -> Term:
        """A mean of products of the left field at u + t and the right field at u.

        The right field is the left one, of phase 0, on the samples to keep.
        """
        (left, right), (a, b) = fields, signals
        back = (-shift.t[0], -shift.t[1])  # of the right field, which has fewer rows to move
        key = Product(block, group, left, right, a, b, back, ((1, phase, 0),))
        return Term(key, (self.power(left, a, phase), self.power(left, b)))

    def pairs(self) -> Iterator[tuple[int, int, int, int, int]]:
        """(j1, j2, l1, l2, a) in the order of rows."""
        for j1 in range(self.J):
            for j2 in range(j1, min(self.J, j1 + self.dj + 1)):
                rest = itertools.product(range(self.L), range(self.L), range(self.A))
                yield from ((j1, j2, *places) for places in rest)

    def rows_of(self, c: int) -> Iterator[Row]:
        """The rows of a channel."""
        both, half = (c, c), shifts(self.dn, 4)
        yield self.row("mean", both, Term(Input("mean", c)), 1)
        yield self.row("variance", both, Term(Input("variance", c)), 2)
        each = list(itertools.product(range(self.J), range(self.L), range(self.A)))
        for j, angle, a in each:
            signal = self.wavelet(c, j, angle)
            mean = Term(Mean(self.moved, signal, a), (self.power(self.moved, signal, a), None))
            degree = min(self.ratio, 1)
            yield self.row("rectifier_mean", both, mean, degree, (j, -1, angle, -1, a))
        for j, angle, a in each:
            power = Term(self.power(self.moved, self.wavelet(c, j, angle), a))
            yield self.row("rectifier_variance", both, power, 2, (j, -1, angle, -1, a))
        yield from self._covariances(c, half)
        yield from self._correlations("low", c, _LOW, self.plain, _NOWHERE, half)
        for h in range(len(_HIGH)):
            yield from self._correlations("high", c, 1 + h, self.high, (-1, -1, h, -1, -1), half)

    def _covariances(self, c: int, half: list[Shift]) -> Iterator[Row]:
        every, fields = shifts(self.dn, 8), (self.moved, self.fixed)
        for j1, j2, l1, l2, a in self.pairs():
            alike = (j1, l1) == (j2, l2)
            some = every if alike or not self.same else every[:1]
            if j1 == j2 and a == 0:
                if l2 < l1:
                    continue
                some = half[1:] if alike else some
            signals = self.wavelet(c, j1, l1), self.wavelet(c, j2, l2)
            for shift in some:
                alone = self.same and shift != _NONE
                block, group = ("alone", signals) if alone else ("own", c)
                term = self.product(block, group, fields, signals, shift, a)
                yield self.row("covariance", (c, c), term, self.ratio, (j1, j2, l1, l2, a), shift)

    def _correlations(
        self,
        kind: str,
        c: int,
        index: int,
        field: Callable[[bool], Field],
        places: tuple[int, ...],
        half: list[Shift],
    ) -> Iterator[Row]:
        """The power of a field and its correlations at shifts."""
        signal = self.other(c, index)
        power = Term(self.power(field(False), signal))
        yield self.row(kind, (c, c), power, 2, places)
        fields = field(False), field(True)
        for shift in half[1:]:
            term = self.product(kind, signal, fields, (signal, signal), shift)
            yield self.row(kind, (c, c), term, self.ratio, places, shift)

    def cross_rows(self, channels: int) -> Iterator[Row]:
        """The rows between channels."""
        upper = list(itertools.combinations(range(channels), 2))
        plain = self.plain(False), self.plain(True)
        for c, d in upper:
            signals = self.other(c, _SELF), self.other(d, _SELF)
            key = self.product("itself", 0, plain, signals, _NONE).key
            term = Term(key, (Input("variance", c), Input("variance", d)))
            yield self.row("variance", (c, d), term, self.ratio)
        fields = self.moved, self.fixed
        for c, d in itertools.permutations(range(channels), 2):
            for j1, j2, l1, l2, a in self.pairs():
                if c > d and j1 == j2 and a == 0:
                    continue
                signals = self.wavelet(c, j1, l1), self.wavelet(d, j2, l2)
                term = self.product("cross", 0, fields, signals, _NONE, a)
                yield self.row("covariance", (c, d), term, self.ratio, (j1, j2, l1, l2, a))
        for c, d in upper:
            signals = self.other(c, _LOW), self.other(d, _LOW)
            for shift in shifts(self.dn, 8):
                term = self.product("cross", 0, plain, signals, shift)
                yield self.row("low", (c, d), term, self.ratio, shift=shift)


def plan_rectifier2d(
    shape: tuple[int, int],
    channels: int | None,
    J: int,
    L: int,
    A: int,
    dj: int,
    dn: int,
    same: bool,
    normalize: bool | str,
    padding: str,
) -> Plan:
    """The plan of `RectifierCovariances2D` for images of `shape`.

    It compares the channels, or treats images without channels if `channels` is None.
    """
    where = image_ground(shape, J, padding)
    count = channels or 1
    pairs = J * min(dj + 1, J) * L**2 * A
    refuse_paths(count * pairs * (1 if same else 4 * dn + 1) // 2 + count**2 * pairs // 2)
    rows, columns = where.size
    bank = MorletBank2D((rows, columns), J, L)
    groups = [
        ("psi", functools.partial(spectra_of, bank, range(len(bank)))),
        ("phi", lambda: bank.phi()[None]),
        ("high", functools.partial(_highpasses, where.size)),
    ]
    if channels:
        groups.append(("self", lambda: np.ones((1, *where.size))))
    filters = Filters(groups, len(bank) + (5 if channels else 4))
    model = _Model(
        J, L, A, dj, dn, same, not where.whole, bool(channels), filters.total, 0 if normalize else 2
    )
    found = [row for c in range(count) for row in model.rows_of(c)]
    if channels:
        found += model.cross_rows(channels)
    return plan_covariances(Domain.PLANE, where, filters, found, COLUMNS, normalize, count)
