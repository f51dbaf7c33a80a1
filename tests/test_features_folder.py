"""A folder of features has one run at a time, and whole parts of one model, or it is refused."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from extracted import assert_only_parts, assert_stored, make_layer, save_npy, signals

from keras_scattering import Scattering1D
from keras_scattering.features import Extracted, extract, read_meta
from keras_scattering.features.folder import present, taken
from keras_scattering.features.items import Reader
from keras_scattering.features.models import load
from keras_scattering.features.parts import Extractor, Job
from keras_scattering.features.schemas import schema

IN_USE = r"`folder` must not be in use by another run.*Received: folder='.*features'"


@pytest.fixture(scope="module")
def layer():
    return make_layer()


@pytest.fixture
def files(tmp_path):
    return save_npy(tmp_path, signals(8))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "features"


def expected(layer, files):
    return dict(zip(files, layer(signals(len(files))), strict=True))


def wait_for(path):
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path} has not come"
        time.sleep(0.02)


# One run at a time


@pytest.mark.slow
@pytest.mark.parametrize("read_before", [0, 5])
def test_a_run_in_another_thread_is_refused_and_spoils_nothing(layer, files, folder, read_before):
    reading, go, results, count = threading.Event(), threading.Event(), [], [0]

    def read(path):
        count[0] += 1
        if count[0] > read_before:
            reading.set()
            go.wait(60)
        return np.load(path)

    def first():
        results.append(extract(files, layer, folder, read=read, batch_size=2, verbose=False))

    thread = threading.Thread(target=first)
    thread.start()
    assert reading.wait(60)
    for source in (files, files[:1]):
        with pytest.raises(ValueError, match=IN_USE):
            extract(source, layer, f"{folder}/../features", part_size=4, verbose=False)
    go.set()
    thread.join()
    assert results == [Extracted(8, 0, {})]
    assert_stored(folder, expected(layer, files), atol=1e-6)
    assert_only_parts(folder)
    assert extract(files, layer, folder, verbose=False) == Extracted(0, 8, {})


@pytest.mark.slow
def test_a_run_within_a_run_is_refused(layer, files, folder):
    def read(path):
        extract(path, layer, folder, verbose=False)

    with pytest.warns(UserWarning, match="8 of the items could not be read"):
        result = extract(files, layer, folder, read=read, verbose=False)
    assert all("must not be in use" in reason for reason in result.bad.values())


CHILD = """
import sys, time
import numpy as np
from extracted import make_layer
from keras_scattering.features import extract

def read(path):
    if path == files[5]:
        open(started, "w").close()
        time.sleep(600)
    return np.load(path)

