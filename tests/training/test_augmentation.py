import numpy as np
import pytest
import torch

from skdaf._training.augmentation import (
    AUGMENTATIONS,
    compose,
    equalize,
    mask,
    mix,
    shift,
    stretch,
    warp,
    zoom,
)

each = pytest.mark.parametrize("name", AUGMENTATIONS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(n_clips=16, n_frames=40, n_bins=32):
    return torch.randn(n_clips, n_frames, n_bins, generator=generator(99))


@each
@pytest.mark.parametrize("size", [(40, 32), (1, 1), (1, 8), (8, 1), (2, 2)])
def test_the_shape_is_kept_and_values_are_finite(name, size):
    x = batch(6, *size)
    y = AUGMENTATIONS[name](x, generator())
    assert y.shape == x.shape
    assert y.dtype == torch.float32
    assert torch.isfinite(y).all()


@each
def test_the_output_differs_and_the_input_is_unchanged(name):
    x = batch()
    before = x.clone()
    y = AUGMENTATIONS[name](x, generator())
    assert torch.equal(x, before)
    assert not torch.equal(x, y)


@each
def test_the_seed_decides_the_change_and_the_global_generator_does_not_advance(name):
    x = batch()
    state = torch.get_rng_state()
    first = AUGMENTATIONS[name](x, generator(1))
    assert torch.equal(first, AUGMENTATIONS[name](x, generator(1)))
    assert not torch.equal(first, AUGMENTATIONS[name](x, generator(2)))
    assert torch.equal(torch.get_rng_state(), state)


@each
def test_each_clip_changes_differently(name):
    x = batch()[:1].expand(8, -1, -1)
    y = AUGMENTATIONS[name](x, generator())
    assert len({tuple(clip.flatten().tolist()) for clip in y}) > 1


def test_shift_moves_whole_frames():
    clip = torch.arange(40.0)[None, :, None].expand(8, 40, 4)
    moved = shift(clip, generator())
    middle = moved[:, 10:30, 0] - torch.arange(10.0, 30.0)
    assert (middle == middle[:, :1]).all()
    assert middle.abs().max() <= 4
    assert len(middle[:, 0].unique()) > 1


def test_stretch_keeps_the_middle_frame():
    clip = torch.arange(41.0)[None, :, None].expand(8, 41, 4)
    torch.testing.assert_close(stretch(clip, generator())[:, 20], clip[:, 20])


def test_zoom_shows_a_part_slower_or_the_whole_faster_between_its_edges():
    n = 400
    clip = torch.arange(float(n))[None, :, None].expand(64, n, 2)
    seen = zoom(clip, generator(), min_scale=0.5, max_scale=2.0)[:, :, 0]
    steps = seen.diff(dim=1)
    speed = steps.max(dim=1).values
    assert 0.5 <= speed.min() < 0.6
    assert 1.7 < speed.max() <= 2.0
    assert steps.min() >= 0
    near, wide = speed < 0.95, speed > 1.05
    # A part of the clip, at constant speed.
    torch.testing.assert_close(
        steps[near, :-1], speed[near, None].expand(-1, n - 2), atol=1e-3, rtol=0
    )
    assert len(seen[near, 0].round().unique()) > 5
    # The whole clip, from the first frame to the last.
    assert (seen[wide, 0] == 0).all()
    assert (seen[wide, -1] >= n - 2).all()


@pytest.mark.parametrize("function", [shift, stretch, zoom, warp])
def test_resampling_interpolates_each_clip_between_its_own_values(function):
    def change(x):
        """Change clips whose second axis is the one that is resampled."""
        is_warp = function is warp
        changed = function(x.mT if is_warp else x, generator())
        return changed.mT if is_warp else changed

    x = torch.rand(5, 12, 9, generator=generator(1))
    places = np.arange(12.0)
    positions = change(torch.from_numpy(places).float()[:, None].expand_as(x))
    for clip, changed, seen in zip(x, change(x), positions[:, :, 0], strict=True):
        for before, after in zip(clip.T, changed.T, strict=True):
            np.testing.assert_allclose(after, np.interp(seen, places, before), atol=1e-5)


def test_warp_keeps_the_lowest_bin():
    x = batch()
    torch.testing.assert_close(warp(x, generator())[:, :, 0], x[:, :, 0])


def test_mask_hides_at_most_the_given_share():
    x = batch()
    changed = mask(x, generator(), limit=0.2) != x
    whole_frames = changed.all(dim=2).sum(dim=1)
    whole_bins = changed.all(dim=1).sum(dim=1)
    assert whole_frames.max() <= 0.2 * 40 + 1
    assert whole_bins.max() <= 0.2 * 32 + 1
    assert whole_frames.max() > 0
    assert whole_bins.max() > 0


def test_equalize_adds_the_same_piecewise_linear_curve_to_all_frames_of_a_clip():
    x = batch(n_bins=31)
    added = equalize(x, generator(), limit=0.5) - x
    torch.testing.assert_close(added, added[:, :1].expand_as(added), atol=1e-5, rtol=0)
    assert added.abs().max() <= 0.5 * x.std() + 1e-5
    # Four points: three linear pieces of ten bins each.
    kinks = added[:, 0].diff(dim=1).diff(dim=1).abs() > 1e-4
    assert kinks.any(dim=0).nonzero().flatten().tolist() == [9, 19]


def test_mix_blends_clips_and_targets_by_the_same_shares():
    n = 32
    inputs = torch.eye(n).view(n, 1, n).expand(-1, 3, -1)
    mixed, targets = mix(inputs, torch.eye(n), generator())
    torch.testing.assert_close(mixed, targets.view(n, 1, n).expand(-1, 3, -1))
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(n))
    own = targets.diagonal()
    assert 0 <= own.min() < 0.2
    assert 0.8 < own.max() <= 1
    assert (targets > 0).sum(dim=1).max() == 2


