"""What a process keeps of layers and graphs that are made and dropped, hundreds of times.

Beside the layers stand the same uses of Keras' convolution, and graphs of TensorFlow alone. Each
row is a process of its own. Uses:

* build: a layer is built, traced by `tf.function`, called, and dropped;
* map: a layer is kept, and `dataset.map(layer)` is made anew;
* sizes: the same, for a new size of the batch each time;
* jit: as the first, compiled by XLA.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from rounds import Ended, Row, fresh, resident, scaled

COUNT = 300
SLOW = 5  # XLA takes seconds for a turn: so many times fewer
MOST = 4.0  # MB a turn, of layers that XLA does not compile; the other rows only report
LIMIT = 3600  # seconds for a row
BATCH = 4


class Kind(NamedTuple):
    """A layer and the shape of one input."""

    layer: str
    given: dict[str, Any]
    shape: tuple[int, ...]

    def make(self, **more: Any) -> Any:
        if self.layer == "Conv2D":
            import keras as module

            module = module.layers
        else:
            import keras_scattering as module
        layer = getattr(module, self.layer)(**self.given, **more)
        layer.build((None, *self.shape))
        return layer


KINDS = {
    "Scattering1D": Kind("Scattering1D", {"J": 5, "Q": 4}, (256,)),
    "Scattering2D": Kind("Scattering2D", {"J": 2, "L": 4}, (16, 16)),
    "TimeFrequencyScattering": Kind("TimeFrequencyScattering", {"J": 4, "J_fr": 2}, (128,)),
    "HarmonicScattering3D": Kind("HarmonicScattering3D", {"J": 1, "L": 2}, (8, 8, 8)),
    "keras.layers.Conv2D": Kind("Conv2D", {"filters": 8, "kernel_size": 3}, (16, 16, 1)),
}
USES = ("build", "map", "sizes", "jit")
ALONE = ("tf.function", "MapDefun", "jit")


def turn_of(name: str, use: str) -> Callable[[int], None]:
    """One turn of a use, which is told its number."""
    import tensorflow as tf

    if name == "TensorFlow":
        from tensorflow_alone import TURNS

        return TURNS[use]
    kind = KINDS[name]
    keras_own = kind.layer == "Conv2D"
    layer = None if use in ("build", "jit") else kind.make()

    def build(number: int) -> None:
        compiled = {"jit_compile": True} if use == "jit" else {}
        layer = kind.make(**({} if keras_own else compiled))
        function = tf.function(layer, autograph=False, **(compiled if keras_own else {}))
        function(tf.zeros((BATCH, *kind.shape)))

    def over_dataset(number: int) -> None:
        batch = BATCH if use == "map" else 1 + number
        for _ in tf.data.Dataset.from_tensors(tf.zeros((batch, *kind.shape))).map(layer):
            pass

    return build if layer is None else over_dataset


def turns(name: str, use: str, count: int) -> tuple[float, float]:
    """MB a turn, after the first tenth of the turns; and seconds."""
    turn, warm = turn_of(name, use), max(2, count // 10)
    began, before = time.monotonic(), 0.0
    for number in range(count):
        if number == warm:
            before = resident()
        turn(number)
    return (resident() - before) / (count - warm), time.monotonic() - began


def rows(scale: float, seed: int) -> Iterator[Row]:
    uses = [(name, use) for name in KINDS for use in USES] + [("TensorFlow", use) for use in ALONE]
    for name, use in uses:
        count = scaled(COUNT / (SLOW if use == "jit" else 1), scale, 4)
        title = f"{use} of {name} alone" if name == "TensorFlow" else f"{use} of {name}"
        try:
            kept, seconds = fresh(turns, name, use, count, limit=LIMIT)
        except Ended as ended:
            yield Row(title, count, [f"{title}: {ended}"], 0)
            continue
        wrong = []
        if kept > MOST and use != "jit" and name in KINDS:
            wrong.append(f"{title}: {kept:.1f} MB a turn, {MOST:.0f} are allowed")
        yield Row(title, count, wrong, seconds, f"{kept:.2f} MB a turn")
