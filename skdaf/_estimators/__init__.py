"""Estimators around networks.

- `base`: what they share: front end, training, prediction, pickling.
- `classifier`, `autoencoder`, `extractor`: `CNNAudioClassifier`, `ConvAutoencoderEmbedder`,
  `CNNFeatureExtractor`.
- `combine`: `make_combined_classifier`.
- `callbacks`: scikit-learn's callbacks, where its release has them.
- `persistence`: `save_model` and `load_model`.
"""
