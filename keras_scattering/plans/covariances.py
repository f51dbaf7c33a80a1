r"""Plans of means of pointwise functions of filtered signals, of their squares and products.

A plan asks for each mean by a key that says what it is: a `Mean`, a `Square` or a `Product`. This
module gathers the keys into few products of matrices.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_scattering.plans.averages import Average, Variance
from keras_scattering.plans.averages import Mean as MeanOfInput
from keras_scattering.plans.banks import Bank, hull
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.fields import Block, Covariances, Factors, Field
from keras_scattering.plans.limits import refuse_design, refuse_paths
from keras_scattering.plans.moments import Ground, Row, ratios, steps, table, used_keys
from keras_scattering.plans.plan import Branch, Design, Domain, Plan


class Input(NamedTuple):
    """A mean of the input itself: its "mean", "variance" or "level", the mean square."""

    name: str
    channel: int = 0


class Mean(NamedTuple):
    """The mean of a field of a signal, before it is subtracted."""

    field: Field
    signal: int
    part: int


class Square(NamedTuple):
    """The mean square of a field of a signal, summed over parts."""

    field: Field
    signal: int
    parts: tuple[int, ...]


class Product(NamedTuple):
    r"""The mean $\langle y_a(u) \, z_b(u + \tau) \rangle$ of two fields.

    Products of two fields are computed together if they name one block: those of all their left
    and right signals in a group, for all their shifts.
    """

    block: str
    group: Hashable
    left: Field
    right: Field
    a: int
    b: int
    shift: tuple[int, ...]  # in samples of the input
    terms: tuple[tuple[int, int, int], ...]  # sign, and the parts of the left and the right field


Key = Input | Mean | Square | Product


class Filters(NamedTuple):
    """The filters of a node: how many, their spectra in groups, and what makes each group."""

    groups: Sequence[tuple[str, Callable[[], np.ndarray]]]  # name, and spectra (F, *size)
    total: int


def complex_terms(left: Field, right: Field, imaginary: bool) -> tuple[tuple[int, int, int], ...]:
    """Of a product with the conjugate of the right field, the real or the imaginary part."""
    one, other = left.function.width, right.function.width
    if not imaginary:
        return tuple((1, part, part) for part in range(min(one, other)))
    return (((1, 1, 0),) if one == 2 else ()) + (((-1, 0, 1),) if other == 2 else ())


def plan_covariances(
    domain: Domain,
    where: Ground,
    filters: Filters,
    rows: Sequence[Row],
    columns: Sequence[str],
    normalize: bool | str,
    channels: int = 1,
) -> Plan:
    """The plan of means of fields, and their ratios.

    Args:
        domain: The kind of grid.
        where: The grid.
        filters: The filters; signal c * total + f is that of filter f and channel c.
        rows: The rows of the output, with keys as defined here.
        columns: Names of the metadata.
        normalize: Whether to divide by powers: those of the signal, or others for "adapted".
        channels: Channels that moments compare; 1 if each channel is an item of its own.
    """
    refuse_paths(len(rows))
    own = normalize != "adapted"
    levels = [Input("level", c) for c in range(channels)] if normalize else []
    keys = used_keys(rows, normalize, levels)
    names = [name for name in ("mean", "variance", "level") if Input(name) in keys]
    inputs = [Input(name, c) for name in names for c in range(channels)]
    others = [key for key in keys if not isinstance(key, Input)]
    place = {key: i for i, key in enumerate([*inputs, *others])}

    def design(dtype: np.dtype) -> Design:
        refuse_design(math.prod(where.size) * (2 * filters.total + 8), where.size)
        arrays = Arrays(dtype)
        whole = (0,) * len(where.size), (1,) * len(where.size)  # phases matter, so lines from 0
        banks = [arrays.bank(name, psi(), where.size, whole) for name, psi in filters.groups]
        gathered = _Gathered(where, others)
        node = gathered.node(banks, filters.total * channels, len(inputs)) if others else None
        return Design(
            where.padding,
            hull([bank.lines for bank in banks]),
            tuple(_average(name, where) for name in names),
            (Branch((node,)),) if node else (),
            arrays,
            channels,
        )

    def level(power: Hashable) -> Hashable:
        match power:
            case Square(signal=signal):
                return Input("level", signal // filters.total)
            case Input(channel=channel):
                return Input("level", channel)
        raise TypeError(f"No power of a signal: {power}")

    degrees = [row.degree for row in rows] if own else [_degree(key) for key in place]
    return Plan(
        domain=domain,
        meta=table(rows, columns),
        outputs=((len(rows),),),
        stacked=True,
        design=design,
        degrees=np.array(degrees),
        steps=steps(rows),
        ratios=ratios(rows, place, normalize, level),
    )


def _average(name: str, where: Ground) -> Average:
    return MeanOfInput(where.keep) if name == "mean" else Variance(where.keep, name == "variance")


def _degree(key: Hashable) -> int:
    """The degree of a mean before it is divided."""
    return 1 if isinstance(key, Mean) or (isinstance(key, Input) and key.name == "mean") else 2


class _Gathered:
    """The means of a node, gathered into fields and blocks."""

    def __init__(self, where: Ground, keys: Sequence[Hashable]):
        self.where = where
        self.keys = keys
        wanted: dict[Field, set[int]] = {}
        for key in keys:
            match key:
                case Product(left=left, right=right, a=a, b=b):
                    wanted.setdefault(left, set()).add(a)
                    wanted.setdefault(right, set()).add(b)
                case Mean(field=field, signal=a) | Square(field=field, signal=a):
                    wanted.setdefault(field, set()).add(a)
        self.fields = list(wanted)
        self.signals = {field: sorted(signals) for field, signals in wanted.items()}
        self.count = 0  # values so far
        self.index: dict[Hashable, list[tuple[int, int]]] = {}  # of a key: values and signs

    def node(self, banks: Sequence[Bank], signals: int, first_row: int) -> Covariances:
        """The node of all means, for filtered signals, whose rows begin at the first."""
        means = [key for key in self.keys if isinstance(key, Mean)]
        squares = [key for key in self.keys if isinstance(key, Square)]
        mean_fields = self._take(means, lambda key: (key.part,))
        square_fields = self._take(squares, lambda key: key.parts)
        blocks: dict[tuple, list[Product]] = {}
        for key in self.keys:
            if isinstance(key, Product):
                blocks.setdefault((key.block, key.left, key.right), []).append(key)
        made = tuple(block for some in blocks.values() for block in self._blocks(some))
        entries = [self.index[key] for key in self.keys]
        longest = max(map(len, entries))
        entries = [some + [(0, 0)] * (longest - len(some)) for some in entries]
        table = np.array(entries)
        size = math.prod(self.where.size)
        each = [
            len(self.signals[f]) * f.function.width * (size >> f.step * len(self.where.size))
            for f in self.fields
        ]
        return Covariances(
            sources=tuple((0, bank) for bank in banks),
            keep=self.where.keep,
            fields=tuple(self.fields),
            signals=tuple(tuple(self.signals[field]) for field in self.fields),
            means=mean_fields,
            squares=square_fields,
            blocks=made,
            values=table[..., 0],
            signs=table[..., 1],
            rows=tuple(range(first_row, first_row + len(self.keys))),
            samples=2 * signals * size + sum(each),
        )

    def _take(
        self, keys: Sequence[Mean] | Sequence[Square], parts: Callable[[Any], tuple[int, ...]]
    ) -> tuple[int, ...]:
        """Number the values of one kind of means of fields; returns the fields."""
        fields = list(dict.fromkeys(key.field for key in keys))
        start = {}
        for field in fields:
            start[field] = self.count
            self.count += len(self.signals[field]) * field.function.width
        for key in keys:
            signal = self.signals[key.field].index(key.signal)
            first = start[key.field] + signal * key.field.function.width
            self.index[key] = [(first + part, 1) for part in parts(key)]
        return tuple(self.fields.index(field) for field in fields)

    def _blocks(self, products: Sequence[Product]) -> Iterator[Block]:
        """The blocks of products with the same fields, one for all groups of one size."""
        groups: dict[Hashable, list[Product]] = {}
        for product in products:
            groups.setdefault(product.group, []).append(product)
        alike: dict[tuple[int, int], list[list[Product]]] = {}
        for some in groups.values():
            size = len({product.a for product in some}), len({product.b for product in some})
            alike.setdefault(size, []).append(some)
        return (self._block(some) for some in alike.values())

    def _block(self, groups: Sequence[Sequence[Product]]) -> Block:
        """The block of some groups, whose values get their numbers."""
        first = groups[0][0]
        shifts = list(dict.fromkeys(product.shift for some in groups for product in some))
        lefts = [sorted({product.a for product in some}) for some in groups]
        rights = [sorted({product.b for product in some}) for some in groups]
        widths = first.left.function.width, first.right.function.width
        m, n = len(lefts[0]) * widths[0], len(rights[0]) * widths[1]
        number = {shift: i for i, shift in enumerate(shifts)}
        for g, some in enumerate(groups):
            row = {signal: i * widths[0] for i, signal in enumerate(lefts[g])}
            column = {signal: i * widths[1] for i, signal in enumerate(rights[g])}
            for key in some:
                place = (g * m + row[key.a]) * n + column[key.b]
                self.index[key] = [
                    (self.count + (place + p * n + q) * len(shifts) + number[key.shift], sign)
                    for sign, p, q in key.terms
                ]
        self.count += len(groups) * m * n * len(shifts)
        own, both, step = self.where.own, first.left.masked and first.right.masked, first.left.step
        return Block(
            self._factors(first.left, lefts),
            self._factors(first.right, rights),
            len(groups),
            tuple(tuple(t >> step for t in shift) for shift in shifts),
            tuple(
                math.prod(n - abs(t) if both else n for n, t in zip(own, shift, strict=True))
                >> step * len(own)
                for shift in shifts
            ),
            tuple(
                max(0, max(abs(shift[axis]) for shift in shifts) - (n - kept)) if both else 0
                for axis, (n, kept) in enumerate(zip(self.where.size, own, strict=True))
            ),
        )

    def _factors(self, field: Field, groups: Sequence[Sequence[int]]) -> Factors:
        """Fields of some signals, by the field's own order of signals."""
        place = {signal: i for i, signal in enumerate(self.signals[field])}
        signals = tuple(place[signal] for some in groups for signal in some)
        return Factors(self.fields.index(field), signals)
