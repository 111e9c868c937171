"""The renderer whole: rest is a fixed point, the photo is copied where it can be, switches and presets hold."""

import json
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.decoder import AT_REST, faded_mask
from mamba_portrait.networks.renderer.deviation import Deviation
from mamba_portrait.networks.renderer.layers import resize
from mamba_portrait.networks.renderer.model import Renderer, monochrome
from mamba_portrait.networks.renderer.warp import warp
from mamba_portrait.vocabulary import COUNT, FRAMING, PARAMETERS

TINY = RendererConfig(
    image_size=64, motion_size=64, encoder_widths=(8, 12, 16), skip_widths=(8, 8), depth_planes=4, depth_channels=4,
    resnet3d_blocks=1, appearance_dim=16, motion_widths=(8, 12, 16), motion_blocks=(1, 1, 1), deviation_channels=4,
    deviation_layers=2, deviation_dim=16, deviation_blocks=1, deviation_heads=2, regions=3, lmdd_widths=(16, 12),
    refine_width=8, decoder_widths=(16, 12, 8),
)  # fmt: skip


def make(**changes):
    torch.manual_seed(0)
    return Renderer(replace(TINY, **changes)).eval()


@pytest.fixture(scope="module")
def renderer():
    return make()


@pytest.fixture(scope="module")
def photo():
    return torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))


def decode(renderer, photo, change, **options):
    with torch.no_grad():
        source = renderer.encode_source(photo).toned()
        return source, renderer.decode(source, renderer.extract_appearance(source), source.motion + change, **options)


def test_rest_has_no_deviation_no_field_and_the_sources_picture(renderer, photo):
    source, rendered = decode(renderer, photo, torch.zeros(1, 768))
    assert all(part.abs().max() == 0 for part in rendered.deviation)
    assert rendered.motion.field.abs().max() == 0
    assert torch.allclose(rendered.warped, photo, atol=1e-5)
    assert rendered.keep.min() == 1
    assert torch.allclose(rendered.image, photo, atol=1e-5)


def test_paint_fades_out_towards_rest_and_only_there():
    direction = torch.nn.functional.normalize(torch.randn(1, 16, generator=torch.Generator().manual_seed(2)))
    lengths = AT_REST * torch.tensor([[0.0], [0.5], [1.0], [20.0]])
    mask = torch.tensor([0.98, 0.4]).view(1, 1, 1, 2)
    faded = faded_mask(mask, Deviation(None, None, lengths * direction))
    assert torch.allclose(1 - faded, torch.tensor([0, 0.25, 1, 1]).view(4, 1, 1, 1) * (1 - mask), atol=1e-6)


def test_change_moves_the_picture(renderer, photo):
    _, rendered = decode(renderer, photo, torch.randn(1, 768, generator=torch.Generator().manual_seed(2)))
    assert rendered.motion.field.abs().max() > 1e-4
    assert rendered.image.min() >= 0 and rendered.image.max() <= 1


def test_what_is_painted_into_a_toned_photo_has_its_tone(photo):
    renderer, light = make(), photo.mean(1, keepdim=True)
    with torch.no_grad():
        renderer.decoder.leave.bias[12:] = -20.0  # a mask that paints everything
        renderer.decoder.leave.bias[:4] = 2.0  # in red
    tone = torch.tensor([1.0, 0.8, 0.5]).view(1, 3, 1, 1)
    change = torch.randn(1, 768, generator=torch.Generator().manual_seed(2))
    for toned in (light * tone + 0.1 * (1 - tone), light.expand(-1, 3, -1, -1)):
        _, rendered = decode(renderer, toned, change)
        offset, slope = monochrome(toned)[0]
        assert (rendered.image - offset - slope * rendered.image.mean(1, keepdim=True)).abs().max() < 0.02
    source, rendered = decode(renderer, photo, change)
    assert source.tone is None and rendered.image[:, 0].mean() > rendered.image[:, 1].mean() + 0.1


def test_a_batch_equals_its_frames_one_by_one(renderer):
    photos, change = torch.rand(3, 3, 64, 64), torch.randn(3, 768)
    with torch.no_grad():
        _, together = decode(renderer, photos, change)
        alone = [decode(renderer, photos[i : i + 1], change[i : i + 1])[1].image for i in range(3)]
    assert torch.allclose(torch.cat(alone), together.image, atol=1e-5)


def test_one_source_serves_many_motions_and_repeats_without_copying(renderer, photo):
    with torch.no_grad():
        source = renderer.encode_source(photo)
        appearance = renderer.extract_appearance(source)
        motion = source.motion + torch.randn(3, 768)
        shared = renderer.decode(source, appearance, motion).image
        repeated = source.repeat(3)
        explicit = renderer.decode(repeated, appearance.expand(3, -1), motion).image
    assert torch.equal(shared, explicit)
    assert repeated.image.shape[0] == 3 and repeated.identity.data_ptr() == source.identity.data_ptr()
    with pytest.raises(ValueError, match="3 sources for 2 motions"):
        renderer.decode(repeated, appearance.expand(3, -1), motion[:2])


