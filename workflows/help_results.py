"""What the pictures of the help pages show: the joint graph's results, and what its nodes make of other inputs."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from ..host import VideoFromFile
from ..media.audio import load_audio
from ..media.motion import Motion
from ..media.photo import load_photo, to_uint8
from ..media.turns import ORDERS, two_tracks
from ..media.video import read_video
from ..nodes.examples import ASSETS, DRIVING, PORTRAITS, VOICES
from ..nodes.pick_face import PickFace
from ..nodes.sample import SampleMotion
from ..nodes.track import TrackFace
from ..nodes.two_people import ConversationMotion
from ..pipelines import portrait, rendering
from ..pipelines.framing import FramedPortrait, frame_portrait
from ..pipelines.regions import motion_to_parameters
from ..pipelines.settings import RenderingSettings, SamplingSettings
from ..vocabulary import INDEX
from .pictures import Picture, cell, make


class Results:
    """What the joint graph computes on the way, and what its nodes make of other inputs."""

    def __init__(self, folder: str):
        self.made = make("joint_control", folder)
        graph = self.made.run.outputs
        self.photo, self.crop = graph["2"][0][0], graph["3"]
        self.renderer, self.motion_model = graph["1"][0], graph["7"][0]
        self.source, self.appearance = graph["4"][0], graph["5"][0]
        self.prosody, self.sounds = graph["8"][0], graph["9"][0]
        self.spoken: Motion = graph["10"][0]
        self.driven: Motion = graph["12"][0]
        self.joined: Motion = graph["14"][0]

    @cached_property
    def spoken_again(self) -> Motion:
        """The same words with another seed."""
        inputs = {"steps": 12, "solver": "dpmpp_2m", "audio_guidance": 1.5, "appearance_guidance": 1.0}
        windows = {"mode": "window", "window": 80, "overlap": 20}
        values = (self.motion_model, self.prosody, self.sounds)
        return SampleMotion.execute(*values, seed=8, appearance=self.appearance, **inputs, **windows).args[0]

    @cached_property
    def in_room(self) -> tuple[torch.Tensor, FramedPortrait]:
        """The portrait in a larger photo: the photo and its crop."""
        photo = load_photo(ASSETS / PORTRAITS["picture in a room"])
        return photo, frame_portrait(photo)

    @cached_property
    def driving_frames(self) -> list[Picture]:
        return [to_uint8(frame) for frame in read_video(ASSETS / DRIVING["drawn head"])]

    @cached_property
    def tracked(self):
        """What Track Face makes of the example video."""
        return TrackFace.execute(VideoFromFile(str(ASSETS / DRIVING["drawn head"])), "auto", "largest", 0)

    @cached_property
    def conversation(self) -> dict:
        """The inputs of Film Two People: the example photo, and its two people with the example voices in turns."""
        photo = load_photo(ASSETS / PORTRAITS["two people"])[None]
        crops = [PickFace.execute(photo, side, "auto").args[1] for side in ("left", "right")]
        one, two, rate = two_tracks(*(load_audio(ASSETS / file) for file in VOICES.values()), ORDERS[1])
        tracks = [{"waveform": track[None], "sample_rate": rate} for track in (one, two)]
        values = (self.motion_model, self.renderer, photo, *crops, *tracks)
        first, second, _ = ConversationMotion.execute(*values, 7, SamplingSettings.audio_guidance, 1.0).args
        return {"photo": photo[0], "crops": crops, "motions": (first, second)}

    def parameters(self, motion: Motion, name: str) -> np.ndarray:
        """(T,) one motion parameter over time."""
        return motion_to_parameters(self.renderer.on_device(), motion.values)[:, INDEX[name]].numpy()

    def moments(self, motion: Motion, *quantiles: float) -> list[int]:
        """The frames at these quantiles of the jaw's opening."""
        order = self.parameters(motion, "jaw").argsort()
        return [int(order[round(q * (len(order) - 1))]) for q in quantiles]

    def frames(self, motion: Motion, numbers: list[int], side: int, face: torch.Tensor | None = None) -> list[Picture]:
        """These frames of a motion, on the portrait or on another square photo (H,W,3)."""
        network = self.renderer.on_device()
        source, appearance = self.source.value, self.appearance.value
        if face is not None:
            source = portrait.encode_source(network, face)
            appearance = portrait.extract_appearance(network, source)
        some = replace(motion, values=motion.values[numbers])
        drawn = rendering.render(network, source, appearance, some, RenderingSettings(size=max(side, 256)))
        return [cell(frame, side, side) for batch in drawn for frame in batch]
