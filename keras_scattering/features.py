"""Features of more items than memory holds, as Parquet; needs the extra `features`."""

import glob
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    raise ImportError(
        "keras_scattering.features needs pyarrow: "
        f'pip install "keras-scattering[features]". Received: {error}'
    ) from error

from keras_scattering import _validate
from keras_scattering._extractor import KEY, Extractor, Job, load, present, schema, sweep
from keras_scattering._items import Reader
from keras_scattering._ray import Pool, is_dataset

__all__ = ["Extracted", "extract", "read_meta"]

_ROUNDING = 1e-4  # of a model's answers, on different machines


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
    what is missing: ids that the folder has are skipped, and bad items are tried once more. One run
    at a time may write to a folder.

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
        id to reason. An item is bad if it cannot be read, or its shape is not the model's up to
        axes of length 1; a warning names the first of them, and the others are done.

    Raises:
        ValueError: If an argument is not as above, no file matches, two items have one id, or the
            folder has features of another model.
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
    files = {} if is_dataset(source) else _files(source)
    if read is not None and not callable(read):
        raise ValueError(f"Argument `read` must be a function of a path. Received: read={read!r}")
    loaded = load(model, sampling_rate)
    if isinstance(model, (str, os.PathLike)):
        model = os.path.abspath(model)  # actors have working directories of their own
    reader = Reader(loaded.shape, loaded.dtype, sampling_rate, read)
    job = Job(model, reader, schema(loaded, _table(meta)), Path(folder).absolute(), batch_size)
    there = _prepare(job)
    missing = {name: path for name, path in files.items() if name not in there}
    skipped = len(files) - len(missing)
    if is_dataset(source):
        pool = Pool(job, actors or 1, actor_options or {}, verbose)
        done, skipped, bad = pool.run(source, part_size, there)
    elif actors is not None and missing:
        done, _, bad = Pool(job, actors, actor_options or {}, verbose).run_files(missing, part_size)
    else:
        done, bad = _here(missing, part_size, verbose, Extractor(job, loaded))
    if bad:
        first = "; ".join(f"{name} ({reason})" for name, reason in list(bad.items())[:3])
        warnings.warn(
            f"{len(bad)} of the items could not be read and have no features; the result's `bad` "
            f"names all of them. The first are {first}",
            stacklevel=2,
        )
    return Extracted(done, skipped, bad)


def read_meta(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The paths' metadata that the schema of extracted features holds, as `layer.meta()` gives it.

    `pandas.DataFrame(read_meta(path))` makes a table of it. It is empty where `extract` was given a
    model that has not just one scattering layer, or a SavedModel, and no `meta`.

    Args:
        path: A folder of features, or a Parquet file that it holds or that was made of such.

    Returns:
        The columns, by name: one row a path, in the order of the coefficients.

    Raises:
        ValueError: If the file, or the folder, holds no extracted features.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_scattering import Scattering1D
    >>> from keras_scattering.features import extract, read_meta
    >>> layer = Scattering1D(J=2)
    >>> layer.build((None, 16))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/noise.npy", np.random.default_rng(0).standard_normal(16))
    ...     _ = extract([f"{folder}/noise.npy"], layer, folder, verbose=False)
    ...     meta = read_meta(folder)
    >>> meta["order"]
    array([0, 1, 1, 1])
    """
    parts = sorted(Path(path).glob("*.parquet")) if os.path.isdir(path) else [path]
    try:
        said = (pq.read_schema(parts[0]).metadata or {}).get(KEY) if parts else None
    except (OSError, pa.ArrowInvalid):
        said = None
    if said is None:
        raise ValueError(f"Argument `path` must be of extracted features. Received: path={path!r}")
    meta = json.loads(said)["meta"]
    return {name: np.array(values, dtype) for name, (dtype, values) in meta.items()}


def _table(meta: Any) -> dict[str, np.ndarray] | None:
    """Metadata as columns, of a dictionary or a DataFrame; None if none is given."""
    if meta is None:
        return None
    try:
        columns = {name: np.asarray(column) for name, column in dict(meta).items()}
    except (TypeError, ValueError):
        columns = None
    if columns is None or len({column.shape for column in columns.values()}) > 1:
        raise ValueError(
            "Argument `meta` must be a dictionary of columns of one length. "
            f"Received: meta={meta!r}"
        )
    return columns


# The folder


def _prepare(job: Job) -> frozenset[str]:
    """Ids that the job's folder has, which must be of the same model."""
    job.folder.mkdir(parents=True, exist_ok=True)
    sweep(job.folder)
    parts = sorted(job.folder.glob("part-*.parquet"))
    if not parts:
        return frozenset()
    theirs = pq.read_schema(parts[0])
    if KEY not in (theirs.metadata or {}):
        raise ValueError(
            "Argument `folder` must not have Parquet files of something else. "
            f"Received: folder={str(job.folder)!r}, with {parts[0].name}"
        )
    ours, known = (json.loads((s.metadata or {})[KEY]) for s in (job.schema, theirs))
    answers, answered = np.array(ours["answer"]), np.array(known["answer"])
    if not (
        job.schema.equals(theirs)
        and (np.abs(answers - answered) <= _ROUNDING * answers[:, :1]).all()
        and all(ours["meta"][n] == known["meta"][n] for n in ours["meta"].keys() & known["meta"])
    ):
        raise ValueError(
            "Argument `folder` must not have features of another model, nor of the same one with "
            "other settings, another sampling rate or other metadata. "
            f"Received: folder={str(job.folder)!r}"
        )
    return frozenset(present(job.folder))


# In this process


def _files(source: Any) -> dict[str, str]:
    """Paths by id, of a glob or a list."""
    if isinstance(source, (str, os.PathLike)):
        names = sorted(glob.glob(os.fspath(source), recursive=True))
    elif isinstance(source, (list, tuple)) and all(
        isinstance(name, (str, os.PathLike)) for name in source
    ):
        names = [os.fspath(name) for name in source]
    else:
        raise ValueError(
            "Argument `source` must be a glob, a list of paths, or a Ray dataset. "
            f"Received: source={source!r}"
        )
    if not names:
        raise ValueError(f"Argument `source` must name some files. Received: source={source!r}")
    return {name: os.path.abspath(name) for name in names}


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
