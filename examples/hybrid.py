"""Put scattering before a convolutional network, on pictures of clothes, and compare.

Three networks learn the ten kinds of clothes of Fashion-MNIST. All end in the same convolutions,
the head. They differ in the part before it:

* *scattering*: `Scattering2D(J=2)`, which turns a picture into 81 maps of 7 × 7, and learns
  nothing;
* *learnt*: two convolutions with pooling, which also make 81 maps of 7 × 7;
* *none*: the head sees the pixels, 28 × 28.

Wavelets do not change. So `tf.data` computes the scattering of each picture once, and caches it for
all epochs. The training time that the program prints includes this. The weights that it counts are
those that learn. The curves come from training pictures that were set aside. The program uses the
ten thousand test pictures once, after the last epoch. For the test, scattering is a layer of the
model, which takes pixels like the other two.

From the project's folder:

    python examples/hybrid.py            # 10,000 pictures to learn from, with tensorflow-datasets
    python examples/hybrid.py --full     # 58,000
    python examples/hybrid.py --data-dir /usr/share/datasets/fashion-mnist

The last command reads the four idx files, plain or with gzip. Debian's package
dataset-fashion-mnist puts them there.
"""

import argparse
import gzip
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from keras_scattering import Scattering2D

KINDS = ["T-shirt", "trousers", "pullover", "dress", "coat"]
KINDS += ["sandal", "shirt", "trainer", "bag", "boot"]
SET_ASIDE = 2000
BATCH = 64


def read_idx(folder, name):
    """An array of bytes from an idx file, compressed or not."""
    for path, opened in ((folder / name, open), (folder / f"{name}.gz", gzip.open)):
        if path.exists():
            with opened(path, "rb") as file:
                content = file.read()
            # Two zeros, the type (8: bytes), the number of axes; their sizes; the values.
            if content[:3] != b"\0\0\x08":
                raise SystemExit(f"{path} is no idx file of bytes")
            shape = np.frombuffer(content, ">u4", content[3], offset=4)
            return np.frombuffer(content, "u1", offset=4 + 4 * content[3]).reshape(shape)
    raise SystemExit(f"--data-dir needs the file {name} or {name}.gz: not found in {folder}")


def load_idx(folder):
    """Training and test pictures with their labels, from the four files of Fashion-MNIST."""
    return [
        tuple(read_idx(folder, f"{part}-{what}-ubyte") for what in ("images-idx3", "labels-idx1"))
        for part in ("train", "t10k")
    ]


def load_tfds():
    """The same through tensorflow-datasets, downloaded when first asked for."""
    try:
        import tensorflow_datasets as tfds

        print("Reading Fashion-MNIST; without a connection, giving up takes a few minutes.")
        splits = tfds.as_numpy(
            tfds.load("fashion_mnist", split=["train", "test"], batch_size=-1, as_supervised=True)
        )
    except ImportError as error:
        raise SystemExit(
            f"Fashion-MNIST comes through tensorflow-datasets ({error}): "
            'pip install -e ".[examples]", or give --data-dir a folder with its idx files.'
        ) from error
    except OSError as error:
        raise SystemExit(
            f"Fashion-MNIST could not be downloaded: {error}\n"
            "Check the connection, or give --data-dir a folder with its idx files."
        ) from error
    return [(images[..., 0], labels) for images, labels in splits]


def convolution(filters):
    """Convolution, normalisation, rectifier, and pooling by two."""
    return [
        keras.layers.Conv2D(filters, 3, padding="same", use_bias=False),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.ReLU(),
        keras.layers.MaxPooling2D(padding="same"),
    ]


def make_model(shape, *before):
    """What stands before, and the head, for inputs of a shape."""
    return keras.Sequential(
        [
            keras.Input(shape),
            *before,
            keras.layers.BatchNormalization(momentum=0.9),
            *convolution(64),
            *convolution(64),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(len(KINDS)),
        ]
    )


class Curve(keras.callbacks.Callback):
    """Accuracy on pictures set aside, and seconds spent on training, after each epoch."""

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset
        self.seconds, self.accuracies = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)
        self.accuracies.append(self.model.evaluate(self.dataset, verbose=0)[1])


def batches(data, layer=None):
    """Pictures and labels in batches; those of a layer's outputs, if given, are cached."""
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(BATCH)
    if layer is not None:
        dataset = dataset.map(lambda images, labels: (layer(images), labels))
    return dataset.cache()


