"""From clips to spectrograms and hand-crafted features.

- `spectrogram`: array functions; `spectrogram_transformer`: `SpectrogramTransformer`;
  `filter_banks`: mel and chroma; `resizing`: bring spectrograms to the same length;
  `standardizing`: make clips comparable; `spectrogram_extraction`: all of it for files.
- `pyaudioanalysis`: array functions; `pyaudioanalysis_frames`: its features of frames;
  `pyaudioanalysis_filter_banks`: the weights of frequencies in them;
  `pyaudioanalysis_transformer`: `PyAudioAnalysisTransformer`.
- `extraction`: compute features of many clips in chunks, with workers and a cache.
- `fourier`: Fourier transforms of frames.
- `windows`: sliding windows over recordings.
- `frame_blocks`: frames of several clips in one array, computed independently of each other.
"""
