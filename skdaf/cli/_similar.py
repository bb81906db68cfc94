"""Commands that search for similar recordings: similar index, similar query."""

import click

from skdaf.cli._models import load, make_transformer, save
from skdaf.cli._options import (
    jobs_option,
    layers_option,
    model_argument,
    output_option,
    paths_argument,
    table_options,
    trust_option,
    using_options,
)
from skdaf.cli._paths import InputPath, check_output_is_not_listed
from skdaf.cli._program import Command, Program, note, quiet_option
from skdaf.cli._tables import audio_files, show


@click.group(cls=Program)
def similar():
    """Search for similar recordings: build an index, then query it."""


@similar.command(cls=Command)
@model_argument
@paths_argument
@output_option("Index file to write, usually *.skops.", required=True)
@layers_option
@using_options
def index(model, paths, output, layers_dropped, trust, n_jobs):
    """Build an index of recordings.

    The index contains the model, the features of the recordings, and their paths as you pass them.
    It contains no audio.

    Example: skdaf similar index model.skops recordings -o index.skops
    """
    import numpy as np
    from sklearn.frozen import FrozenEstimator
    from sklearn.neighbors import NearestNeighbors
    from sklearn.pipeline import Pipeline

    files = audio_files(paths)
    fitted = load(model, trust=trust, n_jobs=n_jobs)
    transformer = make_transformer(fitted, layers_dropped, files)
    features = transformer.transform(files)
    if np.ndim(features) != 2:
        raise ValueError(
            f"{model!r} returns an array of shape {np.shape(features)[1:]} per recording, but an "
            "index needs a vector: use a classifier with its own front end, or an autoencoder."
        )
    neighbors = NearestNeighbors(metric="cosine").fit(features)
    neighbors.files_ = np.array(files)
    note(f"Indexed {len(files)} recordings")
    steps = [("features", FrozenEstimator(transformer)), ("neighbors", neighbors)]
    save(Pipeline(steps), output)


@similar.command(cls=Command)
@click.argument("index", type=InputPath(dir_okay=False))
@paths_argument
@click.option(
    "-n",
    "count",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="Number of similar recordings to list for each PATH.",
)
@table_options
@trust_option
@jobs_option
@quiet_option
def query(index, paths, count, format_, output, trust, n_jobs):
    """Find recordings in an index that are similar to the given ones.

    The distance is the cosine distance between the features: 0 if they have the same direction, 1
    if they are orthogonal.

    Example: skdaf similar query index.skops new.wav -n 3
    """
    import pandas as pd

    pipeline = load(index, trust=trust, n_jobs=n_jobs)
    indexed = getattr(getattr(pipeline, "steps", [(None, None)])[-1][1], "files_", None)
    if indexed is None:
        raise ValueError(f'{index!r} is not an index: create one with "skdaf similar index".')
    check_output_is_not_listed(index, output, map(str, indexed))
    files = audio_files(paths)
    features = pipeline[0].transform(files)
    found = pipeline[-1].kneighbors(features, min(count, len(indexed)))
    rows = [
        (file, rank, indexed[neighbor], max(0.0, float(distance)))
        for file, distances, neighbors in zip(files, *found, strict=True)
        for rank, (distance, neighbor) in enumerate(zip(distances, neighbors, strict=True), 1)
    ]
    show(pd.DataFrame(rows, columns=["query", "rank", "file", "distance"]), format_, output)
