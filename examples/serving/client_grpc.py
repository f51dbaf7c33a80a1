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
            raise RuntimeError(f"{server} says: {error.code().name}, {error.details()}") from error
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="digits or sounds")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--server", default="localhost:8500")
    args = parser.parse_args(argv)
    contents = [file.read_bytes() for file in args.files]
    try:
        answers = predict(args.server, args.model, contents)
    except RuntimeError as error:
        sys.exit(str(error))
    for file, label, scores in zip(args.files, answers["label"], answers["scores"], strict=True):
        print(f"{file}: {label.decode()} ({scores.max():.1%})")


if __name__ == "__main__":
    main()
