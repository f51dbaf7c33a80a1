"""The arithmetic of a plan on tensors: it says what is computed, and nothing of who computes it."""