def train(model, data, aside, epochs):
    """Train a model and return the curve of its training."""
    steps = epochs * len(data)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.003, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    curve = Curve(aside)
    shuffled = data.unbatch().shuffle(4096).batch(BATCH).prefetch(2)
    shuffled = shuffled.apply(tf.data.experimental.assert_cardinality(len(data)))
    model.fit(shuffled, epochs=epochs, callbacks=[curve], shuffle=False, verbose=0)
    return curve


def compare(data, aside, test, epochs):
    """Train the three; return their curves and, a column each, what they say of test pictures."""
    scattering = Scattering2D(J=2)
    shape = data[0].shape[1:]
    maps = scattering.compute_output_shape((None, *shape))[1:]
    learnt = [*convolution(32), *convolution(maps[-1])]
    models = {
        "scattering": make_model(maps),
        "learnt": make_model(shape, *learnt),
        "none": make_model(shape),
    }
    curves, answers = {}, {}
    print(f"  {'before the head':15}  {'weights':>8}  {'one step':>9}  {'training':>8}  test")
    for title, model in models.items():
        layer = scattering if title == "scattering" else None
        curve = train(model, batches(data, layer), batches(aside, layer), epochs)
        if layer is not None:
            model = keras.Sequential([keras.Input(shape), layer, model])
        logits = model.predict(test[0], BATCH, verbose=0)
        curves[title], answers[title] = curve, logits.argmax(-1)
        weights = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        # The first epoch holds the tracing, and the scattering.
        step = np.median(curve.seconds[1:] or curve.seconds) / -(-len(data[0]) // BATCH)
        accuracy = np.mean(answers[title] == test[1])
        print(
            f"  {title:15}  {weights:8,}  {1000 * step:6.1f} ms  {sum(curve.seconds):6.0f} s  "
            f"{accuracy:.1%} ± {np.sqrt(accuracy * (1 - accuracy) / len(test[1])):.1%}"
        )
    return curves, answers


def draw(curves, answers, labels, path):
    """Write a picture of the training and of the errors by kind."""
    figure = Figure(figsize=(6.2, 8), layout="constrained")  # as wide as a phone can show
    above, below = figure.subplots(2, 1)
    for title, curve in curves.items():
        above.plot(np.cumsum(curve.seconds), curve.accuracies, "o-", markersize=4, label=title)
    above.set(xlabel="seconds of training, scattering included")
    above.set(ylabel="accuracy on pictures set aside", title="while learning")
    above.grid(alpha=0.3)
    above.legend(title="before the head")
    width = 0.8 / len(answers)
    for i, answer in enumerate(answers.values()):
        errors = [100 * np.mean(answer[labels == kind] != kind) for kind in range(len(KINDS))]
        below.bar(np.arange(len(KINDS)) + (i - (len(answers) - 1) / 2) * width, errors, width)
    below.set(ylabel="test pictures taken for another kind, %", title="at the end")
    below.set_xticks(range(len(KINDS)), KINDS, rotation=45)
    below.grid(alpha=0.3, axis="y")
    description = (
        "Above, the accuracy of three networks against the seconds of their training; below, their "
        "errors by kind of clothing, of which shirts have the most."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def main(argv=None):
    """Run the example and return the accuracies on test pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="a folder with the idx files")
    parser.add_argument("--output-dir", type=Path, default=Path("hybrid-output"))
    parser.add_argument("--train", type=int, default=10_000, help="pictures to learn from")
    parser.add_argument("--full", action="store_true", help="learn from all (1 GB of memory)")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    start = time.perf_counter()
    keras.utils.set_random_seed(args.seed)
    args.output_dir.mkdir(parents=True, exist_ok=True)

    (x, y), (x_test, y_test) = load_idx(args.data_dir) if args.data_dir else load_tfds()
    x, x_test = (images[..., None].astype("float32") / 255 for images in (x, x_test))
    order = np.random.default_rng(args.seed).permutation(len(x))
    aside, used = np.split(order, [min(SET_ASIDE, len(x) // 10)])
    used = used if args.full else used[: args.train]
    print(
        f"Fashion-MNIST: {len(used):,} pictures to learn from in {args.epochs} epochs, "
        f"{len(aside):,} for the curves, {len(x_test):,} to test"
    )
    test = x_test, y_test.astype(int)
    curves, answers = compare((x[used], y[used]), (x[aside], y[aside]), test, args.epochs)
    print("± is the standard error that comes of testing on so many pictures.")
    picture = args.output_dir / "hybrid.png"
    draw(curves, answers, test[1], picture)
    print(f"Drew {picture}")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the files are in {args.output_dir.resolve()}"
    )
    return {title: float(np.mean(answer == test[1])) for title, answer in answers.items()}


if __name__ == "__main__":
    main()
