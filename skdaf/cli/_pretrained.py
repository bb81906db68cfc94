"""Models of commands that also take pretrained networks."""

import os
import warnings

import click

from skdaf._estimators.pretrained.names import (
    NAMED,
    ONNX_ENDINGS,
    PACKAGES,
    did_you_mean,
    is_pretrained,
)
from skdaf._estimators.pretrained.requirements import check_packages, kind_of, packages_of
from skdaf.cli._models import (
    check_takes_recordings,
    load,
    make_transformer,
    networks_used,
    swapped,
)
from skdaf.cli._options import Assignment, configure, one_value_per_name
from skdaf.cli._parts import parts_used
from skdaf.cli._paths import InputPath
from skdaf.cli._program import verbosity


class ModelOrName(InputPath):
    """A model file, the name of a pretrained network, or the file or folder of one."""

    def convert(self, value, param, ctx):
        """Return the name or the path; raise an error if a package that it needs is missing."""
        check_packages(value)
        if value in NAMED:
            return value
        # Other folders are those of transformers.
        if os.path.isdir(value) and not os.path.isfile(os.path.join(value, "config.json")):
            has_data = any("--data" in parameter.opts for parameter in ctx.command.params)
            advice = "Pass recordings with --data." if has_data else swapped(value)
            self.fail(
                f"{value!r} is a folder that has no file config.json; expected a model file, or a "
                f"folder of a network of transformers. {advice}".rstrip(),
                param,
                ctx,
            )
        if not os.path.lexists(value):
            self.fail(
                f"{value!r} is neither an existing file or folder nor one of the pretrained "
                f"networks {', '.join(sorted(NAMED))}.{did_you_mean(value)}",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)

    def files(self, value):
        """Return the files that are read."""
        return [] if value in NAMED else [value]


settings_option = click.option(
    "--set",
    "settings",
    type=Assignment(),
    multiple=True,
    callback=one_value_per_name(),
    metavar="NAME=VALUE",
    help="Set a parameter of a pretrained network, such as pooling=mean+std or "
    "sampling_rate=16000. Can be repeated.",
)


def load_source(model, *, settings, layers_dropped, trust, cache, n_jobs, verbose):
    """Return what `fit_transformer` needs: the model in a file, or an unfitted pretrained network.

    Parameters
    ----------
    model : str
        The path of a model file, or a pretrained network.
    settings : sequence of (str, object)
        Parameters of a pretrained network.
    layers_dropped : int or None
    trust : bool
    cache : str or None
        The folder in which to keep features.
    n_jobs : int or None
    verbose : int or None
        None shows progress unless --quiet is given.
    """
    if not is_pretrained(model):
        if settings:
            raise click.UsageError("--set is for pretrained networks, not for model files.")
        return load(model, trust=trust, cache=cache, n_jobs=n_jobs, verbose=verbose)
    if layers_dropped is not None:
        raise click.UsageError(
            "--layers-dropped is for model files: choose an output of a pretrained network with "
            "--set output=NUMBER."
        )
    extractor = make_pretrained(model, settings, n_jobs)
    return extractor.set_params(cache=cache, verbose=verbosity() if verbose is None else verbose)


def fit_transformer(model, source, X, layers_dropped):
    """Return a fitted transformer for X, the input of the model, from what `load_source` returned.

    Model files are fitted already: their networks only learn which layer to use.
    """
    if is_pretrained(model):
        return source.fit(X)
    return make_transformer(model, source, layers_dropped, X)


def load_transformer(model, files, *, layers_dropped, **options):
    """Return a fitted transformer of recordings, and what `parts_used` says about it.

    The parameters are those of `load_source`.
    """
    source = load_source(model, layers_dropped=layers_dropped, **options)
    if layers_dropped is None:
        check_takes_recordings(model, source)
    transformer = fit_transformer(model, source, files, layers_dropped)
    if is_pretrained(model):
        return transformer, ""
    from skdaf._estimators.fitted import unwrap_calibrated

    return transformer, parts_used(unwrap_calibrated(source), networks_used(source, layers_dropped))


def make_pretrained(model, settings=(), n_jobs=None):
    """Return an unfitted PretrainedFeatureExtractor."""
    from skdaf import PretrainedFeatureExtractor

    if "model" in dict(settings):
        raise click.UsageError("--set cannot change the model: it is the argument MODEL.")
    return configure(PretrainedFeatureExtractor(model), {"n_jobs": n_jobs} | dict(settings))


def check_can_be_saved(model):
    """Raise UsageError if a pretrained network cannot be part of a model file."""
    if is_pretrained(model) and not (model in NAMED or model.lower().endswith(ONNX_ENDINGS)):
        raise click.UsageError(
            f"The network {model!r} cannot be saved in a model file: such files contain the names "
            "of models and ONNX networks, but no code and no folders."
        )


def describe(model):
    """Return what is known about a pretrained network, as a dict for `skdaf info`."""
    from skdaf._estimators.pretrained.backbone import MissingParameterError
    from skdaf._estimators.pretrained.models import find_model
    from skdaf._estimators.pretrained.models import load as load_backbone

    found = find_model(model)
    options = {"sampling_rate": None, "window": None, "output": None, "device": "cpu"}
    facts = {
        "model": model,
        "kind": "pretrained network" if found.kind == "named" else f"{found.kind} network",
    }
    if (kind := kind_of(model)) in PACKAGES:
        facts["packages"] = packages_of(kind)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the license is shown
            backbone = load_backbone(found, **options, batch_size=1)
    except MissingParameterError as error:
        return facts | {"missing": str(error.__cause__), "sha256": found.sha256}
    facts |= {
        "sampling rate": f"{backbone.sampling_rate} Hz",
        "window": "any length" if backbone.window is None else f"{backbone.window:g} s",
        "features": backbone.n_features,
        "classes": backbone.feature_names and list(backbone.feature_names),
        "license": backbone.license_note,
        "sha256": found.sha256 or backbone.sha256,
    }
    return {name: value for name, value in facts.items() if value is not None}
