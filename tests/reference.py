"""Naive float64 NumPy scattering transforms: the independent oracle of the test-suite.

Written from the definitions, one step after the other, sharing no code with the package. Inputs
are batch-first and have no channel axis. Frequencies are in cycles per sample unless said
otherwise. Convolutions are periodic, as products of discrete Fourier transforms.

Sources: Mallat 2012 (Group Invariant Scattering); Bruna & Mallat 2013; Andén & Mallat 2014 (Deep
Scattering Spectrum); Eickenberg et al. 2017, 2018 (solid harmonics); Andén, Lostanlen & Mallat
2019 (Joint Time-Frequency Scattering); Lostanlen & Mallat 2015 (the pitch spiral).
"""

from math import ceil, factorial, floor, lcm, log, log2, pi, sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import factorial2, sph_harm_y

R_PSI = sqrt(1 / 2)  # where neighbouring wavelets of a constant-Q bank cross
SIGMA0 = 0.1  # frequency width of the low-pass of support T = 1
ALPHA = 5  # a Gaussian is negligible beyond ALPHA sigma

PAD_MODES = {"reflect": "reflect", "symmetric": "symmetric", "zero": "constant", "periodic": "wrap"}


# ---- shared by all transforms


def convolve(x, spectrum, axes=(-1,)):
    """Periodic convolution of x with the filter of the given Fourier transform."""
    return np.fft.ifftn(np.fft.fftn(x, axes=axes) * spectrum, axes=axes)


def columns(names, rows):
    """The metadata of paths, an array a name; rows may be longer."""
    return {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}


def is_averaged(T):
    """Whether the low-pass is a local average: T is None or a positive number."""
    return T is None or (T not in ("global", "signal") and T > 0)


def support(T, J):
    """The number T stands for: 2^J for None, "global", "signal" and 0."""
    return T if T is not None and is_averaged(T) else 2**J


def log2_step(stride, T, J):
    """log2 of the output step, by default the largest power of two within T."""
    if stride is not None and not is_averaged(T):
        raise ValueError(f"A stride needs an average. Received: stride={stride}, T={T}")
    return floor(log2(support(T, J) if stride is None else stride))


# ---- 1D filters and geometry


class Wavelet(NamedTuple):
    """A 1D filter: centre xi, width sigma, resolution j (it may be sampled every 2^j samples),
    spin the sign of xi."""

    xi: float
    sigma: float
    j: int
    spin: int
    psi: np.ndarray


def periodised_gaussian(N, xi, sigma):
    """exp(-(w - xi)^2 / 2 sigma^2) at w = k/N, summed over integer shifts of w."""
    P = min(ceil(sqrt(-2 * sigma**2 * log(1e-7)) + 1), 5)
    w = np.arange(N) / N
    return sum(np.exp(-((w + p - xi) ** 2) / (2 * sigma**2)) for p in range(1 - P, P))


def l1_normalised(spectrum):
    """The spectrum over the l1 norm of its impulse response."""
    return spectrum / np.abs(np.fft.ifft(spectrum)).sum()


def morlet_spectrum(N, xi, sigma):
    """psi: a Gaussian at xi less the multiple of the one at 0 that makes psi[0] = 0."""
    G, low = periodised_gaussian(N, xi, sigma), periodised_gaussian(N, 0, sigma)
    return l1_normalised(G - G[0] / low[0] * low)


def lowpass_spectrum(N, sigma):
    """phi: a Gaussian at 0."""
    return l1_normalised(periodised_gaussian(N, 0, sigma))


def schedule(J, Q):
    """[(xi, sigma)] of a bank of Q wavelets an octave, by falling frequency."""
    ratio = 2 ** (1 / Q)
    xi = max(1 / (1 + 2 ** (3 / Q)), 0.35)
    sigma = xi * (1 - 1 / ratio) / (1 + 1 / ratio) / sqrt(2 * log(1 / R_PSI))
    sigma_min = SIGMA0 / 2**J
    pairs = []
    if sigma <= sigma_min:
        xi = sigma
    else:
        pairs.append((xi, sigma))
        while sigma > sigma_min * ratio:
            xi, sigma = xi / ratio, sigma / ratio
            pairs.append((xi, sigma))
    step = xi / Q
    for _ in range(Q - 1):
        xi -= step
        pairs.append((xi, sigma_min))
    return pairs


