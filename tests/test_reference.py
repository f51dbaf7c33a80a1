"""The layers against the naive NumPy transforms, on settings chosen to be awkward."""

import math

import numpy as np
import pytest
import reference
from compare import TOLERANCES, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_scattering import Scattering1D, Scattering2D
from keras_scattering.plans import wavelet
from keras_scattering.runtime import batches

PADDINGS = ["reflect", "symmetric", "zero", "periodic", "none"]


def label(value):
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items())
    return str(value)


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def check(x, **arguments):
    """Both precisions of the layer for the rank of x agree with the reference."""
    one = x.ndim == 2
    layer = Scattering1D if one else Scattering2D
    expected = (reference.scattering1d if one else reference.scattering2d)(x, **arguments)
    for dtype, tolerance in TOLERANCES.items():
        assert_close(layer(**arguments, dtype=dtype)(x.astype(dtype)), expected, tolerance)


# One dimension


@pytest.mark.parametrize("T", [None, "global", "signal", 0, 1, 2, 6.5, 100], ids=label)  # 2**J = 16
@pytest.mark.parametrize("padding", PADDINGS)
def test_1d_paddings_and_averages(padding, T):
    check(noise(2, 192), J=4, Q=3, T=T, padding=padding)


@pytest.mark.parametrize("log2_stride", range(7))
@pytest.mark.parametrize("T", [64, 90.5])  # 2**floor(log2 T) = 64
@pytest.mark.parametrize("padding", ["reflect", "periodic"])
def test_1d_strides(padding, T, log2_stride):
    check(noise(1, 300), J=5, Q=2, T=T, stride=2**log2_stride, padding=padding)


@pytest.mark.parametrize("max_order", [1, 2])
@pytest.mark.parametrize("Q", [1, 2, 5, 16, (1, 1), (8, 2), (4, 4), (1, 5), (12, 3)], ids=label)
def test_1d_qualities(Q, max_order):
    check(noise(2, 200), J=5, Q=Q, max_order=max_order)


@pytest.mark.parametrize("J", [1, 2, 3, 6])
@pytest.mark.parametrize("extra", [0, 1, 3])
@pytest.mark.parametrize("padding", PADDINGS[:4])
def test_1d_signals_hardly_longer_than_the_largest_scale(padding, extra, J):
    N = 2**J + extra
    check(noise(2, N), J=J, Q=2, T=float(N), padding=padding)
    check(noise(2, N), J=J, Q=2, T=0, padding=padding)


# Here the padding depends on where, to the sample, the tail of the low-pass falls below 1e-3. Only
# a mean over the padded signal tells: for all else there is enough of it either way.
EDGES = [
    *((1, N) for N in (*range(185, 191), 441, 446, 953)),
    *((2, N) for N in (*range(342, 350), *range(381, 387), 893, 894)),
    *((3, N) for N in (*range(684, 692), *range(779, 785))),
]


@pytest.mark.parametrize(("J", "N"), EDGES)
def test_1d_sizes_at_the_edge_of_more_padding(J, N):
    check(1 + noise(1, N), J=J, T="global", padding="zero")


@pytest.mark.parametrize(
    "arguments",
    [
        {"J": 3, "T": 300.0},  # support far beyond 2**J
        {"J": 6, "T": 1.5},  # and far below
        {"J": 6, "Q": 8, "T": 37, "stride": 1},
        {"J": 2, "Q": 24},  # wavelets of the smallest width from the first on
        {"J": 8, "Q": (3, 1), "T": 255.9},
        {"J": 8, "T": "global", "padding": "zero"},
        {"J": 3, "Q": 4, "T": "signal"},  # much of the padding is out of reach
    ],
    ids=label,
)
def test_1d_extremes(arguments):
    check(noise(1, 383), **arguments)


SIGNALS = {
    "offset": 1e3 + noise(1, 250),
    "trend": np.linspace(-10, 10, 250)[None] + 0.1 * noise(1, 250),
    "impulse": np.eye(1, 250, 77),
    "step": np.heaviside(np.arange(250) - 100.0, 1)[None],
    "chirp": np.cos(np.arange(250) ** 2 * (np.pi / 600))[None],
    "silence": np.zeros((1, 250)),
}


