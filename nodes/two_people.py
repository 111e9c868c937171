"""Two people of a photo who talk: the motion of both, and both in one film."""

from torch import Tensor

from ..host import io, load_device, progress_bar, say, use_bf16
from ..media.crop import Crop, cut
from ..media.motion import Motion as MotionValue
from ..media.turns import two_tracks
from ..pipelines import portrait, rendering, speaking
from ..pipelines.conversation import film_of_people, side_of_other
from ..pipelines.forecast import of_rendering, of_sampling
from ..pipelines.listening import ListeningSettings, listen
from ..pipelines.resuming import film_key, rendered_length
from ..pipelines.settings import RenderingSettings, SamplingSettings
from .assemble import encoding_inputs, resumed_film, sound_inputs
from .decode import batch_input, gain_input
from .sample import seed_input, voice_strength_input
from .values.cancelling import cancellable, one_by_one
from .values.pictures import one_photo
from .values.previewing import previewed
from .values.sockets import Crop as CropSocket
from .values.sockets import Motion, MotionModel, Renderer, schema
from .values.sound import sound_of
from .values.widgets import setting


def _photo_inputs() -> list:
    return [
        Renderer.Input("renderer", tooltip="From Load Renderer."),
        io.Image.Input("photo", tooltip="The whole photo, with both people."),
        CropSocket.Input("crop_1", tooltip="The first person: from Pick Face of that photo."),
        CropSocket.Input("crop_2", tooltip="The second person: from another Pick Face of that photo."),
    ]


def two_faces(renderer, photo: Tensor, crops: tuple[Crop, Crop]) -> list:
    """(source, appearance) of both people of a photo (H,W,3). ValueError where both are one face."""
    if crops[0] == crops[1]:
        raise ValueError("crop_1 and crop_2 are one and the same face: choose another one in one of the Pick Face.")
    module, bf16, faces = renderer.on_device(), use_bf16(load_device()), []
    for crop in crops:
        source = portrait.encode_source(module, cut(photo, crop), bf16=bf16)
        faces.append((source, portrait.extract_appearance(module, source, bf16=bf16)))
    return faces


