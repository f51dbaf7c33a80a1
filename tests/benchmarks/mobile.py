"""What transforms by matrices cost: in TensorFlow, in LiteRT and in ONNX Runtime, and on disk.

python tests/benchmarks/mobile.py [--rounds 15] [--threads 1] [--batch 1] [--only NAME]

It needs `pip install -e ".[mobile]"`. Milliseconds per call. All take turns of two calls, of which
the second counts, since it finds its caches warm. The fastest turn of each is given: slower turns
measure what else the machine does.
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from keras_scattering import (
    HarmonicScattering3D,
    Scattering1D,
    Scattering2D,
    TimeFrequencyScattering,
)

MODELS = {
    "image of 28 × 28, J=2": (Scattering2D, {"J": 2}, (28, 28)),
    "image of 224 × 224, J=4": (Scattering2D, {"J": 4}, (224, 224)),
    "1 s at 8 kHz, J=6, Q=8": (Scattering1D, {"J": 6, "Q": 8}, (8000,)),
    "1 s at 8 kHz, J=8, Q=8": (Scattering1D, {"J": 8, "Q": 8}, (8000,)),
    "1 s at 8 kHz, joint, J=8, J_fr=4, Q=8": (
        TimeFrequencyScattering,
        {"J": 8, "J_fr": 4, "Q": 8},
        (8000,),
    ),
    "volume of 16³, J=1, L=2": (HarmonicScattering3D, {"J": 1, "L": 2}, (16, 16, 16)),
}
COLUMNS = ("TensorFlow", "by matrices", "LiteRT", "ONNX Runtime")


def graph(model):
    function = tf.function(model, input_signature=[tf.TensorSpec(model.input_shape)])
    return lambda x: function(tf.constant(x)).numpy()


def litert(model, file, threads):
    builtins = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    model.export(file, format="litert", verbose=False, target_spec=builtins)
    run = Interpreter(file, num_threads=threads).get_signature_runner()
    (name,) = run.get_input_details()
    return lambda x: run(**{name: x})["output_0"]


def onnx(model, file, threads):
    model.export(file, format="onnx", verbose=False, opset_version=18)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options)
    return lambda x: session.run(None, {session.get_inputs()[0].name: x})[0]


def measure(kind, arguments, shape, batch, rounds, threads, folder):
    """Milliseconds of each contender, the largest relative error, and the sizes of the files."""
    models = {}
    for fft in ("native", "matrix"):
        models[fft] = keras.Sequential([keras.Input(shape), kind(**arguments, fft=fft)])
        models[fft](np.zeros((1, *shape), "float32"))  # as the exporter to ONNX wants
    files = [str(Path(folder) / name) for name in ("model.tflite", "model.onnx")]
    calls = [
        graph(models["native"]),
        graph(models["matrix"]),
        litert(models["matrix"], files[0], threads),
        onnx(models["matrix"], files[1], threads),
    ]
    x = np.random.default_rng(0).standard_normal((batch, *shape)).astype("float32")
    answers = [call(x) for call in calls for _ in range(2)][1::2]
    error = max(np.abs(y - answers[0]).max() for y in answers) / np.abs(answers[0]).max()
    times = np.empty((rounds, len(calls)))
    for turn in times:
        for i, call in enumerate(calls):
            call(x)
            start = time.perf_counter()
            call(x)
            turn[i] = 1e3 * (time.perf_counter() - start)
    return np.min(times, 0), error, [Path(file).stat().st_size / 1e6 for file in files]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="of each contender")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--only", default="", help="models whose names hold this")
    given = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(given.threads)
    tf.config.threading.set_inter_op_parallelism_threads(given.threads)
    print("| model |", *(f"{name}, ms |" for name in COLUMNS), "error | .tflite, MB | .onnx, MB |")
    print("|---" * 8 + "|")
    for name, (kind, arguments, shape) in MODELS.items():
        if given.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            times, error, sizes = measure(
                kind, arguments, shape, given.batch, given.rounds, given.threads, folder
            )
        cells = [name, *(f"{t:.1f}" for t in times), f"{error:.0e}", *(f"{s:.1f}" for s in sizes)]
        print(f"| {' | '.join(cells)} |", flush=True)
