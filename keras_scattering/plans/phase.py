r"""Plans of covariances of wavelet phase harmonics, on any grid (Mallat, Zhang & Rochette 2018).

With harmonics $[z]^k = |z| e^{i k \arg z}$ the rows are covariances of $[x * \psi_a]^p$ and
$[x * \psi_b]^q$ at shifts. A harmonic q of a low frequency oscillates as fast as a wavelet of q
times the frequency, so these have covariances, where the signals themselves have none.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from keras_scattering.plans.covariances import Input, Product, Square, complex_terms
from keras_scattering.plans.fields import Field, Harmonic, RealPart
from keras_scattering.plans.moments import Ground, Row, Term, part_name, parts

CLASSES = ("mean", "S11", "S00", "C00", "S01", "C01", "Cphase", "L")
DEFAULT_CLASSES = ("S11", "S00", "S01", "C01", "Cphase")


class Shift(NamedTuple):
    """A shift in samples, and its metadata."""

    tau: tuple[int, ...]
    meta: tuple[int, ...]


class Pair(NamedTuple):
    """Two filters, the shifts of their covariances, and the harmonic of the second."""

    a: int
    b: int
    shifts: Sequence[Shift]
    q: int = 1
    group: Hashable = 0  # pairs of one group have products in common, at their shifts


class Wavelets(NamedTuple):
    """The filters of a transform: wavelets first, then low-passes."""

    j: Sequence[int]  # scale of each wavelet
    labels: Sequence[tuple[int, ...]]  # metadata of each wavelet
    lows: int
    low_labels: Sequence[tuple[int, ...]]


class Pairs(NamedTuple):
    """What each class compares."""

    alone: Sequence[Pair]  # a wavelet with itself
    apart: Sequence[Pair]  # two moduli, or a modulus and a lower wavelet
    harmonic: Sequence[Pair]  # a wavelet and a harmonic of a lower one


class _Moments:
    """The means of a class, as keys, with their divisors."""

    def __init__(self, wavelets: Wavelets, where: Ground, oversampling: int | None):
        self.wavelets = wavelets
        self.where = where
        self.oversampling = oversampling

    def step(self, j: int, tau: tuple[int, ...]) -> int:
        """log2 of the sampling step of products whose first factor has scale j."""
        if self.oversampling is None:
            return 0
        most = self.where.coarsest(max(0, j - self.oversampling))
        return min([most, *((t & -t).bit_length() - 1 for t in tau if t)])

    def harmonic(self, q: int, step: int) -> Field:
        """The harmonic q of wavelets; on a whole circle x * psi has no mean."""
        settled = self.where.whole and step == 0
        return Field(Harmonic(q), step, after=q == 0 or not settled, masked=not self.where.whole)

    def low(self, j: int, magnitude: bool) -> Field:
        """The low-passes, or their moduli, of scale j."""
        step = self.step(j, ())
        function = RealPart(magnitude)
        return Field(function, step, before=magnitude, masked=not self.where.whole)

    def power(self, a: int) -> Square:
        """The power of a wavelet's response."""
        return Square(self.harmonic(1, self.step(self.wavelets.j[a], ())), a, (0, 1))

    def product(self, p: int, pair: Pair, shift: Shift, imaginary: bool, block: str) -> Term:
        """A covariance of harmonics p and q, divided by the roots of both powers."""
        step = self.step(self.wavelets.j[pair.a], shift.tau)
        left, right = self.harmonic(p, step), self.harmonic(pair.q, step)
        terms = complex_terms(left, right, imaginary)
        group = pair.group if block == "shifted" else (pair.a, pair.b) if block == "pairs" else 0
        key = Product(block, group, left, right, pair.a, pair.b, shift.tau, terms)
        return Term(key, (self.power(pair.a), self.power(pair.b)))


