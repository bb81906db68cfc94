import pytest
import sklearn
from crafting import array, instance, listed, mapping, node, npy, of_type, plain, write_crafted

from skdaf import load_model

# Integers with the same hash.
SAME_HASH = 2**61 - 1


def refused(tmp_path, schema, reason, **members):
    path = tmp_path / "model.skops"
    write_crafted(path, schema, **members)
    with pytest.raises(ValueError, match=reason):
        load_model(path)


def frozen(value):
    """Return an estimator that takes any value."""
    version = plain(sklearn.__version__)
    return instance(
        "sklearn.frozen._frozen.FrozenEstimator", estimator=value, _sklearn_version=version
    )


def test_values_of_all_plain_kinds_are_read(tmp_path):
    path = tmp_path / "model.skops"
    kinds = listed(of_type("builtins.int"), of_type("builtins.bool"))
    content = {"3": plain("a"), "false": plain(2)}
    by_number = node("DictNode", "builtins.dict", key_types=kinds, content=content)
    write_crafted(path, frozen(listed(plain(None), mapping(a=plain(0.5)), by_number)))
    assert load_model(path).estimator == [None, {"a": 0.5}, {3: "a", False: 2}]


def test_references_may_not_multiply(tmp_path):
    nested = {**listed(plain(1)), "__id__": 1}
    for number in range(2, 40):
        again = {**listed(), "__id__": number - 1}
        nested = {**listed(nested, again), "__id__": number}
    refused(tmp_path, nested, "values refer to each other 82463")


def test_a_reference_is_the_same_object(tmp_path):
    path = tmp_path / "model.skops"
    write_crafted(
        path, frozen(listed({**listed(plain(1)), "__id__": 5}, {**listed(), "__id__": 5}))
    )
    first, second = load_model(path).estimator
    assert first is second == [1]


def test_a_value_may_not_contain_itself(tmp_path):
    inner = {**listed(), "__id__": 1}
    refused(tmp_path, {**listed(listed(inner)), "__id__": 1}, "contains itself")


def test_references_to_one_array_are_limited(tmp_path):
    large = npy(bytes(2**20))
    content = [{**array("a"), "__id__": number} for number in range(1, 2000)]
    refused(tmp_path, listed(*content), r"refer to \d+ bytes", a=large)


@pytest.mark.parametrize("n_levels", [150, 100_000])
def test_depth_is_bounded(tmp_path, n_levels):
    schema = plain(1)
    if n_levels < 1000:
        for _ in range(n_levels):
            schema = listed(schema)
    else:
        schema = {**schema, "content": "[" * n_levels}
    refused(tmp_path, schema, "nested more than 100|plain value")


def test_a_large_schema_of_nothing_is_refused(tmp_path):
    refused(tmp_path, {**plain(1), "more": [[]] * 300_000}, "dicts and lists")
    refused(tmp_path, {**plain(1), "more": " " * 2**24}, "too large")


def test_keys_of_the_same_hash_are_bounded(tmp_path):
    numbers = [SAME_HASH * number for number in range(12_000)]
    refused(
        tmp_path, node("SetNode", "builtins.set", content=list(map(plain, numbers))), "12000 ke"
    )
    kinds = listed(*[of_type("builtins.int")] * len(numbers))
    content = {str(number): plain(0) for number in numbers}
    refused(
        tmp_path, node("DictNode", "builtins.dict", key_types=kinds, content=content), "keys that"
    )


@pytest.mark.parametrize("protocol", [True, 2.0, -1, 3, "2", None])
def test_other_protocols_are_refused(tmp_path, protocol):
    path = tmp_path / "model.skops"
    write_crafted(path, plain(1), protocol)
    with pytest.raises(ValueError, match="protocol"):
        load_model(path)


SVC = "sklearn.svm._classes.SVC"


@pytest.mark.parametrize(
    "schema",
    [
        node("ListNode", SVC, content=[]),
        node("LossNode", SVC, content=listed(), __reduce__={"args": listed()}),
        node("TypeNode", SVC),
        node("DictNode", "skdaf._core.cache.Cache", key_types=listed(), content={}),
        node("TupleNode", "skdaf._audio.clips.Clip", content=[]),
        node("NdArrayNode", "numpy.memmap", type="numpy", file="a"),
        node("BytesNode", "builtins.bytes", file="a"),
        node("SetNode", "builtins.list", content=[]),
        node("JsonNode", "posix.system", content="1"),
        node("FunctionNode", "numpy.exp"),
        listed(node("FunctionNode", "numpy.exp")),
        instance("numpy.ndarray"),
        instance("skdaf._core.cache.Cache"),
        instance("skdaf._training.checkpoint.Checkpoint"),
        instance("pathlib.PosixPath"),
        instance("joblib.memory.Memory"),
        instance("sklearn.metrics._scorer._cached_call"),
        mapping(func=node("FunctionNode", "numpy.save")),
        mapping(func=node("FunctionNode", "sklearn.metrics._classification.accuracy_score")),
        mapping(_score_func=node("FunctionNode", "sklearn.metrics._scorer.make_scorer")),
    ],
)
def test_every_loader_builds_its_own_types_only(tmp_path, schema):
    refused(tmp_path, schema, r"contains types that are not trusted: .*Nothing was loaded", a=b"")
