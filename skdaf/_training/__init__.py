"""Training in torch: tensors and networks, neither paths nor scikit-learn.

- `train`: one training, from its first epoch to its last, with interruptions and checkpoints.
- `loop`: one epoch: batches, threads, losses.
- `optimizer`: AdamW and the learning rate.
- `augmentation`: random changes to spectrograms.
- `checkpoint`: the state of a training in a file, after each epoch.
- `fingerprint`: short digests of parameters and data.
"""
