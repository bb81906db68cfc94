"""A file cannot choose a function or a class as the network, loss, optimizer or augmentation."""

import functools
import zipfile

import numpy as np
import pytest
import skops.io
import torch
from own_networks import ResidualNetwork, half_log_loss
from sklearn.gaussian_process.kernels import PairwiseKernel
from torch.nn import functional

from skdaf import CNNAudioClassifier, CNNAudioRegressor, load_model

pytestmark = pytest.mark.oldest

CODE = {
    "function": half_log_loss,
    "function of torch": functional.cross_entropy,
    "class": ResidualNetwork,
    "class of torch": torch.optim.SGD,
    "partial": functools.partial(torch.optim.SGD, lr=0.1),
    "instance": torch.nn.CrossEntropyLoss(),
    # Files may contain these as values of other parameters.
    "trusted class": np.float64,
    "trusted instance": PairwiseKernel(),
    "trusted function": np.mean,
}


@pytest.mark.parametrize("value", CODE.values(), ids=CODE)
@pytest.mark.parametrize("name", ["network", "loss", "optimizer", "augment"])
@pytest.mark.parametrize("kind", [CNNAudioClassifier, CNNAudioRegressor])
def test_no_parameter_of_a_file_is_code(kind, name, value, tmp_path):
    path = tmp_path / "model.skops"
    for wrapped in [value, [value]] if name == "augment" else [value]:
        skops.io.dump(kind(**{name: wrapped}), path, compression=zipfile.ZIP_DEFLATED)
        with pytest.raises(ValueError, match=r"not trusted|may not contain code|must be"):
            load_model(path)


def test_no_file_has_parameters_of_a_function(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(CNNAudioClassifier(network_params={"width": 3}), path)
    with pytest.raises(ValueError, match="network_params belong to a function"):
        load_model(path)
