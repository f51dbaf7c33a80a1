"""Tell textures apart by their scattering, and make new ones from it.

A texture looks alike everywhere without repeating. So averages over a whole patch describe it.
Order 1, the mean modulus of each band of a wavelet transform, says about as much as the spectrum.
Order 2 adds how the modulus of each band varies from place to place. A spectrum does not show this.

First, the program tells patches of brick, grass and gravel apart. It learns from the left of each
photograph and tests on its right, with a gap between. The baselines are a histogram of grey values
and the Fourier spectrum, with the same linear classifier. All patches have mean 0 and variance 1,
so brightness and contrast do not help. Then each texture gets a double, Gaussian noise of the same
spectrum, and the program tells all six apart. Last, it makes a patch of each texture from
coefficients alone, which are averages over the whole patch. The figure shows this patch beside such
noise.

The spectra tell the three textures apart too, and do so better in large patches. Between a texture
and its double the spectrum has to guess, while order 2 gets most of them right. The patches made
from order 2 have edges, in bricks and stones that never existed. Light and dark may change places,
since a modulus loses the sign.

From the project's folder:

    python examples/textures.py
"""

import argparse
import functools
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import kurtosis
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_scattering import Scattering2D, reconstruct

TEXTURES = "brick", "grass", "gravel"
LEFT, RIGHT = slice(0, 224), slice(288, 512)  # columns to learn from and to test on
DRAWS = 5  # of few patches to learn from
BATCH = 128
COLORS = "0.6", "#0072B2", "#E69F00", "#D55E00"


def load():
    """Photographs of three textures, 512 × 512, which come with scikit-image."""
    try:
        from skimage import data
    except ImportError as error:
        raise SystemExit(
            f'This needs scikit-image ({error}): pip install -e ".[examples]"'
        ) from error
    return {name: getattr(data, name)() / 255 for name in TEXTURES}


def standardised(patches):
    """Patches of mean 0 and variance 1."""
    patches = patches - patches.mean((1, 2), keepdims=True)
    return patches / np.maximum(patches.std((1, 2), keepdims=True), 1e-3)


def gaussian(x, seed):
    """Gaussian noise with the spectrum of an image."""
    noise = np.random.default_rng(seed).standard_normal(x.shape)
    phases = np.exp(1j * np.angle(np.fft.fft2(noise)))
    return x.mean() + np.real(np.fft.ifft2(np.fft.fft2(x - x.mean()) * phases))


