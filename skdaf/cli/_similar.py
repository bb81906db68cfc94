"""Commands that search for similar recordings: similar index, similar query."""

import os

import click

from skdaf.cli._models import load, save
from skdaf.cli._options import (
    WholeNumber,
    jobs_option,
    layers_option,
    output_option,
    paths_argument,
    table_options,
    trust_option,
    using_options,
)
from skdaf.cli._paths import InputPath, check_output_is_not_listed
from skdaf.cli._pretrained import (
    ModelOrName,
    check_can_be_saved,
    load_transformer,
    settings_option,
)
from skdaf.cli._program import Command, Program, note, quiet_option, verbosity
from skdaf.cli._tables import audio_files, show


@click.group(cls=Program)
def similar():
    """Search for similar recordings: build an index, then query it."""


@similar.command(cls=Command)
@click.argument("model", type=ModelOrName())
@paths_argument
@output_option("Index file to write, usually *.skops.", required=True)
@click.option(
    "--window",
    type=float,
    metavar="SECONDS",
    help="Index each window of a recording, so that a query finds places in long recordings. Use "
    "about the length of the clips that you will search for.",
)
@click.option(
    "--step",
    type=float,
    metavar="SECONDS",
    help="Time in seconds from the start of one window to the next.  [default: half the length of "
    "a window]",
)
@layers_option
@settings_option
@using_options
def index(model, paths, output, window, step, layers_dropped, settings, trust, cache, n_jobs):
    """Build an index of recordings.

    MODEL is a model file or a pretrained network, as for "skdaf embed". The index contains the
    model, the features of the recordings, and their paths as you pass them. It contains no audio.

    Example: skdaf similar index model.skops recordings -o index.skops
    """
    import numpy as np
    from sklearn.frozen import FrozenEstimator
    from sklearn.neighbors import NearestNeighbors
    from sklearn.pipeline import Pipeline

    if step is not None and window is None:
        raise click.UsageError("--step requires --window.")
    check_can_be_saved(model)
    files = audio_files(paths)
    transformer, parts = load_transformer(
        model,
        files,
        settings=settings,
        layers_dropped=layers_dropped,
        trust=trust,
        cache=cache,
        n_jobs=n_jobs,
        verbose=None if window is None else 0,
    )
    if window is None:
        features, names, spans = transformer.transform(files), files, None
        _check_vectors(model, features)
    else:
        step = window / 2 if step is None else step
        features, names, spans = _windows(model, transformer, files, window, step)
    neighbors = NearestNeighbors(metric="cosine").fit(features)
    neighbors.files_, neighbors.parts_ = np.array(names), parts
    if spans is not None:
        neighbors.spans_ = spans
    places = "" if spans is None else f" in {len(spans)} windows"
    note(f"Indexed {len(files)} recording{'s' * (len(files) != 1)}{places}")
    steps = [("features", FrozenEstimator(transformer)), ("neighbors", neighbors)]
    save(Pipeline(steps), output)


def _windows(model, transformer, files, window, step):
    """Return the features of all windows, and the file, the start and the end of each."""
    import numpy as np

    from skdaf import Clip, transform_segments

    features, names, spans = [], [], []
    for file in files:
        table = transform_segments(transformer, file, window=window, step=step, verbose=verbosity())
        spans.append(table[["start", "end"]].to_numpy())
        if not features:
            _check_vectors(model, transformer.transform([Clip(file, *spans[0][0])]))
        features.append(table.iloc[:, 2:].to_numpy())
        names += [file] * len(table)
    return np.concatenate(features), names, np.concatenate(spans)


def _check_vectors(model, features):
    import numpy as np

    if np.ndim(features) != 2:
        raise ValueError(
            f"{model!r} returns an array of shape {np.shape(features)[1:]} per recording, but an "
            "index needs a vector: use a classifier with its own front end, or an autoencoder."
        )


