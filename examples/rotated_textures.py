"""Recognise textures that are rotated, having seen them upright only.

Rotate a texture, and the wavelets of other angles respond to it. A classifier of their averages has
to see all angles when it learns. Roto-translation scattering has wavelets along the angle as well,
and averages over it, so its coefficients hardly change.

The program cuts patches of 64 × 64 pixels out of seven images, which come with scikit-image: brick,
grass, gravel, the moon, a field of stars, tissue under a microscope, and a retina. It learns from
the left half of each image and tests on the right half. Patches have mean 0 and variance 1, so
brightness and contrast do not help. Upright patches are interpolated between pixels, as rotated
ones are. The classifier is the same for all: logarithms, standardised, and a logistic regression.

Four kinds of coefficients tell what does the work. All are averages over the whole patch:

* translation scattering, one number for each pair of wavelets and angles;
* its mean over the angles of both wavelets, each on its own;
* its mean over angles at a fixed angle between the two wavelets, the relative angle;
* roto-translation scattering, which adds wavelets along the angle.

Learnt from upright patches, translation scattering loses 25 points when patches are rotated. It
then has less than half of brick, moon and tissue right, and nearly all of gravel and stars, which
have no direction. The other three lose nothing. The mean over both angles has 10 numbers only, and
10 points less to begin with. The relative angle wins these points back: most of the gain is the
mean over angles that keeps it. Wavelets along the angle add 3 points more, which is not far above
the deviations. Even if translation scattering learns from rotated patches, it stays 5 points below
roto-translation.

Take these numbers for a comparison, not for the accuracy that you will meet. There is one image a
class. Patches to learn from and to test on share no pixel, but they share the camera, the light and
the day. Patches of one half overlap each other. The deviations are those of patches drawn anew from
the same images. They do not say how other images of grass would do.

From the project's folder:

    python examples/rotated_textures.py
    python examples/rotated_textures.py --quick    # one draw of few patches
"""

import argparse
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import map_coordinates, spline_filter
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_scattering import RotoTranslationScattering2D, Scattering2D

SIZE = 64  # of a patch, pixels
REACH = SIZE / 2**0.5 + 1  # from the centre of a rotated patch to its corners
BATCH = 64
KINDS = TRANSLATION, SEPARATE, RELATIVE, ROTATION = (
    "translation",
    "mean over both angles",
    "at a relative angle",
    "roto-translation",
)
# What to learn from and what to test on: whether patches are rotated.
TASKS = {
    "upright, upright": (False, False),
    "upright, rotated": (False, True),
    "rotated, rotated": (True, True),
}
HARD = "upright, rotated"
COLORS = "0.6", "#56B4E9", "#0072B2", "#D55E00"


def load():
    """Grey images of textures, which come with scikit-image."""
    try:
        from skimage import data
    except ImportError as error:
        raise SystemExit(
            f'This needs scikit-image ({error}): pip install -e ".[examples]"'
        ) from error
    images = {name: getattr(data, name)() for name in ("brick", "grass", "gravel", "moon")}
    images["stars"] = data.hubble_deep_field().mean(-1)
    images["tissue"] = data.immunohistochemistry().mean(-1)
    retina = data.retina()[:1410, :1410].mean(-1)
    retina = retina.reshape(705, 2, 705, 2).mean((1, 3))  # its vessels are wide
    images["retina"] = retina[110:595, 110:595]  # within its round edge
    return {name: image / 255 for name, image in images.items()}


def halves(image):
    """The left half of an image, to learn from, and the right half, to test on."""
    middle = image.shape[1] // 2
    return image[:, :middle], image[:, -middle:]


def standardised(patches):
    """Patches of mean 0 and variance 1."""
    patches = patches - patches.mean((1, 2), keepdims=True)
    return patches / patches.std((1, 2), keepdims=True)


def cut(image, count, rotated, rng):
    """Patches around random points of an image, upright or each at a random angle.

    Both kinds have the same points, between pixels, so that both are blurred alike.
    """
    row, column = (rng.uniform(REACH, n - 1 - REACH, (count, 1, 1)) for n in image.shape)
    angle = rotated * rng.uniform(0, 2 * np.pi, (count, 1, 1))
    down, across = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    rows = row + np.cos(angle) * down - np.sin(angle) * across
    columns = column + np.sin(angle) * down + np.cos(angle) * across
    patches = map_coordinates(spline_filter(image), [rows, columns], prefilter=False)
    return standardised(patches).astype("float32")


def averages(layer, patches):
    """Coefficients of orders 1 and 2, averaged over each patch."""
    batches = (patches[i : i + BATCH] for i in range(0, len(patches), BATCH))
    return np.concatenate([np.asarray(layer(x))[:, 1:] for x in batches])


def mean_over_angles(y, meta, relative):
    """The mean of translation scattering over angles; the relative angle may be kept."""
    meta = {column: values[1:] for column, values in meta.items()}  # without order 0
    L = meta["theta1"].max() + 1
    between = np.where(relative & (meta["order"] == 2), (meta["theta2"] - meta["theta1"]) % L, 0)
    paths = np.stack([meta["j1"], meta["j2"], between])
    _, group = np.unique(paths, axis=1, return_inverse=True)
    group = group.ravel()
    return np.stack([y[:, group == g].mean(1) for g in range(group.max() + 1)], axis=1)


