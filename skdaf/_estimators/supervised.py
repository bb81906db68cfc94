"""SupervisedEstimator: the base class of network estimators that learn a target for each clip."""

import os
from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skdaf._audio.clips import AudioReadError
from skdaf._audio.inputs import validate_clips
from skdaf._estimators.base import NetworkEstimator
from skdaf._estimators.continuing import (
    check_no_early_stopping,
    check_same_frontend,
    continued_seed,
    has_network,
    is_continued,
    take_over_weights,
)
from skdaf._estimators.fitting import (
    make_partial_plan,
    make_plan,
    train_network,
    train_network_partially,
    warn_if_groups_unused,
    warn_if_none_held_out,
)
from skdaf._estimators.network_params import NetworkParamsMixin
from skdaf._estimators.parameters import check_builder, check_used, positive_integers
from skdaf._estimators.resuming import open_checkpoint, random_state_of_fit
from skdaf._estimators.selection import (
    ClipData,
    check_validation_data,
    check_weights,
    content_order,
    encode_groups,
    select,
)
from skdaf._estimators.transfer import (
    build_supervised_network,
    check_transfer_parameters,
    count_frozen_layers,
    find_source,
)
from skdaf._networks.building import NETWORKS
from skdaf._training.run import Examples, TrainingRun