def phase_rows(
    classes: Collection[str],
    wavelets: Wavelets,
    pairs: Pairs,
    where: Ground,
    normalize: bool | str,
    oversampling: int | None,
    none: tuple[int, ...],
) -> list[Row]:
    """All rows of the classes, in their order; `none` is the metadata of no shift.

    A row's metadata are its class, the first filter and its harmonic, the second, the shift, and
    the part.
    """
    moments = _Moments(wavelets, where, oversampling)
    makers: dict[str, Callable[[], Iterator[Row]]] = {
        "mean": lambda: _mean(wavelets, none),
        "S11": lambda: _same(moments, "S11", 1, pairs.alone, ratio),
        "S00": lambda: _same(moments, "S00", 0, pairs.alone, ratio),
        "C00": lambda: _apart(moments, "C00", 0, [p._replace(q=0) for p in pairs.apart], ratio),
        "S01": lambda: _apart(moments, "S01", 0, pairs.alone, ratio),
        "C01": lambda: _apart(moments, "C01", 0, pairs.apart, ratio),
        "Cphase": lambda: _apart(moments, "Cphase", 1, pairs.harmonic, ratio),
        "L": lambda: _lows(moments, none, ratio),
    }
    ratio = 0 if normalize else 2
    rows = [row for name in CLASSES if name in classes for row in makers[name]()]
    if not rows:
        raise ValueError(
            "Argument `moments` must have a class with at least one row, and pairs of scales need "
            f"two scales and `dj` of at least 1. Received: moments={tuple(classes)}"
        )
    return rows


def _mean(wavelets: Wavelets, none: tuple[int, ...]) -> Iterator[Row]:
    absent = tuple(-1 for _ in wavelets.labels[0])
    yield Row(("mean", *absent, -1, *absent, -1, *none, "real"), 1, [Term(Input("mean"))])


def _meta(
    moments: _Moments, kind: str, p: int, pair: Pair, shift: Shift, imaginary: bool
) -> tuple[Any, ...]:
    one, other = moments.wavelets.labels[pair.a], moments.wavelets.labels[pair.b]
    return (kind, *one, p, *other, pair.q, *shift.meta, part_name(imaginary))


def _same(moments: _Moments, kind: str, p: int, pairs: Sequence[Pair], ratio: int) -> Iterator[Row]:
    """Covariances of a harmonic with itself: a power at shift 0, then at shifts."""
    for pair in (pair._replace(q=p) for pair in pairs):
        power = moments.power(pair.a)
        none, *shifts = pair.shifts
        meta = _meta(moments, kind, p, pair, none, False)
        if kind == "S11":
            yield Row(meta, 2, [Term(power)])
        else:
            square = Square(moments.harmonic(0, power.field.step), pair.a, (0,))
            yield Row(meta, ratio, [Term(square, (power, power))])
        for shift in shifts:
            for imaginary in parts(p == 1):
                term = moments.product(p, pair, shift, imaginary, "pairs")
                yield Row(_meta(moments, kind, p, pair, shift, imaginary), ratio, [term])


def _apart(
    moments: _Moments, kind: str, p: int, pairs: Sequence[Pair], ratio: int
) -> Iterator[Row]:
    """Covariances of the harmonics p of one filter and q of another."""
    for pair in pairs:
        for shift in pair.shifts if kind in ("C01", "Cphase") else pair.shifts[:1]:
            block = "pairs" if p == 1 else "shifted" if any(shift.tau) else "all"
            for imaginary in parts(pair.q > 0):
                term = moments.product(p, pair, shift, imaginary, block)
                yield Row(_meta(moments, kind, p, pair, shift, imaginary), ratio, [term])


def _lows(moments: _Moments, none: tuple[int, ...], ratio: int) -> Iterator[Row]:
    """Covariances of low-passes and their moduli."""
    wavelets, zero = moments.wavelets, (0,) * len(moments.where.size)
    for j in range(wavelets.lows):
        signal = len(wavelets.j) + j
        field, magnitude = moments.low(j, False), moments.low(j, True)
        power = Square(field, signal, (0,))
        terms = ((1, 0, 0),)
        product = Product("pairs", signal, magnitude, field, signal, signal, zero, terms)
        for p, q, key in (
            (0, 0, Square(magnitude, signal, (0,))),
            (0, 1, product),
            (1, 1, power),
        ):
            label = wavelets.low_labels[j]
            meta = ("L", *label, p, *label, q, *none, "real")
            if key == power:
                yield Row(meta, 2, [Term(power)])
            else:
                yield Row(meta, ratio, [Term(key, (power, power))])
