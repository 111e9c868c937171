"""The forms that the paper prints, each a switch: what each does, and that it learns."""

from dataclasses import fields, replace

import pytest
import torch
import torch.nn.functional as F

from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.deviation import DeviationTransformer
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.networks.renderer.warp import warp, warp_planes, warp_volume

FORMS = {
    "omega_channels": dict(omega_channels=True),
    "omega_after": dict(omega_after=True),
    "deviation_norm": dict(deviation_norm="motion"),
    "own_variance": dict(own_variance=True),
    "relative_shift": dict(relative_shift=False),
    "deviation_linear": dict(deviation_linear=False),
    "region_attention": dict(region_attention=True),
    "static_region": dict(static_region=False),
    "depth_planes": dict(depth_planes=12),
    "inversion_steps": dict(inversion_steps=0),
    "planes": dict(warp="planes"),
    "volume": dict(warp="volume", inversion_steps=0),
    "single_slope": dict(single_slope=True),
    "decoder_skips": dict(decoder_skips=False),
    "composite": dict(composite=False),
}
WIDTHS = [f.name for f in fields(RendererConfig) if f.name.endswith(("widths", "blocks", "channels", "dim", "width"))]


@pytest.fixture
def method(tiny_config):
    """All printed forms at toy widths."""
    sizes = {name: getattr(tiny_config, name) for name in [*WIDTHS, "image_size", "motion_size", "regions"]}
    sizes |= {name: getattr(tiny_config, name) for name in ("deviation_layers", "deviation_heads", "motion_blocks")}
    sizes.pop("omega_channels")
    return replace(RendererConfig.method(), **sizes)


def random_renderer(config):
    """Of weights so large that layers which begin at zero take part."""
    torch.manual_seed(0)
    renderer = Renderer(config)
    with torch.no_grad():
        for p in renderer.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return renderer


def render(renderer, photo, change, look=None, **options):
    source = renderer.encode_source(photo)
    appearance = renderer.extract_appearance(source) if look is None else look
    return source, renderer.decode(source, appearance, source.motion + change, **options)


@pytest.fixture
def photo():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def change():
    return torch.randn(2, 768, generator=torch.Generator().manual_seed(2))