@each
def test_a_batch_on_another_device_stays_there(name):
    # The device "meta" has shapes but no values; it refuses to work with tensors of the CPU.
    x = batch().to("meta")
    for function in (AUGMENTATIONS[name], compose([name])[0]):
        y = function(x, generator())
        assert (y.device, y.shape) == (x.device, x.shape)


def test_the_functions_of_users_get_batches_on_the_cpu(monkeypatch):
    moves, x = [], batch()
    # On a device that can only be moved from and to.
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: moves.append("cpu") or self)
    function, _ = compose([lambda batch, g: batch + torch.rand(batch.shape, generator=g)])
    y = function(x, generator())
    assert moves == ["cpu"]
    assert torch.equal(y, x + torch.rand(x.shape, generator=generator()))


def test_mix_is_repeatable():
    x, y = batch(), torch.rand(16, 3)
    first, again, other = (mix(x, y, generator(seed)) for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], other[0])


def test_compose_applies_names_and_callables_in_order():
    double, _ = compose([lambda x, _: x + 1, "mask", lambda x, _: 2 * x])
    x = batch()
    torch.testing.assert_close(double(x, generator()), 2 * mask(x + 1, generator()))


def test_augmentations_over_frequency_are_left_out_for_cepstra():
    x = batch()
    for augment, kept in [
        ("equalize", None),
        (["warp", "equalize"], None),
        (["zoom", "equalize", "mask", "mixup"], ["zoom", "mask"]),
        ([lambda x, _: x + 1, "warp"], [lambda x, _: x + 1]),
    ]:
        function, mixup = compose(augment, has_cepstra=True)
        assert mixup == ("mixup" in augment)
        if kept is None:
            assert function is None
        else:
            expected = compose(kept)[0](x, generator())
            torch.testing.assert_close(function(x, generator()), expected, rtol=0, atol=0)
    with pytest.raises(ValueError, match="augment='echo'"):
        compose(["warp", "echo"], has_cepstra=True)


def test_compose_takes_a_single_name_or_none():
    x = batch()
    torch.testing.assert_close(compose("warp")[0](x, generator()), warp(x, generator()))
    assert compose(None) == (None, False)


@pytest.mark.parametrize(
    ("augment", "changes", "mixes"),
    [("mixup", False, True), (["mixup", "warp"], True, True), (["warp"], True, False), ([], 0, 0)],
)
def test_compose_returns_whether_to_mix(augment, changes, mixes):
    function, mixup = compose(augment)
    assert (function is not None) == changes
    assert mixup == mixes


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(ValueError, match=r"augment='echo'.*'warp'.*'mixup'"):
        compose(["warp", "echo"])
