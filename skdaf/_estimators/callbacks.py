"""Support for scikit-learn's callbacks, which scikit-learn 1.9 introduced."""

from contextlib import contextmanager

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """An empty class for older releases of scikit-learn, which have no callbacks."""


class CallbackSteps:
    """Inform the callbacks of an estimator about the steps of its fit, if it has callbacks."""

    def __init__(self, estimator, context, X, y):
        self.estimator, self.context = estimator, context
        self.data = {"estimator": estimator, "X": X, "y": y}

    def end_step(self, name, attributes):
        """Inform the callbacks that a step is over; return whether one of them wants to stop.

        `attributes` is called without arguments, if a callback needs them, and returns the fitted
        attributes that the estimator would have if its fit stopped here.
        """
        if self.context is None:
            return False
        step = self.context.subcontext(name)
        step.call_on_fit_task_begin(**self.data)
        return step.call_on_fit_task_end(**self.data, reconstruction_attributes=attributes)

    @contextmanager
    def inner_fit(self, name, estimator):
        """Let the callbacks follow the fit of an estimator inside this one."""
        if self.context is None:
            yield
            return
        step = self.context.subcontext(name)
        with step.propagate_callback_context(estimator):
            step.call_on_fit_task_begin(**self.data)
            yield
            step.call_on_fit_task_end(**self.data)


@contextmanager
def callback_steps(estimator, n_steps, X, y):
    """Inform the callbacks of an estimator when its fit begins and ends; yield `CallbackSteps`."""
    if not hasattr(estimator, "_init_callback_context"):
        yield CallbackSteps(estimator, None, X, y)
        return
    context = estimator._init_callback_context(max_subtasks=n_steps)
    steps = CallbackSteps(estimator, context, X, y)
    context.call_on_fit_task_begin(**steps.data)
    yield steps
    context.call_on_fit_task_end(**steps.data, reconstruction_attributes=dict)