@pytest.mark.parametrize("padding", PADDINGS[:4])
@pytest.mark.parametrize("signal", SIGNALS)
def test_1d_signals(signal, padding):
    check(SIGNALS[signal], J=4, Q=4, padding=padding)


# Two dimensions


@pytest.mark.parametrize("T", [None, "global", "signal", 0], ids=label)
@pytest.mark.parametrize("padding", PADDINGS)
def test_2d_paddings_and_averages(padding, T):
    check(noise(2, 16, 24), J=2, L=3, T=T, padding=padding)


@pytest.mark.parametrize("log2_stride", range(4))
@pytest.mark.parametrize("padding", PADDINGS)
def test_2d_strides(padding, log2_stride):
    check(noise(1, 24, 16), J=3, L=2, stride=2**log2_stride, padding=padding)


@pytest.mark.parametrize("max_order", [1, 2])
@pytest.mark.parametrize("L", [1, 2, 3, 4, 5, 8, 9])
def test_2d_angles(L, max_order):
    check(noise(1, 20, 17), J=2, L=L, max_order=max_order)


@pytest.mark.parametrize(
    ("J", "size"),
    [(1, (2, 2)), (1, (3, 7)), (2, (4, 5)), (2, (31, 6)), (3, (8, 8)), (3, (9, 40)), (4, (17, 16))],
    ids=label,
)
@pytest.mark.parametrize("padding", PADDINGS[:4])
def test_2d_sizes(padding, J, size):
    check(noise(2, *size), J=J, L=2, padding=padding)
    check(noise(2, *size), J=J, L=2, T=0, padding=padding)


# Any


@pytest.mark.parametrize("working_set", [1, 2000])
@pytest.mark.parametrize("group", [1, 1000])
def test_pieces_do_not_show(monkeypatch, working_set, group):
    """However few items and filters are taken at a time, the last of them incomplete."""
    monkeypatch.setattr(batches, "WORKING_SET", working_set)
    monkeypatch.setattr(wavelet, "_GROUP", group)
    check(noise(5, 100), J=3, Q=2)
    check(noise(5, 100), J=3, Q=2, T=0)
    check(noise(5, 12, 9), J=2, L=2)


@st.composite
def settings_1d(draw):
    J = draw(st.integers(1, 6))
    padding = draw(st.sampled_from(PADDINGS))
    N = draw(st.integers(2**J, 400))
    unscaled = [None, "global", "signal", 0]
    T = draw(st.sampled_from(unscaled) | st.integers(1, N) | st.floats(1, N))
    number = T not in unscaled
    log2_T = math.floor(math.log2(T)) if number else J
    if padding == "none":
        N = -(-N // 2 ** max(J, log2_T)) * 2 ** max(J, log2_T)
    log2_stride = draw(st.none() | st.integers(0, log2_T)) if number or T is None else None
    return noise(2, N), {
        "J": J,
        "Q": draw(st.integers(1, 16) | st.tuples(st.integers(1, 16), st.integers(1, 8))),
        "T": T,
        "stride": None if log2_stride is None else 2**log2_stride,
        "max_order": draw(st.sampled_from([2, 1])),
        "padding": padding,
    }


@st.composite
def settings_2d(draw):
    J = draw(st.integers(1, 3))
    padding = draw(st.sampled_from(PADDINGS))
    size = draw(st.tuples(*[st.integers(2**J, 30)] * 2))
    if padding == "none":
        size = tuple(-(-n // 2**J) * 2**J for n in size)
    T = draw(st.sampled_from([None, "global", "signal", 0]))
    log2_stride = draw(st.none() | st.integers(0, J)) if T is None else None
    return noise(2, *size), {
        "J": J,
        "L": draw(st.integers(1, 6)),
        "T": T,
        "stride": None if log2_stride is None else 2**log2_stride,
        "max_order": draw(st.sampled_from([2, 1])),
        "padding": padding,
    }


@pytest.mark.slow
@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(case=settings_1d())
def test_1d_at_random(case):
    x, arguments = case
    check(x, **arguments)


@pytest.mark.slow
@settings(max_examples=40, derandomize=True, database=None, deadline=None)
@given(case=settings_2d())
def test_2d_at_random(case):
    x, arguments = case
    check(x, **arguments)
