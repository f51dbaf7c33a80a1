"""Signals as files, and what a folder of their features holds."""

import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from keras_scattering import Scattering1D
from keras_scattering.features import extract

N, RATE = 64, 8000


def make_layer():
    layer = Scattering1D(J=3, Q=2)
    layer.build((None, N))
    return layer


def signals(count):
    return np.random.default_rng(0).uniform(-0.9, 0.9, (count, N)).astype("float32")


def save_npy(folder, arrays):
    names = [f"{folder}/{i:02}.npy" for i in range(len(arrays))]
    for name, array in zip(names, arrays, strict=True):
        np.save(name, array)
    return names


def stored(folder, column="coefficients"):
    """What a folder has: ids, and the numbers that belong to them."""
    table = pq.read_table(folder)
    arrays = table[column].combine_chunks().to_numpy_ndarray()
    return table["id"].to_pylist(), arrays


def assert_stored(folder, expected, **tolerances):
    """Each id once, and its coefficients."""
    ids, arrays = stored(folder)
    assert sorted(ids) == sorted(expected)
    for name, array in zip(ids, arrays, strict=True):
        np.testing.assert_allclose(array, expected[name], err_msg=name, **tolerances)


def assert_only_parts(folder):
    """Nothing is left of the runs but what they have made."""
    assert [path.name for path in folder.iterdir() if not path.match("part-*.parquet")] == []


def bad_ones(source, layer, folder, **arguments):
    """What is wrong with the items, by the end of the path; there is a warning, and only one."""
    with pytest.warns(UserWarning, match="of the items") as caught:
        result = extract(source, layer, folder, verbose=False, **arguments)
    assert len(caught) == 1
    return {os.path.basename(name): reason for name, reason in result.bad.items()}
