"""Naive float64 NumPy rectifier wavelet covariances: each as it is defined, a mean over pixels.

Batch first. Source: Brochard, Zhang & Mallat 2022 (arXiv 2203.07902).
"""

import itertools
from math import cos, pi, sin
from typing import NamedTuple

import numpy as np
import reference

CIRCULAR = ("periodic", "none")
# Filters on rows and columns 0, 1, which see the corners of the spectrum.
HIGH = np.array([[[1, -1], [1, -1]], [[1, 1], [-1, -1]], [[1, -1], [-1, 1]]]) / 4


class Row(NamedTuple):
    """The columns of `meta()`: channels, scales, angles, phase, shift and its length's index."""

    kind: str
    c1: int = -1
    c2: int = -1
    j1: int = -1
    j2: int = -1
    l1: int = -1
    l2: int = -1
    a: int = -1
    n: int = -1
    t1: int = 0
    t2: int = 0


def listed_shifts(dn, half=False):
    """(n, t1, t2); of t and -t one, if half."""
    found, listed = [(-1, 0, 0)], {(0, 0)}
    for n, k in itertools.product(range(dn), range(8)):
        t = round(2**n * cos(k * pi / 4)), round(2**n * sin(k * pi / 4))
        if t not in listed:
            listed.add(t)
            if k < 4 or not half:
                found.append((n, *t))
    return found


def table(J, L=4, A=4, dj=2, dn=None, shifts="all", channels=0):
    """Rows in order; of all channels and between them if there are any, else of one."""
    dn = J if dn is None else dn
    every, half = listed_shifts(dn), listed_shifts(dn, half=True)
    wavelets = list(itertools.product(range(J), range(L), range(A)))
    products = [
        (j1, j2, l1, l2, a)
        for j1, j2, l1, l2, a in itertools.product(range(J), range(J), range(L), range(L), range(A))
        if j1 <= j2 <= j1 + dj
    ]
    rows = []
    for c in range(channels) if channels else [-1]:
        rows += [Row("mean", c, c), Row("variance", c, c)]
        for kind in ("rectifier_mean", "rectifier_variance"):
            rows += [Row(kind, c, c, j1=j, l1=ell, a=a) for j, ell, a in wavelets]
        for j1, j2, l1, l2, a in products:
            same = (j1, l1) == (j2, l2)
            some = every if same or shifts == "all" else every[:1]
            if j1 == j2 and a == 0:  # t and -t, and l1 and l2, may be exchanged
                if l2 < l1:
                    continue
                some = half[1:] if same else some
            rows += [Row("covariance", c, c, j1, j2, l1, l2, a, *t) for t in some]
        rows += [Row("low", c, c, n=n, t1=t1, t2=t2) for n, t1, t2 in half]
        rows += [Row("high", c, c, l1=h, n=n, t1=t1, t2=t2) for h in range(3) for n, t1, t2 in half]
    ordered = list(itertools.permutations(range(channels), 2))
    rows += [Row("variance", c, d) for c, d in ordered if c < d]
    rows += [
        Row("covariance", c, d, j1, j2, l1, l2, a)
        for c, d in ordered
        for j1, j2, l1, l2, a in products
        if c < d or j1 < j2 or a > 0
    ]
    rows += [
        Row("low", c, d, n=n, t1=t1, t2=t2) for c, d in ordered if c < d for n, t1, t2 in every
    ]
    return rows


def meta(**arguments):
    """The columns of `meta()`."""
    return dict(zip(Row._fields, map(np.array, zip(*table(**arguments), strict=True)), strict=True))


