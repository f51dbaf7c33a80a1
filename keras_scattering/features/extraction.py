"""`extract`: features of all items of a source, in this process or on Ray."""

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
from keras_scattering.features.schemas import metadata_columns, schema
from keras_scattering.features.sources import files, refuse_other_names


class Extracted(NamedTuple):
    """The result of one run of `extract`."""

    done: int
    """Number of items that the run has written."""
    skipped: int
    """Number of items that were there before."""
    bad: dict[str, str]
    """Reasons by id, for the items without features."""


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
    r"""Write the features $S x$ of every item $x$ of a source to Parquet files, one row per item.

    A row holds the item's `id` and its `coefficients`, an array of fixed shape. A model with
    several outputs has one column per output, by their names or as `coefficients_0` and so on. The
    schema of each file holds the paths' metadata, for `read_meta`.

    Each file appears whole or not at all. If a run ends early, for any reason, a new run adds the
    missing items: it skips ids that the folder has, and tries bad items again. A run locks the
    folder, and a second run at the same time raises an error.

    `extract` works in this process, or with `actors` on Ray, on one machine or many. Each actor
    loads the model once. If an actor dies, Ray starts another, which computes the same file again
    under the same name. So no item is lost or written twice.

    Args:
        source: A glob (`"sounds/**/*.wav"`) or a list of paths. The ids are the paths as given, so
            spell them in the same way when you add to a folder. The files may be .wav (integers
            become floats between -1 and 1), .npy, or images (.bmp, .gif, .jpeg, .jpg, .png). Images
            have numbers from 0 to 255. Models without channels get grey, 0.299 red + 0.587 green +
            0.114 blue. `source` may also be a Ray dataset with a column `id` or `path` and one more
            column. That column holds arrays, paths of such files, or their contents; for contents
            the id tells the kind of file.
        model: A built scattering layer, a Keras model with one input, or the path of a .keras file
            or of a SavedModel. It must take batches of any length, and items of one known shape.
        folder: Folder for the files, made if it is missing. A folder with features of another model
            raises an error, and so does one with the same files under other names. With Ray on
            several machines, all of them need access to it, and to the paths in `source` and
            `model`.
        batch_size: Items per call of the model.
        part_size: Items per file. A process that dies loses the items of its current file, and the
            next run computes them again.
        sampling_rate: Samples per second. Wav files of another rate are bad, and the metadata of
            signals in time have columns in Hz and seconds.
        read: A function from a path in `source` to an array, in place of the readers above. It may
            pad, crop, resample or resize.
        meta: Columns of metadata. None takes `meta()` of the model's scattering layer, if Keras
            finds exactly one, and the model keeps its paths. It finds none in a SavedModel.
        actors: Number of Ray processes, of one CPU each. None takes no Ray for files, and one
            process for a Ray dataset.
        actor_options: Options for `ray.data.Dataset.map_batches`, such as `{"num_gpus": 1}`.
        verbose: Whether to show a progress bar.

    Returns:
        The numbers of items `done` by this run and `skipped`, and the `bad` items, a dictionary
        from id to reason. An item is bad if `extract` cannot read it, or if its name is not valid
        UTF-8. It is bad too if its shape differs from the model's by more than axes of length 1.
        Finally, neither it nor the model's output may hold NaN or infinity. A warning names the
        first bad items, and the run writes all other items. Another warning names files that the
        source lists under two names.

    Raises:
        ValueError: If an argument is not as above, no file matches, a glob leads in circles, or two
            items have one id. Also if another run uses the folder, or if the folder has damaged
            files, features that were made otherwise, or the source's files under other names; the
            message says which.
        ImportError: If pyarrow is missing when the module is imported, or if Ray is missing and
            needed.

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
    parts_schema, place = schema(loaded, metadata_columns(meta)), Path(folder).absolute()
    with taken(place) as scratch:
        there = frozenset(present(place, parts_schema))
        refuse_other_names(named, there)
        missing = {name: path for name, path in named.items() if name not in there}
        skipped = len(named) - len(missing)
        job = Job(model, reader, parts_schema, place, scratch, batch_size)
        pool = Pool(job, actors or 1, actor_options or {}, verbose)
        if is_dataset(source):
            done, skipped, bad = pool.extract_dataset(source, part_size, there)
        elif actors is not None and missing:
            done, _, bad = pool.extract_files(missing, part_size)
        else:
            done, bad = _here(missing, part_size, verbose, Extractor(job, loaded))
        if is_dataset(source) or actors is not None:
            _refuse_lost(len(there) + done, present(place, parts_schema))
    if bad:
        first = "; ".join(f"{name} ({reason})" for name, reason in list(bad.items())[:3])
        warnings.warn(
            f"{len(bad)} of the items could not be read and have no features; the result's `bad` "
            f"names all of them. The first are {first}",
            stacklevel=2,
        )
    return Extracted(done, skipped, bad)


def _refuse_lost(count: int, there: list[str]) -> None:
    """Refuse lost items: parts with the same ids have one name, and only the last remains."""
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
