"""Random settings of all layers against the NumPy transforms: values, shapes, types, metadata.

A setting is a number: with the seed of the run, it is drawn anew from that.

    PYTHONPATH=tests python tests/stress/settings.py 17 --seed 0
"""

import argparse
import dataclasses
import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import reference
import tensorflow as tf
from compare import TOLERANCES, Tolerance, assert_close, split_paths
from rounds import Ended, Row, say, scaled, stream

import keras_scattering

COUNT = 10_000
PER_PROCESS = 200  # TensorFlow keeps something of every graph
LIMIT = 300  # seconds for one

PADDINGS = ("reflect", "symmetric", "zero", "periodic", "none")
LAYERS = {
    "Scattering1D": 0.35,
    "Scattering2D": 0.25,
    "TimeFrequencyScattering": 0.2,
    "HarmonicScattering3D": 0.2,
}
DTYPES = {
    "float64": 0.4,
    "float32": 0.45,
    "mixed_float16": 0.05,
    "mixed_bfloat16": 0.05,
    "float16": 0.025,
    "bfloat16": 0.025,
}
WAYS = {
    "eager": 0.4,
    "graph": 0.2,
    "graph of any batch": 0.2,
    "one signal": 0.08,
    "map": 0.1,
    "XLA": 0.02,
}
JIT = 0.02
MATRIX = 0.2
SPOILED = 0.1
INPUTS = ("float64", "float32", "float16", "uint8", "int16", "int64", "bool")
HALVES = {"float16": Tolerance(1e-3, 1e-3, 1e-4), "bfloat16": Tolerance(8e-3, 8e-3, 1e-3)}


@dataclasses.dataclass(frozen=True)
class Setting:
    """A layer, how it is called, and with what."""

    layer: str
    given: dict[str, Any]
    shape: tuple[int, ...]  # of an input, without the batch
    batch: int
    channels: int  # 0 for none
    way: str
    signal: str
    dtype: str  # of the input
    spoiled: str = ""  # what in it must be refused

    def make(self) -> keras.Layer:
        return getattr(keras_scattering, self.layer)(**self.given)

    @property
    def first(self) -> bool:
        """Whether channels come first."""
        return self.given["data_format"] == "channels_first"


# Drawing


class Draw:
    """Random choices, as plain numbers and strings."""

    def __init__(self, *seed: int):
        self.rng = np.random.default_rng(seed)

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def number(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, part: float) -> bool:
        return bool(self.rng.random() < part)

    def one(self, *values: Any) -> Any:
        return values[self.integer(0, len(values) - 1)]

    def weighted(self, weights: dict[str, float]) -> str:
        return list(weights)[int(self.rng.choice(len(weights), p=list(weights.values())))]

    def size(self, least: int, most: int) -> int:
        """Often hardly more than the least."""
        return least + self.integer(0, 4) if self.chance(0.4) else self.integer(least, most)

    def step(self, log2_most: int) -> int | None:
        return None if self.chance(0.5) else 2 ** self.integer(0, log2_most)

    def support(self, most: int, means: tuple[str, ...]) -> Any:
        kind = self.integer(0, 7)
        if kind < 2:
            return None
        if kind < 4:
            return self.one(*means)
        if kind == 4:
            return 0
        return self.integer(1, most) if kind == 5 else round(self.number(1, most), 2)


def log2_of(support: Any, default: int) -> int | None:
    """log2 of the largest output step; None where there is no average."""
    if support is None:
        return default
    return None if isinstance(support, str) or support == 0 else math.floor(math.log2(support))


