"""The layers' faster forms equal PyTorch's plain operations."""

import pytest
import torch
import torch.nn.functional as F

from mamba_portrait.networks.renderer import layers


def test_conv_of_upsampled_equals_a_convolution_after_upsampling():
    coarse, fine = torch.randn(2, 5, 6, 7), torch.randn(2, 3, 12, 14)
    layer = layers.conv(8, 4)
    layer.bias.data.normal_()
    expected = layer(torch.cat([layers.upsample(coarse), fine], dim=1))
    assert torch.allclose(layers.conv_of_upsampled(layer, coarse, fine), expected, atol=1e-5)


def test_shuffles_are_pixel_shuffles():
    x = torch.randn(2, 8, 6, 10)
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        assert torch.equal(layers.shuffle_up(given), F.pixel_shuffle(x, 2))
        assert torch.equal(layers.shuffle_down(given), F.pixel_unshuffle(x, 2))


@pytest.mark.parametrize("channels", [1, 3, 20])
def test_bilinear_is_bilinear_whatever_way_it_takes(channels):
    x = torch.randn(2, channels, 5, 8)
    expected = F.interpolate(x, size=(11, 16), mode="bilinear", align_corners=False)
    assert torch.allclose(layers.bilinear(x, (11, 16)), expected, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3, 20])
def test_twice_the_size_is_bilinear_with_gradients_and_without(channels):
    x = torch.randn(2, channels, 5, 8)
    expected = F.interpolate(x, size=(10, 16), mode="bilinear", align_corners=False)
    assert torch.equal(layers.bilinear(x, (10, 16)), expected)
    with torch.inference_mode():
        for given in (x, x.contiguous(memory_format=torch.channels_last)):
            resized = layers.bilinear(given, (10, 16))
            assert torch.allclose(resized, expected, atol=1e-6) and resized.is_contiguous()
    assert torch.allclose(layers.doubled(x[..., :1, :1]), x[..., :1, :1].expand(-1, -1, 2, 2))


def test_concat_channels_keeps_the_memory_order_of_its_first_map():
    maps = [torch.randn(2, c, 4, 5) for c in (6, 1, 3)]
    turned = [maps[0].contiguous(memory_format=torch.channels_last), *maps[1:]]
    plain, last = layers.concat_channels(*maps), layers.concat_channels(*turned)
    assert torch.equal(plain, torch.cat(maps, 1)) and plain.is_contiguous()
    assert torch.equal(last, torch.cat(maps, 1)) and layers.is_channels_last(last)