@similar.command(cls=Command)
@click.argument("index", type=InputPath(dir_okay=False))
@paths_argument
@click.option(
    "-n",
    "count",
    type=WholeNumber(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="Number of similar recordings or places to list for each PATH.",
)
@click.option(
    "--include-self",
    is_flag=True,
    help="Also list the given recording itself, if it is in the index.",
)
@table_options
@trust_option
@jobs_option
@quiet_option
def query(index, paths, count, include_self, format_, output, trust, n_jobs):
    """Find recordings in an index that are similar to the given ones.

    The distance is the cosine distance between the features: 0 if they have the same direction, 1
    if they are orthogonal. A given recording that is in the index is left out of its own results;
    copies of it under other names are listed, with distances of about 0.

    In an index built with --window, the query finds places: the windows that are most similar to
    the whole given recording, with their start and end. Windows that overlap a more similar one are
    left out.

    Example: skdaf similar query index.skops new.wav -n 3
    """
    import pandas as pd

    pipeline = load(index, trust=trust, n_jobs=n_jobs)
    neighbors = getattr(pipeline, "steps", [(None, None)])[-1][1]
    indexed = getattr(neighbors, "files_", None)
    if indexed is None:
        raise ValueError(f'{index!r} is not an index: create one with "skdaf similar index".')
    if parts := getattr(neighbors, "parts_", ""):
        note(f"Of the model in the index {index!r}, {parts}")
    check_output_is_not_listed(index, output, map(str, indexed))
    files = audio_files(paths)
    features = pipeline[0].transform(files)
    own = [[]] * len(files) if include_self else _own_rows(files, indexed)
    if hasattr(neighbors, "spans_"):
        places, found = ["start", "end"], _nearest_places(neighbors, features, count, own)
    else:
        places, found = [], _nearest(neighbors, features, count, own)
    rows = [
        (file, rank, indexed[i], *(neighbors.spans_[i] if places else ()), max(0.0, distance))
        for file, nearest in zip(files, found, strict=True)
        for rank, (distance, i) in enumerate(zip(*nearest, strict=True), 1)
    ]
    show(
        pd.DataFrame(rows, columns=["query", "rank", "file", *places, "distance"]), format_, output
    )


def _own_rows(files, indexed):
    """Return the numbers of the rows of an index that belong to each file itself."""
    rows = {}
    for number, name in enumerate(indexed):
        rows.setdefault(os.path.abspath(name), []).append(number)
    return [rows.get(os.path.abspath(file), []) for file in files]


def _nearest(neighbors, features, count, own):
    """Yield the distances and the numbers of the nearest recordings for each query."""
    n_found = min(count + max(map(len, own)), len(neighbors.files_))
    found = neighbors.kneighbors(features, n_found)
    for distances, rows, left_out in zip(*found, own, strict=True):
        chosen = [place for place, row in enumerate(rows) if row not in left_out][:count]
        yield distances[chosen], rows[chosen]


def _nearest_places(neighbors, features, count, own):
    """Yield the distances and the numbers of the nearest windows for each query."""
    import numpy as np

    for row, left_out in zip(features, own, strict=True):
        # One query at a time, because all windows are sorted.
        (distances,), (windows,) = neighbors.kneighbors(row[None], len(neighbors.files_))
        others = ~np.isin(windows, left_out)
        distances, windows = distances[others], windows[others]
        chosen = _without_overlaps(windows, neighbors.files_, neighbors.spans_, count)
        yield distances[chosen], windows[chosen]


def _without_overlaps(windows, files, spans, count):
    """Return the positions of the first `count` windows that do not overlap earlier ones."""
    chosen = []
    for position, i in enumerate(windows):
        earlier = (windows[p] for p in chosen)
        if not any(files[i] == files[j] and _overlap(spans[i], spans[j]) for j in earlier):
            chosen.append(position)
        if len(chosen) == count:
            break
    return chosen


def _overlap(span, other):
    return span[0] < other[1] and other[0] < span[1]
