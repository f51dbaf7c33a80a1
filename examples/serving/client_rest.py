"""Ask TensorFlow Serving about files over REST; nothing but Python's standard library.

python examples/serving/client_rest.py digits image.png ...
"""

import argparse
import base64
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path


def predict(server, model, contents, timeout=60):
    """What a model says of the contents of files: one dictionary a file."""
    instances = [{"b64": base64.b64encode(content).decode()} for content in contents]
    request = urllib.request.Request(
        f"{server}/v1/models/{model}:predict",
        json.dumps({"signature_name": "serving_default", "instances": instances}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return json.load(response)["predictions"]
    except urllib.error.HTTPError as error:
        with error:
            raise RuntimeError(f"{server} says: {error.read().decode()}") from error
    except OSError as error:
        raise RuntimeError(f"{server} does not answer: {error}") from error


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="digits or sounds")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--server", default="http://localhost:8501")
    args = parser.parse_args(argv)
    contents = [file.read_bytes() for file in args.files]
    try:
        answers = predict(args.server, args.model, contents)
    except RuntimeError as error:
        sys.exit(str(error))
    for file, answer in zip(args.files, answers, strict=True):
        print(f"{file}: {answer['label']} ({max(answer['scores']):.1%})")


if __name__ == "__main__":
    main()
