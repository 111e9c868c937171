"""Small versions of the ComfyUI core nodes that change pictures, with core's ids, input names and results."""

import torch
import torch.nn.functional as F
from PIL import Image

from ...media.photo import to_uint8
from . import schema as io

METHODS = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]


class ImageScaleBy(io.ComfyNode):
    """Pictures enlarged or reduced by a factor."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "ImageScaleBy",
            inputs=[
                io.Image.Input("image"),
                io.Combo.Input("upscale_method", options=METHODS, default=METHODS[0]),
                io.Float.Input("scale_by", default=1.0, min=0.01, max=8.0, step=0.01),
            ],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(cls, image, upscale_method, scale_by) -> io.NodeOutput:
        height, width = (round(side * scale_by) for side in image.shape[1:3])
        if upscale_method == "lanczos":
            resized = [
                Image.fromarray(to_uint8(one)).resize((width, height), Image.Resampling.LANCZOS) for one in image
            ]
            pictures = [torch.tensor(list(one.tobytes()), dtype=torch.float32) / 255 for one in resized]
            return io.NodeOutput(torch.stack(pictures).view(len(image), height, width, 3))
        pictures = F.interpolate(image.movedim(-1, 1), size=(height, width), mode=upscale_method)
        return io.NodeOutput(pictures.movedim(1, -1))


class ImageSharpen(io.ComfyNode):
    """Unsharp masking by a Gaussian of `sigma` pixels, cut at the radius, times 10 `alpha`."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "ImageSharpen",
            inputs=[
                io.Image.Input("image"),
                io.Int.Input("sharpen_radius", default=1, min=1, max=31, step=1),
                io.Float.Input("sigma", default=1.0, min=0.1, max=10.0, step=0.01),
                io.Float.Input("alpha", default=1.0, min=0.0, max=5.0, step=0.01),
            ],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(cls, image, sharpen_radius, sigma, alpha) -> io.NodeOutput:
        steps = torch.linspace(-1, 1, 2 * sharpen_radius + 1)
        bell = torch.exp(-(steps[:, None] ** 2 + steps**2) / (2 * sigma**2))
        kernel = (bell / bell.sum() * -10 * alpha).repeat(image.shape[-1], 1, 1)[:, None]
        kernel[..., sharpen_radius, sharpen_radius] += 1 + 10 * alpha
        padded = F.pad(image.permute(0, 3, 1, 2), (sharpen_radius,) * 4, "reflect")
        return io.NodeOutput(F.conv2d(padded, kernel, groups=image.shape[-1]).permute(0, 2, 3, 1).clamp(0, 1))
