"""A pack of somebody else, to be wired to ours: text to AUDIO by espeak-ng, and pictures enlarged.

It has ComfyUI's older form of nodes, as most packs have, and knows nothing of our pack.
"""

import io
import subprocess
import wave

import numpy as np
import torch


class OtherPackSpeak:
    """Text -> AUDIO of espeak-ng's rate (22,050 Hz)."""

    RETURN_TYPES = ("AUDIO",)
    FUNCTION = "speak"
    CATEGORY = "other pack"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": "Hello."}), "channels": ("INT", {"default": 1})}}

    def speak(self, text, channels):
        spoken = subprocess.run(["espeak-ng", "--stdout", text], capture_output=True, check=True).stdout
        with wave.open(io.BytesIO(spoken)) as file:
            rate, samples = file.getframerate(), np.frombuffer(file.readframes(1 << 24), "<i2")
        waveform = torch.from_numpy(samples.astype(np.float32) / 32768)[None, None].repeat(1, channels, 1)
        return ({"waveform": waveform, "sample_rate": rate},)


class OtherPackEnlarge:
    """IMAGE -> IMAGE of twice the size: nearest neighbours, changed a little by random convolutions."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "enlarge"
    CATEGORY = "other pack"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    def enlarge(self, image):
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 12, 3, padding=1)
        )
        with torch.no_grad():
            small = image[..., :3].movedim(-1, 1)
            change = torch.nn.functional.pixel_shuffle(network(small), 2)
            large = small.repeat_interleave(2, -1).repeat_interleave(2, -2) + 0.02 * change
        return (large.movedim(1, -1),)  # a view, and beyond [0,1] here and there, as such nodes give


NODE_CLASS_MAPPINGS = {"OtherPackSpeak": OtherPackSpeak, "OtherPackEnlarge": OtherPackEnlarge}