def draw_time(draw: Draw, largest_J: int, longest: int) -> tuple[dict[str, Any], tuple[int, ...]]:
    J, padding = draw.integer(1, largest_J), draw.one(*PADDINGS)
    N = draw.size(2**J, longest)
    T = draw.support(N, ("global", "signal"))
    step = log2_of(T, J)
    if padding == "none":
        multiple = 2 ** max(J, step or 0)
        N = -(-N // multiple) * multiple
    stride = None if step is None else draw.step(step)
    return {"J": J, "T": T, "stride": stride, "padding": padding}, (N,)


def draw_1d(draw: Draw) -> tuple[dict[str, Any], tuple[int, ...]]:
    given, size = draw_time(draw, 7, 400)
    Q = draw.one(draw.integer(1, 16), (draw.integer(1, 12), draw.integer(1, 6)))
    return {**given, "Q": Q, "max_order": draw.one(1, 2, 2)}, size


def draw_2d(draw: Draw) -> tuple[dict[str, Any], tuple[int, ...]]:
    J, padding = draw.integer(1, 3), draw.one(*PADDINGS)
    size = tuple(draw.size(2**J, 24) for _ in range(2))
    if padding == "none":
        size = tuple(-(-n // 2**J) * 2**J for n in size)
    T = draw.one(None, None, "global", "signal", 0)
    given = {
        "J": J,
        "L": draw.integer(1, 9 if J < 3 else 4),
        "T": T,
        "stride": draw.step(J) if T is None else None,
        "max_order": draw.one(1, 2, 2),
        "padding": padding,
    }
    return given, size


def draw_joint(draw: Draw) -> tuple[dict[str, Any], tuple[int, ...]]:
    given, size = draw_time(draw, 5, 150)
    J_fr, format = draw.integer(1, 3), draw.one("time", "joint")
    F = draw.support(2**J_fr, ("global",))
    if format == "joint" and (F == 0 or isinstance(F, str)):
        F = None
    step = log2_of(F, J_fr)
    given |= {
        "J_fr": J_fr,
        "Q": draw.one(draw.integer(1, 6), (draw.integer(1, 4), draw.integer(1, 3))),
        "Q_fr": draw.one(1, 1, 2, 3),
        "F": F,
        "stride_fr": None if step is None else draw.step(step),
        "format": format,
    }
    return given, size


def draw_3d(draw: Draw) -> tuple[dict[str, Any], tuple[int, ...]]:
    powers = [round(draw.number(0.3, 3), 2) for _ in range(draw.integer(1, 4))]
    size = tuple(draw.size(1, 8) for _ in range(3))
    powers = draw.one((0.5, 1.0, 2.0), tuple(powers))
    if min(size) < 3:  # symmetric, so that there are zeros, of which roots are ill-conditioned
        powers = tuple(max(q, 1.0) for q in powers)
    given = {
        "J": draw.integer(1, 3),
        "L": draw.integer(1, 4),
        "sigma_0": round(draw.number(0.4, 1.5), 2),
        "max_order": draw.one(1, 2, 2),
        "rotation_covariant": draw.one(True, True, False),
        "integral_powers": powers,
    }
    return given, size


DRAWS = {
    "Scattering1D": draw_1d,
    "Scattering2D": draw_2d,
    "TimeFrequencyScattering": draw_joint,
    "HarmonicScattering3D": draw_3d,
}

# Arguments that are refused whatever the others are, by those that a layer has.
REFUSED = [
    {"J": 0},
    {"J": 2.0},
    {"J": "2"},
    {"T": -1},
    {"T": 0.5},
    {"T": "local"},
    {"T": math.inf},
    {"T": math.nan},
    {"T": True},
    {"stride": 3},
    {"stride": 0},
    {"stride": 2**20},
    {"Q": 0},
    {"Q": (2, 2, 2)},
    {"Q": 257},
    {"L": 0},
    {"L": 300},
    {"Q_fr": 0},
    {"J_fr": 17},
    {"F": "signal"},
    {"F": 100},
    {"stride_fr": 3},
    {"max_order": 3},
    {"max_order": True},
    {"padding": "wrap"},
    {"padding": None},
    {"format": "space"},
    {"sigma_0": 0},
    {"sigma_0": math.nan},
    {"integral_powers": ()},
    {"integral_powers": (0.5, -1.0)},
    {"integral_powers": (math.inf,)},
    {"rotation_covariant": 1},
    {"data_format": "channels"},
    {"dtype": "int32"},
    {"fft": "fast"},
    {"jit_compile": "yes"},
]


def draw_setting(seed: int, index: int) -> Setting:
    draw = Draw(seed, index)
    layer = draw.weighted(LAYERS)
    given, size = DRAWS[layer](draw)
    channels = draw.one(0, 0, 1, 2, 3)
    given["data_format"] = draw.one("channels_last", "channels_first")
    given["dtype"] = draw.weighted(DTYPES)
    if draw.chance(MATRIX):
        given["fft"] = "matrix"
    way, batch = draw.weighted(WAYS), draw.integer(0, 9)
    if draw.chance(JIT):
        given["jit_compile"] = True
    if way in ("one signal", "map"):
        batch = 1 if way == "one signal" else max(batch, 1)
    if way == "map" and given.get("T") == 0:
        way = "graph"  # a dataset would stack the list
    volume, half = layer == "HarmonicScattering3D", "16" in given["dtype"]
    rooted = volume and min(given["integral_powers"]) < 1
    signals = ("noise", "noise", "offset", "impulse", "constant", "silence", "large", "small")
    if rooted:
        signals = ("noise",)  # a root makes much of the rounding where a symmetry has zeros
    elif half:
        signals = ("noise", "impulse")  # within the numbers of float16
    signal = draw.one(*signals)
    spoiled = ""
    if draw.chance(SPOILED):
        able = [wrong for wrong in REFUSED if wrong.keys() <= {*given, "fft", "jit_compile"}]
        wrong = draw.one(*able, "size", "size", "rank", "complex")
        if isinstance(wrong, dict):
            given |= wrong
        elif wrong == "size":
            least = 1 if volume else 2 ** given["J"]
            size = (*size[:-1], least - 1)
        elif wrong == "rank":
            size = (*size, *size, 2, 2, 2)
        spoiled = str(wrong)
    shape = size
    if channels:
        first = given["data_format"] == "channels_first"
        shape = (channels, *size) if first else (*size, channels)
    dtype = draw.one("float64", "float32", *INPUTS[: 3 if rooted else None])
    dtype = "complex64" if spoiled == "complex" else dtype
    return Setting(layer, given, shape, batch, channels, way, signal, dtype, spoiled)


def draw_signals(setting: Setting, seed: int, index: int) -> np.ndarray:
    rng = np.random.default_rng((seed, index, 1))
    x = rng.standard_normal((setting.batch, *setting.shape))
    if setting.signal == "offset":
        x += 100
    elif setting.signal == "impulse":
        x *= rng.random(x.shape) < 1 / max(2, math.prod(setting.shape))
    elif setting.signal in ("constant", "silence"):
        x = np.full(x.shape, 1.5 if setting.signal == "constant" else 0)
    elif setting.signal in ("large", "small"):
        x *= 1e4 if setting.signal == "large" else 1e-4
    if setting.dtype in ("uint8", "int16", "int64", "bool"):
        x = np.round(np.minimum(2 * np.abs(x), 200))
    return x.astype(setting.dtype)


# The oracle

TRANSFORMS = {
    "Scattering1D": reference.scattering1d,
    "Scattering2D": reference.scattering2d,
    "TimeFrequencyScattering": reference.time_frequency,
    "HarmonicScattering3D": reference.harmonic3d,
}
NOT_OF_THE_TRANSFORM = {"data_format", "dtype", "fft", "jit_compile"}


def own(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments that the mathematics has."""
    return {name: value for name, value in given.items() if name not in NOT_OF_THE_TRANSFORM}


def expected(setting: Setting, x: np.ndarray) -> Any:
    """Coefficients of signals (batch * channels, *size)."""
    if setting.channels:
        x = x if setting.first else np.moveaxis(x, -1, 1)
        x = x.reshape(-1, *x.shape[2:])
    return TRANSFORMS[setting.layer](x.astype("float64"), **own(setting.given))


def expected_meta(setting: Setting) -> dict[str, list]:
    given = own(setting.given)
    if setting.layer == "TimeFrequencyScattering":
        format = given.pop("format")
        size = max(setting.shape) if not setting.channels else None
        if size is None:
            size = setting.shape[1] if setting.first else setting.shape[0]
        pictures = reference.time_frequency_paths(np.zeros((1, size)), **given)
        return reference.time_frequency_meta(pictures, format)
    J, order = given["J"], given["max_order"]
    if setting.layer == "Scattering1D":
        paths = reference.paths_1d(J, given["Q"], order)
    elif setting.layer == "Scattering2D":
        paths = reference.paths_2d(J, given["L"], order)
    else:
        paths = reference.paths_3d(J, order)
    n1, n2 = zip(*[(*path, -1, -1)[:2] for path in paths], strict=True)
    return {"order": [len(path) for path in paths], "n1": list(n1), "n2": list(n2)}


# The layer


def answer(setting: Setting, layer: keras.Layer, x: np.ndarray) -> Any:
    """What the layer makes of signals, called in the way of the setting; with a batch axis."""
    way = setting.way
    if way == "eager":
        return layer(x)
    if way == "one signal":
        layer.build((None, *setting.shape))
        return keras.tree.map_structure(lambda y: y[None], layer(x[0]))
    if way == "map":
        layer.build((None, *setting.shape))
        dataset = tf.data.Dataset.from_tensor_slices(x).map(layer).batch(len(x))
        return next(iter(dataset))
    signature = None
    if way == "graph of any batch":
        signature = [tf.TensorSpec((None, *setting.shape), x.dtype)]
    jit = True if way == "XLA" else None
    return tf.function(layer, signature, jit_compile=jit, autograph=False)(x)


def signals_first(setting: Setting, y: np.ndarray, stacked: bool) -> np.ndarray:
    """An output as the oracle has it: (batch * channels, *size), then the paths if stacked."""
    channels = setting.channels or 1
    if stacked:
        y = np.moveaxis(y, 1, -1) if setting.first else y
        y = y.reshape(*y.shape[:-1], channels, y.shape[-1] // channels)
        y = np.moveaxis(y, -2, 1)
    elif setting.channels:
        y = y if setting.first else np.moveaxis(y, -1, 1)
    else:
        y = y[:, None]
    return y.reshape(len(y) * channels, *y.shape[2:])


def check_values(setting: Setting, x: np.ndarray, outputs: Any, wanted: Any) -> float:
    """The largest error relative to the largest value, within the tolerance as each path is."""
    stacked = not isinstance(wanted, list)
    assert isinstance(outputs, list) == isinstance(wanted, list), "a list, or none"
    outputs = [outputs] if stacked else outputs
    precision = setting.given["dtype"].removeprefix("mixed_")
    assert {y.dtype.name for y in outputs} == {precision}, "type of the output"
    outputs = [np.asarray(tf.cast(y, "float64")) for y in outputs]
    outputs = [signals_first(setting, y, stacked) for y in outputs]
    targets = [wanted] if stacked else wanted
    assert [y.shape for y in outputs] == [y.shape for y in targets], "shape"
    if not all(y.size for y in targets):
        return 0.0
    actual, paths = (split_paths(y[0] if stacked else y) for y in (outputs, targets))
    if setting.layer == "TimeFrequencyScattering":  # pictures leave out the mean: it is of x's size
        actual, paths = ([*y, x.astype("float64")] for y in (actual, paths))
    error = max(np.abs(y - w).max() for y, w in zip(actual, paths, strict=True))
    largest = max(np.abs(w).max() for w in paths)
    tolerance = {**TOLERANCES, **HALVES}[precision]
    relative = float(error / largest) if largest else (math.inf if error else 0.0)
    assert relative <= tolerance.whole, f"off by {relative:.1e} of the largest value"
    assert_close(actual, paths, tolerance)
    return relative


def check_shapes(setting: Setting, layer: keras.Layer, outputs: Any) -> None:
    """As announced, by a layer that is built and by one that is not."""
    shapes = [tuple(y.shape) for y in keras.tree.flatten(outputs)]
    for one in (layer, setting.make()):
        for batch in (None, setting.batch):
            announced = one.compute_output_shape((batch, *setting.shape))
            announced = announced if isinstance(announced, list) else [announced]
            assert announced == [(batch, *shape[1:]) for shape in shapes], "announced shape"


def check_meta(setting: Setting, layer: keras.Layer, outputs: Any) -> None:
    meta = layer.meta()
    count = len(meta["order"])
    assert all(len(column) == count for column in meta.values()), "columns of one length"
    for name, column in expected_meta(setting).items():
        np.testing.assert_allclose(meta[name], column, rtol=1e-12, err_msg=f"meta()[{name!r}]")
    if isinstance(outputs, list):
        assert len(outputs) == count, "a row for each output"
    elif setting.layer == "HarmonicScattering3D":
        assert outputs.shape[2 if setting.first else 1] == count, "a row for each path"
    else:
        axis = 1 if setting.first else -1
        assert outputs.shape[axis] == count * (setting.channels or 1), "a row for each path"


def check(seed: int, index: int) -> tuple[Setting, str, float]:
    """A setting, what came of it, and the error: "", "refused", or in words what is wrong."""
    setting = draw_setting(seed, index)
    x = draw_signals(setting, seed, index)
    try:
        layer = setting.make()
        outputs = answer(setting, layer, x)
    except ValueError as error:
        if "Received: " not in str(error):
            return setting, f"refused without saying what came: {error}", 0.0
        if setting.spoiled:
            return setting, "refused", 0.0
        try:
            expected(setting, x)
        except ValueError:  # such as wavelets that do not fit along frequency
            return setting, "refused", 0.0
        return setting, f"refused, though the reference answers: {error}", 0.0
    except Exception as error:
        return setting, f"{type(error).__name__}: {error}", 0.0
    if setting.spoiled:
        return setting, f"not refused: {setting.spoiled}", 0.0
    try:
        check_shapes(setting, layer, outputs)
        check_meta(setting, layer, outputs)
        return setting, "", check_values(setting, x, outputs, expected(setting, x))
    except Exception as error:
        return setting, f"{type(error).__name__}: {error}", 0.0


# Many of them


class Result(NamedTuple):
    """Of one setting."""

    index: int
    layer: str
    precision: str
    outcome: str  # as `check` says
    error: float
    seconds: float


def results(seed: int, start: int, stop: int) -> Iterator[Result]:
    for index in range(start, stop):
        began = time.monotonic()
        setting, outcome, error = check(seed, index)
        seconds, precision = time.monotonic() - began, str(setting.given["dtype"])
        yield Result(index, setting.layer, precision, outcome, error, seconds)
        if index % 20 == 0:
            keras.backend.clear_session()


def rows(scale: float, seed: int) -> Iterator[Row]:
    count = scaled(COUNT, scale)
    found: list[Result] = []
    began = time.monotonic()
    while len(found) < count:
        stop = min(len(found) + PER_PROCESS, count)
        try:
            for result in stream(results, seed, len(found), stop, limit=LIMIT):
                found.append(result)
        except Ended as error:  # with the setting after the last that came
            layer = draw_setting(seed, len(found)).layer
            found.append(Result(len(found), layer, "", str(error), 0, 0))
        say(f"{len(found)} settings, {time.monotonic() - began:.0f} s")
    for layer in LAYERS:
        mine = [result for result in found if result.layer == layer]
        failures = [
            f"setting {result.index} of seed {seed}: {draw_setting(seed, result.index)}: "
            + " ".join(result.outcome.split())[:300]
            for result in mine
            if result.outcome not in ("", "refused")
        ]
        worst = {
            name: max((r.error for r in mine if r.precision.endswith(name)), default=0)
            for name in TOLERANCES
        }
        figures = [f"{name} {error:.0e}" for name, error in worst.items()]
        refused = sum(result.outcome == "refused" for result in mine)
        seconds = sum(result.seconds for result in mine)
        worst = f"{', '.join(figures)}; {refused} refused"
        yield Row(f"settings of {layer}", len(mine), failures, seconds, worst)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=int, nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for index in arguments.index:
        setting, outcome, error = check(arguments.seed, index)
        print(f"{setting}\n  {outcome or 'right'}, {error:.1e}")


if __name__ == "__main__":
    main()