def resolution(xi, sigma):
    """The largest j such that sampling every 2^j samples keeps |xi| + ALPHA sigma."""
    return floor(-log2(min(abs(xi) + ALPHA * sigma, 0.5))) - 1


def wavelet(N, xi, sigma):
    """The Morlet wavelet of centre xi (of either sign), on N points."""
    psi = morlet_spectrum(N, xi, sigma)
    return Wavelet(xi, sigma, resolution(xi, sigma), 1 if xi > 0 else -1, psi)


def bank_1d(N, J, Q):
    """The wavelets of a schedule, on N points."""
    return [wavelet(N, xi, sigma) for xi, sigma in schedule(J, Q)]


def periodise_1d(spectrum, factor):
    """Spectrum on a grid `factor` times coarser: the sum over aliases."""
    return spectrum.reshape(factor, -1).sum(axis=0)


def pair(Q):
    """Wavelets an octave at each order: an int is for the first, the second has 1."""
    return (Q, 1) if np.ndim(Q) == 0 else tuple(Q)


def paths_1d(J, Q=1, max_order=2):
    """Paths (), (n1,), (n1, n2) in output order."""
    j1, j2 = ([resolution(*f) for f in schedule(J, q)] for q in pair(Q))
    paths = [()] + [(n1,) for n1 in range(len(j1))]
    if max_order == 2:
        paths += [(a, b) for a in range(len(j1)) for b in range(len(j2)) if j2[b] > j1[a]]
    return paths


def pad_amount_1d(N, J, T=None, padding="reflect"):
    """(left, right) padding of a signal of length N."""
    T = support(T, J)
    block = max(2**J, 2 ** floor(log2(T)))
    if padding == "periodic":
        return 0, -N % block
    if padding == "none":
        if N % block:
            raise ValueError(f"N must be a multiple of {block}. Received: N={N}")
        return 0, 0
    h = np.abs(np.fft.ifft(lowpass_spectrum(N, SIGMA0 / T)))
    half = N // 2
    t = next((k + 1 for k in range(half) if h[k:half].sum() <= 1e-3), half)
    total = 2 ** min(ceil(log2(N + 6 * t)), floor(log2(3 * N - 2))) - N
    return total // 2, total - total // 2


def pad(x, widths, padding):
    """Extend the axes after the first one by (before, after) samples each."""
    return x if padding == "none" else np.pad(x, [(0, 0), *widths], mode=PAD_MODES[padding])


def kept(start, N, r):
    """Where the signal lies in its padded grid after r halvings, its end points rounded up."""
    return slice(ceil(start / 2**r), ceil((start + N) / 2**r))


class Timeline:
    """The time axis of a 1D transform: padding, steps and average."""

    def __init__(self, N, J, T, stride, padding):
        self.N, self.padding, self.T = N, padding, T
        self.left, self.right = pad_amount_1d(N, J, T, padding)
        self.N_pad = self.left + N + self.right
        self.log2_stride = log2_step(stride, T, J)
        self.phi = lowpass_spectrum(self.N_pad, SIGMA0 / support(T, J))

    def pad(self, x):
        return pad(x, [(self.left, self.right)], self.padding)

    def unpad(self, y, r):
        """Keep the signal's own samples of y, sampled every 2^r."""
        return y[:, kept(self.left, self.N, r)]

    def scale(self, j):
        """The resolution at which a filter's output is sampled."""
        return min(j, self.log2_stride) if is_averaged(self.T) else j

    def filter(self, U, k, wavelet):
        """U * psi for U sampled every 2^k, then sampled every 2^k', and k'."""
        k_psi = self.scale(wavelet.j)
        return convolve(U, periodise_1d(wavelet.psi, 2**k))[..., :: 2 ** (k_psi - k)], k_psi

    def lowpass(self, U, k):
        """U * phi for U sampled every 2^k, then sampled every 2^log2_stride, still padded."""
        return convolve(U, periodise_1d(self.phi, 2**k)).real[..., :: 2 ** (self.log2_stride - k)]

    def average(self, U, k):
        """What T makes of U (B, N_pad / 2^k)."""
        if is_averaged(self.T):
            return self.unpad(self.lowpass(U, k), self.log2_stride)
        return self.without_lowpass(U, k)

    def without_lowpass(self, U, k):
        """What T makes of U (B, N_pad / 2^k) if it asks for no low-pass."""
        if self.T == "global":
            return U.mean(axis=-1)
        own = self.unpad(U, k)
        return own.mean(axis=-1) if self.T == "signal" else own