class Fields:
    """Of images (B, H, W) of one channel: what is correlated, and means over the kept pixels."""

    def __init__(self, x, J, L, A, padding):
        self.x = np.asarray(x, float)
        sizes = self.x.shape[1:]
        widths = [(0, 0)] * 2
        if padding not in CIRCULAR:
            widths = [reference.pad_amount_2d(n, J, padding) for n in sizes]
        self.own = tuple(slice(w[0], w[0] + n) for w, n in zip(widths, sizes, strict=True))
        whole = self.x if padding in CIRCULAR else reference.pad(self.x, widths, padding)
        bank = reference.bank_2d(*whole.shape[1:], J, L)
        self.R, self.H = {}, []
        for n, psi in enumerate(bank):
            W = self.centred(reference.convolve(whole, psi, (1, 2)))
            for a in range(A):
                phase = np.exp(2j * pi * a / A)
                self.R[n // L, n % L, a] = np.maximum((phase * W).real, 0)
        phi = reference.lowpass_2d(*whole.shape[1:], J)
        self.Z = self.centred(reference.convolve(whole, phi, (1, 2)).real)
        for h in HIGH:
            moved = [h[p] * np.roll(whole, p, (1, 2)) for p in itertools.product((0, 1), repeat=2)]
            self.H.append(np.abs(sum(moved)))

    def mean(self, y):
        return y[(slice(None), *self.own)].mean((1, 2))

    def centred(self, y):
        return y - self.mean(y)[:, None, None]

    def product(self, y, z, t=(0, 0)):
        """The mean of y(u + t) z(u): u over the kept pixels, u + t on the padded circle."""
        return self.mean(np.roll(y, (-t[0], -t[1]), (1, 2)) * z)

    def level(self):
        return (self.x**2).mean((1, 2))

    def power(self, row, second=False):
        """What a row is divided by the root of, for its first or its second factor."""
        if row.kind == "variance":
            return self.x.var((1, 2))
        if row.kind == "low":
            return self.product(self.Z, self.Z)
        if row.kind == "high":
            return self.product(self.H[row.l1], self.H[row.l1])
        R = self.R[(row.j2, row.l2, 0) if second else (row.j1, row.l1, row.a)]
        return self.product(self.centred(R), self.centred(R))


def rectifier2d(
    x, J, L=4, A=4, dj=2, dn=None, shifts="all", cross_channels=False, normalize=True,
    padding="periodic", data=None,
):  # fmt: skip
    """(B, H, W, C) -> (B, K). data are what `normalize="adapted"` takes the powers of."""
    images = np.moveaxis(np.asarray(x, float), -1, 0)
    own = [Fields(image, J, L, A, padding) for image in images]
    known = own
    if normalize == "adapted":
        data = np.moveaxis(np.asarray(data, float), -1, 0)
        known = [Fields(image, J, L, A, padding) for image in data]

    def root(c, row, second=False):
        power, level = known[c].power(row, second), known[c].level()
        if normalize == "adapted":
            power, level = power.mean(), level.mean()
        above = power > (8 * np.finfo("float64").eps) ** 2 * level
        return np.where(above, 1 / np.sqrt(np.where(above, power, 1)), 0)

    def value(row):
        f, g, t = own[row.c1], own[row.c2], (row.t1, row.t2)
        if row.kind == "mean":
            return f.x.mean((1, 2))
        if row.kind == "rectifier_mean":
            mu = f.mean(f.R[row.j1, row.l1, row.a])
            return mu * root(row.c1, row) if normalize else mu
        if row.kind == "rectifier_variance":
            return f.power(row)
        if row.kind == "variance":
            y, z = (h.x - h.x.mean((1, 2), keepdims=True) for h in (f, g))
            found = (y * z).mean((1, 2))
        elif row.kind == "low":
            found = f.product(f.Z, g.Z, t)
        elif row.kind == "high":
            found = f.product(f.H[row.l1], g.H[row.l1], t)
        else:
            y, z = f.R[row.j1, row.l1, row.a], g.R[row.j2, row.l2, 0]
            found = f.product(f.centred(y), g.centred(z), t)
        is_power = row.kind != "covariance" and row.c1 == row.c2 and t == (0, 0)
        if normalize and not is_power:
            found = found * root(row.c1, row) * root(row.c2, row, second=True)
        return found

    arguments = {"J": J, "L": L, "A": A, "dj": dj, "dn": dn, "shifts": shifts}
    if cross_channels:
        rows = table(**arguments, channels=len(images))
    else:
        alone = table(**arguments)
        rows = [row._replace(c1=c, c2=c) for c in range(len(images)) for row in alone]
    return np.stack([value(row) for row in rows], -1)
