"""The arithmetic of a plan on tensors; `runtime` decides where and when it runs."""