# ---- 1D


def scattering1d(x, J, Q=1, T=None, stride=None, max_order=2, padding="reflect"):
    """(B, N) -> (B, N', K); (B, K) for "global" and "signal"; K arrays (B, N_j) for T=0."""
    x = np.asarray(x, float)
    time = Timeline(x.shape[-1], J, T, stride, padding)
    bank1, bank2 = (bank_1d(time.N_pad, J, q) for q in pair(Q))
    x_pad = time.pad(x)
    outputs = []
    for path in paths_1d(J, Q, max_order):
        U, k = x_pad, 0
        for bank, n in zip((bank1, bank2), path, strict=False):
            Y, k = time.filter(U, k, bank[n])
            U = np.abs(Y)
        outputs.append(time.average(U, k))
    return outputs if T == 0 else np.stack(outputs, axis=-1)


# ---- 2D


def angles(L):
    """theta_l in radians, l = 0..L-1."""
    return [(int(L - L / 2 - 1) - ell) * pi / L for ell in range(L)]


def gabor_2d(M, N, s, xi, theta, slant):
    """A Gaussian of width s (s/slant along the wave's crests) times a plane wave of frequency xi
    radians a sample along theta, on M x N points, summed over 5 x 5 copies."""
    g = np.zeros((M, N), complex)
    for p in range(-2, 3):
        for q in range(-2, 3):
            u0, u1 = np.arange(M)[:, None] + p * M, np.arange(N)[None, :] + q * N
            along = np.cos(theta) * u0 + np.sin(theta) * u1
            across = np.cos(theta) * u1 - np.sin(theta) * u0
            envelope = np.exp(-(along**2 + slant**2 * across**2) / (2 * s**2))
            g += envelope * np.exp(1j * xi * along) / (2 * pi * s**2 / slant)
    return g


def morlet_2d(M, N, j, theta, L):
    """Spectrum of psi at scale 2^j and angle theta: a Gabor less a multiple of its envelope."""
    s, xi, slant = 0.8 * 2**j, 3 * pi / 4 / 2**j, 4 / L
    gabor, g = gabor_2d(M, N, s, xi, theta, slant), gabor_2d(M, N, s, 0, theta, slant)
    return np.fft.fft2(gabor - gabor.sum() / g.sum() * g).real


def lowpass_2d(M, N, J):
    """Spectrum of phi."""
    return np.fft.fft2(gabor_2d(M, N, 0.8 * 2 ** (J - 1), 0, 0, 1)).real


def bank_2d(M, N, J, L):
    """Spectra psi_n on M x N points, n = j L + l."""
    return [morlet_2d(M, N, j, theta, L) for j in range(J) for theta in angles(L)]


