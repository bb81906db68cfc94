"""The warning that training was interrupted, by which commands recognize it."""

# A second interruption within this many seconds stops everything.
SECOND_INTERRUPT_WITHIN = 10.0


class TrainingInterrupted(UserWarning):
    """The warning that a fit was interrupted and keeps the best of the epochs so far.

    Parameters
    ----------
    epoch : int
        The epoch that was interrupted, counted from 1.
    best_epoch : int
    """

    def __init__(self, epoch, best_epoch):
        self.epoch, self.best_epoch = epoch, best_epoch
        super().__init__(
            f"Training was interrupted in epoch {epoch}; the model has the weights of the best "
            f"epoch so far ({best_epoch}). Interrupt again within {SECOND_INTERRUPT_WITHIN:.0f} s "
            "to stop everything."
        )

    def __reduce__(self):
        return type(self), (self.epoch, self.best_epoch)
