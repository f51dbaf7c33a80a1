"""Naive float64 NumPy scattering with invariants beyond translation, each as it is defined.

Batch first, no channels. The pitch spiral is `reference.time_frequency` with J_oct.

Sources: Sifre & Mallat 2013, Oyallon & Mallat 2015 (roto-translation); Andén & Mallat 2014 (deep
scattering spectrum).
"""

import itertools
from math import floor, gcd, log2, nan, pi
from typing import NamedTuple

import numpy as np
import reference
from reference import SIGMA0, columns, convolve, lowpass_spectrum

# ---- roto-translation


class Plane:
    """The grid of an image: padding, steps and average."""

    def __init__(self, shape, J, T, stride, padding):
        self.shape, self.J, self.T, self.padding = shape, J, T, padding
        self.widths = [reference.pad_amount_2d(M, J, padding) for M in shape]
        self.padded = [M + sum(width) for M, width in zip(shape, self.widths, strict=True)]
        self.log2_stride = reference.log2_step(stride, T, J)
        self.phi = reference.lowpass_2d(*self.padded, J)

    def scale(self, j):
        """The resolution at which the output of a filter of scale 2^j is sampled."""
        return min(j, self.log2_stride) if reference.is_averaged(self.T) else j

    def filter(self, U, k, spectrum, k_out):
        """U (B, H, W) sampled every 2^k, filtered and sampled every 2^k_out."""
        Y = convolve(U, reference.restrict_2d(spectrum, k), axes=(1, 2))
        return Y[:, :: 2 ** (k_out - k), :: 2 ** (k_out - k)]

    def lowpass(self, U, k):
        """U * phi at the output step, still padded."""
        return self.filter(U, k, self.phi, self.log2_stride).real

    def trim(self, y, k):
        """The image's own part of what is sampled every 2^k."""
        start = [before for before, _ in self.widths]
        rows, columns = (reference.kept(b, M, k) for b, M in zip(start, self.shape, strict=True))
        return y[:, rows, columns]

    def finish(self, y, k):
        """What T makes of a modulus that needs no low-pass any more."""
        if self.T == "global":
            return y.mean((1, 2))
        if not reference.is_averaged(self.T):
            own = self.trim(y, k)
            return own.mean((1, 2)) if self.T == "signal" else own
        if self.padding in ("periodic", "none"):
            return self.trim(y, k)
        margin = 2 ** (self.J - k)
        return y[:, margin:-margin, margin:-margin]

    def average(self, U, k):
        """What T makes of U (B, H, W) sampled every 2^k."""
        if reference.is_averaged(self.T):
            return self.finish(self.lowpass(U, k), self.log2_stride)
        return self.finish(U, k)


class Circle:
    """The angles: filters on n points, and the average along them."""

    def __init__(self, L, J_theta=None, T_theta="global", stride_theta=None, covariant=True):
        self.L, self.T, self.covariant = L, T_theta, covariant
        self.n = 2 * L if covariant else L
        J = max(1, floor(log2(L)) - 1) if J_theta is None else J_theta
        wavelets = reference.bank_fr(self.n, J)  # the low-pass, those at +xi, those at -xi
        self.filters = [f for f in wavelets if f.spin >= 0 or not covariant]
        self.support = 2**J if T_theta is None else T_theta
        self.step = 1
        if T_theta not in ("global", 0):
            self.step = stride_theta or gcd(2 ** floor(log2(self.support)), L)

    def of_order(self, order):
        """Indices of the filters of an order; of two opposite ones, real signals need one."""
        return [n for n, f in enumerate(self.filters) if order == 2 or f.spin >= 0]

    def thetas(self, order, n):
        """The angles at which a path is kept, -1 for the mean of all."""
        if self.T == "global":
            return [-1]
        whole = order == 2 and self.filters[n].spin != 0
        return list(range(0, self.n if whole else self.L, self.step))

    def along(self, Y, order, n):
        """|Y * psi_n| of Y (angles, ...), averaged, by theta."""
        turn = [slice(None)] + [None] * (Y.ndim - 1)
        U = np.abs(convolve(Y, self.filters[n].psi[tuple(turn)], axes=(0,)))
        if self.T == "global":
            return [U.mean(0)]
        if self.T != 0 and self.filters[n].spin != 0:
            phi = lowpass_spectrum(self.n, SIGMA0 / self.support)
            U = convolve(U, phi[tuple(turn)], axes=(0,)).real
        return [U[theta] for theta in self.thetas(order, n)]


class Turned(NamedTuple):
    """A path of roto-translation scattering, as in `meta()`."""

    order: int
    j1: int
    j2: int = -1
    delta: int = -1
    n_theta: int = -1
    theta: int = -1


