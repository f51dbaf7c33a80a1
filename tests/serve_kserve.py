"""Serve SavedModels by KServe, over the V1 REST protocol that TensorFlow Serving speaks too.

    python serve_kserve.py PORT FOLDER ...

A model's name is that of its folder's parent, as in models/<name>/<version>.
"""

import base64
import sys
from pathlib import Path

import kserve
import tensorflow as tf


class SavedModel(kserve.Model):
    """What a server has of a model: its signature, and nothing else."""

    def __init__(self, folder):
        super().__init__(folder.parent.name)
        self.saved = tf.saved_model.load(folder)
        self.ready = True

    def predict(self, payload, headers=None):
        content = [base64.b64decode(row["b64"], validate=True) for row in payload["instances"]]
        outputs = self.saved.signatures[payload["signature_name"]](content=tf.constant(content))
        outputs = {name: y.numpy().tolist() for name, y in outputs.items()}
        outputs["label"] = [label.decode() for label in outputs["label"]]
        rows = zip(*outputs.values(), strict=True)
        return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}


if __name__ == "__main__":
    port, *folders = sys.argv[1:]
    server = kserve.ModelServer(http_port=int(port), enable_grpc=False)
    server.start([SavedModel(Path(folder)) for folder in folders])
