"""From clips to spectrograms and hand-crafted features.

- `spectrogram`: functions of arrays; `spectrogram_transformer`: `SpectrogramTransformer`;
  `filter_banks`: mel and chroma; `resizing`: spectrograms of one size.
- `pyaudioanalysis`: functions of arrays; `pyaudioanalysis_transformer`:
  `PyAudioAnalysisTransformer`; `pyaudioanalysis_filter_banks`: its cepstral and chroma filters.
- `extraction`: compute features of many clips, in chunks, with workers and a cache.
- `windows`: sliding windows over recordings.
- `frame_blocks`: frames of several clips in one array, computed independently of each other.
"""