def rototranslation2d_paths(
    x, J, L=8, T=None, stride=None, J_theta=None, T_theta="global", stride_theta=None,
    rotation_covariant=True, max_order=2, padding="reflect",
):  # fmt: skip
    """The paths in order, each with its output."""
    plane = Plane(x.shape[1:], J, T, stride, padding)
    circle = Circle(L, J_theta, T_theta, stride_theta, rotation_covariant)
    psi = np.reshape(reference.bank_2d(*plane.padded, J, L), (J, L, *plane.padded))
    x = reference.pad(x, plane.widths, padding)
    yield Turned(0, -1), plane.average(x, 0)

    scale = [plane.scale(j) for j in range(J)]
    U1 = {
        (j, ell): np.abs(plane.filter(x, 0, psi[j, ell], scale[j]))
        for j, ell in itertools.product(range(J), range(L))
    }

    def paths(Y, finish, order, j1, j2=-1, delta=-1):
        for n in circle.of_order(order):
            thetas = circle.thetas(order, n)
            for theta, S in zip(thetas, circle.along(np.array(Y), order, n), strict=True):
                yield Turned(order, j1, j2, delta, n, theta), finish(S)

    for j1 in range(J):
        low = [plane.lowpass(U1[j1, ell % L], scale[j1]) for ell in range(circle.n)]
        yield from paths(low, lambda S: plane.finish(S, plane.log2_stride), 1, j1)

    for j1, j2 in itertools.combinations(range(J), 2) if max_order == 2 else []:
        for delta in range(L):
            if rotation_covariant:  # delta from each l, on half a turn; then the conjugates
                Y = []
                for ell in range(L):
                    turns, angle = divmod(ell + delta, L)
                    y = plane.filter(U1[j1, ell], scale[j1], psi[j2, angle], scale[j2])
                    Y.append(y.conj() if turns % 2 else y)
                Y += [y.conj() for y in Y]
            else:
                Y = [
                    plane.filter(U1[j1, ell], scale[j1], psi[j2, delta], scale[j2])
                    for ell in range(L)
                ]
            yield from paths(Y, lambda S, j2=j2: plane.average(S, scale[j2]), 2, j1, j2, delta)


def rototranslation2d(x, **arguments):
    """(B, H, W) -> (B, H', W', K); (B, K) for "global" and "signal"; K arrays for T=0."""
    outputs = [S for _, S in rototranslation2d_paths(np.asarray(x, float), **arguments)]
    return outputs if arguments.get("T") == 0 else np.stack(outputs, -1)


def rototranslation2d_meta(
    J, L=8, J_theta=None, T_theta="global", stride_theta=None, rotation_covariant=True, max_order=2
):
    """The columns of `meta()`."""
    circle = Circle(L, J_theta, T_theta, stride_theta, rotation_covariant)
    order1 = [(1, j, -1, -1) for j in range(J)]
    order2 = [
        (2, *scales, delta)
        for scales in itertools.combinations(range(J), 2)
        for delta in range(L if max_order == 2 else 0)
    ]
    rows = [(0, -1, -1, -1, -1, nan, nan, -1, 0, -1, nan)]
    turn = [*reference.angles(L), *(theta - pi for theta in reference.angles(L))]
    for of in (*order1, *order2):
        for n in circle.of_order(of[0]):
            f = circle.filters[n]
            for theta in circle.thetas(of[0], n):
                angle = nan if theta < 0 else turn[theta]
                rows.append((*of, n, f.xi, f.sigma, f.j, f.spin, theta, angle))
    names = (
        "order", "j1", "j2", "delta", "n_theta", "xi_theta", "sigma_theta", "j_theta", "spin",
        "theta", "angle",
    )  # fmt: skip
    return columns(names, rows)


# ---- deep scattering spectrum


def deep_spectrum(
    x, inner, paths, epsilon=2**-20, normalize=True, log=True, J_fr=None, Q_fr=1, F=None,
    stride_fr=None, max_order_fr=1,
):  # fmt: skip
    """(..., K): the coefficients that `inner` makes of x by `paths`, divided, as logarithms.

    inner(x) is (..., paths), and a path (), (n1,), (n1, n2)."""
    S = dict(zip(paths, np.moveaxis(inner(x), -1, 0), strict=True))
    out = dict(S)
    if normalize:
        m = inner(np.abs(x))[..., 0]
        for path in paths:
            parent = m if len(path) == 1 else S.get(path[:1])
            out[path] = m if path == () else S[path] / (parent + epsilon)
    if log:
        out = {path: np.log(np.abs(s) + epsilon) for path, s in out.items()}
    if J_fr is None:
        return np.stack([out[path] for path in paths], -1)
    rows = [out[()]]
    for table in tables(paths):
        X = np.stack([out[path] for path in table], -1)
        rows += over_frequency(X, J_fr, Q_fr, F, stride_fr, max_order_fr)
    return np.stack(rows, -1)