started, folder, *files = sys.argv[1:]
extract(files, make_layer(), folder, read=read, batch_size=2, part_size=4, verbose=False)
"""


@pytest.mark.slow
def test_a_run_in_another_process_is_refused_until_that_is_killed(layer, files, folder, tmp_path):
    command = [sys.executable, "-c", CHILD, str(tmp_path / "started"), str(folder), *files]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    child = subprocess.Popen(command, env=environment)
    try:
        wait_for(tmp_path / "started")
        with pytest.raises(ValueError, match=IN_USE):
            extract(files, layer, folder, verbose=False)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert extract(files, layer, folder, part_size=3, verbose=False) == Extracted(4, 4, {})
    assert_stored(folder, expected(layer, files), atol=1e-6)
    assert_only_parts(folder)


@pytest.mark.slow
def test_what_outlives_a_killed_run_can_add_nothing(layer, files, folder):
    """As actors may, for a while, when the process that has started them is gone."""
    loaded = load(layer)
    with taken(folder) as scratch:
        reader = Reader(loaded.shape, loaded.dtype)
        job = Job(layer, reader, schema(loaded, None), folder, scratch, 2)
    items = list(zip(files, signals(8), strict=True))
    extractor = Extractor(job, loaded)
    assert extract(files, layer, folder, part_size=3, verbose=False) == Extracted(8, 0, {})
    with pytest.raises(FileNotFoundError):
        extractor.write(items)
    assert_stored(folder, expected(layer, files), atol=1e-6)


@pytest.mark.slow
@pytest.mark.needs("ray")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, of its settings
def test_a_run_on_ray_has_the_folder_alone(layer, files, folder, tmp_path, monkeypatch):
    import ray.data

    go, started, odd, results = tmp_path / "go", tmp_path / "started", "odd \udcff.npy", []

    def read(path):
        started.touch()
        while not go.exists():
            time.sleep(0.02)
        return np.load(path)

    def on_ray():
        source = [*files, odd]
        options = {"read": read, "actors": 1, "verbose": False}
        with pytest.warns(UserWarning, match="1 of the items could not be read"):
            results.append(extract(source, layer, folder, **options))

    for name, value in {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}.items():
        monkeypatch.setenv(name, value)
    with ray.init(
        num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    ):
        thread = threading.Thread(target=on_ray)
        thread.start()
        try:
            wait_for(started)
            with pytest.raises(ValueError, match=IN_USE):
                extract(files, layer, folder, verbose=False)
        finally:
            go.touch()
            thread.join()
        assert results == [Extracted(8, 0, {odd: "ValueError: the name is not valid UTF-8"})]
        assert_stored(folder, expected(layer, files), atol=1e-6)
        assert_only_parts(folder)
        # Two blocks of the same ids, whose parts have one name.
        rows = ray.data.from_items([{"id": "twice", "signal": x} for x in signals(1)])
        twice = rows.union(rows)
        with pytest.raises(ValueError, match=r"an id of its own.*2 items written"):
            extract(twice, layer, tmp_path / "twice", part_size=1, verbose=False)


@pytest.mark.skipif(sys.platform == "win32", reason="there the lock is of another kind")
def test_a_folder_without_locks_is_warned_of(layer, files, folder, monkeypatch):
    def flock(file, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.warns(UserWarning, match="cannot be locked.*one run at a time"):
        assert extract(files, layer, folder, verbose=False).done == 8
    assert_only_parts(folder)


# Parts that are damaged, or of something else


@pytest.mark.slow
def test_every_part_is_compared_with_the_model(layer, files, folder, tmp_path):
    other = Scattering1D(J=3, Q=2, padding="zero")
    other.build((None, 64))
    extract(files, layer, folder, part_size=4, verbose=False)
    extract(files[:1], other, tmp_path / "others", verbose=False)
    (part,) = (tmp_path / "others").iterdir()
    last = part.rename(folder / "part-z.parquet")  # behind those of the layer
    with pytest.raises(ValueError, match=r"made otherwise.*Received: .*part-z\.parquet"):
        extract(files, layer, folder, verbose=False)
    pq.write_table(pq.read_table(last, columns=["id"]).replace_schema_metadata(None), last)
    with pytest.raises(ValueError, match=r"something else.*Received: .*part-z\.parquet"):
        extract(files, layer, folder, verbose=False)


@pytest.mark.slow
def test_damaged_parts_are_named_with_what_to_do(layer, files, folder):
    extract(files, layer, folder, part_size=4, verbose=False)
    first, second = sorted(folder.iterdir())
    content, ids = first.read_bytes(), pq.read_table(first)["id"].to_pylist()
    first.write_bytes(content[:-100])
    message = rf"delete.*run again.*Received: .*{first.name}"
    with pytest.raises(ValueError, match=message):
        extract(files, layer, folder, verbose=False)
    with pytest.raises(ValueError, match=first.name):
        read_meta(folder)
    second.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"{message}.*{second.name}"):
        extract(files, layer, folder, verbose=False)
    second.unlink()
    first.write_bytes(content)
    result = extract(files, layer, folder, verbose=False)  # as it says
    assert (result.done, result.skipped) == (8 - len(ids), len(ids))
    assert_stored(folder, expected(layer, files), atol=1e-6)


@pytest.mark.slow
def test_no_damage_changes_what_a_folder_is_found_to_have(layer, files, folder):
    extract(files, layer, folder, verbose=False)
    (part,) = folder.iterdir()
    content, columns = part.read_bytes(), schema(load(layer), None)
    cut = [content[:n] for n in range(0, len(content), 97)]
    flipped = [bytearray(content) for _ in range(0, len(content), 31)]
    for n, damaged in enumerate(flipped):
        damaged[31 * n] ^= 0x10
    for damaged in (*cut, *flipped):
        part.write_bytes(damaged)
        try:
            assert present(folder, columns) == files
        except ValueError as error:
            assert part.name in str(error)  # noqa: PT017


def test_pages_have_checksums(layer, files, folder):
    extract(files, layer, folder, verbose=False)
    (part,) = folder.iterdir()
    content = part.read_bytes()
    column = pq.ParquetFile(part).metadata.row_group(0).column(1)
    start = column.dictionary_page_offset or column.data_page_offset
    middle = start + column.total_compressed_size // 2
    part.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(folder, page_checksum_verification=True)


def test_a_part_is_on_the_disk_before_it_counts(layer, files, folder, monkeypatch):
    events, fsync, replace = [], os.fsync, os.replace

    def watched_fsync(file):
        path = os.readlink(f"/proc/self/fd/{file}")
        events.append("folder" if path == str(folder) else "file")
        fsync(file)

    def watched_replace(source, target):
        events.append("replace")
        replace(source, target)

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("needs /proc")
    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    extract(files, layer, folder, part_size=4, verbose=False)
    assert events == ["file", "replace", "folder"] * 2
