r"""Plans of scattering spectra on any grid (Morel et al. 2022; Cheng et al. 2023).

They hold means of x, of moduli $U_a = |x * \psi_a|$, and of products of x and moduli, both
filtered once more: $\langle (x * \psi_f)(U_a * \psi_f)^* \rangle$ and
$\langle (U_a * \psi_f)(U_c * \psi_f)^* \rangle$. Divided by the powers
$\langle |x * \psi|^2 \rangle$ they depend neither on the amplitude of x nor on its power spectrum.
"""

import math
from collections.abc import Callable, Container, Hashable, Sequence
from typing import NamedTuple

import numpy as np

from keras_scattering.filters import FilterBank
from keras_scattering.plans.averages import Mean
from keras_scattering.plans.banks import Bank, Box, Weights, hull
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.limits import refuse_design
from keras_scattering.plans.moments import (
    Averages,
    Ground,
    Row,
    ratios,
    steps,
    table,
    used_keys,
)
from keras_scattering.plans.plan import Branch, Design, Domain, Gram, Node, Plan, Samples
from keras_scattering.plans.wavelet import by_scale, spectra_of


class Product(NamedTuple):
    """The mean of a product of x (None) or of moduli, by their first-order filters."""

    left: int | None
    right: int | None
    imaginary: bool
    key: Hashable


class Group(NamedTuple):
    """Filters, and the products of what each makes of x and of moduli."""

    name: str
    filters: Sequence[Callable[[], np.ndarray]]
    products: Sequence[Sequence[Product]]


def plan_spectra(
    domain: Domain,
    ground: Ground,
    averages: Averages,
    first: FilterBank,
    groups: Sequence[Group],
    rows: Sequence[Row],
    columns: Sequence[str],
    normalize: bool | str,
    oversampling: int | None,
) -> Plan:
    """The plan of means, products of moduli, and their ratios.

    Args:
        domain: The kind of grid.
        ground: The grid.
        averages: The rules for means of x itself, by their keys.
        first: First-order filters. The mean of modulus a has the key ("sparsity", a).
        groups: Filters and products.
        rows: The rows of the output.
        columns: Names of the metadata.
        normalize: Whether to divide by powers: those of the signal, or others for "adapted".
        oversampling: None keeps every sample of moduli. An integer a keeps one sample in
            2**max(0, j - a).
    """
    own = normalize != "adapted"
    used = used_keys(rows, normalize)
    place: dict[Hashable, int] = {}

    def number(key: Hashable) -> int:
        return place.setdefault(key, len(place))

    # Keys get their rows in the order of the arithmetic.
    inputs = {key: rule for key, rule in averages.items() if key in used}
    for key in inputs:
        number(key)
    for filters in by_scale(first.j).values():
        for a in filters:
            number(("sparsity", a))
    kept = [_kept(group, used) for group in groups]
    for group in kept:
        for products in group.products:
            for product in products:
                number(product.key)

    def design(dtype: np.dtype) -> Design:
        refuse_design(math.prod(ground.size) * (len(first) + 8), ground.size)
        return _Designer(Arrays(dtype), ground, first, oversampling, place).design(inputs, kept)

    return Plan(
        domain=domain,
        meta=table(rows, columns),
        outputs=((len(rows),),),
        stacked=True,
        design=design,
        degrees=np.array([row.degree for row in rows] if own else [_degree(key) for key in place]),
        steps=steps(rows),
        banks=(first,),
        ratios=ratios(rows, place, normalize),
    )


def _kept(group: Group, used: Container[Hashable]) -> Group:
    """A group without the products that no row uses."""
    pairs = [
        (psi, kept)
        for psi, products in zip(group.filters, group.products, strict=True)
        if (kept := [product for product in products if product.key in used])
    ]
    return Group(group.name, [psi for psi, _ in pairs], [kept for _, kept in pairs])


def _degree(key: Hashable) -> int:
    """The degree of a mean before it is divided."""
    return 1 if key == "mean" or (isinstance(key, tuple) and key[0] == "sparsity") else 2