def tables(paths):
    """The paths of order 1, then those of order 2 by n2, each by n1."""
    seconds = sorted({path[1] for path in paths if len(path) == 2})
    of = [[p for p in paths if len(p) == 1]]
    of += [[p for p in paths if len(p) == 2 and p[1] == n2] for n2 in seconds]
    return [table for table in of if table]


def along_frequency(J_fr, Q_fr, max_order_fr):
    """Filters a or pairs (a, b) after which a table is averaged, counted from 0."""
    j = [reference.resolution(*f) for f in reference.schedule(J_fr, Q_fr)]
    a = range(len(j))
    pairs = [(p, q) for p in a for q in a if j[q] > j[p]]
    return [(), *((n,) for n in a), *(pairs if max_order_fr == 2 else [])]


def positions(n, J_fr, F, stride_fr):
    """Where along a table of n rows averages are kept; -1 stands for their mean."""
    if F == "global":
        return [-1]
    return list(range(0, n, stride_fr or 2 ** floor(log2(F or 2**J_fr))))


def over_frequency(X, J_fr, Q_fr, F, stride_fr, max_order_fr):
    """Rows (...) of the table X (..., n) scattered along its last axis."""
    n, margin = X.shape[-1], 8 * 2**J_fr
    X = np.pad(X, [(0, 0)] * (X.ndim - 1) + [(margin, margin)], "symmetric")
    N = n + 2 * margin
    psi = [f.psi for f in reference.bank_1d(N, J_fr, Q_fr)]
    rows = []
    for filters in along_frequency(J_fr, Q_fr, max_order_fr):
        U = X
        for a in filters:
            U = np.abs(convolve(U, psi[a]))
        if F == "global":
            rows.append(U[..., margin : margin + n].mean(-1))
        else:
            U = convolve(U, lowpass_spectrum(N, SIGMA0 / (F or 2**J_fr))).real
            rows += [U[..., margin + i] for i in positions(n, J_fr, F, stride_fr)]
    return rows


def deep_spectrum1d(x, J, Q=1, T=None, stride=None, max_order=2, padding="reflect", **own):
    """(B, N) -> (B, N', K), or (B, K)."""
    paths = reference.paths_1d(J, Q, max_order)
    return deep_spectrum(
        x, lambda z: reference.scattering1d(z, J, Q, T, stride, max_order, padding), paths, **own
    )


def deep_spectrum2d(x, J, L=8, T=None, stride=None, max_order=2, padding="reflect", **own):
    """(B, H, W) -> (B, H', W', K), or (B, K)."""
    paths = reference.paths_2d(J, L, max_order)
    return deep_spectrum(
        x, lambda z: reference.scattering2d(z, J, L, T, stride, max_order, padding), paths, **own
    )


def deep_spectrum1d_meta(
    J, Q=1, max_order=2, J_fr=None, Q_fr=1, F=None, stride_fr=None, max_order_fr=1
):
    """The columns of `meta()` of signals: those of both wavelets, then those along frequency."""
    paths = reference.paths_1d(J, Q, max_order)
    first, second = (
        [(reference.resolution(*f), *f) for f in reference.schedule(J, q)]
        for q in reference.pair(Q)
    )
    along = [(xi, sigma, reference.resolution(xi, sigma))
             for xi, sigma in reference.schedule(J_fr or 1, Q_fr)]  # fmt: skip
    F = F or 2 ** (J_fr or 1)
    low = (0.0, nan, J_fr) if F == "global" else (0.0, SIGMA0 / F, floor(log2(F)))

    def row(order, n1, n2, n_fr=-1, n_fr2=-1):
        of = (n1, *(first[n1] if n1 >= 0 else (-1, nan, nan)))
        of += (n2, *(second[n2] if n2 >= 0 else (-1, nan, nan)))
        filters = along[n_fr - 1] if n_fr > 0 else low if n_fr == 0 else (nan, nan, -1)
        return (order, *of, n_fr, n_fr2, *filters)

    if J_fr is None:
        rows = [row(len(path), *(*path, -1, -1)[:2]) for path in paths]
    else:
        rows = [row(0, -1, -1)]
        for table in tables(paths):
            for filters in along_frequency(J_fr, Q_fr, max_order_fr):
                n_fr, n_fr2 = (*(f + 1 for f in filters), *((0, -1), (-1,), ())[len(filters)])
                for n1 in positions(len(table), J_fr, F, stride_fr):
                    rows.append(row(len(table[0]), n1, (*table[0], -1)[1], n_fr, n_fr2))
    names = (
        "order", "n1", "j1", "xi1", "sigma1", "n2", "j2", "xi2", "sigma2", "n_fr", "n_fr2", "xi_fr",
        "sigma_fr", "j_fr",
    )  # fmt: skip
    return columns(names, rows)