def test_repeat_of_several_portraits_keeps_each_beside_itself(renderer):
    with torch.no_grad():
        source = renderer.encode_source(torch.rand(2, 3, 64, 64)).repeat(3)
    assert torch.equal(source.motion[0], source.motion[2]) and not torch.equal(source.motion[2], source.motion[3])
    assert len(source.source_maps.mixing) == len(source.pose.tokens) == len(source.skips[0]) == 6


def test_to_reaches_every_part(renderer, photo):
    with torch.no_grad():
        half = renderer.encode_source(photo).to(torch.float16)
    parts = [half.image, half.small, half.identity, half.context, *half.skips, *half.source_maps, *half.pose]
    assert all(part.dtype == torch.float16 for part in parts if part is not None)


@pytest.mark.parametrize("size", [(96, 96), (200, 160), (48, 48)])
def test_any_output_size_is_the_photo_moved_at_that_size(renderer, photo, size):
    _, rendered = decode(renderer, photo, 2 * torch.randn(1, 768), size=size)
    assert rendered.image.shape[-2:] == size
    moved = warp(resize(photo, size), rendered.motion.field)
    keep = torch.nn.functional.interpolate(rendered.keep, size=size, mode="bilinear", align_corners=False)
    assert torch.allclose(rendered.warped, moved, atol=1e-5)
    assert ((rendered.image - moved).abs() <= 1 - keep + 1e-5).all()  # where the mask keeps the photo, its own pixels


def test_detail_finer_than_the_network_survives(renderer):
    """A one-pixel checkerboard in a picture four times the network's size comes through wherever the mask keeps it."""
    stripes = (torch.arange(256) % 2).float().expand(256, 256)
    photo = (0.25 + 0.5 * stripes)[None, None].expand(1, 3, -1, -1).contiguous()
    _, rendered = decode(renderer, photo, torch.zeros(1, 768))
    contrast = rendered.image.diff(dim=-1).abs().mean()
    assert contrast > 0.95 * photo.diff(dim=-1).abs().mean()


def test_articulation_scales_what_the_activation_holds_back(renderer, photo):
    change = torch.randn(1, 768)
    with torch.no_grad():
        renderer.decoder.leave.weight.normal_(std=0.5, generator=torch.Generator().manual_seed(3))
    pictures = [decode(renderer, photo, change, articulation=a)[1].synthesis.image for a in (1.0, 1.0, 1.5)]
    assert torch.equal(pictures[0], pictures[1]) and not torch.allclose(pictures[0], pictures[2], atol=1e-4)


def test_reading_is_linear_and_rest_is_the_zero_parameters(renderer):
    a, b = torch.randn(2, 5, 768)
    read = renderer.read_parameters
    with torch.no_grad():
        assert torch.allclose(read(a) - read(b), read(a - b) - read(torch.zeros_like(a)), atol=1e-5)
        assert torch.equal(renderer.rest_motion(), renderer.motion_from_parameters(torch.zeros(COUNT)))
        assert renderer.motion_from_parameters(torch.zeros(2, 3, COUNT)).shape == (2, 3, 768)


def branches_with_a_say(renderer, photo):
    """Switches of the branches on which the result depends."""
    source = renderer.encode_source(photo)
    appearance, motion = renderer.extract_appearance(source), source.motion + torch.randn(1, 768)
    other_start = source.pose._replace(tokens=torch.randn(1, 64, 16))  # they serve the transformer alone
    pictures = [renderer.decode(source, look, motion).image for look in (appearance, appearance + 1)]
    maps = [renderer.deviation(motion, start).maps for start in (source.pose, other_start)]
    regions = source.source_maps.mixing[0]  # focus maps times the weights of the planes, which the regions share
    say = {
        "use_appearance": (pictures[0] - pictures[1]).abs().max(),
        "use_transformer": (maps[0] - maps[1]).abs().max(),
        "use_attention": (regions - regions[:1]).abs().max(),
    }
    return {switch for switch, difference in say.items() if difference > 1e-5}


@pytest.mark.parametrize("switch", [None, "use_appearance", "use_transformer", "use_attention"])
@torch.no_grad()
def test_a_branch_that_is_cut_has_no_say_and_rest_stays_fixed(switch, photo):
    renderer = make(**({switch: False} if switch else {}))
    for p in renderer.parameters():
        p.add_(0.05 * torch.randn_like(p))  # layers that begin at zero would hide what they do
    assert branches_with_a_say(renderer, photo) == {"use_appearance", "use_transformer", "use_attention"} - {switch}
    _, still = decode(renderer, photo, torch.zeros(1, 768))
    _, moved = decode(renderer, photo, torch.randn(1, 768))
    assert still.motion.field.abs().max() == 0 < moved.motion.field.abs().max()


def test_training_reaches_every_weight(photo):
    renderer = make()
    source = renderer.encode_source(photo)
    rendered = renderer.decode(source, renderer.extract_appearance(source), source.motion + torch.randn(1, 768))
    read = renderer.read_parameters(renderer.motion_from_parameters(torch.zeros(1, COUNT)))
    (rendered.image.sum() + rendered.synthesis.image.square().sum() + read.sum()).backward()
    missing = [name for name, p in renderer.named_parameters() if p.grad is None]
    assert missing == []


