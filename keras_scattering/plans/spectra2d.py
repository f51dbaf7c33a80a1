"""The plan of scattering spectra of images (Cheng et al. 2023)."""

import functools
import itertools
from collections.abc import Hashable, Iterable

from keras_scattering.filters import MorletBank2D
from keras_scattering.plans.averages import Mean, Variance
from keras_scattering.plans.image import ImagePlane
from keras_scattering.plans.limits import refuse_paths
from keras_scattering.plans.moments import LEVEL, Ground, Row, Term, ground, part_name, parts
from keras_scattering.plans.plan import Domain, Plan
from keras_scattering.plans.spectra import Group, Product, plan_spectra


def image_ground(shape: tuple[int, int], J: int, padding: str) -> Ground:
    """The grid of images, whose padding is that of scale J."""
    return ground(lambda kind: ImagePlane(shape, J, "signal", None, kind), shape, padding)


def _power(j: int, angle: int) -> Hashable:
    return "power", j, angle


class _Moments:
    """The rows of scattering spectra of J scales and L angles, each angle on its own."""

    def __init__(self, J: int, L: int):
        self.L = L
        self.scales = range(J)
        self.angles = range(L)
        self.pairs = [(j1, j2) for j1 in self.scales for j2 in range(j1, J)]
        self.triples = [(j1, j2, j3) for j1, j2 in self.pairs for j3 in range(j2, J)]

    def power(self, j: int, angle: int) -> Term:
        return Term(_power(j, angle))

    def sparsity(self, j: int, angle: int) -> Term:
        return Term(("sparsity", j * self.L + angle), (_power(j, angle), None))

    def phase(self, j: tuple[int, ...], angles: tuple[int, ...], imaginary: bool) -> Term:
        first, second = zip(j, angles, strict=True)
        return Term(("phase", j, angles, imaginary), (_power(*first), _power(*second)))

    def modulus(self, j: tuple[int, ...], angles: tuple[int, ...], imaginary: bool) -> Term:
        """Of two moduli of one scale, exchange changes only the sign of the imaginary part."""
        l1, l2, l3 = angles
        if j[0] == j[1]:
            l1, l2 = sorted((l1, l2))
        first, second, _ = zip(j, (l1, l2, l3), strict=True)
        return Term(("modulus", j, (l1, l2, l3), imaginary), (_power(*first), _power(*second)))

    def product(self, key: Hashable) -> tuple[tuple[int, int], Product] | None:
        """The filter (j, l) and the product that a row needs, if it needs one."""
        match key:
            case ("phase", j, angles, imaginary):
                return (j[1], angles[1]), Product(None, j[0] * self.L + angles[0], imaginary, key)
            case ("modulus", j, angles, imaginary):
                left, right = (j[i] * self.L + angles[i] for i in range(2))
                return (j[2], angles[2]), Product(left, right, imaginary, key)
        return None


def _row(
    kind: str,
    j: tuple[int, ...],
    angles: tuple[int, ...],
    degree: int,
    terms: Iterable[Term],
    imaginary: bool = False,
) -> Row:
    """A row with its metadata, where -1 stands for no scale and no angle."""
    scales, directions = ((*index, -1, -1, -1)[:3] for index in (j, angles))
    return Row((kind, *scales, *directions, part_name(imaginary)), degree, list(terms))


def _rows(moments: _Moments, ratio: int, product: int) -> list[Row]:
    """All rows, in their order, for degrees of sparsity and of products."""
    rows = [
        _row("mean", (), (), 1, [Term("mean")]),
        _row("variance", (), (), 2, [Term("variance")]),
    ]
    for kind, term, degree in (("power", moments.power, 2), ("sparsity", moments.sparsity, ratio)):
        for place in itertools.product(moments.scales, moments.angles):
            rows.append(_row(kind, place[:1], place[1:], degree, [term(*place)]))
    for j in moments.pairs:
        for angles in itertools.product(moments.angles, repeat=2):
            for imaginary in parts(True):
                term = moments.phase(j, angles, imaginary)
                rows.append(_row("phase", j, angles, product, [term], imaginary))
    for j in moments.triples:
        for angles in itertools.product(moments.angles, repeat=3):
            if j[0] == j[1] and angles[1] < angles[0]:
                continue
            for imaginary in parts(j[0] != j[1] or angles[0] != angles[1]):
                term = moments.modulus(j, angles, imaginary)
                rows.append(_row("modulus", j, angles, product, [term], imaginary))
    return rows


def _rows_over_angles(moments: _Moments, ratio: int, product: int) -> list[Row]:
    """All rows, as means over rotations of all angles by the same step."""
    L, turns = moments.L, moments.angles
    rows = [
        _row("mean", (), (), 1, [Term("mean")]),
        _row("variance", (), (), 2, [Term("variance")]),
    ]
    for kind, term, degree in (("power", moments.power, 2), ("sparsity", moments.sparsity, ratio)):
        for j in moments.scales:
            rows.append(_row(kind, (j,), (), degree, (term(j, turn) for turn in turns)))
    for kind, term, scales in (
        ("phase", moments.phase, moments.pairs),
        ("modulus", moments.modulus, moments.triples),
    ):
        for j in scales:
            for others in itertools.product(moments.angles, repeat=len(j) - 1):
                turned = (tuple((angle + turn) % L for angle in (0, *others)) for turn in turns)
                terms = (term(j, angles, False) for angles in turned)
                rows.append(_row(kind, j, (0, *others), product, terms))
    return rows


def plan_spectra2d(
    shape: tuple[int, int],
    J: int,
    L: int,
    normalize: bool | str,
    reduce: str | None,
    oversampling: int | None,
    padding: str,
) -> Plan:
    """The plan of `ScatteringSpectra2D` for images of `shape`."""
    where = image_ground(shape, J, padding)
    moments = _Moments(J, L)
    refuse_paths(len(moments.pairs) * L**2 + len(moments.triples) * L**3)
    bank = MorletBank2D(where.size, J, L)
    rows = (_rows_over_angles if reduce == "angle" else _rows)(
        moments, *((0, 0) if normalize else (1, 2))
    )
    products = {place: [] for place in itertools.product(moments.scales, moments.angles)}
    for key in dict.fromkeys(term.key for row in rows for term in row.terms):
        if needed := moments.product(key):
            place, product = needed
            products[place].append(product)
    for place, some in products.items():
        some.append(Product(None, None, False, _power(*place)))
    groups = [
        Group(
            f"products_{j}",
            [functools.partial(bank.psi, j * L + angle) for angle in moments.angles],
            [products[j, angle] for angle in moments.angles],
        )
        for j in moments.scales
    ]
    return plan_spectra(
        Domain.PLANE,
        where,
        {
            "mean": lambda _: Mean(where.keep),
            "variance": lambda _: Variance(where.keep, centred=True),
            LEVEL: lambda _: Variance(where.keep, centred=False),
        },
        bank,
        groups,
        rows,
        ("kind", "j1", "j2", "j3", "l1", "l2", "l3", "part"),
        normalize,
        oversampling,
    )
