"""Networks in torch: no files, no scikit-learn.

- `architectures`: one builder per network, and the blocks they share.
- `sizes`: the sizes of layers, without torch.
- `legacy`: the architectures of deep_audio_features, for its saved models.
- `transfer`: classifiers that start from another network.
- `layers`: layers that torch does not have; dropout with its own generator.
- `builders`: call a user's function that builds a network.
- `custom`: turn the module that it returns into layers.
- `building`: build a network by name, rebuild a saved one, describe its layers.
- `checks`: limits on the size and the computing time of a network.
- `weights`: weights as arrays.
- `device`: device, precision, and the threads that torch may use.
- `threads`: threads that share work on networks.
- `inference`: apply a network to spectrograms; `forward`: its layers, with less overhead.
- `saliency`: which parts of a spectrogram lead to a prediction.

To add a network, write a builder in `architectures` and add it to `NETWORKS` in `building`.
"""
