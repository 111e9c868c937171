"""SyncNet (Chung and Zisserman 2016), whose distances between sound and lips LSE-D and LSE-C are made of; with the
parameter names of the published `syncnet_v2.model`."""

from __future__ import annotations

from torch import Tensor, nn

EMBEDDING = 1024


def _embedding() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, EMBEDDING))


def _sound() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 1
    pools = {64: ((1, 1), (1, 1)), 192: ((3, 3), (1, 2))}  # after the layer of so many channels: kernel, stride
    for width in (64, 192, 384, 256, 256):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        if width in pools:
            layers.append(nn.MaxPool2d(*pools[width]))
        channels = width
    layers.append(nn.MaxPool2d(3, 2))
    return nn.Sequential(*layers, nn.Conv2d(256, 512, (5, 4)), nn.BatchNorm2d(512), nn.ReLU())


def _lips() -> nn.Sequential:
    def unit(channels: int, width: int, kernel, stride=1, padding=0) -> list[nn.Module]:
        return [nn.Conv3d(channels, width, kernel, stride, padding), nn.BatchNorm3d(width), nn.ReLU()]

    def pool(padding=0) -> nn.Module:
        return nn.MaxPool3d((1, 3, 3), (1, 2, 2), padding)

    return nn.Sequential(
        *unit(3, 96, (5, 7, 7), (1, 2, 2)),
        pool(),
        *unit(96, 256, (1, 5, 5), (1, 2, 2), (0, 1, 1)),
        pool((0, 1, 1)),
        *(layer for _ in range(3) for layer in unit(256, 256, (1, 3, 3), padding=(0, 1, 1))),
        pool(),
        *unit(256, 512, (1, 6, 6)),
    )


class SyncNet(nn.Module):
    """Embeddings (B,1024) of a fifth of a second of sound and of picture."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud, self.netfcaud = _sound(), _embedding()
        self.netcnnlip, self.netfclip = _lips(), _embedding()

    def embed_sound(self, mfcc: Tensor) -> Tensor:
        """(B,1,13,20) cepstral coefficients, 100 columns a second."""
        return self.netfcaud(self.netcnnaud(mfcc).flatten(1))

    def embed_lips(self, pictures: Tensor) -> Tensor:
        """(B,3,5,224,224) pictures of a face, blue first, in [0,255]."""
        return self.netfclip(self.netcnnlip(pictures).flatten(1))
