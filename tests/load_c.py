"""Run SavedModels through TensorFlow's C API, as TensorFlow Serving does: no Python of TensorFlow.

    python load_c.py FOLDER

FOLDER/requests.json holds a list of (model's folder, input's tensor, outputs' tensors), and
FOLDER/<number>.npy the input of each. Answers go to FOLDER/<number>.npz; an error to
FOLDER/<number>.txt.
"""

import ctypes
import functools
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

FLOAT = 1  # TF_FLOAT
Pointer = ctypes.c_void_p


class Output(ctypes.Structure):
    _fields_ = [("operation", Pointer), ("index", ctypes.c_int)]


def load_library():
    """TensorFlow's library, with XLA off as it is in the server unless a flag asks for it."""
    (package,) = importlib.util.find_spec("tensorflow").submodule_search_locations
    for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
        library = ctypes.CDLL(str(Path(package, name)), ctypes.RTLD_GLOBAL)
    library._ZN10tensorflow21DisableXlaCompilationEv()  # tensorflow::DisableXlaCompilation()
    return library


LIBRARY = load_library()


def call(name, *arguments, returns=Pointer):
    function = getattr(LIBRARY, name)
    function.restype = returns
    return function(*arguments)


def checked(name, *arguments):
    """Call a function whose last argument is a status."""
    status = Pointer(call("TF_NewStatus"))
    result = call(name, *arguments, status)
    if call("TF_GetCode", status, returns=ctypes.c_int):
        raise RuntimeError(call("TF_Message", status, returns=ctypes.c_char_p).decode())
    return result


def to_tensor(x):
    dims = (ctypes.c_int64 * x.ndim)(*x.shape)
    size = ctypes.c_size_t(x.nbytes)
    tensor = Pointer(call("TF_AllocateTensor", FLOAT, dims, x.ndim, size))
    ctypes.memmove(call("TF_TensorData", tensor), x.ctypes.data, x.nbytes)
    return tensor


def to_array(tensor):
    tensor = Pointer(tensor)
    rank = call("TF_NumDims", tensor, returns=ctypes.c_int)
    shape = [call("TF_Dim", tensor, axis, returns=ctypes.c_int64) for axis in range(rank)]
    data = ctypes.string_at(
        call("TF_TensorData", tensor), call("TF_TensorByteSize", tensor, returns=ctypes.c_size_t)
    )
    return np.frombuffer(data, np.float32).reshape(shape)


@functools.cache
def load(folder):
    """The session and the graph of a model."""
    graph = Pointer(call("TF_NewGraph"))
    options = Pointer(call("TF_NewSessionOptions"))
    tags = (ctypes.c_char_p * 1)(b"serve")
    where = folder.encode(), tags, len(tags)
    session = checked("TF_LoadSessionFromSavedModel", options, None, *where, graph, None)
    return Pointer(session), graph


def run(folder, feed, fetches, x):
    """Run a model once."""
    session, graph = load(folder)

    def output(name):
        operation, index = name.split(":")
        return Output(call("TF_GraphOperationByName", graph, operation.encode()), int(index))

    inputs = (Output * 1)(output(feed))
    values = (Pointer * 1)(to_tensor(x))
    outputs = (Output * len(fetches))(*map(output, fetches))
    results = (Pointer * len(fetches))()
    counted = outputs, results, len(fetches)
    checked("TF_SessionRun", session, None, inputs, values, 1, *counted, None, 0, None)
    return [to_array(result) for result in results]


if __name__ == "__main__":
    work = Path(sys.argv[1])
    for number, request in enumerate(json.loads((work / "requests.json").read_text())):
        try:
            answers = run(*request, np.load(work / f"{number}.npy"))
        except RuntimeError as error:
            (work / f"{number}.txt").write_text(str(error))
        else:
            np.savez(work / f"{number}.npz", *answers)
    assert not {"tensorflow", "keras", "keras_scattering"} & set(sys.modules)
