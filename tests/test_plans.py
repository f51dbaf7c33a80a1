"""Plans are NumPy: their pieces, and what they say together, against direct computations."""

import itertools

import numpy as np
import pytest

from keras_scattering.filters import MorletBank1D, MorletBank2D
from keras_scattering.plans import wavelet
from keras_scattering.plans.averages import LowPass, SpectralLowPass
from keras_scattering.plans.banks import hull
from keras_scattering.plans.compact import Arrays, circulant, crop_lines, periodise
from keras_scattering.plans.image import ImagePlane
from keras_scattering.plans.padding import pad_axis, runs
from keras_scattering.plans.plan import Node
from keras_scattering.plans.scattering1d import plan_scattering1d
from keras_scattering.plans.scattering2d import plan_scattering2d
from keras_scattering.plans.time import TimeAxis

FLOAT64 = np.dtype("float64")
PADDINGS = ["reflect", "symmetric", "zero", "periodic", "none"]


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape)


# Padding.


@pytest.mark.parametrize(
    "index",
    [[], [5], [3, 4, 5], [2, 1, 0], [1, 0, 1, 2, 1, 0], [0, 0, 1, 1, 0], [4, 2, 0], [7, 8, 3, 2]],
)
def test_runs_are_the_index_in_pieces(index):
    x = np.arange(10)
    pieces = runs(np.array(index, int))
    assert np.concatenate([[], *(x[run] for run in pieces)]).tolist() == index
    assert all(len(x[run]) for run in pieces)


def test_reflections_are_few_runs():
    index = np.pad(np.arange(50), 20, mode="reflect")
    assert len(runs(index)) == 3


@pytest.mark.parametrize("padding", ["reflect", "symmetric", "zero", "periodic"])
@pytest.mark.parametrize("N", [2, 3, 7])
def test_padding_is_that_of_numpy(N, padding):
    """Reflections and periods repeat as often as it takes."""
    x = 1 + np.arange(N)
    modes = {"zero": "constant", "periodic": "wrap"}
    for widths in itertools.product(range(9), repeat=2):
        rule = pad_axis(N, *widths, padding)
        y = np.pad(np.concatenate([x[run] for run in rule.runs]), rule.zeros)
        np.testing.assert_array_equal(y, np.pad(x, widths, mode=modes.get(padding, padding)))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("T", [None, "global", "signal", 0, 1, 23.5])
