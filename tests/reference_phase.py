"""Naive float64 NumPy wavelet phase harmonic covariances: each as it is defined, a mean over pairs.

Batch first, no channels. Sources: Mallat, Zhang & Rochette 2018 (arXiv 1810.12136); Zhang & Mallat
2019 (1911.10017); Allys et al. 2020 (2006.06298); Régaldo-Saint Blancard et al. 2023 (2208.03538).
"""

import functools
import itertools
from math import cos, factorial, gcd, log2, pi, sin, sqrt
from typing import NamedTuple

import numpy as np
import reference

CIRCULAR = ("periodic", "none")
DEFAULT = ("S11", "S00", "S01", "C01", "Cphase")
ALL = ("mean", "S11", "S00", "C00", "S01", "C01", "Cphase", "L")
SAME = 1e-6  # how much the centres of two filters may differ, and be the same


class Shift(NamedTuple):
    """tau, the index n of its length and a of its direction (-1 for none)."""

    n: int
    a: int
    tau: tuple[int, ...]


class Moment(NamedTuple):
    """A row: the covariance of [x * first]^p at u and of [x * second]^q at u + tau."""

    kind: str
    first: tuple
    p: int
    second: tuple
    q: int
    shift: Shift
    part: str


# Filters


def bump_steerable(M, N, j, ell, L):
    """Spectrum of psi_{j,l} of the bump steerable bank."""
    c = 2 ** (L - 1) * factorial(L - 1) / (1.29 * sqrt(L * factorial(2 * (L - 1))))
    xi, angle = 0.85 * pi / 2**j, pi / 2 - ell * pi / L
    psi = np.zeros((M, N))
    for p, q in itertools.product((-1, 0, 1), repeat=2):
        w0 = 2 * pi * (np.fft.fftfreq(M)[:, None] + p)
        w1 = 2 * pi * (np.fft.fftfreq(N)[None, :] + q)
        w = np.hypot(w0, w1)
        turn = (np.arctan2(w1, w0) - angle + pi) % (2 * pi) - pi
        inside = (w > 0) & (w < 2 * xi) & (np.abs(turn) <= pi / 2 + 1e-12)
        away = np.where(inside, w - xi, 0)
        bump = np.exp(-(away**2) / (xi**2 - away**2)) * np.cos(turn) ** (L - 1)
        psi += np.where(inside, c * bump, 0)
    return psi


