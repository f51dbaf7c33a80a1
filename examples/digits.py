"""Learn handwritten digits from their wavelet scattering; then save, export and reload the model.

The model is a scattering layer, a normalisation and one trained linear map. The baseline is the
same model without the scattering: a linear map of the pixels. After training, Keras saves and
reloads the model. Then the program exports it, and TensorFlow alone serves it. Both give the same
answers as before.

From the project's folder:

    python examples/digits.py           # 5,000 digits of MNIST, which come with the project
    python examples/digits.py --full    # all 70,000, through tensorflow-datasets
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from keras_scattering import Scattering2D, plot

BUNDLED = Path(__file__).parent / "data" / "mnist_5k.npz"
HELD_OUT = 1000
BATCH = 64


def load_bundled(seed):
    """4,000 training digits and 1,000 held-out ones, drawn at random from the bundled 5,000."""
    with np.load(BUNDLED) as data:
        images, labels = data["images"], data["labels"]
    order = np.random.default_rng(seed).permutation(len(images))
    train, test = order[HELD_OUT:], order[:HELD_OUT]
    return (images[train], labels[train]), (images[test], labels[test])


def load_full(data_dir):
    """The 60,000 training and 10,000 test digits of MNIST, downloaded when first asked for."""
    try:
        import tensorflow_datasets as tfds

        print("Reading all of MNIST; without a connection, giving up takes a few minutes.")
        train, test = tfds.as_numpy(
            tfds.load(
                "mnist",
                split=["train", "test"],
                batch_size=-1,
                as_supervised=True,
                data_dir=data_dir,
            )
        )
    except ImportError as error:
        raise SystemExit(
            f'--full needs tensorflow-datasets ({error}): pip install -e ".[examples]"'
        ) from error
    except OSError as error:
        raise SystemExit(
            f"MNIST could not be downloaded: {error}\n"
            "Check the connection, or give --data-dir the folder of an earlier download, "
            "or leave out --full to learn from the bundled digits."
        ) from error
    return [(images[..., 0], labels) for images, labels in (train, test)]


def make_model(training_steps, *layers):
    """Layers such as fixed wavelets, then a normalisation and one trained linear map."""
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            *layers,
            keras.layers.Flatten(),
            # Coefficients differ in size by orders of magnitude; the map learns best from equals.
            # Keras' momentum of 0.99 needs some 1,000 steps, and here there are 315.
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(0.005, training_steps)
        ),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy"],
    )
    return model


def draw(images, path):
    """Write a picture of digits, each above its order-1 scattering."""
    first = Scattering2D(J=2, max_order=1)  # what the model's layer begins with
    maps = first(images)
    figure = Figure(figsize=(2 * len(images), 4.2), layout="constrained")
    tops, bottoms = figure.subplots(2, len(images))
    for top, bottom, image, coefficients in zip(tops, bottoms, images, maps, strict=True):
        top.imshow(image, cmap="gray")
        top.set(xticks=[], yticks=[])
        plot.discs(first, coefficients, position="all", axes=[bottom])
        bottom.set_title("")
    tops[0].set_ylabel("digit", fontsize="x-large")
    bottoms[0].set_ylabel("first order", fontsize="x-large")
    description = (
        "Five digits, each above its order-1 scattering: at every place a disc of directions and "
        "scales, bright at right angles to the strokes that pass there."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def check_same(before, after, what):
    """Stop unless two sets of predictions agree; say how closely they do."""
    difference = np.max(np.abs(before - after))
    if difference > 1e-5 or np.any(before.argmax(-1) != after.argmax(-1)):
        raise SystemExit(f"{what}: the predictions changed, by up to {difference:.1e}")
    print(f"{what}: same {len(after):,} predictions (largest difference {difference:.1e})")


def main(argv=None):
    """Run the example and return its held-out accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="learn from all of MNIST")
    parser.add_argument("--data-dir", help="where tensorflow-datasets keeps its data, with --full")
    parser.add_argument("--output-dir", type=Path, default=Path("digits-output"))
    parser.add_argument("--train", type=int, help="use only so many training digits")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    start = time.perf_counter()
    keras.utils.set_random_seed(args.seed)
    args.output_dir.mkdir(parents=True, exist_ok=True)

    (x_train, y_train), (x_test, y_test) = (
        load_full(args.data_dir) if args.full else load_bundled(args.seed)
    )
    x_train, y_train = x_train[: args.train], y_train[: args.train]
    x_train, x_test = (images.astype("float32") / 255 for images in (x_train, x_test))
    print(f"MNIST: {len(x_train):,} digits to learn from, {len(x_test):,} held out")

    targets = keras.utils.to_categorical(y_train, 10)
    steps = args.epochs * -(-len(x_train) // BATCH)
    model = make_model(steps, Scattering2D(J=2))
    model.summary()
    model.fit(x_train, targets, BATCH, args.epochs)
    baseline = make_model(steps)
    baseline.fit(x_train, targets, BATCH, args.epochs, verbose=0)

    predictions = model.predict(x_test, BATCH, verbose=0)
    accuracy = float(np.mean(predictions.argmax(-1) == y_test))
    from_pixels = np.mean(baseline.predict(x_test, BATCH, verbose=0).argmax(-1) == y_test)
    print(f"Held-out accuracy: {accuracy:.2%}")
    print(f"The same model on pixels, without scattering: {from_pixels:.2%}")

    saved = args.output_dir / "digits.keras"
    model.save(saved)
    reloaded = keras.saving.load_model(saved)
    check_same(predictions, reloaded.predict(x_test, BATCH, verbose=0), f"Reloaded {saved}")

    exported = args.output_dir / "digits"
    model.export(exported, verbose=False)
    served = tf.saved_model.load(exported)
    batches = (x_test[i : i + BATCH] for i in range(0, len(x_test), BATCH))
    answers = np.concatenate([served.serve(batch) for batch in batches])
    check_same(predictions, answers, f"Served {exported}")

    picture = args.output_dir / "digits.png"
    shown = [np.argmax(y_test == digit) for digit in (0, 2, 4, 7, 8)]
    draw(x_test[shown], picture)
    print(f"Drew {picture}")
    print(f"Done in {time.perf_counter() - start:.0f} s; all is in {args.output_dir.resolve()}")
    return accuracy


if __name__ == "__main__":
    main()
