"""Learn digits from few labels: scattering and a linear map against a convolutional network.

Nothing in the wavelets is learnt, so all labels serve the linear map behind them. A convolutional
network must learn its filters too. Here it is the small network that Keras shows for MNIST. It has
two convolutions of 32 and 64 filters, each with pooling, then dropout and a linear map. The third
model is the same linear map on the pixels themselves. All three learn from the same digits, without
augmentation. The held-out digits decide nothing: the linear maps are support vector machines with
C=1, and the network trains for a fixed number of steps.

The project comes with 5,000 digits of MNIST. Each seed holds out another 1,000 of them.

From the project's folder:

    python examples/few_labels.py                # 3 seeds: five to ten minutes
    python examples/few_labels.py --seeds 1      # a first look
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from keras_scattering import Scattering2D

BUNDLED = Path(__file__).parent / "data" / "mnist_5k.npz"
BATCH = 50
SCATTERING, NETWORK, PIXELS = "scattering + linear", "small CNN on pixels", "linear on pixels"


def load(count):
    """So many of the bundled images, from 0 to 1, and their labels."""
    with np.load(BUNDLED) as data:
        images, labels = data["images"], data["labels"]
    if count > len(images):
        raise SystemExit(f"There are {len(images):,} digits, fewer than {count:,}")
    chosen = np.random.default_rng(0).permutation(len(images))[:count]
    return images[chosen].astype("float32") / 255, labels[chosen]


def scatter(images):
    """Scattering coefficients of all images, a row each; it takes no training."""
    batches = tf.data.Dataset.from_tensor_slices(images).batch(100).map(Scattering2D(J=2))
    return np.concatenate([y.reshape(len(y), -1) for y in batches.as_numpy_iterator()])


def linear(x, labels, x_test, _):
    """Predictions of a linear support vector machine on standardised features."""
    model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=1))
    return model.fit(x.reshape(len(x), -1), labels).predict(x_test.reshape(len(x_test), -1))


def network(x, labels, x_test, steps):
    """Predictions of a small convolutional network."""
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10),
        ]
    )
    schedule = keras.optimizers.schedules.CosineDecay(0.002, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(schedule), loss, steps_per_execution=20)
    digits = tf.data.Dataset.from_tensor_slices((x[..., None], labels)).cache()
    digits = digits.shuffle(len(x)).repeat().batch(BATCH).prefetch(2)
    model.fit(digits, steps_per_epoch=steps, shuffle=False, verbose=0)
    return np.asarray(model(x_test[..., None])).argmax(-1)


def draw(counts, accuracies, path):
    """Write a picture of the held-out errors against the number of labels."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for title, values in accuracies.items():
        errors = 100 * (1 - values)  # (seeds, counts)
        lines = axes.plot(counts, errors.mean(0), "o-", label=title)
        axes.fill_between(
            counts,
            errors.mean(0) - errors.std(0),
            errors.mean(0) + errors.std(0),
            color=lines[0].get_color(),
            alpha=0.2,
            linewidth=0,
        )
    axes.set(xscale="log", yscale="log", xlabel="training digits", ylabel="held-out errors, %")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.set_xticks([], minor=True)
    ticks = [1, 2, 3, 5, 10, 20, 30]
    axes.set_yticks(ticks, ticks)
    axes.set_yticks([], minor=True)
    axes.grid(alpha=0.3)
    axes.legend()
    description = (
        "Held-out errors against the number of training digits, both on logarithmic axes, for "
        "scattering with a linear map, a small convolutional network, and a linear map of pixels."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def main(argv=None):
    """Run the example and return the held-out accuracies, (seeds, counts), of each method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("few_labels-output"))
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 300, 1000, 4000])
    parser.add_argument("--held-out", type=int, default=1000, help="digits to test on")
    parser.add_argument("--seeds", type=int, default=3, help="how many times to draw the digits")
    parser.add_argument("--steps", type=int, default=1000, help="of the network's training")
    args = parser.parse_args(argv)
    start = time.perf_counter()
    args.output_dir.mkdir(parents=True, exist_ok=True)

    images, labels = load(args.held_out + max(args.counts))
    coefficients = scatter(images)
    print(f"Scattering of {len(images):,} digits: {time.perf_counter() - start:.0f} s")
    methods = {
        SCATTERING: (linear, coefficients),
        NETWORK: (network, images),
        PIXELS: (linear, images),
    }
    accuracies = {title: np.zeros((args.seeds, len(args.counts))) for title in methods}
    seconds = dict.fromkeys(methods, 0.0)
    for seed in range(args.seeds):
        keras.utils.set_random_seed(seed)
        order = np.random.default_rng(seed).permutation(len(images))
        test, pool = np.split(order, [args.held_out])
        for column, count in enumerate(args.counts):
            train = pool[:count]
            for title, (method, x) in methods.items():
                before = time.perf_counter()
                answers = method(x[train], labels[train], x[test], args.steps)
                seconds[title] += time.perf_counter() - before
                accuracies[title][seed, column] = np.mean(answers == labels[test])

    print(
        f"Accuracy on {args.held_out:,} held-out digits, in %, mean ± standard deviation over "
        f"{args.seeds} seeds:"
    )
    print(f"  {'training digits':20}", *(f"{count:>13,}" for count in args.counts))
    for title, values in accuracies.items():
        cells = zip(100 * values.mean(0), 100 * values.std(0), strict=True)
        print(f"  {title:20}", *(f"{mean:6.1f} ± {std:4.1f}" for mean, std in cells), sep=" ")
    listed = ", ".join(f"{title} {spent:.0f} s" for title, spent in seconds.items())
    print(f"Time to train and answer, all together: {listed}")
    picture = args.output_dir / "few_labels.png"
    draw(args.counts, accuracies, picture)
    print(f"Drew {picture}")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the files are in {args.output_dir.resolve()}"
    )
    return accuracies


if __name__ == "__main__":
    main()
