"""scikit-learn's callbacks where there are any: from release 1.9 on."""

from contextlib import contextmanager

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in below scikit-learn 1.9, without a method."""


class Steps:
    """A fit whose callbacks are told of each step that is over; without callbacks, of nothing."""

    def __init__(self, estimator, context, X, y):
        self.estimator, self.context = estimator, context
        self.data = {"estimator": estimator, "X": X, "y": y}

    def tell(self, name, attributes):
        """Tell of a step; return whether a callback wants to stop there.

        `attributes` makes what the estimator would have if its fit had stopped with this step.
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
def steps_of_fit(estimator, n_steps, X, y):
    """Tell the callbacks of an estimator that its fit begins, and ends; yield its `Steps`."""
    if not hasattr(estimator, "_init_callback_context"):
        yield Steps(estimator, None, X, y)
        return
    context = estimator._init_callback_context(max_subtasks=n_steps)
    steps = Steps(estimator, context, X, y)
    context.call_on_fit_task_begin(**steps.data)
    yield steps
    context.call_on_fit_task_end(**steps.data, reconstruction_attributes=dict)
