"""Predict the energies of molecules from the solid harmonic scattering of their densities.

A molecule becomes three densities on a grid: of its whole charge, of its inner electrons and of its
outer electrons. Rotations of the molecule do not change the scattering of the densities. A ridge
regression predicts the energy from it. The baseline is the same regression on the number of atoms
of each element: the formula without the shape.

From the project's folder:

    python examples/molecules.py          # the 148 molecules of the G2/97 set, which come with ASE
    python examples/molecules.py --qm9    # 1,000 molecules of QM9, through tensorflow-datasets
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.linalg
import tensorflow as tf
from ase import Atoms
from ase.data import chemical_symbols, g2
from matplotlib.figure import Figure
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from keras_scattering import HarmonicScattering3D, gaussian_density

# The grid and the scales are not tuned: others (3 or 5 samples, J=3, L=4, wider densities) had
# errors between 18 and 25 kcal/mol in a first trial on G2.
SAMPLES = 4  # an ångström
MARGIN = 7.5  # samples between a molecule and the end of its box, which is periodic
POWERS = (0.5, 1.0, 2.0, 3.0)
BATCH = 4
HARTREE = 627.5095  # kcal/mol


def atomisation_energy(name):
    """Of a molecule of G2, in kcal/mol: electronic, from measured heats of formation.

    The heat of formation is taken from 298 K to 0 K, subtracted from that of the free atoms, and
    the vibration at 0 K, the zero-point energy, is added: that leaves the depth of the well.
    """
    molecule = g2.data[name]
    atoms = [g2.data[symbol] for symbol in Atoms(molecule["symbols"]).get_chemical_symbols()]
    at_0_kelvin = molecule["enthalpy"] - molecule["thermal correction"]
    at_0_kelvin += sum(atom["thermal correction"] for atom in atoms)
    return sum(atom["enthalpy"] for atom in atoms) - at_0_kelvin + molecule["ZPE"]


def load_g2(limit):
    """Names, positions in ångström and charges of the nuclei, padded with zeros, and energies."""
    for name, known in (("H2O", 232.6), ("CH4", 420.2)):
        if abs(atomisation_energy(name) - known) > 0.05:
            raise SystemExit(f"The energy of {name} came out as {atomisation_energy(name):.1f}")
    names = g2.molecule_names[:limit]
    numbers = [Atoms(g2.data[name]["symbols"]).numbers for name in names]
    most = max(map(len, numbers))
    positions = np.zeros((len(names), most, 3), "float32")
    charges = np.zeros((len(names), most), "float32")
    for i, (name, number) in enumerate(zip(names, numbers, strict=True)):
        positions[i, : len(number)] = g2.data[name]["positions"]
        charges[i, : len(number)] = number
    return names, positions, charges, np.array([atomisation_energy(name) for name in names])


def load_qm9(limit, data_dir):
    """The same of QM9, at random; energies (at 0 K, vibration included) are computed ones."""
    try:
        import tensorflow_datasets as tfds

        # This configuration is shuffled; the original order is by size.
        split = f"train[:{limit or 1000}]"
        print("Reading QM9; without a connection, giving up takes a few minutes.")
        data = tfds.load("qm9/dimenet", split=split, batch_size=-1, data_dir=data_dir)
    except ImportError as error:
        raise SystemExit(
            f'--qm9 needs tensorflow-datasets ({error}): pip install -e ".[examples]"'
        ) from error
    except OSError as error:
        raise SystemExit(
            f"QM9 could not be downloaded: {error}\n"
            "Check the connection, or give --data-dir the folder of an earlier download, "
            "or leave out --qm9 to learn from the molecules of G2."
        ) from error
    names = [smiles.decode() for smiles in data["SMILES"].numpy()]
    energies = -HARTREE * data["U0_atomization"].numpy().astype("float64")
    return names, data["positions"].numpy(), data["charges"].numpy().astype("float32"), energies


def centred(positions, charges):
    """Positions from the middle of each molecule, and how far the largest reaches."""
    atom = charges[..., None] > 0
    low = np.where(atom, positions, np.inf).min(1, keepdims=True)
    high = np.where(atom, positions, -np.inf).max(1, keepdims=True)
    return np.where(atom, positions - (low + high) / 2, 0), (high - low).max() / 2


def scatter(positions, charges):
    """Coefficients (molecules, paths, degrees, densities, powers) of three densities each."""
    core = np.select([charges <= 2, charges <= 10], [0, 2], 10)  # electrons of inner shells
    densities = np.stack([charges, charges - core, core], axis=-1)
    positions, reach = centred(positions, charges)
    side = scipy.fft.next_fast_len(int(np.ceil(2 * (reach * SAMPLES + MARGIN))), real=True)
    print(f"{len(charges)} molecules in a box of {side}³ voxels, {SAMPLES} to an ångström")

    def volumes(positions, weights):
        return gaussian_density(positions * SAMPLES, weights, (side, side, side))

    layer = HarmonicScattering3D(J=2, L=3, integral_powers=POWERS)
    layer.build((None, side, side, side, densities.shape[-1]))  # or tf.data would trace it twice
    molecules = tf.data.Dataset.from_tensor_slices((positions, densities)).batch(BATCH)
    dataset = molecules.map(volumes).map(layer).prefetch(2)
    y = np.concatenate(list(dataset.as_numpy_iterator())).astype("float64")
    return y.reshape(*y.shape[:3], densities.shape[-1], len(POWERS)), layer.meta()


def take(x, columns=slice(None)):
    return x[:, columns]


def ridge(sets, seed):
    """Ridge regression that chooses its penalty, and one of some sets of columns, by itself."""
    model = Pipeline(
        [
            ("take", FunctionTransformer(take)),
            ("scale", StandardScaler()),
            ("ridge", RidgeCV(np.logspace(-8, 4, 37))),
        ]
    )
    choices = {"take__kw_args": [{"columns": columns} for columns in sets]}
    inner = KFold(5, shuffle=True, random_state=seed)
    return GridSearchCV(model, choices, scoring="neg_mean_absolute_error", cv=inner)


def predict(x, energies, sets, repeats):
    """Predictions of energies that were held out of all choices, (repeats, molecules)."""
    folds = [KFold(5, shuffle=True, random_state=seed) for seed in range(repeats)]
    # Matrices are so small that the threads of linear algebra would spend their time waiting.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)  # of penalties close to none
        return np.stack(
            [
                cross_val_predict(ridge(sets, seed), x, energies, cv=fold)
                for seed, fold in enumerate(folds)
            ]
        )


def draw(energies, predictions, path):
    """Write a picture of predicted against measured energies, a panel a method."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    shown = np.concatenate([energies, *(p[0] for p in predictions.values())])
    ends = np.array([min(0, shown.min() - 20), shown.max() + 20])
    for panel, (title, predicted) in zip(panels, predictions.items(), strict=True):
        mean, error = np.abs(predicted - energies).mean(), np.abs(predicted[0] - energies)
        panel.plot(ends, ends, color="0.6", linewidth=1)
        dots = panel.scatter(energies, predicted[0], 18, error, cmap="plasma", vmin=0, vmax=100)
        panel.set(title=f"{title}: mean absolute error {mean:.1f}", aspect="equal")
        panel.set(xlim=ends, ylim=ends, xlabel="atomisation energy, kcal/mol")
    panels[0].set_ylabel("predicted while held out, kcal/mol")
    figure.colorbar(dots, ax=panels, label="absolute error", shrink=0.8, extend="max")
    description = (
        "Two panels of predicted against given energies, from atom counts and from scattering; "
        "dots lie closer to the diagonal for scattering."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def main(argv=None):
    """Run the example and return the mean absolute errors, kcal/mol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--qm9", action="store_true", help="learn from QM9 instead of G2")
    parser.add_argument("--data-dir", help="where tensorflow-datasets keeps its data, with --qm9")
    parser.add_argument("--output-dir", type=Path, default=Path("molecules-output"))
    parser.add_argument("--limit", type=int, help="use only so many molecules")
    parser.add_argument("--repeats", type=int, default=5, help="of the cross-validation")
    args = parser.parse_args(argv)
    start = time.perf_counter()
    args.output_dir.mkdir(parents=True, exist_ok=True)

    loaded = load_qm9(args.limit, args.data_dir) if args.qm9 else load_g2(args.limit)
    names, positions, charges, energies = loaded
    y, meta = scatter(positions, charges)
    print(f"{y[0].size} coefficients a molecule, after {time.perf_counter() - start:.0f} s")

    elements = np.unique(charges[charges > 0])
    counts = (charges[:, :, None] == elements).sum(1)
    # Sets of coefficients to choose from: one order or both, two powers or all.
    index = np.arange(y[0].size).reshape(y.shape[1:])
    first = meta["order"] == 1
    some = np.isin(POWERS, (1, 2))
    sets = [index, index[first], index[..., some], index[first][..., some]]
    predictions = {
        "atom counts": predict(counts, energies, [slice(None)], args.repeats),
        "scattering": predict(
            y.reshape(len(y), -1), energies, [columns.ravel() for columns in sets], args.repeats
        ),
    }
    errors = {title: np.abs(p - energies) for title, p in predictions.items()}
    print("Mean absolute error of 5-fold cross-validation, in kcal/mol:")
    print(f"  {'the mean of all':16} {np.abs(energies - energies.mean()).mean():6.1f}")
    for title, error in errors.items():
        spread = f"± {error.mean(1).std():.1f} over {len(error)} ways to split" * (len(error) > 1)
        print(f"  {title:16} {error.mean():6.1f} {spread}")
    worst = np.argsort(-errors["scattering"].mean(0))[:5]
    listed = ", ".join(f"{names[i]} ({errors['scattering'].mean(0)[i]:.0f})" for i in worst)
    print(f"Furthest off: {listed}")
    rare = [
        chemical_symbols[int(z)]
        for z, n in zip(elements, (counts > 0).sum(0), strict=True)
        if n < 6
    ]
    print(
        f"What {len(energies)} molecules can show: whether coefficients that see the shape of a "
        "molecule tell more about its energy than its formula does, at equal data and equal "
        "regression.\n"
        "What they cannot: how accurate the method is with enough of them; about 1 kcal/mol has "
        "been published for thousands of molecules of few elements. Here bonds of one kind occur a "
        "few times"
        + (f", and {', '.join(rare)} in fewer than six molecules each." if rare else ".")
    )
    picture = args.output_dir / "molecules.png"
    draw(energies, predictions, picture)
    print(f"Drew {picture}")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the files are in {args.output_dir.resolve()}"
    )
    return {title: float(error.mean()) for title, error in errors.items()}


if __name__ == "__main__":
    main()
