"""Networks that learn targets: new, or with the layers of a pretrained network."""

from skdaf._estimators.base import NetworkEstimator
from skdaf._estimators.fitted import resolve_frozen
from skdaf._estimators.frontend import has_only_run_settings
from skdaf._estimators.parameters import builder_options
from skdaf._networks.building import build_network, layer_names
from skdaf._networks.transfer import count_conv_layers, is_autoencoder, transferred_architecture
from skdaf._networks.weights import copy_layers


def check_transfer_parameters(estimator):
    """Check that `pretrained`, `frozen_layers` and `frontend` of an estimator are consistent."""
    if estimator.pretrained is None:
        if estimator.frozen_layers != 0:
            raise ValueError(
                f"frozen_layers={estimator.frozen_layers!r} needs a pretrained network, but "
                "pretrained is None."
            )
        return
    for name, what in (
        ("frontend", "the front end comes"),
        ("channels", "convolutional layers come"),
        ("kernel_size", "convolutional layers come"),
    ):
        value = getattr(estimator, name, None)
        # Settings of a run apply to the front end of the pretrained estimator.
        if value is not None and not has_only_run_settings(value):
            raise ValueError(
                f"{name} must be None, because {what} from the pretrained estimator, got {value!r}."
            )


def find_source(pretrained):
    """Return the fitted network estimator that the parameter `pretrained` refers to, or None."""
    if pretrained is None:
        return None
    source = resolve_frozen(pretrained)
    if source is None:
        raise ValueError(
            "pretrained must be FrozenEstimator(estimator) with a fitted estimator, or the path of "
            f"a saved model, got {pretrained!r}."
        )
    if not isinstance(source, NetworkEstimator):
        raise ValueError(
            "pretrained must contain a CNNAudioClassifier, a CNNAudioRegressor or a "
            f"ConvAutoencoderEmbedder, got {source!r}."
        )
    return source


def build_supervised_network(estimator, n_outputs, source, seed):
    """Build the network of an estimator: a new one, or one that starts with a source's layers.

    Parameters
    ----------
    estimator : SupervisedEstimator
        `input_shape_` must be set.
    n_outputs : int
    source : NetworkEstimator or None
    seed : int
        Determines the initial weights of new layers.

    Returns
    -------
    network : nn.Sequential
    architecture : dict
        The arguments of `build_network`.
    """
    if source is None:
        architecture = estimator._new_architecture(estimator.network, n_outputs)
        if callable(estimator.network):
            architecture["options"] = builder_options(estimator)
        if estimator.n_networks > 1:
            architecture["options"]["n_networks"] = estimator.n_networks
        return build_network(**architecture, seed=seed), architecture
    architecture = transferred_architecture(
        source._architecture, n_outputs, estimator._network_options()
    )
    network = build_network(**architecture, seed=seed)
    # All layers but the output; the encoder of an autoencoder.
    names = layer_names(network)[:-1]
    if is_autoencoder(source._architecture):
        names = names[: count_conv_layers(network)]
    if not names:
        raise ValueError(
            f"pretrained contains a network with the single layer {layer_names(network)[0]!r}: "
            "there is no layer to start from. Its module must end with an nn.Linear layer whose "
            "outputs it returns unchanged."
        )
    copy_layers(source.network_, network, names)
    return network, architecture


def count_frozen_layers(network, frozen_layers):
    """Return how many layers the parameter `frozen_layers` freezes."""
    n_frozen = count_conv_layers(network) if frozen_layers == "conv" else frozen_layers
    if frozen_layers == "conv" and n_frozen == 0:
        raise ValueError(
            f"frozen_layers='conv' freezes no layer: of the layers {layer_names(network)}, the "
            "first already contains dense ones. Pass the number of layers to freeze."
        )
    if n_frozen >= len(network):
        raise ValueError(
            f"frozen_layers={frozen_layers!r} leaves no layer to train: the layers are "
            f"{layer_names(network)}, and the last one is new."
        )
    return n_frozen
