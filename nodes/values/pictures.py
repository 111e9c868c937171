"""Checks of IMAGE and MASK values, which may be gray, with alpha, empty or with NaN."""

import torch


def batch_of(image: torch.Tensor | None, name: str) -> torch.Tensor:
    """The IMAGE at the input `name` -> its batch (B,H,W,C), unchanged. ValueError if there is no picture in it."""
    if image is None:
        raise ValueError(f"Nothing came in at '{name}': the node wired to it gave no picture.")
    batch = image[None] if image.ndim == 3 else image
    if batch.ndim != 4 or batch.numel() == 0:
        shape = tuple(image.shape)
        raise ValueError(f"No picture came in at '{name}', but an image of shape {shape}: see the node wired to it.")
    return batch


def plain(pictures: torch.Tensor, name: str) -> torch.Tensor:
    """(...,H,W,C) -> (...,H,W,3) float32 in [0,1] on the CPU: gray becomes colour, alpha is dropped.

    ValueError for NaN and infinite pixels."""
    colours = 3 if pictures.shape[-1] >= 3 else 1
    pictures = pictures[..., :colours].cpu().float()
    if not all(torch.isfinite(end) for end in torch.aminmax(pictures)):
        raise ValueError(
            f"The picture at '{name}' has NaN or infinite pixels, as a VAE in half precision may leave them: make it "
            "again in full precision, or give another."
        )
    pictures = pictures.clamp(0, 1)
    return pictures if colours == 3 else pictures.expand(*pictures.shape[:-1], 3)


def alpha_of(image: torch.Tensor) -> torch.Tensor | None:
    """The IMAGE of one picture, (1,H,W,C) or (H,W,C) -> its alpha (H,W) on the CPU, 1 opaque; None where it has none or
    hides nothing. ValueError for NaN."""
    if image.shape[-1] != 4:
        return None
    alpha = plain(image.reshape(image.shape[-3:])[..., 3:], "image")[..., 0]
    return None if bool((alpha == 1).all()) else alpha


def one_photo(image: torch.Tensor | None, node: str, name: str = "image") -> torch.Tensor:
    """An IMAGE of one picture -> (H,W,3) as from `plain`. ValueError for none, several, or NaN."""
    batch = batch_of(image, name)
    if len(batch) != 1:
        raise ValueError(
            f"{node} takes one photo, but {len(batch)} came in at '{name}': put the node ImageFromBatch (Get Image "
            "from Batch) before it to pick one, or Batch to List for a film of each."
        )
    return plain(batch[0], name)


def masks(mask: torch.Tensor | None, name: str) -> torch.Tensor:
    """The MASK at the input `name`, (H,W) or (B,H,W) -> (B,H,W) float32 in [0,1] on the CPU. ValueError for one that
    holds nothing, or NaN."""
    if mask is None or mask.numel() == 0:
        raise ValueError(f"No mask came in at '{name}': see the node wired to it.")
    mask = mask.detach().cpu().float().reshape(-1, *mask.shape[-2:])
    if not bool(torch.isfinite(mask).all()):
        raise ValueError(f"The mask at '{name}' has NaN or infinite values: see the node wired to it.")
    return mask.clamp(0, 1)
