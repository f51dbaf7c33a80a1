"""Ids of items: each names one."""

from collections import Counter


def refuse_twice(ids: list[str]) -> None:
    """An id names one item."""
    if len(set(ids)) < len(ids):
        name, count = Counter(ids).most_common(1)[0]
        raise ValueError(f"Each item needs an id of its own. Received: {name!r} {count} times")
