"""`extract` on files that are damaged, strange, or meant to do harm.

Each item must be done or named bad, and the good ones be right, soon and in little memory. First
come good files of every kind, then all sorts of strange files, one at a time, and then rounds of
many at once.
"""

import os
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import specimens
from rounds import Ended, Row, fresh, resident, scaled, stream
from specimens import ANY, GOOD, STRANGE, Greys, Images, Sounds, Specimen

ROUNDS = 100
GOOD_ONES = 20  # of each kind
SECONDS = 20  # for one strange file
LIMIT = 180  # seconds for a round
MOST = 100.0  # MB more than good files of the same sizes take, at any moment, for one file
MOST_OF_MANY = 200.0  # and for a round: eight are read at a time

ITEMS = {"sounds": Sounds, "images": Images, "greys": Greys}
ATTACKED = ("sounds", "images")


def make_layer(items: str) -> Any:
    from keras_scattering import Scattering1D, Scattering2D

    layer = Scattering1D(J=3, Q=2) if items == "sounds" else Scattering2D(J=1, L=2)
    layer.build((None, *ITEMS[items].shape))
    return layer


def peak(restart: bool = False) -> float:
    """The most memory that this process has had since the last restart, in MB."""
    if restart:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x]
    return int(line.split()[1]) * 1024 / 1e6


def extracted(source: Any, layer: Any, features: Path, **options: Any) -> Any:
    from keras_scattering.features import extract

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some are bad
        return extract(source, layer, features, verbose=False, **options)


def write_good(
    place: Path, items: Any, rng: np.random.Generator, number: int, kind: str | None = None
) -> Specimen:
    kind = kind or str(rng.choice(items.kinds))
    content, array = items.good(rng, kind)
    path = place / f"{number:03}-good.{kind}"
    path.write_bytes(content)
    return Specimen(str(path), GOOD, array, f"good {kind}")


def faults(files: list[Specimen], result: Any, layer: Any, features: Path) -> list[str]:
    """What is wrong with what a run has left of the files."""
    import pyarrow.parquet as pq

    wrong, ids, values = [], [], {}
    if list(features.glob("part-*")):
        table = pq.read_table(features)
        ids, arrays = table["id"].to_pylist(), table["coefficients"].combine_chunks()
        values = dict(zip(ids, arrays.to_numpy_ndarray(), strict=True))
    if len(values) < len(ids):
        wrong.append(f"{len(ids)} rows of {len(values)} ids")
    names = {file.path for file in files}
    if values.keys() & result.bad.keys() or values.keys() | result.bad.keys() != names:
        wrong.append(f"{len(names)} files, {len(values)} done and {len(result.bad)} bad")
    if len(values) != result.done + result.skipped:
        wrong.append(f"{len(values)} rows, and it says {result.done} + {result.skipped}")
    for file in files:
        done = file.path in values
        if file.verdict != ANY and done != (file.verdict == GOOD):
            reason = result.bad.get(file.path, "it is done")
            wrong.append(f"{file.about} ({file.path!r}) should be {file.verdict}: {reason}")
        elif done:
            value = values[file.path]
            wanted = _expected(file, layer)
            wanted = value if wanted is None else wanted
            error, allowed = np.abs(value - wanted).max(), 1e-5 * np.abs(wanted).max()
            if file.path.endswith("jpeg"):
                allowed = 8.0  # of 255: decoders differ by some levels
            if not (np.isfinite(value).all() and error <= allowed):
                wrong.append(f"{file.about} ({file.path!r}) is off by {error:.1e}")
    return wrong


def _expected(file: Specimen, layer: Any) -> np.ndarray | None:
    """Coefficients of a file that is done; None if another reader cannot tell."""
    array = file.array
    if array is None and file.path.endswith(".npy"):
        array = np.load(file.path)
    if array is None:
        return None
    return np.asarray(layer(np.reshape(array, (1, *layer._state.shape[1:])).astype("float32")))[0]


# Good files alone


def good_ones(place: str, seed: int) -> tuple[int, list[str]]:
    """How many files there were, and what is wrong with those of a kind."""
    rng, count, wrong = np.random.default_rng(seed), 0, []
    for items, made in ((name, ITEMS[name]()) for name in ITEMS):
        layer = make_layer(items)
        for kind in made.kinds:
            folder, features = Path(place, f"{items} {kind}"), Path(place, f"{items} {kind} done")
            folder.mkdir()
            files = [write_good(folder, made, rng, i, kind) for i in range(GOOD_ONES)]
            result = extracted([file.path for file in files], layer, features)
            found = faults(files, result, layer, features)
            count += len(files)
            if found:
                wrong.append(f"{items}, {kind}: {len(found)} faults, such as {found[0]}")
    return count, wrong


# One strange file at a time


