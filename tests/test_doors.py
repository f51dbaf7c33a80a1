"""Doors of the engine for transforms to come: toy transforms against direct NumPy in float64.

Each toy is a plan and a layer of three lines. What the public layers do not use yet is used here:
complex filters, order 3, stacks over any grid, products of signals, rows of unlike degree.
"""

import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest
import reference
import tensorflow as tf

from keras_scattering.engine import lattice
from keras_scattering.engine.lattice import (
    CompiledLattice,
    GradientPlane,
    Lattice,
    MatrixLattice,
    PiecewisePlane,
)
from keras_scattering.engine.operations import operations
from keras_scattering.engine.solids import Solid
from keras_scattering.filters import FilterBank, MorletBank1D, MorletBank2D
from keras_scattering.filters.gaussian import lowpass_in_space
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plans.averages import Crop, LowPass, Mean
from keras_scattering.plans.banks import hull
from keras_scattering.plans.compact import Arrays, circulant, crop_lines
from keras_scattering.plans.grid import Grid
from keras_scattering.plans.image import ImagePlane
from keras_scattering.plans.padding import Padding
from keras_scattering.plans.plan import (
    Branch,
    Design,
    Domain,
    Gram,
    Node,
    Plan,
    Samples,
    Stack,
)
from keras_scattering.plans.stack import StackAxis
from keras_scattering.plans.time import TimeAxis
from keras_scattering.plans.wavelet import plan_wavelet
from keras_scattering.runtime.batches import Batched
from keras_scattering.runtime.mode import Mode

ACCURACY = {"float64": 1e-10, "float32": 1e-5}  # relative to the largest value
FLOAT64 = np.dtype("float64")
BATCH = 9


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# A layer of any plan, and the ways to call it


@dataclasses.dataclass(frozen=True)
class Toy:
    """A plan of signals of a size, and what it should make of them: one array per path."""

    plan: Plan
    size: tuple[int, ...]
    expected: object  # a function of signals (batch, *size)

    def layer(self, **arguments):
        plan = self.plan

        class Layer(ScatteringLayer):
            rank = len(self.size)
            axes = "time" if rank == 1 else "space"

            def _make_plan(self, size):
                return plan

        layer = Layer("channels_first", **arguments)
        layer.build((None, *self.size))
        return layer

    @functools.cached_property
    def x(self):
        return noise(BATCH, *self.size)

    @functools.cached_property
    def outputs(self):
        return [np.asarray(y) for y in self.expected(self.x)]


def split(outputs):
    """One array per path."""
    return [
        np.asarray(y)
        for y in (outputs if isinstance(outputs, list) else tf.unstack(outputs, axis=1))
    ]


def assert_close(outputs, expected, dtype="float64"):
    outputs = split(outputs)
    assert [y.shape for y in outputs] == [y.shape for y in expected]
    assert all(y.dtype == dtype for y in outputs)
    largest = max(np.abs(y).max() for y in expected)
    for i, (y, wanted) in enumerate(zip(outputs, expected, strict=True)):
        error = np.abs(y - wanted).max()
        assert error <= ACCURACY[dtype] * largest, f"Path {i} is off by {error:.1e}"


def check(toy, xla=True, matrix=True):
    """Eagerly in both precisions, in one graph of any batch, by XLA, and by matrices."""
    layer = toy.layer(dtype="float64")
    assert_close(layer(toy.x[:2]), [y[:2] for y in toy.outputs])
    graph = tf.function(layer, input_signature=[tf.TensorSpec((None, *toy.size), tf.float64)])
    for batch in (1, 3, BATCH):
        assert_close(graph(toy.x[:batch]), [y[:batch] for y in toy.outputs])
    assert graph.experimental_get_tracing_count() == 1
    single = toy.layer(dtype="float32")
    x = toy.x[:2].astype("float32")
    assert_close(single(x), [y[:2] for y in toy.outputs], "float32")
    if matrix:
        assert_close(
            toy.layer(dtype="float64", fft="matrix")(toy.x[:3]), [y[:3] for y in toy.outputs]
        )
    if xla:
        compiled = toy.layer(dtype="float64", jit_compile=True)
        assert_close(compiled(toy.x[:3]), [y[:3] for y in toy.outputs])


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch):
    """Parts of two signals in graphs, and pieces of a few paths of images, as of large ones."""
    monkeypatch.setattr(Batched, "_items", lambda self, working_set: 2)
    monkeypatch.setattr(PiecewisePlane, "_piece", 600)
    monkeypatch.setattr(GradientPlane, "_piece", 600)