def restrict_2d(spectrum, r):
    """Spectrum on a grid r octaves coarser: the integer frequencies k of an axis of length M with
    -M/2^(r+1) <= k < M/2^(r+1), the others dropped."""
    for axis, M in enumerate(spectrum.shape):
        m = M // 2**r
        k = (np.arange(m) + m // 2) % m - m // 2  # 0, 1, ..., -2, -1
        spectrum = np.take(spectrum, k % M, axis=axis)
    return spectrum


def paths_2d(J, L=8, max_order=2):
    """Paths (), (n1,), (n1, n2) in output order."""
    n = range(J * L)
    paths = [()] + [(n1,) for n1 in n]
    if max_order == 2:
        paths += [(n1, n2) for n1 in n for n2 in n if n2 // L > n1 // L]
    return paths


def pad_amount_2d(M, J, padding="reflect"):
    """(before, after) padding of an axis of length M."""
    if padding == "periodic":
        return 0, -M % 2**J
    if padding == "none":
        if M % 2**J:
            raise ValueError(f"Sizes must be multiples of {2**J}. Received: {M}")
        return 0, 0
    total = ((M + 2**J) // 2**J + 1) * 2**J - M
    return total // 2, total - total // 2


def scattering2d(x, J, L=8, T=None, stride=None, max_order=2, padding="reflect"):
    """(B, H, W) -> (B, H', W', K).

    (B, K) for "global" and "signal"; K arrays (B, H_j, W_j) for T=0."""
    x = np.asarray(x, float)
    sizes = x.shape[1:]
    widths = [pad_amount_2d(M, J, padding) for M in sizes]
    x_pad = pad(x, widths, padding)
    log2_stride = log2_step(stride, T, J)
    bank, phi = bank_2d(*x_pad.shape[1:], J, L), lowpass_2d(*x_pad.shape[1:], J)

    def average(U, k):
        if T == "global":
            return U.mean(axis=(1, 2))
        if not is_averaged(T):
            rows, columns = (
                kept(before, M, k) for (before, _), M in zip(widths, sizes, strict=True)
            )
            own = U[:, rows, columns]
            return own.mean(axis=(1, 2)) if T == "signal" else own
        step, margin = 2 ** (log2_stride - k), 2 ** (J - log2_stride)
        S = convolve(U, restrict_2d(phi, k), axes=(1, 2)).real[:, ::step, ::step]
        if padding in ("periodic", "none"):
            rows, columns = (kept(0, M, log2_stride) for M in sizes)
            return S[:, rows, columns]
        return S[:, margin:-margin, margin:-margin]

    outputs = []
    for path in paths_2d(J, L, max_order):
        U, k = x_pad, 0
        for n in path:
            step = (min(n // L, log2_stride) if is_averaged(T) else n // L) - k
            U = np.abs(convolve(U, restrict_2d(bank[n], k), axes=(1, 2))[:, :: 2**step, :: 2**step])
            k += step
        outputs.append(average(U, k))
    return outputs if T == 0 else np.stack(outputs, axis=-1)


# ---- 3D


def solid_harmonic_spectrum(shape, j, ell, m, sigma_0=1.0):
    """psi_{j,l,m} at w_a = 2 pi k_a / N_a radians a sample, grid axes in the order z, y, x."""
    z, y, x = np.meshgrid(*(2 * pi * np.fft.fftfreq(N) for N in shape), indexing="ij")
    w = np.sqrt(x**2 + y**2 + z**2)
    sigma = sigma_0 * 2**j
    gaussian = np.exp(-((w * sigma) ** 2) / 2)
    if ell == 0:
        return gaussian
    if ell % 2 == 0:
        c = 1 / (2 * pi * sqrt(ell + 0.5) * factorial2(ell + 1))
    else:
        c = 1 / (2 ** ((ell + 3) / 2) * sqrt(pi * (2 * ell + 1)) * factorial((ell + 1) // 2))
    Y = sph_harm_y(ell, m, np.arctan2(np.hypot(x, y), z), np.arctan2(y, x))
    return (2 * pi) ** 1.5 * (-1j) ** ell * c * (w * sigma) ** ell * gaussian * Y  # 0 at w = 0


def paths_3d(J, max_order=2):
    """Paths (j1,), (j1, j2) in output order."""
    j = range(J + 1)
    return [(j1,) for j1 in j] + [(a, b) for a in j for b in j if max_order == 2 and b > a]


def harmonic3d(
    x, J, L=3, sigma_0=1.0, max_order=2, rotation_covariant=True, integral_powers=(0.5, 1.0, 2.0)
):
    """(B, D, H, W) -> (B, P, L + 1, R)."""
    x = np.asarray(x, float)
    S = np.zeros((len(x), len(paths_3d(J, max_order)), L + 1, len(integral_powers)))
    for row, path in enumerate(paths_3d(J, max_order)):
        for ell in range(L + 1):
            U = x
            for j in path:
                orders = range(-ell, ell + 1) if rotation_covariant else [-ell]
                psi = [solid_harmonic_spectrum(x.shape[1:], j, ell, m, sigma_0) for m in orders]
                U = np.sqrt(sum(np.abs(convolve(U, p, axes=(1, 2, 3))) ** 2 for p in psi))
            for r, q in enumerate(integral_powers):
                S[:, row, ell, r] = (U**q).sum(axis=(1, 2, 3))
    return S


# ---- joint time-frequency


def padded_bins(J, Q, J_fr, F=None, J_oct=None):
    """N_fr: the padded length of the log-frequency axis."""
    Q, F = pair(Q)[0], min(support(F, J_fr), 2**J_fr)
    if J_oct is None:
        return floor(((J + 1) * Q + 8 * F) / 2**J_fr) * 2**J_fr
    least = (J + 1) * Q + max(floor(8 * F), 8 * 2**J_oct * Q)
    whole = lcm(2**J_fr, Q)
    return ceil(least / whole) * whole


def bank_fr(N_fr, J_fr, Q_fr=1):
    """The frequency filters by n_fr: a low-pass (spin 0), the schedule at +xi, then at -xi.

    Those across octaves, by n_oct, are the same on N_fr / Q points."""
    sigma = SIGMA0 / 2**J_fr
    low = Wavelet(0.0, sigma, J_fr, 0, lowpass_spectrum(N_fr, sigma))
    pairs = schedule(J_fr, Q_fr)
    return [low] + [wavelet(N_fr, spin * xi, s) for spin in (1, -1) for xi, s in pairs]


class FrequencyPath(NamedTuple):
    """One picture S (B, N', N_fr / step) of order 1 or 2, without N' for "global" and "signal".

    Its first n1_kept log-frequency samples, `step` apart, come from the n1_max filters stacked;
    the others from padding. order 1 has n2 = -1. psi_oct is None without filters across octaves."""

    order: int
    n2: int
    n_fr: int
    psi_fr: Wavelet
    n_oct: int
    psi_oct: Wavelet | None
    step: int
    n1_kept: int
    S: np.ndarray


def spin_oct(psi_oct):
    """The sign of a filter's frequency across octaves; 0 if there is none."""
    return psi_oct.spin if psi_oct else 0


def time_frequency_paths(
    x, J, J_fr, Q=1, T=None, stride=None, Q_fr=1, F=None, stride_fr=None, padding="reflect",
    J_oct=None,
):  # fmt: skip
    """The paths of orders 1 and 2, by (n2, n_fr, n_oct)."""
    if support(F, J_fr) > 2**J_fr:
        raise ValueError(f"F must be at most 2**J_fr = {2**J_fr}. Received: F={F}")
    x = np.asarray(x, float)
    time = Timeline(x.shape[-1], J, T, stride, padding)
    bank1, bank2 = (bank_1d(time.N_pad, J, q) for q in pair(Q))
    N_fr = padded_bins(J, Q, J_fr, F, J_oct)
    if len(bank1) > N_fr:
        raise ValueError(f"{len(bank1)} first-order filters do not fit in {N_fr} bins")
    filters_fr = bank_fr(N_fr, J_fr, Q_fr)
    filters_oct = [None] if J_oct is None else bank_fr(N_fr // pair(Q)[0], J_oct)
    phi_fr = lowpass_spectrum(N_fr, SIGMA0 / support(F, J_fr))
    log2_stride_fr = log2_step(stride_fr, F, J_fr)
    x_pad = time.pad(x)

    def over_octaves(Y, psi_oct):
        """Y convolved from octave to octave at the same chroma: n1 = Q octave + chroma."""
        spiral = Y.reshape(*Y.shape[:-1], -1, pair(Q)[0])
        return convolve(spiral, psi_oct.psi[:, None], axes=(-2,)).reshape(Y.shape)

    def over_frequency(rows, psi_fr, psi_oct):
        """|rows * psi_fr| averaged along n1, and the step between its samples."""
        Y = np.zeros((*rows[0].shape, N_fr), complex)
        Y[..., : len(rows)] = np.stack(rows, axis=-1)
        k = min(psi_fr.j, log2_stride_fr) if is_averaged(F) else psi_fr.j
        Y = convolve(Y, psi_fr.psi)
        U = np.abs((over_octaves(Y, psi_oct) if psi_oct else Y)[..., :: 2**k])
        if psi_fr.spin == spin_oct(psi_oct) == 0:
            return U, 2**k
        if F == "global":
            return U.mean(axis=-1, keepdims=True), N_fr
        if is_averaged(F):
            U = convolve(U, periodise_1d(phi_fr, 2**k)).real[..., :: 2 ** (log2_stride_fr - k)]
            return U, 2**log2_stride_fr
        return U, 2**k

    pairs = [(n_fr, n_oct) for n_fr in range(len(filters_fr)) for n_oct in range(len(filters_oct))]

    def path(order, n2, n_fr, n_oct, rows, finish):
        psi_fr, psi_oct = filters_fr[n_fr], filters_oct[n_oct]
        U, step = over_frequency(rows, psi_fr, psi_oct)
        S = np.stack([finish(U[..., i]) for i in range(U.shape[-1])], axis=-1)
        n1_kept = ceil(len(rows) / step)
        return FrequencyPath(order, n2, n_fr, psi_fr, n_oct, psi_oct, step, n1_kept, S)

    # Order 1: S1 (n1, t) is low-passed in time whatever T, and then filtered along n1.
    S1 = []
    for psi1 in bank1:
        U1, k1 = time.filter(x_pad, 0, psi1)
        S1.append(time.lowpass(np.abs(U1), k1))

    def finish_order1(y):
        k = time.log2_stride
        return time.unpad(y, k) if is_averaged(T) else time.without_lowpass(y, k)

    # S1 is real: of two opposite filters one will do.
    paths = [
        path(1, -1, n_fr, n_oct, S1, finish_order1)
        for n_fr, n_oct in pairs
        if (filters_fr[n_fr].spin, spin_oct(filters_oct[n_oct])) >= (0, 0)
    ]

    # Order 2: |x * psi1| * psi2 is complex when it is filtered along n1.
    for n2, psi2 in enumerate(bank2):
        rows = []
        for psi1 in bank1:
            if psi1.j < psi2.j:
                U1, k1 = time.filter(x_pad, 0, psi1)
                rows.append(time.filter(np.abs(U1), k1, psi2)[0])
        if rows:
            k2 = time.scale(psi2.j)
            for n_fr, n_oct in pairs:
                paths.append(path(2, n2, n_fr, n_oct, rows, lambda y, k=k2: time.average(y, k)))
    return paths


def time_frequency(
    x, J, J_fr, Q=1, T=None, stride=None, Q_fr=1, F=None, stride_fr=None, format="time",
    padding="reflect", J_oct=None,
):  # fmt: skip
    """(B, N) -> (B, N', K) for "time", (B, N', Lambda, K) for "joint".

    "global" and "signal" drop the axis N'. T=0 gives K arrays, each at its own resolution:
    (B, N_j) for "time", (B, N_j, Lambda) for "joint"."""
    x = np.asarray(x, float)
    paths = time_frequency_paths(x, J, J_fr, Q, T, stride, Q_fr, F, stride_fr, padding, J_oct)
    if format == "joint":
        if not is_averaged(F):
            raise ValueError(f"format='joint' needs an average along frequency. Received: F={F}")
        outputs = [path.S for path in paths]
    else:
        time = Timeline(x.shape[-1], J, T, stride, padding)
        outputs = [time.average(time.pad(x), 0)]
        outputs += [path.S[..., i] for path in paths for i in range(path.n1_kept)]
    return outputs if T == 0 else np.stack(outputs, axis=-1)


def time_frequency_meta(paths, format="time"):
    """The metadata of each channel: a column a name."""
    names = ["order", "n1", "n2", "n_fr", "xi_fr", "sigma_fr", "j_fr", "spin"]
    rows = (
        [] if format == "joint" else [(0, -1, -1, -1, np.nan, np.nan, -1, 0, -1, np.nan, np.nan, 0)]
    )
    for p in paths:
        fr, across = p.psi_fr, p.psi_oct
        filters = (p.n_fr, fr.xi, fr.sigma, fr.j, fr.spin)
        filters += (p.n_oct, across.xi, across.sigma, across.spin) if across else ()
        positions = [-1] if format == "joint" else [i * p.step for i in range(p.n1_kept)]
        rows += [(p.order, n1, p.n2, *filters) for n1 in positions]
    if paths[0].psi_oct:
        names += ["n_oct", "xi_oct", "sigma_oct", "spin_oct"]
    return columns(names, rows)
