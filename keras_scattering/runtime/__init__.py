"""Where and when to compute: parts of a batch, threads, XLA clusters, recomputed gradients.

Nothing here knows of wavelets. All of it applies to any function of signals, item by item.
"""
