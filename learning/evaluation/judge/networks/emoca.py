"""The encoders of EMOCA (Danecek et al. 2022) that read head pose and expression from a face, with the parameter names
of its published checkpoint (E_flame and E_expression, each a ResNet-50 of torchvision and two layers)."""

from __future__ import annotations

from torch import Tensor, nn

CODE = {"shape": 100, "tex": 50, "exp": 50, "pose": 6, "cam": 3, "light": 27}  # what E_flame gives, in this order
EXPRESSIONS = CODE["exp"]


class Encoder(nn.Module):
    """Faces (B,3,224,224) in [0,1] -> (B,outputs)."""

    def __init__(self, outputs: int):
        super().__init__()
        from torchvision.models import resnet50

        self.encoder = resnet50(weights=None)
        self.encoder.fc = nn.Identity()
        self.layers = nn.Sequential(nn.Linear(2048, 1024), nn.ReLU(), nn.Linear(1024, outputs))

    def forward(self, faces: Tensor) -> Tensor:
        return self.layers(self.encoder(faces))


class EmocaEncoders(nn.Module):
    """Faces (B,3,224,224) in [0,1] -> pose (B,6): rotation of head and of jaw, and expression (B,50)."""

    def __init__(self) -> None:
        super().__init__()
        self.E_flame = Encoder(sum(CODE.values()))
        self.E_expression = Encoder(EXPRESSIONS)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        start = CODE["shape"] + CODE["tex"] + CODE["exp"]
        return self.E_flame(faces)[:, start : start + CODE["pose"]], self.E_expression(faces)