def test_time_axis_holds_the_signal(T, padding):
    for J, extra in itertools.product([1, 3, 4], [0, 1, 5, 40]):
        N = (24 + extra) if padding != "none" else (32 + extra // 5 * 16)
        axis = TimeAxis(N, J, T, None, padding)
        assert axis.samples % 2**J == 0
        assert 0 <= axis.left <= axis.left + N <= axis.samples
        for k in range(J + 1):  # of the samples at multiples of 2**k, those in the signal
            inside = [n for n in range(0, axis.samples, 2**k) if axis.left <= n < axis.left + N]
            ((start, stop),) = axis.keep(k)
            assert [2**k * n for n in range(start, stop)] == inside


@pytest.mark.parametrize("padding", PADDINGS)
def test_image_plane_holds_the_image(padding):
    for J, N, extra in itertools.product([1, 2, 3], [8, 16], range(8)):
        shape = (N, N + extra) if padding != "none" else (N, N + extra % 2 * 8)
        plane = ImagePlane(shape, J, None, None, padding)
        averaged = [stop - start for start, stop in plane.keep(J)]
        round_up = padding == "periodic"
        assert averaged == [-(-n // 2**J) if round_up else n // 2**J for n in shape]
        whole = ImagePlane(shape, J, 0, None, padding).keep(0)
        assert tuple(stop - start for start, stop in whole) == shape
        for padded, (_, stop) in zip(plane.padded, whole, strict=True):
            assert padded % 2**J == 0
            assert stop <= padded


# Filters on coarser grids.


@pytest.mark.parametrize(("shape", "step"), [((24,), 4), ((12,), 4), ((8, 20), 2), ((12, 4), 4)])
def test_summed_aliases_are_those_of_a_sampled_signal(shape, step):
    x = noise(3, *shape)
    axes = tuple(range(1, x.ndim))
    sampled = x[(slice(None), *[slice(None, None, step)] * len(shape))]
    folded = periodise(np.fft.fftn(x, axes=axes), [n // step for n in shape])
    np.testing.assert_allclose(
        np.fft.fftn(sampled, axes=axes), folded / step ** len(shape), atol=1e-12
    )


@pytest.mark.parametrize(("N", "n"), [(12, 12), (12, 6), (12, 3), (8, 1), (9, 9)])
def test_cropped_lines_are_those_that_a_coarser_grid_holds(N, n):
    """Of the two Nyquist lines the negative one."""
    line = (np.fft.fftfreq(N) * N).round()
    expected = (np.fft.fftfreq(n) * n).round()
    kept = crop_lines(line[None], [n])[0]
    np.testing.assert_array_equal((kept - expected) % N, 0)
    assert set((kept + n // 2) % N) == set(range(n))


def unfold(window, arrays, shape, size):
    """The spectra (F, *shape) that a window stands for, and how often each line is in it."""
    blocks = np.moveaxis(arrays[window.filters], 1, 0)
    spectra, count = np.zeros((blocks.shape[1], *shape)), np.zeros(shape, int)
    for block, position in zip(blocks, np.ndindex(*window.blocks), strict=True):
        lines = [
            (o + p * m + np.arange(m)) % n
            for o, p, m, n in zip(window.origin, position, size, shape, strict=True)
        ]
        spectra[(slice(None), *np.ix_(*lines))] += block
        count[np.ix_(*lines)] += 1
    return spectra * np.prod(shape), count


def bumps(N, centres, width):
    """Spectra that vanish but for `width` lines around each centre."""
    spectra = np.zeros((len(centres), N))
    for psi, centre in zip(spectra, centres, strict=True):
        psi[(centre + np.arange(width) - width // 2) % N] = 1 + np.arange(width)
    return spectra


def stack(bank, members):
    return np.stack([bank.psi(n) for n in members])


TIME, PLANE = MorletBank1D(256, 5, 4, 32), MorletBank2D((32, 48), 3, 4)
SPECTRA = {
    "first wavelets": (stack(TIME, range(4)), (256,)),
    "last wavelets": (stack(TIME, range(len(TIME) - 3, len(TIME))), (32,)),
    "one wavelet, undersampled": (stack(TIME, [2]), (16,)),
    "around zero": (bumps(64, [0, 3, 61], 9), (16,)),
    "around Nyquist": (bumps(64, [32, 29, 35], 9), (16,)),
    "far apart": (bumps(64, [5, 40], 5), (8,)),
    "one line": (bumps(64, [63], 1), (4,)),
    "odd size": (bumps(63, [0, 62], 9), (21,)),
    "nothing": (np.zeros((2, 32)), (8,)),
    "smallest in the plane": (stack(PLANE, range(4)), (32, 48)),
    "largest in the plane": (stack(PLANE, range(8, 12)), (8, 12)),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", SPECTRA)
def test_windows_hold_the_filters(name, dtype):
    """All that stands above rounding, and no line twice."""
    spectra, size = SPECTRA[name]
    arrays = Arrays(np.dtype(dtype))
    bank = arrays.bank("psi", spectra, size)
    assert bank.size == size
    members, counts = zip(
        *(unfold(window, arrays, spectra.shape[1:], size) for window in bank.windows), strict=True
    )
    assert max(count.max() for count in counts) == 1
    peaks = np.abs(spectra).reshape(len(spectra), -1).max(axis=1)
    error = np.abs(np.concatenate(members) - spectra).reshape(len(spectra), -1).max(axis=1)
    assert np.all(error <= arrays.threshold * peaks)
    for window in bank.windows:
        for (start, stop), o, c, m in zip(
            bank.lines, window.origin, window.blocks, size, strict=True
        ):
            assert start <= o
            assert o + c * m <= stop


@pytest.mark.parametrize("name", SPECTRA)
def test_windows_filter_and_sample(name):
    """The modulus of the inverse transform of the sum of blocks is that of x * psi, sampled."""
    spectra, size = SPECTRA[name]
    shape = spectra.shape[1:]
    axes = tuple(range(1, spectra.ndim))
    X = np.fft.fftn(noise(*shape))
    arrays = Arrays(FLOAT64)
    outputs = []
    for window in arrays.bank("psi", spectra, size).windows:
        y = 0
        blocks = np.moveaxis(arrays[window.filters], 1, 0)
        for block, position in zip(blocks, np.ndindex(*window.blocks), strict=True):
            corner = [o + p * m for o, p, m in zip(window.origin, position, size, strict=True)]
            lines = [(c + np.arange(m)) % n for c, m, n in zip(corner, size, shape, strict=True)]
            y = y + X[np.ix_(*lines)] * block
        outputs.append(np.abs(np.fft.ifftn(y, axes=axes, norm="forward")))
    steps = [slice(None, None, n // m) for n, m in zip(shape, size, strict=True)]
    expected = np.abs(np.fft.ifftn(X * spectra, axes=axes))[(slice(None), *steps)]
    np.testing.assert_allclose(np.concatenate(outputs), expected, atol=1e-13 * np.abs(X).max())


def test_windows_are_small():
    """Filters of an octave are read from about an octave of lines, not from all."""
    windows = Arrays(FLOAT64).bank("psi", *SPECTRA["last wavelets"]).windows
    assert sum(window.blocks[0] for window in windows) * 32 < 256 / 2


def test_hull():
    boxes = [((-2, 3), (4, 9)), ((0, 5), (-1, 2))]
    assert hull(boxes) == ((-2, 5), (-1, 9))
    assert hull(boxes[:1]) == boxes[0]


# Averages.


@pytest.mark.parametrize(("n", "step"), [(12, 1), (12, 3), (15, 5)])
def test_circulant_is_a_sampled_convolution(n, step):
    kernel, u = noise(2, n)
    outputs = range(-2, n // step)
    convolved = np.fft.ifft(np.fft.fft(u) * np.fft.fft(kernel)).real
    expected = convolved[[step * i % n for i in outputs]]
    np.testing.assert_allclose(u @ circulant(kernel, step, outputs), expected, atol=1e-13)
    first = u.copy()
    first[n // 2 :] = 0
    few = circulant(kernel, step, outputs, n // 2)
    np.testing.assert_allclose(
        u[: n // 2] @ few, first @ circulant(kernel, step, outputs), atol=1e-13
    )


def in_frames(u, matrix, rule):
    """What `LowPass` says of frames."""
    parts = u.reshape(rule.frames, -1) @ matrix
    before, own, after = np.split(parts, 3, axis=-1)
    total = own + np.roll(before, -1, axis=0) + np.roll(after, 1, axis=0)
    return total.ravel()[slice(*rule.keep)]


def in_fourier(u, arrays, rule):
    """What `SpectralLowPass` says."""
    (window,) = rule.bank.windows
    ((start, stop),) = rule.bank.lines
    lines = np.fft.fft(u)[np.arange(start, stop) % len(u)]
    blocks = lines.reshape(window.blocks[0], -1) * arrays[window.filters][0]
    return np.fft.ifft(blocks.sum(axis=0), norm="forward").real[slice(*rule.keep)]


@pytest.mark.parametrize(
    ("kind", "N", "J", "T", "stride", "padding"),
    [
        ("frames", 1000, 4, None, None, "reflect"),
        ("frames", 512, 3, 4, None, "none"),
        ("frames", 1024, 4, 11.3, 4, "periodic"),
        ("frames", 700, 5, 1, None, "zero"),
        ("dense", 64, 5, None, None, "none"),
        ("dense", 100, 6, None, None, "symmetric"),
        ("dense", 60, 2, 50.5, None, "periodic"),
        ("fourier", 512, 6, None, 1, "none"),
        ("fourier", 500, 6, None, 4, "reflect"),
        ("fourier", 500, 3, 400, 16, "periodic"),
    ],
)
def test_every_way_to_average_is_the_convolution(kind, N, J, T, stride, padding):
    axis = TimeAxis(N, J, T, stride, padding)
    for k in range(axis.log2_stride + 1):
        arrays = Arrays(FLOAT64)
        rule = axis.lowpass(arrays, k)
        u = np.abs(noise(axis.samples >> k))
        phi = axis.phi.reshape(2**k, -1).sum(axis=0)
        sampled = np.fft.ifft(np.fft.fft(u) * phi).real[:: 2 ** (axis.log2_stride - k)]
        ((start, stop),) = axis.keep(axis.log2_stride)
        match rule:
            case LowPass(frames=1):
                found, y = "dense", u @ arrays[rule.matrices[0]]
            case LowPass():
                found, y = "frames", in_frames(u, arrays[rule.matrices[0]], rule)
            case SpectralLowPass():
                found, y = "fourier", in_fourier(u, arrays, rule)
        assert found == kind
        np.testing.assert_allclose(y, sampled[start:stop], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("N", "T"), [(2**13, 16), (3 * 2**12, 16), (5 * 2**11, 23.7), (3 * 2**13, 64)]
)
def test_matrices_of_averages_do_not_grow_with_the_signal(N, T, dtype):
    arrays = Arrays(np.dtype(dtype))
    TimeAxis(N, 4, T, None, "none").lowpass(arrays, 0)
    assert sum(array.size for array in arrays.values()) <= 2**16


@pytest.mark.parametrize("stride", [None, 1, 2])
@pytest.mark.parametrize("padding", PADDINGS)
def test_average_of_a_plane_is_the_convolution(padding, stride):
    plane = ImagePlane((16, 24), 3, None, stride, padding)
    for k in range(plane.log2_stride + 1):
        arrays = Arrays(FLOAT64)
        rows, columns = (arrays[name] for name in plane.lowpass(arrays, k).matrices)
        u = np.abs(noise(*plane.size(k)))
        phi = crop_lines(MorletBank2D(plane.padded, 3, 1).phi()[None], plane.size(k))[0]
        step = 2 ** (plane.log2_stride - k)
        sampled = np.fft.ifft2(np.fft.fft2(u) * phi).real[::step, ::step]
        keep = tuple(slice(*span) for span in plane.keep(plane.log2_stride))
        np.testing.assert_allclose(rows.T @ u @ columns, sampled[keep], atol=1e-12)


# Plans.

PLANS = {
    "1d": lambda: plan_scattering1d(500, 5, (4, 2), 40.0, 8, 2, "reflect"),
    "1d, order 1": lambda: plan_scattering1d(96, 5, (8, 1), None, None, 1, "periodic"),
    "1d, list": lambda: plan_scattering1d(100, 3, (3, 1), 0, None, 2, "zero"),
    "1d, global": lambda: plan_scattering1d(128, 4, (1, 1), "global", None, 2, "none"),
    "1d, signal": lambda: plan_scattering1d(99, 4, (2, 1), "signal", None, 2, "reflect"),
    "2d": lambda: plan_scattering2d((17, 24), 3, 3, None, 2, 2, "symmetric"),
    "2d, list": lambda: plan_scattering2d((16, 16), 2, 4, 0, None, 2, "none"),
}


@pytest.mark.parametrize("group", [1, 2**21])
@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_a_design_makes_every_path_once(make, group, monkeypatch):
    """However the filters are grouped; and a path's signals are of the size its filter allows."""
    monkeypatch.setattr(wavelet, "_GROUP", group)
    plan = make()
    design = plan.design(FLOAT64)
    rows = [row for branch in design.branches for rows in branch.rows for row in rows]
    assert sorted([0, *rows]) == list(range(len(plan.meta["order"])))
    for branch in design.branches:
        for node in branch.nodes:
            assert isinstance(node, Node)
            expected = []
            for source, bank in node.sources:
                filters = [design.arrays[window.filters] for window in bank.windows]
                members = sum(array.shape[0] for array in filters)
                assert all(array.shape[2:] == bank.size for array in filters)
                before = branch.nodes[source - 1].rows if source else (0,)
                expected += [n1 for n1 in plan.meta["n1"][list(before)] for _ in range(members)]
            assert node.paths == len(node.rows) == len(expected)
            order, n1, j1, j2 = (plan.meta[k][list(node.rows)] for k in ("order", "n1", "j1", "j2"))
            second = order == 2
            assert second.all() if node.sources[0][0] else not second.any()
            assert list(n1[second]) == [n for n in expected if n >= 0]
            assert (j2[second] > j1[second]).all()


@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_branches_hold_no_more_than_the_finest_scale(make):
    """But otherwise they share transforms: no two neighbours would fit in one."""
    design = make().design(FLOAT64)
    sizes = [
        sum(node.samples for node in branch.nodes if node.sources[0][0] == 0)
        for branch in design.branches
    ]
    most = max(node.samples for branch in design.branches for node in branch.nodes[:1])
    assert max(sizes) <= most
    firsts = [branch.nodes[0].samples for branch in design.branches]
    assert all(a + b > most for a, b in zip(sizes, firsts[1:], strict=False))


@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_averages_differ_in_nothing_but_their_matrices(make):
    """So that what is left of them can be done for all paths at once."""
    design = make().design(FLOAT64)
    rules = [*design.averages, *(node.average for b in design.branches for node in b.nodes)]
    if isinstance(rules[0], LowPass):
        assert len({(len(rule.matrices), rule.frames, rule.keep) for rule in rules}) == 1
    assert len({type(rule) for rule in rules}) == 1


@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_paths_are_sorted_by_order_and_filters(make):
    meta = make().meta
    names = list(zip(*(meta[name].tolist() for name in ("order", "n1", "n2")), strict=True))
    assert names == sorted(set(names))
    assert names[0] == (0, -1, -1)
    for order in (1, 2):
        absent = meta["order"] < order
        for name in (name for name in meta if name.endswith(str(order))):
            kind = meta[name].dtype.kind
            np.testing.assert_array_equal(
                np.isnan(meta[name]) if kind == "f" else meta[name] == -1, absent
            )


def wavelets(axis, Q):
    return [MorletBank1D(axis.samples, axis.J, q, axis.support) for q in Q]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["reflect", "symmetric", "zero"])
@pytest.mark.parametrize(
    ("N", "J", "Q", "T"),
    [
        (2000, 3, (1, 1), None),
        (2500, 4, (4, 2), 5),
        (1999, 3, (3, 1), 0),
        (1999, 3, (3, 1), "signal"),
    ],
)
def test_padding_that_is_left_out_is_out_of_reach(N, J, Q, T, padding, dtype):
    whole = TimeAxis(N, J, T, None, padding)
    axis = whole.working(wavelets(whole, Q), float(np.finfo(dtype).eps))
    assert axis.samples < 0.8 * whole.samples
    assert axis.output_size(0) == whole.output_size(0)
    x = noise(N)
    results = []
    for time in (whole, axis):
        (rule,) = time.extension
        u = np.pad(np.concatenate([x[run] for run in rule.runs]), rule.zeros)
        first, second = wavelets(time, Q)
        # The narrowest filter, one of the second order that follows, and the average.
        n1 = int(
            np.argmin(
                [s if j < max(second.j) else 1 for j, s in zip(first.j, first.sigma, strict=True)]
            )
        )
        n2 = max(n for n, j in enumerate(second.j) if j > first.j[n1])
        for psi in (first.psi(n1), second.psi(n2)):
            u = np.abs(np.fft.ifft(np.fft.fft(u) * psi))
        if time.local:
            u = np.fft.ifft(np.fft.fft(u) * time.phi).real
        results.append(u[time.left : time.left + N])
    np.testing.assert_allclose(*results, atol=4 * np.finfo(dtype).eps * np.abs(x).max())


def test_padding_is_kept_where_outputs_read_it():
    for settings in [(64, 3, None, None, "periodic"), (64, 3, "global", None, "reflect")]:
        axis = TimeAxis(*settings)
        assert axis.working(wavelets(axis, (1, 1)), 1e-7) is axis
    near = TimeAxis(512, 6, None, None, "reflect")  # too short for anything to be out of reach
    assert near.working(wavelets(near, (8, 1)), 1e-16).samples == near.samples
