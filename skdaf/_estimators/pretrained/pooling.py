"""From the rows of features of a clip to one row."""

import numpy as np

POOLINGS = ("mean", "mean+std", "max", "none")


def pool(rows, pooling):
    """Return the features of one clip from an array of shape (n_rows, n_features)."""
    if pooling == "none":
        return rows.reshape(-1)
    if pooling == "max":
        return rows.max(axis=0)
    # Sums of float32 over thousands of frames would lose digits.
    mean = rows.mean(axis=0, dtype=np.float64)
    if pooling == "mean":
        return mean.astype(np.float32)
    deviation = rows.std(axis=0, dtype=np.float64)
    return np.concatenate([mean, deviation]).astype(np.float32)


def pooled_names(names, pooling, n_rows):
    """Return the names of the pooled features, given the names of the features of a row."""
    if pooling == "mean+std":
        return [f"{name}_{statistic}" for statistic in ("mean", "std") for name in names]
    if pooling == "none" and n_rows > 1:
        return [f"row{row}_{name}" for row in range(n_rows) for name in names]
    return list(names)
