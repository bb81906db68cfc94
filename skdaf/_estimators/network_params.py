"""Parameters of a callable `network`, which users set as ``network__name``."""

from typing import Any, Self

from skdaf._core.estimator import Estimator
from skdaf._estimators.parameters import not_a_callable
from skdaf._networks.builders import check_options_of

_PREFIX = "network__"


class NetworkParamsMixin(Estimator):
    """Mixin for estimators with the parameters `network` and `network_params`.

    ``network__name`` is the entry `name` of the dict `network_params`.
    """

    network: Any
    network_params: dict[str, Any] | None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of nested estimators, and those of a callable
            `network` that are set, as ``network__name``.

        Returns
        -------
        params : dict
            Parameters and their values.
        """
        params = super().get_params(deep)
        nested = self.network_params if deep and isinstance(self.network_params, dict) else {}
        return {**params, **{f"{_PREFIX}{name}": value for name, value in nested.items()}}

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this estimator, its front end and its network.

        If `frontend` is None and you set one of its parameters, it becomes a
        `SpectrogramTransformer`.

        Parameters
        ----------
        **params : dict
            Parameters and their values. ``frontend__name`` is a parameter of the front end,
            ``network__name`` one of a callable `network`.

        Returns
        -------
        self : estimator instance
            The estimator itself.
        """
        nested = {k.removeprefix(_PREFIX): v for k, v in params.items() if k.startswith(_PREFIX)}
        if not nested:
            return super().set_params(**params)
        network = params.get("network", self.network)
        if not callable(network):
            raise ValueError(not_a_callable(network, next(iter(nested))))
        check_options_of(network, nested)
        others = {name: value for name, value in params.items() if not name.startswith(_PREFIX)}
        before = params.get("network_params", self.network_params) or {}
        # A new dict, because other estimators may share the old one.
        return super().set_params(**{**others, "network_params": {**before, **nested}})