def cut(regions, size, most):
    """Patches side by side, at most so many from each region, and which region each is from."""
    patches = []
    for region in regions:
        rows, across = (n // size for n in region.shape)
        blocks = region[: rows * size, : across * size].reshape(rows, size, across, size)
        patches.append(blocks.swapaxes(1, 2).reshape(-1, size, size)[:most])
    labels = np.repeat(np.arange(len(patches)), [len(p) for p in patches])
    return standardised(np.concatenate(patches)).astype("float32"), labels


def histogram(patches):
    """Shares of the pixels in 32 classes of grey."""
    edges = np.linspace(-3, 3, 31)
    classes = np.searchsorted(edges, patches.reshape(len(patches), -1))
    return np.stack([(classes == i).mean(1) for i in range(len(edges) + 1)], axis=1)


def spectrum(patches):
    """Logarithm of the power at each frequency."""
    return np.log(np.abs(np.fft.rfft2(patches)) ** 2 + 1e-3).reshape(len(patches), -1)


@functools.cache
def averaging(order, size):
    """A layer for patches of a size."""
    return Scattering2D(J=min(4, int(np.log2(size)) - 1), T="global", max_order=order)


def scattering(order):
    """Logarithms of coefficients averaged over the whole patch, up to an order."""

    def features(patches):
        layer = averaging(order, patches.shape[1])
        batches = (patches[i : i + BATCH] for i in range(0, len(patches), BATCH))
        return np.log(np.concatenate([np.asarray(layer(x)) for x in batches])[:, 1:] + 1e-4)

    return features


REPRESENTATIONS = {
    "grey values": histogram,
    "Fourier spectrum": spectrum,
    "scattering, order 1": scattering(1),
    "scattering, order 2": scattering(2),
}


def drawn(labels, count, rng):
    """Indices of a number of patches of each class, at random."""
    kinds = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.concatenate([rng.permutation(kind)[:count] for kind in kinds])


def classify(title, train, test, counts, seed):
    """Held-out accuracies, by representation and number of patches to learn from."""
    (x, labels), (x_test, labels_test) = train, test
    most = np.count_nonzero(labels == 0)
    counts = [*(count for count in counts if count < most), most]
    print(f"{title}: share of {len(x_test)} held-out patches that are right")
    print(f"  {'learnt from':22}{'numbers':>7}" + "".join(f"{f'{n} each':>10}" for n in counts))
    results = {}
    for name, features in REPRESENTATIONS.items():
        seen, unseen = features(x), features(x_test)
        results[name] = {}
        for count in counts:
            scores = []
            for draw in range(1 if count == most else DRAWS):
                few = drawn(labels, count, np.random.default_rng((seed, draw)))
                # Ridge regression that chooses its penalty among the patches to learn from.
                model = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-2, 6, 17)))
                model.fit(seen[few], labels[few])
                scores.append(model.score(unseen, labels_test))
            results[name][count] = float(np.mean(scores))
        row = "".join(f"{score:10.1%}" for score in results[name].values())
        print(f"  {name:22}{seen.shape[1]:7}{row}")
    return results


def synthesise(photographs, size, steps, seed):
    """Images with the coefficients of a patch of each texture, and how far off they are."""
    originals = standardised(np.stack([p[:size, :size] for p in photographs.values()]))
    doubles = np.stack([gaussian(x, seed + i) for i, x in enumerate(originals)])
    images = {"original": originals, "Gaussian double": doubles}
    J = int(np.log2(size)) - 2
    layers = [
        Scattering2D(J=J, T="global", padding="periodic", max_order=order) for order in (1, 2)
    ]
    for order, layer in enumerate(layers, start=1):
        y = layer(originals)
        print(f"Order {order}: {y.shape[1]} numbers for {size} × {size} pixels, {steps} steps")
        images[f"from order {order}"], _ = reconstruct(layer, y, steps, seed=seed, verbose=0)
    target = np.asarray(layers[1](originals))
    print("Error of the coefficients of orders 1 and 2, and kurtosis of the grey values:")
    print(f"  {'made anew':16}" + "".join(f"{name:>18}" for name in photographs))
    results = {}
    for title, found in images.items():
        difference = (np.asarray(layers[1](found)) - target)[:, 1:]  # order 0, the mean, is 0
        errors = np.linalg.norm(difference, axis=1) / np.linalg.norm(target[:, 1:], axis=1)
        tails = kurtosis(found.reshape(len(found), -1), axis=1)
        results[title] = dict(zip(photographs, map(float, errors), strict=True))
        row = "".join(f"{e:10.1%}{k:+8.2f}" for e, k in zip(errors, tails, strict=True))
        print(f"  {title:16}{row}")
    return results, images


