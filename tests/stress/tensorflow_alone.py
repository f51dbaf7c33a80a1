"""Graphs of TensorFlow, of which it keeps something itself after they are dropped.

    python tests/stress/tensorflow_alone.py

Nothing here knows of keras_scattering. Each turn makes a graph of as many operations as a small
scattering layer has, runs it, and drops it.
"""

import gc
import os

import tensorflow as tf

OPERATIONS = 300
SHAPE = (16, 16)


def _many(x: tf.Tensor) -> tf.Tensor:
    for _ in range(OPERATIONS):
        x = tf.cos(x)
    return x


def plain(number: int) -> None:
    tf.function(_many, autograph=False)(tf.zeros((4, *SHAPE)))


def map_defun(number: int) -> None:
    inner = tf.function(_many, autograph=False).get_concrete_function(tf.TensorSpec(SHAPE))

    @tf.function(autograph=False)
    def outer(x):
        return tf.raw_ops.MapDefun(
            arguments=[x],
            captured_inputs=[],
            output_types=[tf.float32],
            output_shapes=[SHAPE],
            f=inner,
        )

    outer(tf.zeros((4, *SHAPE)))


def jit(number: int) -> None:
    tf.function(_many, autograph=False, jit_compile=True)(tf.zeros((4, *SHAPE)))


TURNS = {"tf.function": plain, "MapDefun": map_defun, "jit": jit}


def main() -> None:
    def resident() -> float:
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    for name, turn in TURNS.items():
        for number in range(3):
            turn(number)
        before = resident()
        for number in range(20):
            turn(number)
        print(f"{name}: {(resident() - before) / 20:.2f} MB a turn")


if __name__ == "__main__":
    main()