def test_config_round_trip_and_unknown_fields():
    for config in (TINY, RendererConfig.lite(), RendererConfig.paper()):
        assert RendererConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(ValueError, match="crystal_ball"):
        RendererConfig.from_dict({"crystal_ball": 1})
    with pytest.raises(ValueError, match="motion_grid"):
        RendererConfig(motion_size=256)
    with pytest.raises(ValueError, match="depth_planes"):
        RendererConfig(depth_planes=5)


def test_fields_of_earlier_configs_are_accepted_by_name():
    """As shipped weights have them. What only began the motion space, and the limits, may be anything; weights of other
    motion parameters cannot be used."""
    earlier = {"parameters": 24, "parameter_standing": [18, 19, 20, 21, 22]}
    earlier |= {f"parameter_{name}": [0.5] * 24 for name in ("spread", "emphasis", "place", "low", "high")}
    assert RendererConfig.from_dict(TINY.to_dict() | earlier) == TINY
    with pytest.raises(ValueError, match="parameter_taste"):
        RendererConfig.from_dict(earlier | {"parameter_taste": [1.0] * 24})
    for other in ({"parameters": 23}, {"parameter_standing": [18, 19, 20]}):
        with pytest.raises(ValueError, match="other motion parameters"):
            RendererConfig.from_dict(earlier | other)
    with pytest.raises(ValueError, match="motion_widths"):
        RendererConfig(motion_widths=(32, 64, 128))


def parameters_of(config):
    with torch.device("meta"):
        return sum(p.numel() for p in Renderer(config).parameters())


def test_presets_have_the_sizes_they_claim():
    assert 4e6 <= parameters_of(RendererConfig.lite()) <= 9e6
    assert parameters_of(RendererConfig.paper()) == pytest.approx(56e6, rel=0.05)


def test_a_lite_frame_costs_at_most_six_gflops():
    renderer = Renderer().eval()
    with torch.no_grad():
        source = renderer.encode_source(torch.rand(1, 3, 256, 256))
        appearance = renderer.extract_appearance(source)
        with FlopCounterMode(display=False) as counter:
            renderer.decode(source, appearance, source.motion + 0.1)
    assert counter.get_total_flops() <= 6e9


def test_where_a_head_stands_in_a_photo_is_where_its_motion_begins(renderer, photo):
    parameters = torch.randn(3, COUNT, generator=torch.Generator().manual_seed(4))
    motion, framing = renderer.motion_from_parameters(parameters), list(FRAMING)
    with torch.no_grad():
        read = renderer.read_parameters(renderer.centred(motion))
        kept = [i for i in range(COUNT) if i not in framing]
        assert torch.allclose(read[:, kept], parameters[:, kept], atol=1e-4)
        assert read[:, framing].abs().max() < 1e-4
        change = renderer.read_parameters(renderer.centred(motion, motion[0])) - parameters
        assert torch.allclose(change[:, framing], -parameters[0, framing].expand(3, -1), atol=1e-4)
        moved = parameters.clone()
        moved[:, framing] += 0.7  # another camera
        sources = [
            renderer.encode_source(photo, motion=renderer.motion_from_parameters(p[:1])) for p in (parameters, moved)
        ]
    assert torch.allclose(sources[0].motion, sources[1].motion, atol=1e-4)


def test_motion_ends_where_faces_do(renderer, photo):
    jaw, blink = PARAMETERS.index("jaw"), PARAMETERS.index("blink_left")
    own = torch.zeros(1, COUNT)
    own[0, jaw], own[0, blink] = 1.6, 0.5  # read as wider than any mouth

    def read(change):
        motion = renderer.motion_from_parameters(own + change)
        held = motion - renderer.parameters_of_motion.excess(motion, renderer.motion_from_parameters(own))
        return renderer.read_parameters(held)[0]

    change = torch.zeros(1, COUNT)
    with torch.no_grad():
        assert torch.allclose(read(change), own[0], atol=1e-4)  # rest stays rest, however far it is read
        change[0, jaw], change[0, blink] = 0.7, 0.5
        assert read(change)[[jaw, blink]].tolist() == pytest.approx([1.6, 1.0], abs=1e-3)
        change[0, jaw], change[0, blink] = -0.9, 3.0
        assert read(change)[[jaw, blink]].tolist() == pytest.approx([0.7, 3.5], abs=1e-3)  # lids are left alone
        change[0, jaw], change[0, blink] = 2.0, 0.0
        source = renderer.encode_source(photo, motion=renderer.motion_from_parameters(own))
        wide, wider = (
            renderer.decode(
                source,
                renderer.extract_appearance(source),
                renderer.within_limits(
                    source.motion + renderer.motion_from_parameters(k * change) - renderer.rest_motion(), source
                ),
            ).image
            for k in (1, 2)
        )
    assert torch.allclose(wide, wider, atol=1e-5)