@functools.cache
def filters2d(M, N, J, L, wavelet):
    """Spectra of psi by (j, l), and of phi_j by ("low", j)."""
    bank = {}
    for n, psi in enumerate(reference.bank_2d(M, N, J, L) if wavelet == "morlet" else []):
        bank[n // L, n % L] = psi
    for j in range(J):
        s = 0.8 * 2**j
        if wavelet == "bump_steerable":
            s = 2**j / (0.496 * 2**-0.55 * 0.85 * pi)
            bank |= {(j, ell): bump_steerable(M, N, j, ell, L) for ell in range(L)}
        bank["low", j] = np.fft.fft2(reference.gabor_2d(M, N, s, 0, 0, 1)).real
    return bank


def angles(L, wavelet):
    """Of the filters, in radians, from the axis of rows to that of columns."""
    if wavelet == "morlet":
        return reference.angles(L)
    return [pi / 2 - ell * pi / L for ell in range(L)]


# Rows


def table(moments, singles, pairs, octaves, half, whole, J):
    """Rows in order.

    singles and pairs are filters; octaves(a, b) is log2 of the ratio of their centres, if they may
    be in Cphase; half(a) and whole(a, b) are the shifts."""
    still = Shift(0, -1, (0,) * len(half(singles[0])[0].tau))
    real, both = ("real",), ("real", "imag")
    rows = {kind: [] for kind in ALL}
    rows["mean"] = [(None, -1, None, -1, still, real)]
    for a in singles:
        rows["S11"] += [(a, 1, a, 1, s, both if s.n else real) for s in half(a)]
        rows["S00"] += [(a, 0, a, 0, s, real) for s in half(a)]
        rows["S01"].append((a, 0, a, 1, still, both))
    for a, b in pairs:
        rows["C00"].append((a, 0, b, 0, still, real))
        rows["C01"] += [(a, 0, b, 1, s, both) for s in whole(a, b)]
        if (m := octaves(a, b)) is not None:
            rows["Cphase"] += [(a, 1, b, 2**m, s, both) for s in whole(a, b)]
    for j in range(J):
        rows["L"] += [
            (("low", j), p, ("low", j), q, still, real) for p, q in ((0, 0), (0, 1), (1, 1))
        ]
    chosen = (moments,) if isinstance(moments, str) else moments
    return [
        Moment(kind, *row, part)
        for kind in ALL
        if kind in chosen
        for *row, parts in rows[kind]
        for part in parts
    ]


def table2d(J, L=8, wavelet="morlet", moments=DEFAULT, dj=None, dl=None, dn=0, A=4):
    """Rows of images."""
    dj, dl = J - 1 if dj is None else dj, L // 2 if dl is None else dl

    def shifts(ell, count):
        found = [Shift(0, -1, (0, 0))]
        for n, a in itertools.product(range(1, dn + 1), range(count)):
            beta = angles(L, wavelet)[ell] + a * pi / A
            found.append(Shift(n, a, (round(2**n * cos(beta)), round(2**n * sin(beta)))))
        return found

    pairs = [
        ((j1, l1), (j2, l2))
        for j1, j2, l1, l2 in itertools.product(range(J), range(J), range(L), range(L))
        if j1 < j2 <= j1 + dj and min((l1 - l2) % L, (l2 - l1) % L) <= dl
    ]
    return table(
        moments,
        list(itertools.product(range(J), range(L))),
        pairs,
        lambda a, b: b[0] - a[0] if a[1] == b[1] else None,
        lambda a: shifts(a[1], A),
        lambda a, b: shifts(b[1], 2 * A if a[1] == b[1] else 0),
        J,
    )


def table1d(J, Q=1, moments=DEFAULT, dj=None, dn=0):
    """Rows of signals in time."""
    xi = [centre for centre, _ in reference.schedule(J, Q)]
    lowest = [centre * 2.0 ** -(np.inf if dj is None else dj) * (1 - SAME) for centre in xi]
    pairs = [
        ((a,), (b,))
        for a, b in itertools.product(range(len(xi)), repeat=2)
        if lowest[a] <= xi[b] < xi[a] * (1 - SAME)
    ]

    def octaves(a, b):
        ratio = xi[a[0]] / xi[b[0]]
        m = round(log2(ratio))
        return m if m >= 1 and abs(ratio / 2**m - 1) < SAME else None

    def shifts(signs):
        lengths = [(n, sign * 2**n) for n in range(1, dn + 1) for sign in signs]
        return [Shift(n, -1, (tau,)) for n, tau in [(0, 0), *lengths]]

    singles = [(n,) for n in range(len(xi))]
    return table(
        moments, singles, pairs, octaves, lambda a: shifts([1]), lambda a, b: shifts([1, -1]), J
    )


def meta2d(**arguments):
    """The columns of `meta()`."""
    columns = ["kind", "j1", "l1", "p1", "j2", "l2", "p2", "n", "a", "tau0", "tau1", "part"]

    def indices(filter):
        if filter is None:
            return -1, -1
        return (filter[1], -1) if filter[0] == "low" else filter

    rows = []
    for m in table2d(**arguments):
        pair = (*indices(m.first), m.p, *indices(m.second), m.q)
        rows.append((m.kind, *pair, m.shift.n, m.shift.a, *m.shift.tau, m.part))
    return dict(zip(columns, map(np.array, zip(*rows, strict=True)), strict=True))


def meta1d(J, Q=1, **arguments):
    """The columns of `meta()`."""
    columns = ["kind", "n1", "p1", "n2", "p2", "tau", "part", "xi1", "xi2"]
    xi = [centre for centre, _ in reference.schedule(J, Q)]
    rows = []
    for m in table1d(J, Q, **arguments):
        n1, n2 = (-1 if f is None else f[-1] for f in (m.first, m.second))
        centres = (np.nan,) * 2 if m.kind in ("mean", "L") else (xi[n1], xi[n2])
        rows.append((m.kind, n1, m.p, n2, m.q, *m.shift.tau, m.part, *centres))
    return dict(zip(columns, map(np.array, zip(*rows, strict=True)), strict=True))


# Values


def harmonic(z, k):
    """[z]^k: the modulus of z, and k times its phase."""
    return np.abs(z) * np.exp(1j * k * np.angle(z))


class Covariances:
    """Of the filtered signals: harmonics, their means over kept samples, and their covariances.

    spectra and scales are by filter, `("low", j)` for low-passes."""

    def __init__(self, x, widths, padding, spectra, scales, oversampling):
        self.x, self.axes = x, tuple(range(1, x.ndim))
        self.circular, self.scales, self.oversampling = padding in CIRCULAR, scales, oversampling
        whole = x if self.circular else reference.pad(x, widths, padding)
        own = [
            slice(before, before + n) for (before, _), n in zip(widths, x.shape[1:], strict=False)
        ]
        self.fields = {
            key: reference.convolve(whole, psi, self.axes)[(slice(None), *own)]
            for key, psi in spectra.items()
        }

    def step(self, key, tau):
        """The step between samples of a row whose first filter is `key`."""
        if self.oversampling is None:
            return 1
        largest = 2 ** max(0, self.scales[key] - self.oversampling)
        return gcd(largest, *self.x.shape[1:], *tau)

    def centred(self, key, k, step):
        """[x * psi]^k less its mean; a low-pass's field is centred before its modulus too."""
        every = (slice(None, None, step),) * len(self.axes)
        z = self.fields[key][(slice(None), *every)]
        if key[0] == "low":
            z = z.real - z.real.mean(self.axes, keepdims=True)
        z = harmonic(z, k)
        return z - z.mean(self.axes, keepdims=True)

    def covariance(self, first, p, second, q, tau):
        step = self.step(first, tau)
        tau = [t // step for t in tau]
        here, there = self.centred(first, p, step), self.centred(second, q, step)
        if self.circular:
            there = np.roll(there, [-t for t in tau], self.axes)
        else:
            sizes = here.shape[1:]
            u = [slice(max(0, -t), n - max(0, t)) for t, n in zip(tau, sizes, strict=True)]
            moved = [slice(max(0, t), n - max(0, -t)) for t, n in zip(tau, sizes, strict=True)]
            here, there = here[(slice(None), *u)], there[(slice(None), *moved)]
        return (here * there.conj()).mean(self.axes)

    def power(self, key):
        """P of a wavelet, V of a low-pass."""
        return self.covariance(key, 1, key, 1, (0,) * len(self.axes)).real

    def level(self):
        return (self.x**2).mean(self.axes)


def values(rows, x, data, normalize, make):
    """(B, K): the rows of x, divided by powers of x itself, or of data."""
    x = np.asarray(x, float)
    own = make(x)
    known = make(np.asarray(data, float)) if normalize == "adapted" else own

    def root(key):
        power, level = known.power(key), known.level()
        if known is not own:
            power, level = power.mean(), level.mean()
        above = power > (8 * np.finfo("float64").eps) ** 2 * level
        return np.where(above, 1 / np.sqrt(np.where(above, power, 1)), 0)

    found = []
    for m in rows:
        if m.kind == "mean":
            found.append(x.mean(own.axes))
            continue
        value = own.covariance(m.first, m.p, m.second, m.q, m.shift.tau)
        value = value.real if m.part == "real" else value.imag
        is_power = m.kind in ("S11", "L") and m.p == m.q == 1 and m.shift.n == 0
        if normalize and not is_power:
            value = value * root(m.first) * root(m.second)
        found.append(value)
    return np.stack(found, -1)


def phase_harmonics2d(
    x, J, L=8, wavelet="morlet", normalize=True, oversampling=None, padding="periodic", data=None,
    **which,
):  # fmt: skip
    """(B, H, W) -> (B, K). data are what `normalize="adapted"` takes the powers of."""

    def make(x):
        widths = (
            []
            if padding in CIRCULAR
            else [reference.pad_amount_2d(n, J, padding) for n in x.shape[1:]]
        )
        padded = [n + sum(w) for n, w in zip(x.shape[1:], widths or [(0, 0)] * 2, strict=True)]
        spectra = filters2d(*padded, J, L, wavelet)
        scales = {key: key[1] if key[0] == "low" else key[0] for key in spectra}
        return Covariances(x, widths, padding, spectra, scales, oversampling)

    return values(table2d(J, L, wavelet, **which), x, data, normalize, make)


def phase_harmonics1d(
    x, J, Q=1, normalize=True, oversampling=None, padding="periodic", data=None, **which
):
    """(B, N) -> (B, K). data are what `normalize="adapted"` takes the powers of."""

    def make(x):
        N = x.shape[-1]
        widths = [] if padding in CIRCULAR else [reference.pad_amount_1d(N, J, padding=padding)]
        padded = N + sum(map(sum, widths))
        bank = reference.bank_1d(padded, J, Q)
        spectra = {(n,): psi.psi for n, psi in enumerate(bank)}
        scales = {(n,): psi.j for n, psi in enumerate(bank)}
        for j in range(J):
            spectra["low", j] = reference.lowpass_spectrum(padded, reference.SIGMA0 / 2 ** (j + 1))
            scales["low", j] = j
        return Covariances(x, widths, padding, spectra, scales, oversampling)

    return values(table1d(J, Q, **which), x, data, normalize, make)
