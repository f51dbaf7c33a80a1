"""Run SavedModels with TensorFlow alone, where neither Keras nor this package can be imported.

    python load_plain.py FOLDER

FOLDER/requests.json holds a list of models' folders, and FOLDER/<number>.npy the input of each.
Answers go to FOLDER/<number>.npz, by name, and with them the gradient of the sum of squares of the
coefficients. That there is no gradient of the gradient is asserted.
"""

import functools
import importlib.abc
import importlib.machinery
import json
import sys
from pathlib import Path


class Blocked(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what TensorFlow looks for when it is imported, and lets nobody load it."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "tf_keras", "keras_scattering"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name)

    def exec_module(self, module):
        raise NotImplementedError  # none is ever made


sys.meta_path.insert(0, Blocked())

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

work = Path(sys.argv[1])
load = functools.cache(tf.saved_model.load)


def differentiate(serve, name, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        answers = serve(**{name: x})
        total = tf.reduce_sum(tf.square(answers["coefficients"]))
    return answers, tape.gradient(total, x)


for number, folder in enumerate(json.loads((work / "requests.json").read_text())):
    serve = load(folder).signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    x = tf.constant(np.load(work / f"{number}.npy"))
    answers, answers["gradient"] = differentiate(serve, name, x)
    with tf.GradientTape() as second:
        second.watch(x)
        try:
            differentiate(serve, name, x)
        except LookupError:
            pass
        else:
            raise AssertionError("A gradient was recorded, so that it has a gradient.")
    np.savez(work / f"{number}.npz", **{key: y.numpy() for key, y in answers.items()})
assert not {"keras", "keras_scattering"} & set(sys.modules)
