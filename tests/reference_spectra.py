"""Naive float64 NumPy scattering spectra: each moment as it is defined, as a mean over samples.

Batch first, no channels. Sources: Morel et al. 2022 (arXiv 2204.10177) for signals, Cheng et al.
2023 (arXiv 2306.17210) for images.
"""

import itertools

import numpy as np
import reference

CIRCULAR = ("periodic", "none")
SAME = 1e-6  # how much the centres of two filters may differ, and be the same


def extended(x, widths, padding):
    """The padded signals, and the mean over their own samples."""
    axes = tuple(range(1, x.ndim))
    if padding in CIRCULAR:
        return x, lambda y: y.mean(axes)
    own = [slice(before, before + n) for (before, _), n in zip(widths, x.shape[1:], strict=True)]
    return reference.pad(x, widths, padding), lambda y: y[(slice(None), *own)].mean(axes)


class Means:
    """Rows of moments with their keys, divided by the roots of powers."""

    def __init__(self, mean, level, normalize, dtype="float64"):
        self.mean, self.normalize, self.rows = mean, normalize, []
        self.zero = (8 * np.finfo(dtype).eps) ** 2 * level

    def root(self, power):
        """1 / sqrt(power), 0 where it is rounding."""
        if not self.normalize:
            return np.ones_like(power)
        with np.errstate(divide="ignore"):
            return np.where(power > self.zero, 1 / np.sqrt(power), 0)

    def add(self, key, value):
        self.rows.append((key, value))

    def product(self, key, y, z, *powers, imaginary):
        """The mean of y z*, divided by the roots of the powers: real, then imaginary."""
        value = self.mean(y * z.conj()) * np.prod([self.root(p) for p in powers], 0)
        self.add((*key, "real"), value.real)
        if imaginary:
            self.add((*key, "imag"), value.imag)

    def stacked(self):
        return np.stack([value for _, value in self.rows], -1)


def spectra1d(x, J, Q=1, normalize=True, diagonal=True, padding="periodic"):
    """(B, N) -> (B, K)."""
    x = np.asarray(x, float)
    N = x.shape[-1]
    widths = [] if padding in CIRCULAR else [reference.pad_amount_1d(N, J, None, padding)]
    whole, mean = extended(x, widths, padding)
    first, second = (reference.bank_1d(whole.shape[-1], J, q) for q in reference.pair(Q))
    phi = reference.lowpass_spectrum(whole.shape[-1], reference.SIGMA0 / 2**J)
    low = len(second)
    means = Means(mean, (x**2).mean(-1), normalize)
    bands = [reference.convolve(whole, psi) for psi in [*(w.psi for w in second), phi]]
    U = [np.abs(reference.convolve(whole, w.psi)) for w in first]
    s, v = ([mean(np.abs(u) ** 2) for u in some] for some in (U, bands))
    Y = {
        (a, b): reference.convolve(u, psi)
        for a, u in enumerate(U)
        for b, psi in enumerate([*(w.psi for w in second), phi])
    }
    means.add("mean", mean(bands[low].real))
    for a in range(len(U)):
        means.add("power", s[a])
    means.add("power", v[low])
    for a, u in enumerate(U):
        means.add("sparsity", mean(u) * means.root(s[a]))
    margin = 1 + SAME if diagonal else 1 - SAME
    pairs = [
        (a, b)
        for a, b in itertools.product(range(len(U)), range(low))
        if second[b].xi < first[a].xi * margin
    ]
    for a, b in pairs + [(a, low) for a in range(len(U))]:
        means.product((a, b), bands[b], Y[a, b], v[b], s[a], imaginary=b != low)
    for b in range(low + 1):
        for a, c in itertools.product(range(len(U)), repeat=2):
            lower = min(first[a].xi, first[c].xi) * (1 - SAME)
            if c <= a and (b == low or second[b].xi < lower):
                imaginary = a != c and b != low
                means.product((a, c, b), Y[a, b], Y[c, b], s[a], s[c], imaginary=imaginary)
    return means.stacked()


def spectra2d(x, J, L=4, normalize=True, reduce=None, padding="periodic"):
    """(B, H, W) -> (B, K)."""
    x = np.asarray(x, float)
    widths = (
        [] if padding in CIRCULAR else [reference.pad_amount_2d(n, J, padding) for n in x.shape[1:]]
    )
    whole, mean = extended(x, widths, padding)
    bank = reference.bank_2d(*whole.shape[1:], J, L)
    level = (x**2).mean((1, 2))
    means = Means(mean, level, normalize)
    V = [reference.convolve(whole, psi, (1, 2)) for psi in bank]
    U = [np.abs(v) for v in V]
    P = [mean(u**2) for u in U]
    Y = {
        (n, m): reference.convolve(U[n], bank[m], (1, 2))
        for n, m in itertools.product(range(J * L), repeat=2)
        if n // L <= m // L
    }
    means.add("mean", x.mean((1, 2)))
    means.add("variance", x.var((1, 2)))
    for p in P:
        means.add("power", p)
    for u, p in zip(U, P, strict=True):
        means.add("sparsity", mean(u) * means.root(p))
    scales = [(j1, j2) for j1 in range(J) for j2 in range(j1, J)]
    for (j1, j2), l1, l2 in itertools.product(scales, range(L), range(L)):
        n, m = j1 * L + l1, j2 * L + l2
        means.product(((j1, j2), l1, l2), V[m], Y[n, m], P[n], P[m], imaginary=True)
    triples = [(*pair, j3) for pair in scales for j3 in range(pair[1], J)]
    for (j1, j2, j3), l1, l2, l3 in itertools.product(triples, range(L), range(L), range(L)):
        if reduce is None and j1 == j2 and l2 < l1:
            continue
        n, m, k = j1 * L + l1, j2 * L + l2, j3 * L + l3
        imaginary = (j1, l1) != (j2, l2)
        key = (j1, j2, j3), l1, l2, l3
        means.product(key, Y[n, k], Y[m, k], P[n], P[m], imaginary=imaginary)
    if reduce is None:
        return means.stacked()
    found: dict = {}
    for number, (key, value) in enumerate(means.rows):
        if key in ("power", "sparsity"):
            place = key, (number - 2) % (J * L) // L
        elif key in ("mean", "variance"):
            place = (key,)
        else:
            js, l1, *others, part = key
            if part == "imag":
                continue
            place = len(js), js, tuple((other - l1) % L for other in others)
        found.setdefault(place, []).append(value)
    rows = {place: np.mean(values, 0) for place, values in found.items()}
    rank = {"mean": 0, "variance": 1, "power": 2, "sparsity": 3, 2: 4, 3: 5}
    order = sorted(rows, key=lambda place: (rank[place[0]], *place[1:]))
    return np.stack([rows[place] for place in order], -1)
