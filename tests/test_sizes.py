"""Every size from 2**J to 40 and every padding: outputs have the size that was announced."""

import itertools

import numpy as np
import pytest
import reference

from keras_scattering import (
    HarmonicScattering3D,
    Scattering1D,
    Scattering2D,
    TimeFrequencyScattering,
)
from keras_scattering.plans.scattering1d import plan_scattering1d
from keras_scattering.plans.scattering2d import plan_scattering2d

LARGEST = 40
PADDINGS = ("reflect", "symmetric", "zero", "periodic", "none")

every_scale_and_padding = [
    pytest.mark.parametrize("J", [1, 2, 3]),
    pytest.mark.parametrize("padding", PADDINGS),
]


def sizes(J, padding):
    return range(2**J, LARGEST + 1, 2**J if padding == "none" else 1)


def pairs(J, padding):
    """Each size once as a height and once as a width, in combinations of no pattern."""
    heights = sizes(J, padding)
    return zip(heights, np.random.default_rng(J).permutation(heights).tolist(), strict=True)


def in_turn(*values):
    """Each of them twice, again and again: to each goes every second even size and odd size."""
    return itertools.cycle(value for value in values for _ in range(2))


def assert_as_announced(layer, size):
    x = np.random.default_rng(0).standard_normal((1, *size))
    outputs = layer(x)
    announced = type(layer).from_config(layer.get_config()).compute_output_shape(x.shape)
    if not isinstance(outputs, list):
        outputs, announced = [outputs], [announced]
    assert [tuple(y.shape) for y in outputs] == announced, size
    assert all(np.isfinite(y).all() for y in outputs), size


def assert_pads(plan, size, amounts, padding):
    """What the plan does to each axis, done with NumPy, is what is defined."""
    for n, rule, widths in zip(
        size, plan.design(np.dtype("float64")).padding, amounts, strict=True
    ):
        signal = np.arange(1, n + 1)
        padded = np.pad(np.concatenate([signal[piece] for piece in rule.runs]), rule.zeros)
        np.testing.assert_array_equal(padded, reference.pad(signal[None], [widths], padding)[0])


class TestImages:
    pytestmark = every_scale_and_padding

    def test_announced_shape(self, J, padding):
        layer = Scattering2D(J=J, L=1, max_order=1, padding=padding)

        def samples(n):
            return n // 2**J if padding in ("reflect", "symmetric", "zero") else -(-n // 2**J)

        for H, W in itertools.product(sizes(J, padding), repeat=2):
            wanted = (None, samples(H), samples(W), 1 + J)
            assert layer.compute_output_shape((None, H, W)) == wanted

    def test_announced_shape_without_an_average(self, J, padding):
        layer = Scattering2D(J=J, L=1, T=0, max_order=1, padding=padding)

        def samples(n, k):
            kept = reference.kept(reference.pad_amount_2d(n, J, padding)[0], n, k)
            return kept.stop - kept.start

        for H, W in itertools.product(sizes(J, padding), repeat=2):
            wanted = [(None, samples(H, k), samples(W, k)) for k in (0, *range(J))]
            assert layer.compute_output_shape((None, H, W)) == wanted

    def test_padding(self, J, padding):
        for H, W in pairs(J, padding):
            plan = plan_scattering2d((H, W), J, 1, None, None, 1, padding)
            amounts = [reference.pad_amount_2d(n, J, padding) for n in (H, W)]
            assert_pads(plan, (H, W), amounts, padding)

    @pytest.mark.slow
    def test_call(self, J, padding):
        for (H, W), T in zip(pairs(J, padding), in_turn(None, 0), strict=False):
            assert_as_announced(Scattering2D(J=J, L=1, T=T, padding=padding), (H, W))


class TestSignals:
    pytestmark = every_scale_and_padding

    def test_announced_shape(self, J, padding):
        layer = Scattering1D(J=J, padding=padding)
        for N in sizes(J, padding):
            left, _ = reference.pad_amount_1d(N, J, None, padding)
            kept = reference.kept(left, N, J)
            wanted = (None, kept.stop - kept.start, len(reference.paths_1d(J)))
            assert layer.compute_output_shape((None, N)) == wanted

    def test_padding(self, J, padding):
        for N in sizes(J, padding):
            plan = plan_scattering1d(N, J, (1, 1), None, None, 1, padding)
            assert_pads(plan, (N,), [reference.pad_amount_1d(N, J, None, padding)], padding)

    @pytest.mark.slow
    def test_call(self, J, padding):
        for N, T in zip(sizes(J, padding), in_turn(None, 0), strict=False):
            assert_as_announced(Scattering1D(J=J, T=T, padding=padding), (N,))


@pytest.mark.slow
@pytest.mark.parametrize("padding", PADDINGS)
def test_joint_time_frequency_call(padding):
    J = 2
    for N, format in zip(sizes(J, padding), in_turn("time", "joint"), strict=False):
        layer = TimeFrequencyScattering(J=J, J_fr=1, format=format, padding=padding)
        assert_as_announced(layer, (N,))


@pytest.mark.parametrize("rotation_covariant", [True, False])
@pytest.mark.parametrize("box", list(itertools.product([2, 3, 4], repeat=3)), ids=str)
def test_volume_call(box, rotation_covariant):
    layer = HarmonicScattering3D(J=1, L=2, rotation_covariant=rotation_covariant)
    assert_as_announced(layer, box)


@pytest.mark.parametrize("J", [1, 2, 3])
def test_without_padding_other_sizes_are_refused(J):
    multiples = sizes(J, "none")
    for n in set(range(2**J, LARGEST + 1)) - set(multiples):
        with pytest.raises(ValueError, match=rf"multiple.* {2**J}\b.*Received: .*\b{n}\b"):
            Scattering1D(J=J, padding="none").compute_output_shape((None, n))
        for shape in [(n, multiples[-1]), (multiples[-1], n)]:
            with pytest.raises(ValueError, match=rf"multiple.* {2**J}\b.*Received: .*\b{n}\b"):
                Scattering2D(J=J, padding="none").compute_output_shape((None, *shape))
