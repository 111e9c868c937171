"""Mamba Portrait: audio-driven portrait animation. ComfyUI reads `comfy_entrypoint` and `WEB_DIRECTORY` here; nothing
else happens at import."""

WEB_DIRECTORY = "./web"
__version__ = "0.2.0"


async def comfy_entrypoint():
    """Give ComfyUI the extension with all nodes of the pack, imported here so that ComfyUI reports import errors."""
    from .nodes import MambaPortraitExtension

    return MambaPortraitExtension()