def draw_split(photographs, path):
    """Write a picture of where patches are taken from."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for panel, (name, x) in zip(figure.subplots(1, 3), photographs.items(), strict=True):
        panel.imshow(x, cmap="gray", vmin=0, vmax=1)
        panel.axvspan(LEFT.stop, RIGHT.start, color="white", alpha=0.8, linewidth=0)
        panel.set(title=f"{name}: learnt | tested", xticks=[], yticks=[])
    description = (
        "Photographs of brick, grass and gravel. The left part is learnt from, the right part is "
        "tested on, and a faded strip between them is not used."
    )
    figure.savefig(path, dpi=120, metadata={"Description": description})


def draw_accuracies(results, path):
    """Write a picture of accuracy against the number of patches, a panel a task."""
    figure = Figure(figsize=(4.2 * len(results), 3.8), layout="constrained")
    panels = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
    for panel, (title, accuracies) in zip(panels, results.items(), strict=True):
        for (name, scores), color in zip(accuracies.items(), COLORS, strict=True):
            panel.plot(list(scores), list(scores.values()), "o-", color=color, label=name)
        panel.set(title=title, xscale="log", xlabel="patches of each class to learn from")
        panel.set(xticks=list(scores), xticklabels=list(scores))
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("held-out accuracy")
    panels[0].legend(fontsize="small", loc="lower right")
    description = (
        "Held-out accuracy against the number of patches to learn from, a panel a task. For three "
        "textures order 2 leads in small patches, given 20 or more, and the spectrum in large "
        "ones; with Gaussian doubles among them order 2 is far above order 1, and the spectrum is "
        "below both."
    )
    figure.savefig(path, dpi=120, metadata={"Description": description})


def draw_synthesis(images, path):
    """Write a picture of textures, a row each, a column for each way to make them."""
    figure = Figure(figsize=(2.6 * len(images), 8), layout="constrained")
    panels = figure.subplots(len(TEXTURES), len(images))
    for column, (title, found) in zip(panels.T, images.items(), strict=True):
        for panel, x, original in zip(column, found, images["original"], strict=True):
            panel.imshow(x, cmap="gray", vmin=original.min(), vmax=original.max())
            panel.set(xticks=[], yticks=[])
        column[0].set_title(title)
    for panel, name in zip(panels[:, 0], TEXTURES, strict=True):
        panel.set_ylabel(name)
    description = (
        "Brick, grass and gravel, a row each: the original, Gaussian noise of its spectrum, and "
        "what was made anew from order 1 and from order 2. Only the last has bricks, blades and "
        "stones; some of its mortar is dark instead of light."
    )
    figure.savefig(path, dpi=120, metadata={"Description": description})


def main(argv=None):
    """Run the example; return accuracies by task, and errors of coefficients of what was made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("textures-output"))
    parser.add_argument("--size", type=int, default=32, help="of patches, pixels; and half of it")
    parser.add_argument("--counts", type=int, nargs="*", default=[5, 20], help="to learn from")
    parser.add_argument("--most", type=int, help="patches to take of each class")
    parser.add_argument("--synthesis", type=int, default=128, help="side of what is made anew")
    parser.add_argument("--steps", type=int, default=60, help="of gradient descent")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    start = time.perf_counter()
    args.output_dir.mkdir(parents=True, exist_ok=True)

    photographs = load()
    left, right = ([p[:, part] for p in photographs.values()] for part in (LEFT, RIGHT))
    # Of the two sides in turn, so that nothing of the right is in the doubles of the left.
    doubles = [[gaussian(x, args.seed + i) for i, x in enumerate(part)] for part in (left, right)]
    size, most = args.size, args.most
    tasks = {
        f"Three textures, {size // 2} × {size // 2}": (left, right, size // 2),
        f"Three textures, {size} × {size}": (left, right, size),
        f"And their doubles, {size} × {size}": (left + doubles[0], right + doubles[1], size),
    }
    accuracies = {
        title: classify(title, cut(a, n, most), cut(b, n, most), args.counts, args.seed)
        for title, (a, b, n) in tasks.items()
    }
    print(f"after {time.perf_counter() - start:.0f} s")
    errors, images = synthesise(photographs, args.synthesis, args.steps, args.seed)
    draw_split(photographs, args.output_dir / "textures_split.png")
    draw_accuracies(accuracies, args.output_dir / "textures_accuracies.png")
    draw_synthesis(images, args.output_dir / "textures_synthesis.png")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the pictures are in "
        f"{args.output_dir.resolve()}"
    )
    return {"accuracies": accuracies, "errors": errors}


if __name__ == "__main__":
    main()
