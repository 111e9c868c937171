"""Voice to motion: the diffusion of stage 2."""

from ..host import io, load_device, progress_bar, say, use_bf16
from ..pipelines import speaking
from ..pipelines.forecast import of_sampling
from ..pipelines.settings import SamplingSettings
from .values.sockets import Appearance, GlobalAudio, LocalAudio, Motion, MotionModel, same_network, schema
from .values.widgets import advanced, setting


def seed_input() -> io.Int.Input:
    """The widget of the sampler's noise."""
    return setting(
        SamplingSettings,
        "seed",
        "Seed of the noise: another one gives another performance of the same words.",
        control_after_generate=True,
    )


def voice_strength_input() -> io.Float.Input:
    """The widget of the voice's guidance."""
    return setting(
        SamplingSettings,
        "audio_guidance",
        display_name="voice strength",
        tooltip="Guidance scale of the voice: 1 is the model as trained, above 1 articulates more strongly, 0 ignores "
        "the voice.",
    )


def _face_and_windows() -> list:
    return [
        setting(
            SamplingSettings,
            "appearance_guidance",
            display_name="face strength",
            tooltip="Guidance scale of the appearance: how much the motion depends on the face at the input "
            "appearance. 1 is the model as trained, 0 ignores the face; nothing changes where none is wired. The "
            "shipped weights move every face nearly alike.",
        ),
        setting(
            SamplingSettings,
            "mode",
            display_name="window mode",
            tooltip="How a long voice is cut. window: one after another, each conditioned on the last four frames. "
            "overlap: neighbours are cross-faded as well. stream: short windows, for live audio. strict: frame by "
            "frame, as in the paper, slow.",
        ),
        setting(SamplingSettings, "window", "Frames denoised at once; 80 are 3.2 seconds."),
        setting(
            SamplingSettings,
            "overlap",
            display_name="shared frames",
            tooltip="Frames that neighbouring windows share, in mode overlap; the other modes do not use it.",
        ),
    ]


class SampleMotion(io.ComfyNode):
    """Denoise motion in windows over the whole recording."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "SampleMotion",
            "Sample Motion (Lip Sync)",
            "Motion",
            ["talk", "talking head", "lip sync", "lipsync", "animate", "audio to motion", "diffusion", "ksampler"],
            description="Makes a face talk: samples the motion for a voice (lip sync, head, brows and lids) by "
            "diffusion, window by window, for audio of any length. The same seed gives the same motion on the same "
            "device. Cancel takes effect at the next solver step.",
            inputs=[
                MotionModel.Input("motion_model", tooltip="From Load Motion Model."),
                GlobalAudio.Input("global_audio", tooltip="From Mamba Global Audio."),
                LocalAudio.Input("local_audio", tooltip="From Mamba Local Audio, of the same recording."),
                Appearance.Input(
                    "appearance",
                    optional=True,
                    tooltip="From Extract Appearance: conditions the motion on the face. Without it the motion fits "
                    "any face. The shipped weights move every face nearly alike.",
                ),
                GlobalAudio.Input(
                    "style_audio",
                    optional=True,
                    tooltip="Mamba Global Audio of another recording: its speaking style is used, with the words of "
                    "this one.",
                ),
                seed_input(),
                setting(SamplingSettings, "steps", "Solver steps a window; 12 are enough for dpmpp_2m."),
                advanced(
                    setting(
                        SamplingSettings,
                        "solver",
                        "dpmpp_2m needs the fewest steps; ddim is plain; ddpm is the original and needs hundreds.",
                    )
                ),
                voice_strength_input(),
                *(advanced(widget) for widget in _face_and_windows()),
            ],
            outputs=[
                Motion.Output(
                    display_name="motion", tooltip="25 motion vectors a second: decode, edit, mix or save them."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, window: int | None = None, overlap: int | None = None) -> bool | str:
        if window is None or overlap is None:
            return True  # wired from another node: checked at run time
        try:
            SamplingSettings(mode="overlap", window=window, overlap=overlap)
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls,
        motion_model,
        global_audio,
        local_audio,
        seed,
        steps,
        solver,
        audio_guidance,
        appearance_guidance,
        mode,
        window,
        overlap,
        appearance=None,
        style_audio=None,
    ) -> io.NodeOutput:
        settings = SamplingSettings(
            seed=seed,
            steps=steps,
            solver=solver,
            audio_guidance=audio_guidance,
            appearance_guidance=appearance_guidance,
            mode=mode,
            window=window,
            overlap=overlap,
        )
        name = motion_model.name
        values = (
            motion_model.on_device(),
            same_network(global_audio, name, "global audio"),
            same_network(local_audio, name, "local audio"),
            None if appearance is None else appearance.value,
            settings,
        )
        style = None if style_audio is None else same_network(style_audio, name, "style audio")
        bf16 = use_bf16(load_device())
        with of_sampling(*values, bf16=bf16).told(say):
            motion = speaking.generate_motion(*values, style=style, bf16=bf16, progress=progress_bar())
        return io.NodeOutput(motion)
