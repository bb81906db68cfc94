"""Models of deep_audio_features.

- `load`: `load_deep_audio_features`.
- `spectrogram_transformer`: its front end, `LegacySpectrogramTransformer`.
- `unpickle`: read a pickle without running it.
"""