def overfit(renderer, photo, change, steps, rate):
    """Losses of descending on one batch: the picture should be the photo upside down."""
    wanted, losses = photo.flip(2), []
    optimizer = torch.optim.Adam(renderer.parameters(), lr=rate)
    for _ in range(steps):
        rendered = render(renderer, photo, change)[1]
        loss = F.l1_loss(rendered.image, wanted) + F.l1_loss(rendered.synthesis.image, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_something_of_its_own_and_learns(form, tiny_config, photo, change):
    renderer = random_renderer(replace(tiny_config, **FORMS[form]))
    usual = random_renderer(tiny_config)
    shared = {k: v for k, v in renderer.state_dict().items() if k in usual.state_dict()}
    usual.load_state_dict({k: v for k, v in shared.items() if v.shape == usual.state_dict()[k].shape}, strict=False)
    with torch.no_grad():
        assert (render(usual, photo, change)[1].image - render(renderer, photo, change)[1].image).abs().max() > 1e-5
    steps, rate = (12, 4e-3) if form == "decoder_skips" else (4, 1e-3)  # U alone learns slowly at first
    losses = overfit(renderer, photo, change, steps, rate)
    missing = {name.split(".")[0] for name, p in renderer.named_parameters() if p.grad is None}
    unused = {"image_encoder", "appearance"} if form == "decoder_skips" else set()  # skips, and F_A's only reader
    assert missing <= {"parameters_of_motion"} | unused and losses[-1] < 0.99 * losses[0]


def test_all_forms_together_overfit_a_batch(method, photo, change):
    torch.manual_seed(0)
    smooth = F.interpolate(photo[:, :, :4, :4], size=64, mode="bilinear")
    losses = overfit(Renderer(method), smooth, change, 80, 4e-3)
    assert losses[-1] < 0.5 * losses[0]


def test_the_preset_has_every_printed_form():
    ours, printed = RendererConfig.lite(), RendererConfig.method()
    assert {f.name for f in fields(ours) if getattr(ours, f.name) != getattr(printed, f.name)} == {
        "depth_planes", "deviation_norm", "own_variance", "relative_shift", "deviation_linear", "region_attention",
        "static_region", "inversion_steps", "warp", "single_slope", "decoder_skips", "composite",
    }  # fmt: skip
    assert RendererConfig.from_dict(printed.to_dict()) == printed and printed.depth_planes == printed.motion_depth


@pytest.mark.parametrize("field, value", [("deviation_norm", "both"), ("warp", "sideways")])
def test_other_words_are_named(field, value):
    with pytest.raises(ValueError, match=f"{field} must be one of .*{value}"):
        RendererConfig(**{field: value})
    with pytest.raises(ValueError, match="inversion_steps to 0"):
        RendererConfig(warp="volume")


def test_omega_weighs_channels_before_or_after_the_blocks(tiny_config, photo):
    depth = random_renderer(replace(tiny_config, omega_channels=True, omega_after=True)).depth
    features = torch.randn(2, tiny_config.encoder_widths[1], 16, 16)
    with torch.no_grad():
        whole = depth(features)
        depth.plane_weights[2].weight.zero_()
        depth.plane_weights[2].bias.view(4, 2)[:] = -100.0
        depth.plane_weights[2].bias.view(4, 2)[1, 0] = 100.0  # channel 1 of plane 0 alone
        kept = depth(features)
        volume = depth.refine(depth.expand(features).unflatten(1, (4, 2)))
    assert torch.allclose(kept[:, 1, 0], volume[:, 1, 0]) and kept[:, 0].abs().max() == kept[:, 1, 1].abs().max() == 0
    assert not torch.allclose(whole, volume)


def test_a_normed_motion_is_the_same_at_any_scale_and_level(tiny_config):
    torch.manual_seed(0)
    given = torch.randn(2, 3, 768)
    for norm, same in (("motion", True), ("features", False)):
        dit = DeviationTransformer(replace(tiny_config, deviation_norm=norm, deviation_linear=False)).eval()
        with torch.no_grad():
            maps = [dit(m, dit.prepare(start)).maps for start, m in (given, 3 * given + 2)]
        assert torch.allclose(*maps, atol=1e-4) == same


def test_the_printed_shift_moves_a_still_face(tiny_config):
    motion = torch.randn(1, 768)
    for relative in (True, False):
        dit = random_renderer(replace(tiny_config, relative_shift=relative)).deviation
        with torch.no_grad():
            assert (dit(motion, dit.prepare(motion)).maps.abs().max() == 0) == relative


def test_the_frames_own_variance_scales_its_deviation(tiny_config):
    dit = random_renderer(replace(tiny_config, own_variance=True)).deviation
    source, motion = dit.prepare(torch.randn(1, 768)), torch.randn(1, 768)
    with torch.no_grad():
        assert torch.equal(dit(motion, source).maps, dit(motion, source._replace(variance=0 * source.variance)).maps)


@pytest.mark.parametrize("static", [True, False])
@torch.no_grad()
def test_region_attention_sees_motion_appearance_and_portrait(tiny_config, static):
    renderer = random_renderer(replace(tiny_config, region_attention=True, static_region=static))
    attention, (query, maps, look) = renderer.lmdd.attention, (torch.randn(1, 16, 8, 8), torch.randn(1, 2, 3, 2, 8, 8),
                                                               torch.randn(1, 16))  # fmt: skip
    focus = attention(query, maps, look)
    total = focus.sum(1)
    assert focus.shape == (1, 2, 2, 8, 8) and ((total < 1).all() if static else torch.allclose(total, torch.ones(1)))
    for changed in ((query + 1, maps, look), (query, 2 * maps, look), (query, maps, look + 1)):
        assert not torch.allclose(attention(*changed), focus, atol=1e-3)
    one = maps.clone()
    one[:, 0, :, 1, 3, 3] += 5  # region 0 at plane 1 of one pixel: both regions' maps change there alone
    changed = (attention(query, one, look) - focus).abs().amax((0, 1)) > 1e-6
    assert changed.nonzero().tolist() == [[1, 3, 3]]


@torch.no_grad()
def test_planes_and_volumes_warp_as_they_say():
    features, fields_ = torch.randn(2, 3, 4, 16, 16), 0.3 * torch.randn(2, 2, 4, 16, 16)
    planes = warp_planes(features, fields_)
    for s in range(4):
        assert torch.allclose(planes[:, :, s], warp(features[:, :, s], fields_[:, :, s]), atol=1e-5)
    flat = torch.cat([fields_, torch.zeros(2, 1, 4, 16, 16)], 1)
    assert torch.allclose(warp_volume(features, flat), planes, atol=1e-4)
    deeper = torch.zeros(2, 3, 4, 16, 16)
    deeper[:, 2] = 2 / 4  # one plane
    assert torch.allclose(warp_volume(features, deeper)[:, :, :3], features[:, :, 1:], atol=1e-4)


@torch.no_grad()
def test_each_plane_of_f_id_moves_by_its_own_deviation(tiny_config, photo, change):
    for config in (replace(tiny_config, warp="planes"), replace(tiny_config, warp="volume", inversion_steps=0)):
        source, rendered = render(random_renderer(config), photo, change)
        volume, folded = rendered.motion.volume, rendered.synthesis.warped_identity
        assert volume.shape[:3] == (2, 3, 2) and (volume[:, :2, 0] - volume[:, :2, 1]).abs().max() > 1e-4
        moved = (warp_planes if config.warp == "planes" else warp_volume)(
            source.identity, volume[:, :2] if config.warp == "planes" else volume
        )
        assert torch.allclose(folded, moved.flatten(1, 2), atol=1e-5)
        weighed = (volume[:, :2] * source.source_maps.planes[:, None]).sum(2)
        if not config.inversion_steps:
            size = rendered.motion.coarse.shape[-1] // weighed.shape[-1]
            assert F.avg_pool2d(rendered.motion.coarse, size).mean().item() == pytest.approx(
                weighed.mean().item(), rel=0.1
            )


@torch.no_grad()
def test_u_reads_phi_alone_and_its_picture_is_the_frame(method, photo, change):
    renderer = random_renderer(method)
    source, rendered = render(renderer, photo, change)
    look = renderer.extract_appearance(source)
    assert torch.equal(rendered.image, rendered.synthesis.image) and rendered.keep.abs().max() == 0
    other = replace(source, skips=[skip + 1 for skip in source.skips], image=1 - source.image, small=1 - source.small)
    assert torch.equal(renderer.decode(other, look, source.motion + change).image, rendered.image)
    pictures = [renderer.decode(source, look, source.motion + change, articulation=a).image for a in (0.5, 1.5)]
    assert not torch.allclose(*pictures, atol=1e-4) and renderer.decoder.beta.numel() == 1


@pytest.mark.parametrize("switch", ["use_appearance", "use_transformer", "use_attention"])
@torch.no_grad()
def test_a_branch_that_is_cut_has_no_say_in_the_printed_form_either(switch, method, photo, change):
    def said(config):
        renderer = random_renderer(config)
        source = renderer.encode_source(photo)
        look, motion = renderer.extract_appearance(source), source.motion + change
        pictures = [renderer.decode(source, x, motion).image for x in (look, look + 1)]
        tokens = source.pose._replace(tokens=source.pose.tokens.flip(-1))
        maps = [renderer.deviation(motion, pose).maps for pose in (source.pose, tokens)]
        query = source.source_maps.query
        fields_ = [
            renderer.lmdd(renderer.deviation(motion, source.pose), source.source_maps._replace(query=q), look).field
            for q in (query, None if query is None else query + 1)
        ]
        say = {"use_appearance": pictures, "use_transformer": maps, "use_attention": fields_}
        return {name for name, (a, b) in say.items() if (a - b).abs().max() > 1e-6}

    everything = {"use_appearance", "use_transformer", "use_attention"}
    assert said(method) == everything
    lost = {"use_attention", "use_appearance"} if switch == "use_attention" else {switch}  # F_A speaks through it
    assert said(replace(method, **{switch: False})) == everything - lost