class SupervisedEstimator(NetworkParamsMixin, NetworkEstimator):
    """Base class of the estimators that learn a target for each clip.

    A subclass implements `_encode_targets`, which returns an object with the `targets` as numbers;
    `_encode_validation_targets`, the same for `y_val`; `_set_targets`, which stores what
    predictions need; `_n_outputs`; `_objective`; `_original_targets` for callbacks; and
    `_classes_of`, if held-out clips are to be stratified.
    Two methods encode targets to continue training with: `_encode_same_targets`, those of another
    fit, and `_encode_partial_targets`, those of a call of `partial_fit`.
    """

    _parameter_constraints = {
        **NetworkEstimator._parameter_constraints,
        "network": [StrOptions(set(NETWORKS)), callable],
        "network_params": [dict, None],
        "hidden_units": ["array-like", None],
        "dropout": [Interval(Real, 0, 1, closed="left"), None],
        "optimizer": [StrOptions({"adamw"}), callable],
        "n_networks": [Interval(Integral, 1, None, closed="left")],
        "pretrained": [HasMethods(["predict"]), HasMethods(["transform"]), str, os.PathLike, None],
        "frozen_layers": [Interval(Integral, 0, None, closed="left"), StrOptions({"conv"})],
        "early_stopping": ["boolean", StrOptions({"auto"})],
    }

    _path_parameters = ("pretrained",)

    def _check_parameters(self):
        super()._check_parameters()
        check_builder(self)
        names = {"learning_rate": ("lr",), "weight_decay": ("weight_decay",)}
        check_used(self, "optimizer", names)
        check_transfer_parameters(self)

    def _network_options(self):
        return {
            **super()._network_options(),
            "hidden_units": positive_integers("hidden_units", self.hidden_units),
            "dropout": self.dropout,
        }

    def _fit(self, X, y, sample_weight, groups, X_val, y_val):
        """Check everything, fit the front end, and train the network."""
        self._check_parameters()
        check_validation_data(self, X_val, y_val)
        continued = is_continued(self)
        kind, clips = validate_clips(self, X, reset=not continued, y=y)
        weights, groups = check_weights(sample_weight, clips), encode_groups(groups, len(clips))
        encode = self._encode_same_targets if continued else self._encode_targets
        encoded = encode(y, len(clips), weights)
        validation = self._check_validation(X_val, y_val, encoded)
        data = ClipData(clips, y, encoded.targets, weights, groups).without_zeros()
        source = find_source(self.pretrained)
        spectrograms = self._spectrograms(kind, data, source, continued)
        validation = self._validation_examples(validation)
        checkpoint = open_checkpoint(
            self, spectrograms, data.targets, source, **_other_arrays(data, validation)
        )
        rng = random_state_of_fit(self, checkpoint)
        order = content_order(spectrograms, data.targets)
        n_validation = 0 if validation is None else len(validation.inputs)
        classes = self._classes_of(data.targets)
        chosen = select(self, order, rng, data, classes=classes, n_validation=n_validation)
        warn_if_groups_unused(self, data.groups, len(order), n_validation)
        if chosen.validation_rows is None:
            warn_if_none_held_out(self, len(order), classes)
        self._set_targets(encoded)
        seed = int(rng.randint(2**31 - 1))
        network, architecture = self._start_network(source, seed, continued)
        n_frozen = count_frozen_layers(network, self.frozen_layers)
        has_validation = chosen.validation_rows is not None
        plan = make_plan(self, len(chosen.train_rows), has_validation, n_frozen)
        examples = Examples(spectrograms, data.targets)
        seed = continued_seed(self, seed) if continued else seed
        run = self._training_run(network, examples, encoded, plan, chosen, seed, validation)
        labels = self._original_targets(data.targets)
        train_network(self, run, architecture, checkpoint, labels, is_continued=continued)
        return self

    def _partial_fit(self, X, y, sample_weight, **options):
        """Train the network for one epoch; return the encoded targets.

        The first call fits the front end and builds the network.
        """
        self._validate_params()
        self._check_parameters()
        check_no_early_stopping(self)
        continued = has_network(self)
        kind, clips = validate_clips(self, X, reset=not continued, y=y)
        weights = check_weights(sample_weight, clips)
        encoded = self._encode_partial_targets(y, len(clips), weights, **options)
        data = ClipData(clips, y, encoded.targets, weights, None).without_zeros()
        source = find_source(self.pretrained)
        spectrograms = self._spectrograms(kind, data, source, continued)
        rng = check_random_state(self.random_state)
        order = content_order(spectrograms, data.targets)
        chosen = select(self, order, rng, data, hold_out=False)
        self._set_targets(encoded)
        seed = int(rng.randint(2**31 - 1))
        network, architecture = self._start_network(source, seed, continued)
        n_frozen = count_frozen_layers(network, self.frozen_layers)
        plan = make_partial_plan(self, len(chosen.train_rows), n_frozen)
        examples = Examples(spectrograms, data.targets)
        seed = continued_seed(self, seed) if continued else seed
        run = self._training_run(network, examples, encoded, plan, chosen, seed)
        train_network_partially(self, run, architecture, self._original_targets(data.targets))
        return encoded

    # --- steps that `_fit` and `_partial_fit` share ---

    def _spectrograms(self, kind, data, source, continued):
        """Return the spectrograms of clips; fit the front end unless training is continued."""
        if continued:
            check_same_frontend(self)
            return self._apply_frontend(kind, data.clips)
        with _swapped_explained(data.y):
            return self._fit_frontend(kind, data.clips, data.y, source)

    def _start_network(self, source, seed, continued):
        """Return the network to train, and its architecture; a copy if training is continued."""
        network, architecture = build_supervised_network(self, self._n_outputs(), source, seed)
        if continued:
            take_over_weights(self, network, architecture)
        return network, architecture

    def _training_run(self, network, examples, encoded, plan, chosen, seed, validation=None):
        """Return the description of a training run on the chosen examples."""
        return TrainingRun(
            network,
            examples,
            self._objective(encoded),
            plan,
            chosen.train_rows,
            chosen.validation_rows,
            seed,
            train_weights=chosen.train_weights,
            validation_examples=validation,
        )

    def _classes_of(self, targets):
        """Return the class of each clip, which held-out clips are stratified by; None if none."""
        return None

    def _check_validation(self, X_val, y_val, encoded):
        """Return the kind of the user's clips for validation, the clips and their targets."""
        if X_val is None:
            return None
        with _named("X_val"):
            kind, clips = validate_clips(self, X_val, reset=False)
        return kind, clips, self._encode_validation_targets(y_val, len(clips), encoded)

    def _validation_examples(self, validation):
        """Return the user's clips for validation as `Examples`; None if there are none."""
        if validation is None:
            return None
        kind, clips, targets = validation
        with _named("X_val"):
            self._check_kind(kind, clips)
        return Examples(clips if kind == "spectrograms" else self._transform(kind, clips), targets)

    @classmethod
    def _check_saved_state(cls, state):
        if state.get("network", "cnn") not in list(NETWORKS):
            raise ValueError(f"network must be one of {sorted(NETWORKS)}")
        if state.get("network_params"):
            raise ValueError("network_params belong to a function, which no file contains")
        super()._check_saved_state(state)


@contextmanager
def _swapped_explained(y):
    """Add a note to errors about files if `y` contains files."""
    try:
        yield
    except AudioReadError as error:
        first = next(iter(y), None)
        is_noted = any("fit(files, labels)" in note for note in getattr(error, "__notes__", ()))
        if not is_noted and isinstance(first, (str, os.PathLike)) and os.path.isfile(first):
            error.add_note(
                "y contains files: pass the files first, as X, and then the labels, as y."
            )
        raise


@contextmanager
def _named(name):
    """Name the parameter in errors about the clips in it; errors about files name the files."""
    try:
        yield
    except AudioReadError:
        raise
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _other_arrays(data, validation):
    """Return what affects a fit besides clips and targets, by name."""
    arrays = {"weights": data.weights, "groups": data.groups}
    if validation is not None:
        arrays["validation spectrograms"] = np.asarray(validation.inputs, dtype=np.float32)
        arrays["validation targets"] = validation.targets
    return arrays