def features(layers, patches):
    """Logarithms of all kinds of coefficients."""
    translation, rotation = layers
    y = averages(translation, patches)
    meta = translation.meta()
    found = y, *(mean_over_angles(y, meta, r) for r in (False, True)), averages(rotation, patches)
    return {kind: np.log(z + 1e-4) for kind, z in zip(KINDS, found, strict=True)}


def score(images, layers, learn, test, rng):
    """Share of held-out patches that are right, of each class, by kind and task."""
    parts = [halves(image) for image in images.values()]
    sides = {"learn": [left for left, _ in parts], "test": [right for _, right in parts]}
    counts = {"learn": learn, "test": test}
    found = {
        (side, rotated): features(
            layers, np.concatenate([cut(x, counts[side], rotated, rng) for x in some])
        )
        for side, some in sides.items()
        for rotated in (False, True)
    }
    labels = {side: np.repeat(np.arange(len(images)), count) for side, count in counts.items()}
    shares = {}
    for kind in KINDS:
        for task, (first, second) in TASKS.items():
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
            model.fit(found["learn", first][kind], labels["learn"])
            right = model.predict(found["test", second][kind]) == labels["test"]
            shares[kind, task] = right.reshape(len(images), test).mean(1)
    sizes = {kind: y.shape[1] for kind, y in found["learn", False].items()}
    return shares, sizes


def draw_patches(images, path, rng):
    """Write a picture of patches to learn from and to test on, a row for each class."""
    figure = Figure(figsize=(6.4, 6.8), layout="constrained")
    left, right = figure.subfigures(1, 2, wspace=0.03)
    for side, half, rotated, title in ((left, 0, False, "learnt"), (right, 1, True, "tested")):
        side.suptitle(title)
        panels = side.subplots(len(images), 3)
        for row, (name, image) in zip(panels, images.items(), strict=True):
            for panel, patch in zip(row, cut(halves(image)[half], 3, rotated, rng), strict=True):
                panel.imshow(patch, cmap="gray")
                panel.set(xticks=[], yticks=[])
            if not rotated:
                row[0].set_ylabel(name)
    description = (
        "Patches of seven textures, a row each: brick, grass, gravel, moon, stars, tissue and "
        "retina. Three on the left are upright, to learn from; three on the right are rotated, to "
        "test on."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def draw_accuracies(shares, path):
    """Write a picture of accuracies, bars by task, with deviations over draws."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(KINDS)
    for i, (kind, color) in enumerate(zip(KINDS, COLORS, strict=True)):
        accuracies = np.array([100 * shares[kind, task].mean(1) for task in TASKS])
        places = np.arange(len(TASKS)) + (i - (len(KINDS) - 1) / 2) * width
        axes.bar(places, accuracies.mean(1), width, color=color, label=kind)
        axes.errorbar(places, accuracies.mean(1), accuracies.std(1), fmt="none", ecolor="black")
    names = [task.split(", ") for task in TASKS]
    axes.set_xticks(range(len(TASKS)), [f"learnt {a},\ntested {b}" for a, b in names])
    axes.set(ylabel="held-out accuracy, %", ylim=(50, 100))
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    description = (
        "Held-out accuracy by task and kind of coefficients. All but the mean over both angles are "
        "alike when upright patches are tested. On rotated ones translation scattering is far "
        "below the three that average over angles; roto-translation is the highest."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def main(argv=None):
    """Run the example; return held-out accuracies, one for each draw, by kind and task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("rotated_textures-output"))
    parser.add_argument("--quick", action="store_true", help="one draw of few patches")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    start = time.perf_counter()
    args.output_dir.mkdir(parents=True, exist_ok=True)

    images = load()
    learn, test, draws = (6, 6, 1) if args.quick else (30, 40, 5)
    layers = Scattering2D(J=4, T="signal"), RotoTranslationScattering2D(J=4, T="signal")
    runs = []
    for draw in range(draws):
        rng = np.random.default_rng((args.seed, draw))
        found, sizes = score(images, layers, learn, test, rng)
        runs.append(found)
    shares = {key: np.stack([run[key] for run in runs]) for key in runs[0]}  # (draw, class)

    print(f"{len(images)} textures, {learn} patches each to learn from, {test} each to test on")
    print(f"Held-out accuracy, %, and its deviation over draws of patches; {draws} in all")
    print(f"  {'learnt, tested':22}{'numbers':>8}" + "".join(f"{task:>20}" for task in TASKS))
    for kind in KINDS:
        row = (100 * shares[kind, task].mean(1) for task in TASKS)
        cells = "".join(f"{f'{a.mean():.1f} ± {a.std():.1f}':>20}" for a in row)
        print(f"  {kind:22}{sizes[kind]:8}{cells}")
    print(f"By class, %: {HARD}")
    print(f"  {'learnt, tested':22}" + "".join(f"{name:>8}" for name in images))
    for kind in KINDS:
        print(f"  {kind:22}" + "".join(f"{100 * s:8.0f}" for s in shares[kind, HARD].mean(0)))

    draw_patches(images, args.output_dir / "rotated_textures.png", np.random.default_rng(args.seed))
    draw_accuracies(shares, args.output_dir / "rotated_textures_accuracies.png")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the pictures are in "
        f"{args.output_dir.resolve()}"
    )
    return {kind: {task: shares[kind, task].mean(1) for task in TASKS} for kind in KINDS}


if __name__ == "__main__":
    main()
