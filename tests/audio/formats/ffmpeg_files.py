"""Files that only FFmpeg reads, for tests of several modules. Without PyAV they are skipped."""

import pytest

pytest.importorskip("av", reason="PyAV is not installed")

from benchmarks import _containers as files


def put(folder, kind, n_channels=1, name=None, **options):
    """Write a file of a kind of container; return its path."""
    path = folder / (name or f"sound{files.CONTAINERS[kind][0]}")
    path.write_bytes(files.written(kind, n_channels, **options))
    return str(path)
