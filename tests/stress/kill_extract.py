"""extract() killed again and again, at any moment, must end where an undisturbed run does.

    python tests/stress/kill_extract.py --rounds 20

Each round starts with an empty folder: runs are killed with kill -9, each after a random time,
until one of them ends by itself. The last column is what the folder has then, compared with an
undisturbed run.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from rounds import Row, say, scaled

ROUNDS, FILES = 20, 300

CHILD = """
import sys, time
import numpy as np
from keras_scattering import Scattering1D
from keras_scattering.features import extract

def read(path):
    time.sleep(float(seconds))
    return np.load(path)

pattern, folder, seconds, ready = sys.argv[1:]
layer = Scattering1D(J=3, Q=2)
layer.build((None, 64))
open(ready, "w").close()
extract(pattern, layer, folder, batch_size=4, part_size=8, read=read, verbose=False)
"""


def start(files: Path, folder: Path, ready: Path) -> subprocess.Popen:
    """A run in a process of its own, as far as its model is built."""
    ready.unlink(missing_ok=True)
    arguments = [f"{files}/*.npy", str(folder), "0.05", str(ready)]
    child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments])
    while not ready.exists() and child.poll() is None:
        time.sleep(0.01)
    return child


def disturbed(files: Path, folder: Path, ready: Path, longest: float) -> tuple[int, list[int]]:
    """How many runs were killed before one ended, and the parts that each of them had made."""
    parts, kills = [], 0
    while True:
        child = start(files, folder, ready)
        try:
            status = child.wait(random.uniform(0, longest))
        except subprocess.TimeoutExpired:
            child.kill()
            status = child.wait()
        parts.append(len(list(folder.glob("part-*"))))
        if status == 0:
            return kills, parts
        if status != -9:
            raise SystemExit(f"a run ended with {status}")
        kills += 1


def rows_of(folder: Path) -> dict[str, np.ndarray]:
    """Coefficients by id, each of which must be there once."""
    table = pq.read_table(folder, page_checksum_verification=True)
    ids, values = table["id"].to_pylist(), table["coefficients"].combine_chunks()
    if len(set(ids)) < len(ids):
        raise SystemExit(f"{len(ids)} rows of {len(set(ids))} ids")
    return dict(zip(ids, values.to_numpy_ndarray(), strict=True))


def verdict(folder: Path, expected: dict[str, np.ndarray]) -> str:
    found = rows_of(folder)
    left = [path.name for path in folder.iterdir() if not path.match("part-*.parquet")]
    if found.keys() != expected.keys():
        return f"WRONG: {len(found)} ids of {len(expected)}"
    if left:
        return f"WRONG: left over {left}"
    error = max(np.abs(found[name] - expected[name]).max() for name in expected)
    scale = max(np.abs(value).max() for value in expected.values())
    return "equal" if error == 0 else "close" if error < 1e-6 * scale else f"WRONG: off by {error}"


def attempts(count: int, files: int, seed: int) -> Iterator[tuple[int, list[int], str]]:
    """Of each round how many runs were killed, the parts after each run, and the verdict."""
    random.seed(seed)
    with tempfile.TemporaryDirectory() as place:
        sources, ready = Path(place, "files"), Path(place, "ready")
        sources.mkdir()
        for i, x in enumerate(np.random.default_rng(0).standard_normal((files, 64))):
            np.save(sources / f"{i:04}.npy", x)
        whole = Path(place, "whole")
        if start(sources, whole, ready).wait() != 0:
            raise SystemExit("the undisturbed run failed")
        # From the built model to the last part.
        longest = max(part.stat().st_mtime for part in whole.iterdir()) - ready.stat().st_mtime
        expected = rows_of(whole)
        for number in range(1, count + 1):
            folder = Path(place, f"round {number}")
            kills, parts = disturbed(sources, folder, ready, longest)
            yield kills, parts, verdict(folder, expected)


def rows(scale: float, seed: int) -> Iterator[Row]:
    """For the table of all parts."""
    began, kills, done, wrong = time.monotonic(), 0, 0, []
    try:
        for killed, _, said in attempts(scaled(ROUNDS, scale), FILES, seed):
            kills, done = kills + killed, done + 1
            if said.startswith("WRONG"):
                wrong.append(f"kill_extract.py --seed {seed}, round {done}: {said}")
            say(f"round {done}: {killed} killed, {said}")
    except SystemExit as error:
        wrong.append(f"kill_extract.py --seed {seed}, after round {done}: {error}")
    seconds = time.monotonic() - began
    yield Row("rounds of extract, killed", done, wrong, seconds, f"{kills} runs killed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| round | killed | parts after each run | folder |\n|---:|---:|---|---|", flush=True)
    wrong = 0
    found = attempts(arguments.rounds, arguments.files, arguments.seed)
    for number, (kills, parts, said) in enumerate(found, start=1):
        wrong += said.startswith("WRONG")
        print(f"| {number} | {kills} | {' '.join(map(str, parts))} | {said} |", flush=True)
    raise SystemExit(f"{wrong} rounds wrong" if wrong else 0)


if __name__ == "__main__":
    main()
