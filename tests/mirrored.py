"""Train a model with layers on two logical devices and on one; write down what comes of it.

    python mirrored.py FOLDER

FOLDER/results.npz gets, of both, the losses, the predictions and all weights, and what the model of
two devices predicts once it is saved and loaded, and once it is exported.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from layers import FEW

BATCH = 6  # three signals of each kind a device


def make_model():
    """Something to learn before each layer and after all of them."""
    keras.utils.set_random_seed(0)
    # Near its zeros the gradient of a modulus, and more so of a small power of it, is all rounding.
    keras.config.set_dtype_policy("float64")
    inputs, features = [], []
    for case in FEW:
        inputs.append(keras.Input(case.shape))
        x = keras.layers.Dense(case.shape[-1], kernel_initializer="identity")(inputs[-1])
        outputs = keras.tree.flatten([case.make()(x)])
        features += [keras.layers.LayerNormalization()(keras.layers.Flatten()(y)) for y in outputs]
    outputs = keras.layers.Dense(2)(keras.layers.Concatenate()(features))
    model = keras.Model(inputs, outputs)
    # Not Adam, which makes a step of one size of a gradient that is rounding.
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    return model


def main(folder):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert two.num_replicas_in_sync == 2
    x = [case.inputs(2 * BATCH) for case in FEW]
    y = np.stack([x[0].mean(1), x[0].std(1)], 1)
    results = {}
    for name, strategy in (("one", tf.distribute.get_strategy()), ("two", two)):
        with strategy.scope():
            model = make_model()
        losses = model.fit(x, y, BATCH, epochs=2, shuffle=False, verbose=0).history["loss"]
        results[f"{name}_losses"] = np.array(losses)
        results[f"{name}_predictions"] = model.predict(x, BATCH, verbose=0)
        results |= {f"{name}_{i}": weight for i, weight in enumerate(model.get_weights())}
    assert any(isinstance(w.value, tf.distribute.DistributedValues) for w in model.weights)
    model.save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras")
    results["saved"] = loaded.predict(x, 2 * BATCH, verbose=0)
    model.export(folder / "model", format="tf_saved_model", verbose=False)
    exported = tf.saved_model.load(folder / "model")
    results["exported"] = exported.serve(x)
    np.savez(folder / "results.npz", **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
