"""Held-out accuracy of one linear map on scattering coefficients, by what normalises them.

python tests/benchmarks/normalisation.py [--recordings FOLDER]

The handwritten digits are those of examples/data. FOLDER has the wav files of the Free Spoken Digit
Dataset, https://github.com/Jakobovits/free-spoken-digit-dataset. Its files 0 to 4 of each digit and
speaker are held out.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from scipy.io import wavfile

from keras_scattering import Scattering1D, Scattering2D

DIGITS = Path(__file__).parents[2] / "examples/data/mnist_5k.npz"
SEEDS = range(3)
TRAININGS = (2, 128), (8, 128), (8, 32)  # epochs, signals per batch
SAMPLES = 8192
NORMALISATIONS = {
    "none": lambda x: [],
    "`BatchNormalization()`": lambda x: [keras.layers.BatchNormalization()],
    "`BatchNormalization(momentum=0.9)`": lambda x: [keras.layers.BatchNormalization(momentum=0.9)],
    "`Normalization()`, adapted": lambda x: [adapted(x)],
}


def adapted(x):
    layer = keras.layers.Normalization()
    layer.adapt(x)
    return layer


def handwritten(seed):
    """Digits to learn from and held-out ones. The file is sorted by class."""
    with np.load(DIGITS) as data:
        order = np.random.default_rng(seed).permutation(len(data["labels"]))
        x, y = data["images"][order] / np.float32(255), data["labels"][order]
    return (x[:4000], y[:4000]), (x[4000:], y[4000:])


def spoken(folder):
    """Recordings to learn from and held-out ones, padded or cropped to one length."""
    sets = [], []
    for file in sorted(Path(folder).glob("*.wav")):
        digit, _, number = file.stem.split("_")
        x = wavfile.read(file)[1][:SAMPLES] / np.float32(2**15)
        sets[int(number) < 5].append((np.pad(x, (0, SAMPLES - len(x))), int(digit)))
    return [tuple(map(np.array, zip(*pairs, strict=True))) for pairs in sets]


def tasks(folder):
    """For each task: signals and their coefficients, both to learn from and held out, per seed."""
    images = keras.Sequential([keras.Input((28, 28)), Scattering2D(J=2)])
    signals = [handwritten(seed) for seed in SEEDS]
    yield "handwritten", signals, [transformed(images, sets) for sets in signals]
    if folder:
        inputs = keras.Input((SAMPLES,))
        S = keras.ops.maximum(Scattering1D(J=10, Q=8)(inputs), 0)
        sets = spoken(folder)
        found = transformed(keras.Model(inputs, keras.ops.log(S + 1e-4)), sets)
        yield "spoken", [sets for _ in SEEDS], [found for _ in SEEDS]


def transformed(front, sets):
    return [(front.predict(x, verbose=0), y) for x, y in sets]


def accuracy(train, test, normalisation, epochs, batch, seed):
    """Percentage of the held-out signals that a linear map gets right."""
    x, y = train
    keras.utils.set_random_seed(seed)
    layers = [*normalisation(x), keras.layers.Flatten(), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(x, y, batch, epochs, verbose=0)
    return 100 * model.evaluate(*test, verbose=0)[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", metavar="FOLDER")
    for task, signals, coefficients in tasks(parser.parse_args().recordings):
        count = len(signals[0][0][0])
        steps = [f"{epochs * -(-count // batch)} steps |" for epochs, batch in TRAININGS]
        print(f"\n| {task} digits |", *steps, "\n|---" + "|---:" * len(steps) + "|")
        rows = {name: (coefficients, make) for name, make in NORMALISATIONS.items()}
        rows["no scattering, no normalisation"] = signals, NORMALISATIONS["none"]
        for name, (data, make) in rows.items():
            cells = []
            for training in TRAININGS:
                found = [accuracy(*data[seed], make, *training, seed) for seed in SEEDS]
                cells.append(f"{min(found):.1f} to {max(found):.1f}")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