def check_gradient(toy):
    """In a graph, of a sum of all coefficients with weights, along random directions."""
    layer = toy.layer(dtype="float64")
    weights = [noise(*y.shape[1:], seed=i) for i, y in enumerate(toy.outputs)]
    x, steps = toy.x[:3], noise(4, 3, *toy.size, seed=1)

    def total(outputs):
        return sum(
            (y * w).reshape(len(y), -1).sum(1) for y, w in zip(outputs, weights, strict=True)
        )

    @tf.function(input_signature=[tf.TensorSpec((None, *toy.size), tf.float64)])
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x)
            paths = outputs if isinstance(outputs, list) else tf.unstack(outputs, axis=1)
            loss = tf.add_n([tf.reduce_sum(y * w) for y, w in zip(paths, weights, strict=True)])
        return tape.gradient(loss, x)

    slope = gradient(x).numpy()
    silent = gradient(np.zeros_like(x)).numpy()
    assert np.isfinite(silent).all()
    for step in 1e-6 * steps:
        change = (total(toy.expected(x + step)) - total(toy.expected(x - step))) / 2
        product = (slope * step).reshape(3, -1).sum(1)
        size = np.linalg.norm(slope) * np.linalg.norm(step)
        np.testing.assert_allclose(product, change, rtol=0, atol=1e-6 * size)


# Cascades of wavelets of any order, written as they are defined


def sampled(y, k):
    """One sample in 2**k, on all axes after the batch."""
    return y[(slice(None), *[slice(None, None, 2**k)] * (y.ndim - 1))]


def cascade(x, banks, filtered, average):
    """Coefficients of x, padded, by `filtered(U, k, bank, n) -> (Y, k)` and `average(U, k)`."""
    last, outputs = [(-1, x, 0)], [average(x, 0)]
    for bank in banks:
        following = []
        for (j, U, k), n in itertools.product(last, range(len(bank))):
            if bank.j[n] > j:
                Y, kept = filtered(U, k, bank, n)
                following.append((bank.j[n], np.abs(Y), kept))
        outputs += [average(U, k) for _, U, k in following]
        last = following
    return outputs


def on_a_line(x, axis, banks):
    time = reference.Timeline(axis.N, axis.J, axis.T, axis.stride, axis.padding)

    def filtered(U, k, bank, n):
        return time.filter(U, k, reference.Wavelet(0, 0, bank.j[n], 1, bank.psi(n)))

    return cascade(time.pad(x), banks, filtered, time.average)


def on_a_plane(x, plane, banks):
    """Of periodic images whose sizes are multiples of 2**J."""
    phi = reference.lowpass_2d(*plane.padded, plane.J)

    def filtered(U, k, bank, n):
        kept = plane.sampling(bank.j[n])
        psi = reference.restrict_2d(bank.psi(n), k)
        return sampled(reference.convolve(U, psi, axes=(1, 2)), kept - k), kept

    def average(U, k):
        if plane.T == "global":
            return U.mean((1, 2))
        if plane.T == 0:
            return U
        S = reference.convolve(U, reference.restrict_2d(phi, k), axes=(1, 2)).real
        return sampled(S, plane.log2_stride - k)

    return cascade(x, banks, filtered, average)


# Complex spectra


