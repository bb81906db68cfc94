"""Estimators that train or use networks, and model files.

- `base`: `NetworkEstimator`, the base class: predictions, layers, pickling.
- `frontend`: from clips to spectrograms, a mixin of the base class.
- `fitting`: held-out clips, the training plan, training itself; `labels`: labels as numbers.
- `indicators`: several labels per clip; `numbers`: standardized numbers to predict.
- `classification`: what classifiers share.
- `resuming`: checkpoints of interrupted fits; `continuing`: `warm_start` and `partial_fit`.
- `transfer`: pretrained networks.
- `argument_order`: calls with an estimator and another argument in the wrong order.
- `parameters`: checks and types of parameters; `network_params`: parameters of a user's network.
- `callbacks`: scikit-learn's callbacks.
- `classifier`, `autoencoder`, `extractor`: `CNNAudioClassifier`, `ConvAutoencoderEmbedder`,
  `CNNFeatureExtractor`.
- `combine`: `make_combined_classifier`; `feature_blocks`: `BlockScaler` and `CappedPCA`.
- `fitted`: find networks and front ends in fitted pipelines, searches and other estimators;
  `places`: where the networks are.
- `table_columns`: the columns of the table that a fitted pipeline expects.
- `persistence`: `save_model` and `load_model`; `export`: `export_onnx`.
"""
