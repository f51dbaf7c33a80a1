"""What a process keeps of its memory from call to call."""

import gc
import platform
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from layers import FEW, SMALL
from tensorflow.python.framework.ops import gradient_registry

CALLS = 10
PROGRAM = f"""
import resource

import tensorflow as tf

from keras_scattering import Scattering2D

layer = Scattering2D(J=2)
function = tf.function(lambda x: layer(x), autograph=False)
x = tf.zeros((128, 32, 32))
for _ in range(5):
    function(x)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({CALLS}):
    function(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a rule of glibc's")
def test_freed_memory_serves_the_next_call():
    """Else ten or twenty thousand pages of each call are new ones, a third of its time."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) / CALLS < 4000


# Graphs


def gradient_of(layer, x):
    @tf.function(autograph=False)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = keras.tree.flatten(layer(x))
        return tape.gradient(outputs, x)

    return run(x)


USES = {
    "called": lambda layer, x: tf.function(layer, autograph=False)(x),
    "differentiated": gradient_of,
    "mapped": lambda layer, x: list(tf.data.Dataset.from_tensors(x).map(layer)),
}


def graphs():
    """Graphs of functions that live, and gradients that TensorFlow has registered."""
    gc.collect()
    kept = [o for o in gc.get_objects() if type(o).__name__ == "FuncGraph"]
    return len(kept), len(gradient_registry.list())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "use", "jit_compile"),
    [(case, use, False) for case in FEW for use in USES]
    + [(case, "differentiated", False) for case in SMALL if case not in FEW]
    + [(case, "differentiated", True) for case in FEW],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_graphs_go_with_their_layer(case, use, jit_compile):
    def turn():
        layer = case.make(jit_compile=jit_compile)
        layer.build((None, *case.shape))
        USES[use](layer, tf.zeros((3, *case.shape)))

    turn()  # the first may leave what all share
    before = graphs()
    turn()
    assert graphs() == before


@pytest.mark.slow
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_new_batches_share_the_graph_of_a_layer(case):
    layer = case.make()
    layer.build((None, *case.shape))
    function = tf.function(layer, autograph=False)
    function(tf.zeros((3, *case.shape)))
    before, _ = graphs()
    function(tf.zeros((4, *case.shape)))
    after, _ = graphs()
    assert after - before <= 3  # the function's own, and what it asks of the device


def test_a_gradient_outlives_its_layer_in_a_graph():
    case = SMALL[0]
    layer = case.make()
    layer.build((None, *case.shape))
    function = tf.function(layer, [tf.TensorSpec((None, *case.shape))], autograph=False)
    x = tf.constant(case.inputs(3))
    expected = gradient_of(layer, x)
    graph = function.get_concrete_function()
    del function
    gc.collect()
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = graph(x)
    np.testing.assert_allclose(tape.gradient(y, x), expected, rtol=1e-5)
