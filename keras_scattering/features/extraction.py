"""Features of the items of a source, here or on Ray: the whole of it."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras

from keras_scattering import _validate
from keras_scattering.features.actors import Pool, is_dataset
from keras_scattering.features.folder import present, taken
from keras_scattering.features.items import Reader
from keras_scattering.features.models import load
from keras_scattering.features.parts import Extractor, Job
from keras_scattering.features.schemas import schema, table
from keras_scattering.features.sources import files


class Extracted(NamedTuple):
    """What a run of `extract` has done."""

    done: int
    """Items that it has written."""
    skipped: int
    """Items that were there before."""
    bad: dict[str, str]
    """Items that could not be read, by id, and why."""


def extract(
    source: Any,
    model: Any,
    folder: str | os.PathLike,
    *,
    batch_size: int = 32,
    part_size: int = 1024,
    sampling_rate: float | None = None,
    read: Callable[[str], Any] | None = None,
    meta: dict[str, Any] | None = None,
    actors: int | None = None,
    actor_options: dict[str, Any] | None = None,
    verbose: bool = True,
) -> Extracted:
    r"""Write the features $S x$ of every item $x$ of a source to Parquet files, one row an item.

    A row holds the item's `id` and its `coefficients`, an array of fixed shape; of a model with
    several outputs a column each, by their names or as `coefficients_0` and so on. The schema of
    each file holds the paths' metadata, for `read_meta`.

    A file is written whole or not at all. Run again, after an end of any kind, the function adds
    what is missing: ids that the folder has are skipped, and bad items are tried once more. While a
    run lasts the folder is locked, so that another one is refused.

    It all happens in this process, or with `actors` on Ray, on one machine or many. Each actor
    loads the model once. If one dies, Ray starts another, which computes the same file again under
    the same name: nothing is lost or written twice.

    Args:
        source: A glob (`"sounds/**/*.wav"`) or a list of paths, whose ids are the paths as they
            stand: wav files (integers become floats between -1 and 1), .npy files, or images (.bmp,
            .gif, .jpeg, .jpg, .png; numbers from 0 to 255, in grey for models without channels). Or
            a Ray dataset with columns `id`, or `path`, and one more that holds arrays, the contents
            of such files (then the id tells the kind) or their paths.
        model: A built scattering layer, a Keras model with one input, or the path of a .keras file
            or of a SavedModel, which must take batches of any length and items of one known shape.
        folder: Where the files go. Made if it is missing; one that has features of another model is
            refused. With Ray on several machines, they all need to see it, and `source` and
            `model` too where these are paths.
        batch_size: Items that the model takes at a time.
        part_size: Items a file: what is lost and done again when a process dies.
        sampling_rate: Samples a second: wav files of another are bad, and the metadata of signals
            in time have columns in Hz and seconds.
        read: Reads a file that `source` names in place of the above: a function from a path to
            an array, which may crop, resample or resize.
        meta: Columns of metadata. None stands for `meta()` of the model's scattering layer, if it
            has just one that Keras knows; SavedModels do not say.
        actors: Processes on Ray, of one CPU each. None: no Ray for files, one for a Ray dataset.
        actor_options: For `ray.data.Dataset.map_batches`, such as `{"num_gpus": 1}`.
        verbose: Whether to show a progress bar.

    Returns:
        How many items were `done` by this run and `skipped`, and the `bad` ones, a dictionary from
        id to reason. An item is bad if it cannot be read, its shape is not the model's up to axes
        of length 1, its name is not valid UTF-8, or a number of it, or of the model's answer, is
        NaN or infinite. A warning names the first of them, and the others are done. Another warning
        names files that the source lists twice, by two names.

    Raises:
        ValueError: If an argument is not as above, no file matches, a glob leads in circles, two
            items have one id, or the folder is in use by another run, or has features of another
            model or damaged files, which the message names.
        ImportError: When the module is imported without pyarrow, or for Ray where it is missing.

    Example:

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from keras_scattering import Scattering1D
    >>> from keras_scattering.features import extract, read_meta
    >>> layer = Scattering1D(J=4, Q=2)
    >>> layer.build((None, 64))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(3):
    ...         np.save(f"{folder}/{i}.npy", np.random.default_rng(i).standard_normal(64))
    ...     result = extract(f"{folder}/*.npy", layer, f"{folder}/features", verbose=False)
    ...     meta = read_meta(f"{folder}/features")
    >>> result
    Extracted(done=3, skipped=0, bad={})
    >>> meta["order"].shape
    (20,)
    """
    _validate.positive_int("batch_size", batch_size)
    _validate.positive_int("part_size", part_size)
    if sampling_rate is not None:
        _validate.positive("sampling_rate", sampling_rate)
    if actors is not None:
        _validate.positive_int("actors", actors)
    named = {} if is_dataset(source) else files(source)
    if read is not None and not callable(read):
        raise ValueError(f"Argument `read` must be a function of a path. Received: read={read!r}")
    loaded = load(model, sampling_rate)
    if isinstance(model, (str, os.PathLike)):
        model = os.path.abspath(model)  # actors have working directories of their own
    reader = Reader(loaded.shape, loaded.dtype, sampling_rate, read)
    columns, place = schema(loaded, table(meta)), Path(folder).absolute()
    with taken(place) as scratch:
        there = frozenset(present(place, columns))
        missing = {name: path for name, path in named.items() if name not in there}
        skipped = len(named) - len(missing)
        job = Job(model, reader, columns, place, scratch, batch_size)
        pool = Pool(job, actors or 1, actor_options or {}, verbose)
        if is_dataset(source):
            done, skipped, bad = pool.run(source, part_size, there)
        elif actors is not None and missing:
            done, _, bad = pool.run_files(missing, part_size)
        else:
            done, bad = _here(missing, part_size, verbose, Extractor(job, loaded))
        if is_dataset(source) or actors is not None:
            _refuse_lost(len(there) + done, present(place, columns))
    if bad:
        first = "; ".join(f"{name} ({reason})" for name, reason in list(bad.items())[:3])
        warnings.warn(
            f"{len(bad)} of the items could not be read and have no features; the result's `bad` "
            f"names all of them. The first are {first}",
            stacklevel=2,
        )
    return Extracted(done, skipped, bad)


def _refuse_lost(count: int, there: list[str]) -> None:
    """Blocks of the same ids, in one dataset, are of one name: the last of them is there alone."""
    if len(there) != count:
        raise ValueError(
            "Each item needs an id of its own. "
            f"Received: {count} items written, of {len(there)} different ids"
        )


def _here(
    missing: dict[str, str], part_size: int, verbose: bool, extractor: Extractor
) -> tuple[int, dict[str, str]]:
    items = list(missing.items())
    bar = keras.utils.Progbar(len(items), verbose=int(verbose), unit_name="item")
    done, bad = 0, {}
    for start in range(0, len(items), part_size):
        written, wrong = extractor.write(items[start : start + part_size], bar.add)
        done += written
        bad |= wrong
    return done, bad