def alone(
    place: str, items: str, seed: int, start: int
) -> Iterator[tuple[str, list[str], float, float]]:
    """Of each kind of file its name, what is wrong, MB, and seconds; as far as one hangs."""
    layer, made = make_layer(items), ITEMS[items]()
    rng = np.random.default_rng(seed)
    for number, name in [(0, "good alone"), *list(enumerate(STRANGE, start=1))[start:]]:
        folder, features = Path(place, f"{number}"), Path(place, f"features {number}")
        folder.mkdir()
        files = [write_good(folder, made, rng, 0)]
        if number:
            files.append(specimens.strange(folder, made, rng, name, 1))
        answers: list[Any] = []

        def run(files: list = files, features: Path = features, answers: list = answers) -> None:
            try:
                answers.append(extracted([file.path for file in files], layer, features))
            except BaseException as error:
                answers.append(error)

        before = resident()
        peak(restart=True)
        began = time.monotonic()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(SECONDS)
        seconds, more = time.monotonic() - began, peak() - before
        if not answers:
            wrong = [f"it hangs: no answer within {SECONDS} seconds"]
        elif isinstance(answers[0], BaseException):
            wrong = [f"{answers[0]!r}"]
        else:
            wrong = faults(files, answers[0], layer, features)
        if number and more > MOST:
            wrong.append(f"{more:.0f} MB, {MOST:.0f} are allowed")
        if os.path.exists("was-here"):
            os.remove("was-here")
            wrong.append("code of the file has run")
        if number:
            yield name, [f"{name}: {text}" for text in wrong], more, seconds
        if not answers:
            return  # the thread goes on, and takes memory


# Many at once


def together(
    place: str, items: str, seed: int, number: int, left_out: frozenset[str]
) -> tuple[int, int, list[str], float]:
    """How many files a round has, how many were bad, what is wrong, and MB."""
    rng = np.random.default_rng((seed, number))
    layer, made, wrong = make_layer(items), ITEMS[items](), []
    folder, features = Path(place, "files"), Path(place, "features")
    folder.mkdir()
    Path(place, "warm").mkdir()
    warm = [write_good(Path(place, "warm"), made, rng, i) for i in range(40)]
    extracted([file.path for file in warm], layer, Path(place, "warm features"))
    names = rng.permutation([name for name in STRANGE if name not in left_out])[:15]
    kinds = [*names, *["good"] * 20, *["damaged"] * 60]
    files = []
    for i, kind in enumerate(rng.permutation(kinds).tolist()):
        if kind == "good":
            files.append(write_good(folder, made, rng, i))
        elif kind == "damaged":
            files.append(specimens.damaged(folder, made, rng, i))
        else:
            files.append(specimens.strange(folder, made, rng, kind, i))
    source: Any = f"{folder}/**" if rng.random() < 0.5 else [file.path for file in files]
    if isinstance(source, str):
        source += "/*"
        (folder / "loop").symlink_to(place)
        try:
            extracted(source, layer, features)
            wrong.append("a loop of links is not refused")
        except ValueError:
            (folder / "loop").unlink()
    sizes = {"batch_size": int(rng.integers(1, 20)), "part_size": int(rng.integers(1, 60))}
    before = resident()
    peak(restart=True)
    result = extracted(source, layer, features, **sizes)
    more = peak() - before
    wrong += faults(files, result, layer, features)
    again = extracted(source, layer, features)
    if again.done or again.skipped != result.done or again.bad.keys() != result.bad.keys():
        wrong.append(f"a second run says {again.done}, {again.skipped}, {len(again.bad)} bad")
    if more > MOST_OF_MANY:
        wrong.append(f"{more:.0f} MB, {MOST_OF_MANY:.0f} are allowed")
    return len(files), len(result.bad), wrong, more


def rows(scale: float, seed: int) -> Iterator[Row]:
    began, title = time.monotonic(), "good files of every kind"
    with tempfile.TemporaryDirectory() as place:
        try:
            count, wrong = fresh(good_ones, place, seed, limit=LIMIT)
        except Ended as error:
            count, wrong = 0, [f"{title}: {error}"]
    yield Row(title, count, wrong, time.monotonic() - began)
    for items in ATTACKED:
        row, failed = strange_files(items, seed)
        yield row
        yield many_files(items, seed, scaled(ROUNDS, scale), failed)


def strange_files(items: str, seed: int) -> tuple[Row, frozenset[str]]:
    """And the names of those that have failed, for the rounds to leave out."""
    title, began, found, names = f"strange files among {items}", time.monotonic(), [], list(STRANGE)
    while len(found) < len(names):
        with tempfile.TemporaryDirectory() as place:
            try:
                for one in stream(alone, place, items, seed, len(found), limit=LIMIT):
                    found.append(one)
            except Ended as error:
                name = names[len(found)]
                found.append((name, [f"{name}: {error}"], 0.0, 0.0))
    failures = [text for _, wrong, _, _ in found for text in wrong]
    failed = frozenset(name for name, wrong, _, _ in found if wrong)
    worst = max(found, key=lambda one: one[2])
    figures = f"{max(one[3] for one in found):.1f} s; {worst[2]:.0f} MB ({worst[0]})"
    return Row(title, len(found), failures, time.monotonic() - began, figures), failed


def many_files(items: str, seed: int, rounds: int, left_out: frozenset[str]) -> Row:
    began, count, bad, failures, most = time.monotonic(), 0, 0, [], 0.0
    for number in range(rounds):
        label = f"round {number} of {items}, seed {seed}"
        with tempfile.TemporaryDirectory() as place:
            try:
                one = fresh(together, place, items, seed, number, left_out, limit=LIMIT)
            except Ended as error:
                failures.append(f"{label}: {error}")
                continue
        count, bad, most = count + one[0], bad + one[1], max(most, one[3])
        failures += [f"{label}: {text}" for text in one[2]]
    worst = f"{bad} bad in {rounds} rounds; {most:.0f} MB"
    return Row(f"hostile files among {items}", count, failures, time.monotonic() - began, worst)
