"""SupervisedEstimator: the base class of network estimators that learn a target for each clip."""

import numpy as np

from skdaf._audio.inputs import validate_clips
from skdaf._estimators.base import NetworkEstimator
from skdaf._estimators.fitting import make_plan, train_network
from skdaf._estimators.parameters import check_builder, positive_integers
from skdaf._estimators.resuming import open_checkpoint, random_state_of_fit
from skdaf._estimators.selection import (
    ClipData,
    check_own_validation,
    check_weights,
    content_order,
    encode_groups,
    select,
)
from skdaf._estimators.transfer import (
    build_classifier_network,
    check_transfer_parameters,
    count_frozen_layers,
    find_source,
)
from skdaf._training.run import Examples, TrainingRun


class SupervisedEstimator(NetworkEstimator):
    """Base class of the estimators that learn a target for each clip.

    A subclass implements `_encode_targets`, `_encode_own` and `_objective`.
    """

    def _check_parameters(self):
        super()._check_parameters()
        check_builder(self.network, self.n_networks)
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
        check_own_validation(self, X_val, y_val)
        kind, clips = validate_clips(self, X, reset=True)
        weights, groups = check_weights(sample_weight, clips), encode_groups(groups, len(clips))
        encoded = self._encode_targets(y, len(clips), weights)
        data = ClipData(clips, y, encoded.targets, weights, groups).without_zeros()
        source = find_source(self.pretrained)
        spectrograms = self._fit_frontend(kind, data.clips, data.y, source)
        own = self._own_examples(X_val, y_val, encoded)
        checkpoint = open_checkpoint(
            self, spectrograms, data.targets, source, **_other_arrays(data, own)
        )
        rng = random_state_of_fit(self, checkpoint)
        order = content_order(spectrograms, data.targets)
        chosen = select(self, order, rng, data, n_own=0 if own is None else len(own.inputs))
        self._set_targets(encoded)
        seed = int(rng.randint(2**31 - 1))
        network, architecture = build_classifier_network(self, source, seed)
        n_frozen = count_frozen_layers(network, self.frozen_layers)
        has_validation = chosen.validation_rows is not None
        run = TrainingRun(
            network,
            Examples(spectrograms, data.targets),
            self._objective(encoded),
            make_plan(self, len(chosen.train_rows), has_validation, n_frozen),
            chosen.train_rows,
            chosen.validation_rows,
            seed,
            train_weights=chosen.train_weights,
            validation_examples=own,
        )
        train_network(self, run, architecture, checkpoint, self._original(data.targets))
        return self

    def _own_examples(self, X_val, y_val, encoded):
        """Return the user's clips for validation as `Examples`; None if there are none."""
        if X_val is None:
            return None
        kind, clips = validate_clips(self, X_val, reset=False)
        targets = self._encode_own(y_val, len(clips), encoded)
        self._check_kind(kind, clips)
        return Examples(clips if kind == "spectrograms" else self._transform(kind, clips), targets)


def _other_arrays(data, own):
    """Return what affects a fit besides clips and targets, by name."""
    arrays = {"weights": data.weights, "groups": data.groups}
    if own is not None:
        arrays["validation spectrograms"] = np.asarray(own.inputs, dtype=np.float32)
        arrays["validation targets"] = own.targets
    return arrays