class _Designer:
    """Makes the arithmetic: a node for the moduli of each scale, and products of their spectra."""

    def __init__(
        self,
        arrays: Arrays,
        ground: Ground,
        first: FilterBank,
        oversampling: int | None,
        place: dict[Hashable, int],
    ):
        self.arrays = arrays
        self.ground = ground
        self.first = first
        self.place = place
        self.scales = list(by_scale(first.j).items())
        self.steps = [
            0 if oversampling is None else ground.coarsest(max(0, j - oversampling))
            for j, _ in self.scales
        ]

    def design(self, averages: Averages, groups: Sequence[Group]) -> Design:
        """The arithmetic of all groups."""
        banks = [self._bank(i) for i in range(len(self.scales))]
        overs = [self._over(group) for group in groups]
        grams = [self._gram(g, o) for g, o in zip(groups, overs, strict=True)]
        nodes = [self._node(i, bank, grams) for i, bank in enumerate(banks)]
        lines = hull([*(bank.lines for bank in banks), *(_lines(over) for over in overs)])
        return Design(
            self.ground.padding,
            lines,
            tuple(rule(self.arrays) for rule in averages.values()),
            (Branch((*nodes, *grams)),),
            self.arrays,
        )

    def _bank(self, i: int) -> Bank:
        _, filters = self.scales[i]
        size = tuple(n >> self.steps[i] for n in self.ground.size)
        return self.arrays.bank(f"psi1_{filters[0]}", spectra_of(self.first, filters), size)

    def _over(self, group: Group) -> Weights | Samples:
        """What the means of a group's products are sums over."""
        size = self.ground.size
        spectra = (psi() for psi in group.filters)
        if self.ground.whole:
            energies = np.stack([np.abs(psi) ** 2 for psi in spectra]) / math.prod(size) ** 2
            return self.arrays.weights(group.name, energies)
        # All lines in one order, with those of coarser signals in the middle.
        box = tuple(-(n // 2) for n in size), (1,) * len(size)
        banks = [
            self.arrays.bank(f"{group.name}_{f}", psi[None], size, box)
            for f, psi in enumerate(spectra)
        ]
        return Samples(tuple(banks), self.ground.keep)

    def _gram(self, group: Group, over: Weights | Samples) -> Gram:
        """The products of a group, among the signals of the nodes that it needs."""
        signals = {s for ps in group.products for p in ps for s in (p.left, p.right)}
        needed = [i for i, (_, fs) in enumerate(self.scales) if signals & set(fs)]
        order: list[int | None] = [None, *(a for i in needed for a in self.scales[i][1])]
        position = {signal: i for i, signal in enumerate(order)}
        gains = [2.0 ** (self.steps[i] * len(self.ground.size)) for i in needed]
        products = tuple(
            (f, position[p.left], position[p.right], p.imaginary)
            for f, ps in enumerate(group.products)
            for p in ps
        )
        rows = tuple(self.place[p.key] for ps in group.products for p in ps)
        places = math.prod(stop - start for start, stop in _lines(over))
        return Gram(
            ((0, 1.0), *((i + 1, gain) for i, gain in zip(needed, gains, strict=True))),
            over,
            products,
            rows,
            4 * len(order) * places,
        )

    def _node(self, i: int, bank: Bank, grams: Sequence[Gram]) -> Node:
        """The moduli of one scale, their means, and the lines that products read."""
        _, filters = self.scales[i]
        rows = tuple(self.place["sparsity", a] for a in filters)
        boxes = [
            _own_lines(_lines(gram.over), bank.size, self.steps[i])
            for gram in grams
            if i + 1 in dict(gram.sources)
        ]
        average = Mean(self.ground.kept(self.steps[i]))
        return Node(((0, bank),), average, rows, len(filters), hull(boxes) if boxes else None)


def _lines(over: Weights | Samples) -> Box:
    return over.lines if isinstance(over, Weights) else hull([bank.lines for bank in over.banks])


def _own_lines(lines: Box, size: tuple[int, ...], step: int) -> Box:
    """The lines of a box that a coarser signal has too, without its Nyquist line."""
    if step == 0:
        return lines
    return tuple(
        (max(start, -((n - 1) // 2)), min(stop, (n + 1) // 2))
        for (start, stop), n in zip(lines, size, strict=True)
    )
