"""Find, fetch and load the models that a configuration file names."""

import os
import zipfile

from sklearn.frozen import FrozenEstimator

from skdaf._core.download.address import is_address, is_drive_id
from skdaf._core.download.fetch import fetch_model
from skdaf._estimators.autoencoder import ConvAutoencoderEmbedder
from skdaf._estimators.extractor import CNNFeatureExtractor
from skdaf._estimators.fitted import find_networks
from skdaf._estimators.persistence.models import load_model
from skdaf._legacy.load import load_deep_audio_features
from skdaf._legacy.spectrogram_transformer import LegacySpectrogramTransformer
from skdaf._networks.transfer import count_conv_layers


def find_model_files(config, verbose=0):
    """Return the path of each model in a configuration; download those that it may download.

    Parameters
    ----------
    config : CombinerConfig
    verbose : int, default=0
        Whether to show progress bars.

    Raises
    ------
    FileNotFoundError
        If a file is missing and must not, or cannot, be downloaded.
    """
    return [
        _find(config, number, path, drive_id, verbose)
        for number, (path, drive_id) in enumerate(config.models)
    ]


def _find(config, number, path, drive_id, verbose):
    key = f"{config.path!r}: model_paths[{number}]"
    if path is not None and is_address(path):
        if config.may_download is False:
            raise ValueError(f"{key} is the address {path!r}, but download_models is false.")
        return str(fetch_model(path, verbose=verbose))
    if path is not None and os.path.isfile(path):
        return path
    if config.may_download and drive_id is not None:
        return str(fetch_model(drive_id, verbose=verbose))
    if config.may_download is not False and is_drive_id(path):
        return str(fetch_model(path, verbose=verbose))
    what = "a folder" if os.path.isdir(path) else "not there"
    raise FileNotFoundError(
        f"{key} must be a model file, but {os.path.abspath(path)!r} is {what}. To download "
        "missing models, set download_models to true and list their google_drive_ids."
    )


def make_extractors(paths, *, segment_step, layers_dropped=None):
    """Return an extractor of features for each network in some model files.

    Parameters
    ----------
    paths : list of str
        Files of `save_model` and of deep_audio_features.
    segment_step : int
        Frames from one window to the next.
    layers_dropped : int, default=None
        Number of layers to leave out. If None, the features are the outputs of the last
        convolutional layer, as in deep_audio_features.
    """
    return [
        _make_extractor(path, network, segment_step, layers_dropped)
        for path in paths
        for network in _load_networks(path)
    ]


def _load_networks(path):
    load = load_model if zipfile.is_zipfile(path) else load_deep_audio_features
    networks = find_networks(load(path))
    if not networks:
        raise ValueError(f"No network found in {path!r}.")
    return networks


def _make_extractor(path, network, segment_step, layers_dropped):
    window, hop_length = _window_and_hop(path, network)
    if layers_dropped is None:
        layers_dropped = len(network.layer_names_) - _n_conv_layers(network)
    return CNNFeatureExtractor(
        FrozenEstimator(network),
        layers_dropped=layers_dropped,
        window=window,
        step=segment_step * hop_length,
    )


def _n_conv_layers(network):
    if isinstance(network, ConvAutoencoderEmbedder):
        return network.layer_names_.index("embedding") + 1
    return count_conv_layers(network.network_)


def _window_and_hop(path, network):
    """Return the length of the windows of a network, and of its frames, in seconds.

    deep_audio_features takes as many frames as its spectrograms have bins (the first entry of
    ``spec_size``), whatever their number in training. Windows of networks of this package have as
    many frames as the spectrograms that they were trained on.
    """
    frontend = network.frontend_
    hop_length = getattr(frontend, "hop_length", None)
    if hop_length is None:
        raise ValueError(
            f"{path!r} cannot be used with segment_step, which counts frames of spectrograms: the "
            f"front end of its network is {frontend!r}."
        )
    n_frames, n_bins = network.input_shape_
    if isinstance(frontend, LegacySpectrogramTransformer):
        return n_bins * hop_length, hop_length
    return n_frames * hop_length, hop_length
