"""Make new patterns of points, by moving points until the moments of their image are right.

A pattern of points is drawn as an image of small bumps, by `PointPattern`. An image has moments,
here those of `RectifierCovariances2D`. `synthesize` begins with uniform points and moves them along
the gradient, until the image has the moments of one source. Points stay points, and keep their
number.

There are three laws: points in clusters, on rings of ten, and kept apart by 6 pixels or more. So
other draws of the same law tell how much a statistic varies. None of the statistics was given:

* pairs at some distance, divided by their number among uniform points;
* the distance of a point to the nearest other;
* the distance of a pixel to the nearest point, which tells how large the holes are.

Errors of moments fall below 1 %, where other draws of the law differ by 6 to 19 %. Clusters and
points kept apart have the pairs, the neighbours and the holes of the source. Clusters also have
what is peculiar to it: the source has more pairs at 8 to 12 pixels than other draws, and so have
the moved points.

Rings are broken. Chains of points bend, and some close, but few are circles. Twice as many pairs as
in the source are 2 to 4 pixels apart, where neighbours on a ring are at 4.3. Moments of pairs of
wavelets do not hold that ten points close a ring.

From the project's folder:

    python examples/point_patterns.py
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial import KDTree

from keras_scattering import PointPattern, RectifierCovariances2D, synthesize

SOURCE, OTHERS, POISSON, MADE = "source", "other draws", "uniform", "moved"
EDGES = np.array([0.5, 2, 4, 6, 8, 10, 12, 16, 20, 24])  # of distances between pairs, pixels
LEVELS = 0.1, 0.5, 0.9
WIDTH = 16  # of a column
COLORS = {OTHERS: "0.75", POISSON: "#0072B2", MADE: "#D55E00"}


def offspring(rng, size, parents, each, spread):
    """Points around uniform parents, on a circle."""
    places = rng.uniform(0, size, (parents, 1, 2)) + spread(rng, (parents, each))
    return np.mod(places.reshape(-1, 2), size)


def disc(rng, shape, radius=6):
    """Normal offsets."""
    return rng.normal(0, radius / 2, (*shape, 2))


def ring(rng, shape, radius=7):
    """Offsets on a ring, with equal angles between them."""
    angle = 2 * np.pi * (np.arange(shape[1]) / shape[1] + rng.random((shape[0], 1)))
    return radius * np.stack([np.cos(angle), np.sin(angle)], -1)


def apart(rng, size, count, least=6.0):
    """Uniform points of which no two are nearer than a distance."""
    points = np.empty((0, 2))
    while len(points) < count:
        point = rng.uniform(0, size, 2)
        if np.linalg.norm(on_circle(points - point, size), axis=-1).min(initial=size) >= least:
            points = np.vstack([points, point])
    return points


def draws(size, count, rng):
    """Patterns of three laws, about one point in 70 pixels: the first is the source."""
    parents = size**2 // 700
    laws = {
        "clusters": lambda: offspring(rng, size, parents, 10, disc),
        "rings": lambda: offspring(rng, size, parents, 10, ring),
        "kept apart": lambda: apart(rng, size, 10 * parents),
    }
    return {name: np.stack([law() for _ in range(count)]) for name, law in laws.items()}


def on_circle(difference, size):
    """Differences of positions to the nearest copy."""
    return difference - size * np.round(difference / size)


def statistics(points, size):
    """What describes a pattern, by name: of pairs, of neighbours, and of holes."""
    differences = on_circle(points[:, None] - points, size)[np.triu_indices(len(points), 1)]
    counts, _ = np.histogram(np.linalg.norm(differences, axis=-1), EDGES)
    expected = len(points) * (len(points) - 1) / 2 * np.pi * np.diff(EDGES**2) / size**2
    tree = KDTree(points, boxsize=size)
    nearest = tree.query(points, k=2)[0][:, 1]
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).reshape(-1, 2)
    holes = tree.query(grid)[0]
    names = [f"pairs, {low:g} to {high:g}" for low, high in itertools.pairwise(EDGES)]
    found = dict(zip(names, counts / expected, strict=True))
    found |= {f"nearest, {level:.0%}": np.quantile(nearest, level) for level in LEVELS}
    return found | {f"holes, {level:.0%}": np.quantile(holes, level) for level in LEVELS}


def move(source, others, size, args):
    """Patterns whose images have the moments of the image of a source, and their errors.

    Errors are those of other draws, of the start, and of the end.
    """
    # Points on a circle need no padding.
    layer = RectifierCovariances2D(J=int(np.log2(size)) - 3, dn=1)
    options = {"through": PointPattern((size, size), sigma=args.sigma), "verbose": 0}
    given = {"n": len(others), "start": others, "steps": 1}
    _, apart = synthesize(layer, source[None], **given, **options)
    _, history = synthesize(
        layer,
        source[None],
        n=args.made,
        start="white",
        steps=args.steps,
        tolerance=1e-3,
        seed=args.seed,
        **options,
    )
    errors = [e.mean() for e in (apart["error"][0], *history["error"][[0, -1]])]
    return history["variables"], dict(zip((OTHERS, POISSON, MADE), errors, strict=True))


def compare(name, patterns, size):
    """Print mean and deviation of the statistics of patterns; return them by kind."""
    print(f"{name:22}{SOURCE:>8}" + "".join(f"{kind:>{WIDTH}}" for kind in list(patterns)[1:]))
    each = {kind: [statistics(x, size) for x in some] for kind, some in patterns.items()}
    found = {kind: np.array([list(s.values()) for s in e]) for kind, e in each.items()}
    for i, statistic in enumerate(each[SOURCE][0]):
        line = f"  {statistic:20}{found[SOURCE][0, i]:8.2f}"
        for kind in list(patterns)[1:]:
            values = found[kind][:, i]
            line += f"{f'{values.mean():.2f} ± {values.std():.2f}':>{WIDTH}}"
        print(line)
    return found


def draw_patterns(results, size, path):
    """Write a picture of patterns, a row each."""
    kinds = [SOURCE, OTHERS, POISSON, MADE]
    figure = Figure(figsize=(6.4, 1.75 * len(results)), layout="constrained")
    for row, (name, result) in zip(
        figure.subplots(len(results), len(kinds), squeeze=False), results.items(), strict=True
    ):
        for panel, kind in zip(row, kinds, strict=True):
            rows, columns = result["patterns"][kind][0].T
            panel.plot(columns, rows, "k.", markersize=2.5)
            panel.set(xticks=[], yticks=[], xlim=(0, size), ylim=(size, 0), aspect="equal")
            panel.set_title(kind if name == next(iter(results)) else None, fontsize="medium")
        row[0].set_ylabel(name)
    description = (
        "Clusters, rings and points kept apart, a row each: the source, another draw of the same "
        "law, uniform points, and points that were moved from there. Moved points have the "
        "clusters and the distances of the source; of the rings they have arcs and chains."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def draw_statistics(results, path):
    """Write a picture of pair correlations and of distances, a row for each law."""
    figure = Figure(figsize=(6.4, 2.1 * len(results) + 0.4), layout="constrained")
    panels = figure.subplots(len(results), 2, squeeze=False)
    pairs = len(EDGES) - 1
    middles = (EDGES[1:] + EDGES[:-1]) / 2
    places = [*middles], [*range(2 * len(LEVELS))]
    for row, (name, result) in zip(panels, results.items(), strict=True):
        for panel, some, x in zip(row, (slice(pairs), slice(pairs, None)), places, strict=True):
            for kind, color in COLORS.items():
                values = result["statistics"][kind][:, some]
                style = {"fmt": "o", "markersize": 4, "color": color, "label": kind}
                panel.errorbar(x, values.mean(0), values.std(0), **style)
            panel.plot(x, result["statistics"][SOURCE][0, some], "k_", ms=14, label=SOURCE)
        row[0].set_title(f"{name}: pairs, 1 if uniform", fontsize="medium")
        row[1].set_title(f"{name}: nearest | holes", fontsize="medium")
        row[1].set_xticks(places[1], [f"{level:.0%}" for level in (*LEVELS, *LEVELS)])
        row[1].axvline(len(LEVELS) - 0.5, color="0.8", linewidth=0.8)
    panels[-1, 0].set_xlabel("distance, pixels")
    panels[-1, 1].set_xlabel("share that is nearer")
    handles = panels[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4, frameon=False)
    description = (
        "Pairs against distance, and quantiles of distances to the nearest point and of sizes of "
        "holes, a row for each law. Moved points are near the source and other draws, save for "
        "pairs on rings at 3 and 7 pixels; uniform points are far away."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def main(argv=None):
    """Run the example; return statistics and errors by law."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("point_patterns-output"))
    parser.add_argument("--size", type=int, default=128, help="side of a pattern, pixels")
    parser.add_argument("--sigma", type=float, default=1.0, help="width of a point, pixels")
    parser.add_argument("--made", type=int, default=2, help="patterns to make of each law")
    parser.add_argument("--steps", type=int, default=150, help="of gradient descent")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one small pattern in few steps")
    args = parser.parse_args(argv)
    start = time.perf_counter()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    if args.quick:
        args.size, args.made, args.steps = 64, 1, 100
    rng = np.random.default_rng(args.seed)
    laws = draws(args.size, 16, rng)
    if args.quick:
        laws = {"clusters": laws["clusters"]}

    results = {}
    for name, x in laws.items():
        moved, errors = move(x[0], x[1:4], args.size, args)
        uniform = rng.uniform(0, args.size, x[1:].shape)
        patterns = {SOURCE: x[:1], OTHERS: x[1:], POISSON: uniform, MADE: moved}
        found = compare(name, patterns, args.size)
        cells = "".join(f"{e:{WIDTH}.1%}" for e in errors.values())
        print(f"  {'error of the moments':28}{cells}")
        print(f"after {time.perf_counter() - start:.0f} s")
        results[name] = {"patterns": patterns, "statistics": found, "errors": errors}
    draw_patterns(results, args.size, args.output_dir / "point_patterns.png")
    draw_statistics(results, args.output_dir / "point_patterns_statistics.png")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the pictures are in "
        f"{args.output_dir.resolve()}"
    )
    return results


if __name__ == "__main__":
    main()