@dataclasses.dataclass(frozen=True)
class Gammatones(FilterBank):
    """t**3 exp(-2 pi b t) exp(2 pi i xi t), t >= 0: causal, so that its spectrum is complex."""

    N: int
    count: int
    step: int = 1  # octaves from one to the next

    @property
    def shape(self):
        return (self.N,)

    @property
    def j(self):
        return tuple(self.step * n for n in range(self.count))

    @property
    def columns(self):
        return {"j": self.j, "xi": [0.3 / 2**j for j in self.j]}

    def __len__(self):
        return self.count

    def psi(self, n):
        xi = 0.3 / 2 ** self.j[n]
        t = np.arange(self.N)
        psi = t**3 * np.exp(-2 * np.pi * 0.25 * xi * t) * np.exp(2j * np.pi * xi * t)
        return np.fft.fft(psi / np.abs(psi).sum())

    def phi(self):
        return reference.lowpass_spectrum(self.N, 0.1 / 2**self.count)


@dataclasses.dataclass(frozen=True)
class Comets(FilterBank):
    """Waves whose envelope rises at once and falls slowly, along rows and at an angle."""

    grid: tuple[int, int]
    J: int

    @property
    def shape(self):
        return self.grid

    @property
    def j(self):
        return tuple(n // 2 for n in range(2 * self.J))

    @property
    def columns(self):
        return {"j": self.j}

    def __len__(self):
        return 2 * self.J

    def psi(self, n):
        u, v = np.meshgrid(*map(np.arange, self.grid), indexing="ij")
        j, across = divmod(n, 2)
        xi = 0.3 / 2**j
        psi = (u + 2 * v) * np.exp(-xi * (2 * u + v)) * np.exp(2j * np.pi * xi * (u + across * v))
        return np.fft.fft2(psi / np.abs(psi).sum())

    def phi(self):
        return reference.lowpass_2d(*self.grid, self.J)


def line_toy(axis, banks, max_order):
    plan = plan_wavelet(Domain.LINE, lambda _: (axis, banks), max_order)
    expected = functools.partial(on_a_line, axis=axis, banks=banks[:max_order])
    return Toy(plan, (axis.N,), expected)


def plane_toy(plane, banks, max_order):
    plan = plan_wavelet(Domain.PLANE, lambda _: (plane, banks), max_order)
    expected = functools.partial(on_a_plane, plane=plane, banks=banks[:max_order])
    return Toy(plan, plane.shape, expected)


def gammatones(T, max_order=2, N=45, padding="reflect"):
    axis = TimeAxis(N, 3, T, None, padding)
    banks = Gammatones(axis.samples, 3), Gammatones(axis.samples, 2, step=2)
    return line_toy(axis, banks, max_order)


def comets(T, max_order=2, shape=(8, 12)):
    plane = ImagePlane(shape, 2, T, None, "none")
    return plane_toy(plane, (Comets(plane.padded, 2),) * 2, max_order)


@pytest.mark.slow
@pytest.mark.parametrize("T", [None, "global", 0])
@pytest.mark.parametrize("max_order", [1, 2])
@pytest.mark.parametrize("make", [gammatones, comets])
def test_complex_spectra(make, T, max_order):
    toy = make(T, max_order)
    design = toy.plan.design(FLOAT64)
    assert any(name.endswith("_imag") for name in design.arrays)
    check(toy, xla=max_order == 2, matrix=max_order == 2)


@pytest.mark.slow
@pytest.mark.parametrize("T", [None, 0])
@pytest.mark.parametrize("make", [gammatones, comets])
def test_gradients_through_complex_spectra(make, T):
    check_gradient(make(T))


def test_the_sign_of_an_imaginary_part_matters():
    """A filter that runs backwards in time has the conjugate spectrum."""
    toy = gammatones(0)

    class Reversed(Gammatones):
        def psi(self, n):
            return super().psi(n).conj()

    axis = toy.plan.grid
    back = line_toy(axis, (Reversed(axis.samples, 3), Reversed(axis.samples, 2, step=2)), 2)
    check(back, xla=False, matrix=False)
    assert np.abs(toy.outputs[1] - back.outputs[1]).max() > 0.1 * np.abs(toy.outputs[1]).max()


def test_windows_hold_imaginary_parts():
    """Which may count at other lines than real parts."""
    spectra = np.zeros((1, 64), complex)
    spectra[0, 3:6], spectra[0, 20:23] = 1, 1j
    ((start, stop),) = Arrays(FLOAT64).bank("psi", spectra, (16,)).lines
    assert start <= 3
    assert stop >= 23


def test_arrays_of_a_design_are_real():
    with pytest.raises(
        ValueError, match=r"real and imaginary parts.* Received: psi, of complex128"
    ):
        Arrays(FLOAT64).add("psi", np.ones(3, complex))


# Padding


class Unbounded(MorletBank1D):
    """Morlet wavelets of which nobody knows how far they reach."""

    def deviation(self, n):
        return math.inf


@pytest.mark.parametrize("T", [None, 0])
def test_padding_is_left_out_where_a_bound_is_known(T):
    whole = TimeAxis(1100, 3, T, None, "reflect")

    def toy(kind):
        def wavelets(axis):
            return tuple(kind(axis.samples, axis.J, q, axis.support) for q in (2, 1))

        def setting(threshold):
            axis = whole.working(wavelets(whole), threshold)
            return axis, wavelets(axis)

        expected = functools.partial(on_a_line, axis=whole, banks=wavelets(whole))
        return Toy(plan_wavelet(Domain.LINE, setting, 2), (1100,), expected)

    samples = []
    for kind in (Unbounded, MorletBank1D):
        both = toy(kind)
        check(both, xla=False, matrix=False)
        (rule,) = both.plan.design(FLOAT64).padding
        samples.append(sum(len(np.arange(1100)[piece]) for piece in rule.runs))
    assert samples[0] == whole.samples
    assert samples[1] < 0.8 * whole.samples


# Order 3


def thrice_on_a_line(T):
    axis = TimeAxis(50, 4, T, None, "symmetric")
    banks = tuple(MorletBank1D(axis.samples, 4, q, axis.support) for q in (2, 1, 1))
    return line_toy(axis, banks, 3)


def thrice_on_a_plane(T):
    plane = ImagePlane((16, 24), 3, T, None, "none")
    return plane_toy(plane, (MorletBank2D(plane.padded, 3, 2),) * 3, 3)


@pytest.mark.slow
@pytest.mark.parametrize("T", [None, "global", 0])
@pytest.mark.parametrize("make", [thrice_on_a_line, thrice_on_a_plane])
def test_order_three(make, T):
    toy = make(T)
    assert max(toy.plan.meta["order"]) == 3
    check(toy, xla=T == "global" and make is thrice_on_a_line)


@pytest.mark.slow
@pytest.mark.parametrize("make", [thrice_on_a_line, thrice_on_a_plane])
def test_gradients_through_order_three(make):
    check_gradient(make("global"))


@pytest.mark.parametrize("make", [thrice_on_a_line, thrice_on_a_plane])
def test_metadata_of_order_three(make):
    plan = make(None).plan
    meta, third = plan.meta, plan.meta["order"] == 3
    assert third.sum() > 3
    j1, j2, j3 = (meta[name][third] for name in ("j1", "j2", "j3"))
    assert (j1 < j2).all()
    assert (j2 < j3).all()
    np.testing.assert_array_equal(meta["n3"] == -1, ~third)
    for name, values in plan.banks[2].columns.items():
        np.testing.assert_array_equal(meta[f"{name}3"][third], np.array(values)[meta["n3"][third]])


def test_metadata_of_order_three_in_seconds():
    meta = thrice_on_a_line(None).layer().meta(sampling_rate=100)
    third = meta["order"] == 3
    np.testing.assert_allclose(meta["xi3_hz"][third], 100 * meta["xi3"][third])
    np.testing.assert_allclose(meta["scale3_s"][third], 2.0 ** meta["j3"][third] / 100)
    assert np.isnan(meta["scale3_s"][~third]).all()


# What decides


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("one_thread", [False, True])
@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("domain", Domain)
def test_domain_and_mode_decide_on_the_operations(domain, matrix, xla, one_thread, gradient):
    if domain is Domain.SOLID:
        expected = Solid
    elif matrix:
        expected = MatrixLattice
    elif xla:
        expected = CompiledLattice
    elif domain is Domain.PLANE and one_thread:
        expected = GradientPlane if gradient else PiecewisePlane
    else:
        expected = Lattice
    mode = Mode(matrix, xla, one_thread, gradient)
    assert type(operations(domain, mode, {})) is expected


def test_the_domain_decides_and_not_the_rank(monkeypatch):
    """Images on the domain of lines are computed whole, to the same results."""
    toy = comets(None)
    as_lines = dataclasses.replace(toy, plan=dataclasses.replace(toy.plan, domain=Domain.LINE))
    check(as_lines, xla=False, matrix=False)
    monkeypatch.setattr(lattice, "in_pieces", None)
    layer = as_lines.layer()
    tf.function(layer)(toy.x[:3])
    with pytest.raises(TypeError, match="NoneType"):
        tf.function(toy.layer())(toy.x[:3])


# Stacks


@dataclasses.dataclass(frozen=True)
class Volume(Grid):
    """A periodic grid of any number of axes, with a Gaussian average of step 2**J."""

    shape: tuple[int, ...]
    J: int
    T: float | str | None

    @property
    def padded(self):
        return self.shape

    @property
    def extension(self):
        return tuple(Padding((slice(0, n, 1),)) for n in self.shape)

    @property
    def log2_stride(self):
        return self.J

    def keep(self, k):
        return tuple((0, n >> k) for n in self.shape)

    def coarsen(self, spectra, k):
        return crop_lines(spectra, self.size(k))

    def phi_axis(self, axis):
        return lowpass_in_space(self.shape[axis], 2**self.J)

    def lowpass(self, arrays, k):
        names = []
        for axis, (n, m) in enumerate(zip(self.size(k), self.size(self.J), strict=True)):
            h = np.fft.ifft(crop_lines(self.phi_axis(axis)[None], (n,))[0]).real
            matrix = circulant(h, 2 ** (self.J - k), range(m))
            names.append(arrays.add(f"phi_{k}_{axis}", matrix))
        return LowPass(tuple(names))


def averaged(U, grid, k):
    """Signals (b, *size) sampled every 2**k, averaged as their periodic grid says."""
    axes = tuple(range(1, U.ndim))
    if grid.T == "global":
        return U.mean(axes)
    if grid.T == 0:
        return U
    if isinstance(grid, TimeAxis):
        phi = grid.phi
    elif isinstance(grid, ImagePlane):
        phi = reference.lowpass_2d(*grid.padded, grid.J)
    else:
        phi = functools.reduce(np.multiply.outer, map(grid.phi_axis, range(len(grid.shape))))
    S = reference.convolve(U, grid.coarsen(phi[None], k)[0], axes).real
    return sampled(S, grid.log2_stride - k)


def along(Y, h, step):
    """Periodic convolution of Y[0], Y[1], ... with a filter, every `step`."""
    L = len(Y)
    return np.array([sum(h[(t - m) % L] * Y[m] for m in range(L)) for t in range(0, L, step)])


def stacked(x, grid, first, second, axis, joint):
    """Averages of x and of |x * psi_l|, and of |(|x * psi_l| * psi_l') o psi_n| along l."""
    space = tuple(range(1, x.ndim))
    k = grid.sampling(1)
    U = [np.abs(reference.convolve(x, psi, space)) for psi in first]
    Y = [sampled(reference.convolve(u, psi, space), k) for u, psi in zip(U, second, strict=True)]
    outputs = [] if joint else [averaged(u, grid, 0) for u in (x, *U)]
    for n, f in enumerate(axis.filters):
        step = 2 ** axis.sampling(n)
        Z = np.abs(along(Y, axis.response(n), step))
        if f.spin and axis.F == "global":
            Z = Z.mean(0, keepdims=True)
        elif f.spin and axis.F != 0:
            phi = np.fft.ifft(reference.lowpass_spectrum(axis.size, 0.1 / axis.support)).real
            aliased = step * phi[::step]
            Z = along(Z, aliased, 2**axis.log2_stride // step)
        S = [averaged(z, grid, k) for z in Z]
        outputs += [np.stack(S, -1)] if joint else S
    return outputs


def stack_toy(domain, grid, first, second, axis, joint):
    """A toy whose filters psi_l' differ from signal to signal, as where wavelets turn with l."""
    L, k = axis.size, grid.sampling(1)
    kept = [L // axis.step(n) for n in range(len(axis.filters))]
    rows_of = np.cumsum([0 if joint else 1 + L, *([1] * len(kept) if joint else kept)])
    rows = [tuple(range(*span)) for span in itertools.pairwise(rows_of.tolist())]

    def design(dtype):
        arrays = Arrays(dtype)
        box = arrays.box(second, grid.size(k))  # one for all: the phases of a stack must agree
        before = [arrays.bank(f"psi1_{i}", s[None], grid.size(0)) for i, s in enumerate(first)]
        after = [arrays.bank(f"psi2_{i}", s[None], grid.size(k), box) for i, s in enumerate(second)]
        average = None if joint else grid.average(arrays, 0)
        nodes = [
            Node(((0, bank),), average, () if joint else (1 + i,), 1, after[i].lines)
            for i, bank in enumerate(before)
        ]
        kinds = {}
        for n, f in enumerate(axis.filters):
            kinds.setdefault((axis.sampling(n), f.spin == 0), []).append(n)
        rules = [
            axis.along(
                arrays,
                f"along_{kind[0]}",
                kind,
                L,
                kept[kind[0]],
                grid.average(arrays, k),
                sum((rows[n] for n in kind), ()),
            )
            for kind in kinds.values()
        ]
        widest = max(arrays[rule.matrix].shape[-1] for rule in rules)
        stack = Stack(
            tuple(enumerate(after, start=1)), tuple(rules), joint, math.prod(grid.size(k)) * widest
        )
        lines = hull([bank.lines for bank in before])
        averages = () if average is None else (average,)
        return Design(grid.extension, lines, averages, (Branch((*nodes, stack)),), arrays)

    sizes = [] if joint else [grid.output_size(0)] * (1 + L)
    for count in kept:
        sizes += [(*grid.output_size(k), count)] if joint else [grid.output_size(k)] * count
    together = grid.T != 0
    plan = Plan(
        domain,
        {"order": np.zeros(len(sizes))},
        ((len(sizes), *sizes[0]),) if together else tuple(sizes),
        together,
        design,
    )
    expected = functools.partial(
        stacked, grid=grid, first=first, second=second, axis=axis, joint=joint
    )
    return Toy(plan, grid.padded, expected)


def stack_axis(L, J, F, stride=None):
    support = F if F not in (None, "global", 0) else 2**J
    return StackAxis(L, J, F, stride, {s: MorletBank1D(L, J, 1, support, s) for s in (1, -1)})


def tones_in_a_stack(F, joint, T):
    """Signals in time, causal filters; an average in frames where it is local."""
    grid = TimeAxis(128, 2, 2 if T is None else T, None, "none")
    bank = Gammatones(grid.samples, 4)
    first = np.stack([bank.psi(n) for n in range(4)])
    second = np.stack([Gammatones(grid.samples, 2).psi(1)] * 4)
    return stack_toy(Domain.LINE, grid, first, second, stack_axis(4, 1, F), joint)


def angles_in_a_stack(F, joint, T, turned=True):
    """Wavelets of one scale in the plane, then coarser ones that turn with them."""
    grid, L = ImagePlane((8, 12), 2, T, None, "none"), 6
    bank = MorletBank2D(grid.padded, 2, L)
    first = np.stack([bank.psi(i) for i in range(L)])
    second = np.stack([bank.psi(L + (i if turned else 2)) for i in range(L)])
    return stack_toy(Domain.PLANE, grid, first, second, stack_axis(L, 1, F, 1), joint)


def volumes_in_a_stack(F, joint, T):
    """Filters without a name."""
    grid = Volume((4, 8, 4), 1, T)
    first = noise(4, *grid.padded) + 1j * noise(4, *grid.padded, seed=1)
    second = noise(4, *grid.padded, seed=2) + 1j * noise(4, *grid.padded, seed=3)
    return stack_toy(Domain.LINE, grid, first, second, stack_axis(4, 1, F), joint)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("F", "joint", "T"),
    [(None, True, None), (None, False, None), ("global", False, "global"), (0, False, 0)],
)
@pytest.mark.parametrize("make", [tones_in_a_stack, angles_in_a_stack, volumes_in_a_stack])
def test_stacks_over_any_grid(make, F, joint, T):
    check(make(F, joint, T), xla=joint)


@pytest.mark.slow
@pytest.mark.parametrize("make", [tones_in_a_stack, angles_in_a_stack, volumes_in_a_stack])
def test_gradients_through_stacks(make):
    check_gradient(make(None, False, None))


@pytest.mark.parametrize("kind", ["Stack", "Gram"])
def test_volumes_of_harmonics_have_neither_stacks_nor_products(kind):
    toy = volumes_in_a_stack(None, True, None) if kind == "Stack" else products_on_a_plane()
    solid = dataclasses.replace(toy, plan=dataclasses.replace(toy.plan, domain=Domain.SOLID))
    with pytest.raises(ValueError, match=rf"`Node` alone.* Received: a design with {kind}$"):
        solid.layer()


# Products of signals


def gram_toy(domain, size, lines, apart=False, gain=1.0, keep=None, step=0):
    """Means of x and |x * psi_n|, and of products of these with a filter each.

    Means of products run over the whole grid, or over the samples to keep. The moduli are sampled
    every 2**step.
    """
    N, space = math.prod(size), tuple(range(1, len(size) + 1))
    first = noise(3, *size) + 1j * noise(3, *size, seed=1)
    second = np.zeros((3, *size), complex)
    place = np.ix_(range(3), *(np.arange(*span) % n for span, n in zip(lines, size, strict=True)))
    shape = [stop - start for start, stop in lines]
    second[place] = noise(3, *shape, seed=2) + 1j * noise(3, *shape, seed=3)
    second *= gain * np.sqrt(N) / np.abs(second).max()
    kept = [(2, 3, 1, True), (0, 0, 0, False), (2, 1, 1, False), (0, 2, 1, False), (0, 1, 3, True)]
    kept += [(2, 0, 2, True)]  # no filter 1
    end = 4 + len(kept)

    def design(dtype):
        arrays = Arrays(dtype)
        coarse = tuple(n >> step for n in size)
        bank = arrays.bank("psi", first, coarse)
        if keep is None:
            over = arrays.weights("products", np.abs(second) ** 2 / N**2)
            read = over.lines
        else:
            box = tuple(-(n // 2) for n in size), (1,) * len(size)
            banks = [arrays.bank(f"product_{f}", second[f : f + 1], size, box) for f in range(3)]
            over, read = Samples(tuple(banks), keep), banks[0].lines
        wider = tuple((start, stop + 1) for start, stop in read) if keep is None else read
        if step:
            own = zip(read, coarse, strict=True)
            wider = tuple((max(a, -((n - 1) // 2)), min(b, (n + 1) // 2)) for (a, b), n in own)
        averages = [(Crop if apart else Mean)(tuple((0, n) for n in s)) for s in (size, coarse)]
        node = Node(((0, bank),), averages[1], (1, 2, 3), 3, wider)
        sources = (0, 1.0), (1, 2.0 ** (step * len(size)))
        gram = Gram(sources, over, tuple(kept), tuple(range(4, end)), 4 * math.prod(shape))
        padding = tuple(Padding((slice(0, n, 1),)) for n in size)
        boxes = hull([bank.lines, read])
        return Design(padding, boxes, (averages[0],), (Branch((node, gram)),), arrays)

    def refined(u):
        """A coarse signal on the fine grid, from its own lines without that of Nyquist."""
        spectrum = np.fft.fftn(u, axes=space)
        fine = np.zeros((len(u), *size), complex)
        own = [np.arange(-((n >> step) - 1) // 2, ((n >> step) + 1) // 2) for n in size]
        own = [k[np.abs(k) < (n >> step) / 2] for k, n in zip(own, size, strict=True)]
        to = np.ix_(range(len(u)), *(k % n for k, n in zip(own, size, strict=True)))
        fr = np.ix_(range(len(u)), *(k % (n >> step) for k, n in zip(own, size, strict=True)))
        fine[to] = spectrum[fr] * 2.0 ** (step * len(size))
        return np.fft.ifftn(fine, axes=space).real

    def expected(x):
        U = [x, *(sampled(np.abs(reference.convolve(x, psi, space)), step) for psi in first)]
        outputs = U if apart else [u.mean(space) for u in U]
        U = [x, *(refined(u) if step else u for u in U[1:])]
        inside = (..., *[slice(*span) for span in keep]) if keep else ...
        for f, a, c, imaginary in kept:
            y, z = (reference.convolve(U[i], second[f], space) for i in (a, c))
            mean = (y * z.conj())[inside].mean(space)
            outputs.append(mean.imag if imaginary else mean.real)
        return outputs

    degrees = np.array([1] * 4 + [2] * len(kept))
    coarse = tuple(n >> step for n in size)
    maps = [size, coarse, coarse, coarse]
    outputs = (*maps, *[()] * len(kept)) if apart else ((end,),)
    return Toy(
        Plan(domain, {"order": degrees}, outputs, not apart, design, degrees), size, expected
    )


def products_on_a_line(**options):
    return gram_toy(Domain.LINE, (45,), ((-5, 17),), **options)


def products_of_samples_on_a_line(**options):
    return gram_toy(Domain.LINE, (45,), ((-5, 17),), keep=((3, 40),), **options)


def products_of_coarse_moduli_on_a_line(**options):
    return gram_toy(Domain.LINE, (44,), ((-9, 17),), step=1, **options)


def products_of_coarse_samples_on_a_plane(**options):
    return gram_toy(
        Domain.PLANE, (8, 14), ((-2, 3), (0, 7)), keep=((1, 7), (0, 13)), step=1, **options
    )


def products_on_a_plane(**options):
    return gram_toy(Domain.PLANE, (8, 15), ((-2, 3), (0, 7)), **options)


PRODUCTS = pytest.mark.parametrize(
    "make",
    [
        products_on_a_line,
        products_on_a_plane,
        products_of_samples_on_a_line,
        products_of_coarse_moduli_on_a_line,
        products_of_coarse_samples_on_a_plane,
    ],
)


@pytest.mark.slow
@PRODUCTS
@pytest.mark.parametrize("apart", [False, True])
def test_products_are_means_over_the_grid(make, apart):
    check(make(apart=apart), xla=not apart)


@pytest.mark.slow
@PRODUCTS
@pytest.mark.parametrize("apart", [False, True])
def test_gradients_through_products(make, apart):
    check_gradient(make(apart=apart))


@PRODUCTS
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("fft", ["native", "matrix"])
def test_each_row_has_its_degree(make, apart, fft):
    """S(c x) = c**q S(x), though c**2 alone is beyond the range of float32 either way."""
    toy = make(apart=apart, gain=0.1)
    x = 0.03 * toy.x[:3]
    x[(..., *[0] * len(toy.size))] = 1
    layer = toy.layer(fft=fft)
    usual = split(layer(x))
    for c in (1e20, 1e-20):
        for q, y, scaled in zip(toy.plan.degrees, usual, split(layer(c * x)), strict=True):
            expected = c ** float(q) * y.astype("float64")
            assert np.isfinite(scaled).all()
            rounding = 1e-5 * np.abs(expected).max() + np.finfo("float32").tiny
            np.testing.assert_allclose(scaled, expected, rtol=0, atol=rounding)
