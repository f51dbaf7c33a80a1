"""Ask TensorFlow Serving about files over gRPC, which sends bytes as they are.

pip install -e ".[serving]"
python examples/serving/client_grpc.py digits image.png ...
"""

import argparse
import sys
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

# A client refuses answers above 4 MB unless told otherwise; -1 stands for no limit.
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]

# Of a call that reached no server, or one that is too busy.
SILENCE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def predict(server, model, contents, timeout=60):
    """What a model says of the contents of files: arrays by name, one row a file."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "serving_default"
    request.inputs["content"].CopyFrom(tf.make_tensor_proto(contents, tf.string))
    with grpc.insecure_channel(server, OPTIONS) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = service.Predict(request, timeout)
        except grpc.RpcError as error:
            silent = error.code() in SILENCE
            says = "does not answer:" if silent else f"says: {error.code().name},"
            details = " ".join(str(error.details()).split())[:500]  # in a line
            raise RuntimeError(f"{server} {says} {details}") from error
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="digits or sounds")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--server", default="localhost:8500")
    args = parser.parse_args(argv)
    try:
        contents = [file.read_bytes() for file in args.files]
    except OSError as error:
        sys.exit(f"{error.filename} cannot be read: {error.strerror}")
    try:
        answers = predict(args.server, args.model, contents)
    except RuntimeError as error:
        sys.exit(str(error))
    try:
        labels = [label.decode(errors="replace") for label in answers["label"]]
        said = zip(args.files, labels, answers["scores"].max(-1), strict=True)
        lines = [f"{file}: {label} ({score:.1%})" for file, label, score in said]
    except (AttributeError, KeyError, TypeError, ValueError):
        sys.exit(f"{args.model} gives no label with scores for each file.")
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
