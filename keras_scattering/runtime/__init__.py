"""Who computes what, and when: parts of a batch, threads, XLA clusters, recomputed gradients.

Nothing here knows of wavelets: all of it holds for any function of signals, item by item.
"""
