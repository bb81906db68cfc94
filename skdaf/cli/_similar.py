"""Search for similar sounds: similar index, similar query."""

import click

from skdaf.cli._models import describer, load, save
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
from skdaf.cli._paths import InputPath, refuse_output_named_in
from skdaf.cli._program import Command, Program, note, quiet_option
from skdaf.cli._tables import audio_files, show


@click.group(cls=Program)
def similar():
    """Search for similar sounds: index a folder, query it."""


@similar.command(cls=Command)
@model_argument
@paths_argument
@output_option("The index to write, usually named *.skops.", required=True)
@layers_option
@using_options
def index(model, paths, output, layers_dropped, trust, n_jobs):
    """Describe recordings by a model, for queries.

    The index holds the model and the names of the files as they are given here, no sound.

    Example: skdaf similar index model.skops recordings -o index.skops
    """
    import numpy as np
    from sklearn.frozen import FrozenEstimator
    from sklearn.neighbors import NearestNeighbors
    from sklearn.pipeline import Pipeline

    files = audio_files(paths)
    describe = describer(load(model, trust=trust, n_jobs=n_jobs), layers_dropped)
    features = describe.transform(files)
    if np.ndim(features) != 2:
        raise ValueError(
            f"{model!r} returns an array of shape {np.shape(features)[1:]} for each recording; an "
            "index needs one row of numbers: use a classifier with a front end of its own, or "
            "an embedder."
        )
    neighbors = NearestNeighbors(metric="cosine").fit(features)
    neighbors.files_ = np.array(files)
    note(f"Described {len(files)} recordings")
    save(Pipeline([("describe", FrozenEstimator(describe)), ("neighbors", neighbors)]), output)


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
    help="How many recordings to name for each.",
)
@table_options
@trust_option
@jobs_option
@quiet_option
def query(index, paths, count, format_, output, trust, n_jobs):
    """Name the recordings of an index that sound most like others.

    The distance is 0 for the same direction of features, 1 for nothing in common.

    Example: skdaf similar query index.skops new.wav -n 3
    """
    import pandas as pd

    pipeline = load(index, trust=trust, n_jobs=n_jobs)
    indexed = getattr(getattr(pipeline, "steps", [(None, None)])[-1][1], "files_", None)
    if indexed is None:
        raise ValueError(f'{index!r} is not an index: create one with "skdaf similar index".')
    refuse_output_named_in(index, output, map(str, indexed))
    files = audio_files(paths)
    features = pipeline[0].transform(files)
    found = pipeline[-1].kneighbors(features, min(count, len(indexed)))
    rows = [
        (file, rank, indexed[neighbor], max(0.0, float(distance)))
        for file, distances, neighbors in zip(files, *found, strict=True)
        for rank, (distance, neighbor) in enumerate(zip(distances, neighbors, strict=True), 1)
    ]
    show(pd.DataFrame(rows, columns=["query", "rank", "file", "distance"]), format_, output)