class ConversationMotion(io.ComfyNode):
    """Motion of two people: each speaks with its own voice, and listens while that is silent."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        motion = "speaks with its voice, and listens to the other one while that is silent."
        return schema(
            "ConversationMotion",
            "Sample Conversation",
            "Motion",
            ["conversation", "dialogue", "two speakers", "two people", "multi speaker", "lip sync", "listen", "talk"],
            description="Samples the motion of two people of a photo, each for its own voice. While a voice is silent "
            "its face listens: lips at rest, breath, blinks, a look at the other one and a nod now and then. The same "
            "as audio features, Sample Motion and Listen of each, one after the other.",
            inputs=[
                MotionModel.Input("motion_model", tooltip="From Load Motion Model."),
                *_photo_inputs(),
                io.Audio.Input("voice_1", tooltip="The first person's track: from Two Voices."),
                io.Audio.Input("voice_2", tooltip="The second person's track: from Two Voices."),
                seed_input(),
                voice_strength_input(),
                setting(
                    ListeningSettings,
                    "amount",
                    "Factor on sway, nods and turns: 0 leaves breath and blinks.",
                ),
            ],
            outputs=[
                Motion.Output(display_name="motion_1", tooltip=f"The first person {motion}"),
                Motion.Output(display_name="motion_2", tooltip=f"The second person {motion}"),
                io.Audio.Output(display_name="both", tooltip="Both together, for the film."),
            ],
        )

    @classmethod
    def execute(
        cls, motion_model, renderer, photo, crop_1, crop_2, voice_1, voice_2, seed, audio_guidance, amount
    ) -> io.NodeOutput:
        sampling, crops = SamplingSettings(seed=seed, audio_guidance=audio_guidance), (crop_1, crop_2)
        *tracks, rate = two_tracks(sound_of(voice_1), sound_of(voice_2))
        faces = two_faces(renderer, one_photo(photo, "Sample Conversation", "photo"), crops)
        motions = []
        for number, (track, (_, appearance)) in enumerate(zip(tracks, faces, strict=True)):
            voice = speaking.prepare_voice(track, rate)
            motion = _spoken(motion_model.on_device(), voice, appearance, sampling)
            side = side_of_other(crops[number], crops[1 - number])
            listening = ListeningSettings(amount=amount, seed=number)
            motions.append(listen(motion, renderer.on_device(), track, rate, side, listening))
        return io.NodeOutput(*motions, {"waveform": sum(tracks)[None], "sample_rate": rate})


def _spoken(model, voice: speaking.Voice, appearance: Tensor, settings: SamplingSettings) -> MotionValue:
    """The motion of one voice; what the work is and about how long it takes is said before."""
    bf16 = use_bf16(load_device())
    heard = speaking.extract_global_audio(model, voice, bf16=bf16)
    values = (model, heard, speaking.extract_local_audio(model, voice, bf16=bf16), appearance, settings)
    with of_sampling(*values, bf16=bf16).told(say):
        return speaking.generate_motion(*values, bf16=bf16, progress=progress_bar())


def _check_motions(one: MotionValue, two: MotionValue) -> None:
    if (one.frames, one.fps) != (two.frames, two.fps):
        raise ValueError(
            f"motion_1 has {one.frames} frames at {float(one.fps):g} a second and motion_2 {two.frames} at "
            f"{float(two.fps):g}, but both are in one film: put Fit Motion Length before this node."
        )


class FilmTwoPeople(io.ComfyNode):
    """Render two people of a photo straight into a video file, without holding the frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "FilmTwoPeople",
            "Film Two People (Conversation)",
            "Render",
            ["conversation", "dialogue", "two people", "two speakers", "talk", "talking head", "render video", "film"],
            description="Renders two people of a photo, pastes both back into it and writes the frames straight into a "
            "video with the sound, without holding them all in memory. Where both crops overlap, each face keeps its "
            "half.",
            inputs=[
                *_photo_inputs(),
                Motion.Input("motion_1", tooltip="The first person's motion: from Sample Conversation, or any other."),
                Motion.Input("motion_2", tooltip="The second person's motion, as long as the first one's."),
                io.Audio.Input("audio", optional=True, tooltip="The sound of the film: both of Sample Conversation."),
                gain_input(),
                batch_input(),
                *encoding_inputs(),
            ],
            outputs=[io.Video.Output(display_name="video", tooltip="The video; Save Video writes it to disk.")],
        )

    @classmethod
    def execute(
        cls,
        renderer,
        photo,
        crop_1,
        crop_2,
        motion_1,
        motion_2,
        gain,
        batch,
        quality,
        visible_mark,
        audio=None,
    ) -> io.NodeOutput:
        _check_motions(motion_1, motion_2)
        settings, crops = RenderingSettings(gain=gain, batch=batch, quality=quality), (crop_1, crop_2)
        whole, how = one_photo(photo, "Film Two People", "photo"), sound_inputs(audio)
        faces = two_faces(renderer, whole, crops)
        people = [(*face, motion, settings) for face, motion in zip(faces, (motion_1, motion_2), strict=True)]
        bf16 = use_bf16(load_device())

        def frames_from(first: int):
            sizes = [rendering.frame_size(renderer.module, source) for source, _ in faces]
            memory = sum(rendering.working_memory(batch, *size) for size in sizes)
            with cancellable(renderer.on_device(memory)) as module:
                both = [(module, *person) for person in people]
                forecast = of_rendering(*both[0], bf16=bf16, people=2, first=first)
                pictures = film_of_people(whole, crops, both, first=first, bf16=bf16)
                yield from previewed(one_by_one(pictures), forecast)

        key = film_key(renderer.module, people, whole, crops, visible_mark, bf16)
        length = rendered_length(renderer.module, settings)
        how |= {"mark": visible_mark, "quality": settings.quality}
        return resumed_film("Film Two People", key, length, frames_from, motion_1.fps, **how)
