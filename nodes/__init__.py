"""The nodes of the pack, one file a stage, and the extension that lists them."""

from pathlib import Path

from ..host import ComfyExtension, add_model_folder
from . import (
    alpha,
    appearance,
    assemble,
    audio_features,
    batch,
    captures,
    control,
    conversation,
    crop,
    decode,
    driving,
    driving_followed,
    dub,
    edit_motion,
    examples,
    expression,
    flow,
    joint_motion,
    loaders,
    mood,
    motion_files,
    motion_length,
    paste,
    personalise,
    phones,
    pick_face,
    sample,
    source,
    stages,
    track,
    two_people,
)
from .actalker import (
    decode as actalker_decode,
)
from .actalker import (
    encode as actalker_encode,
)
from .actalker import (
    load as actalker_load,
)
from .actalker import (
    masks as actalker_masks,
)
from .actalker import (
    sample as actalker_sample,
)
from .values.checked import checked

NODES = [
    loaders.LoadRenderer,
    loaders.LoadMotionModel,
    personalise.Personalise,
    crop.PortraitCrop,
    pick_face.PickFace,
    source.EncodeSource,
    appearance.ExtractAppearance,
    audio_features.GlobalAudio,
    audio_features.LocalAudio,
    sample.SampleMotion,
    driving.EncodeDrivingVideo,
    driving_followed.FollowDriving,
    decode.DecodeMotion,
    stages.MotionField,
    stages.Warp,
    stages.Paint,
    flow.EditFlow,
    flow.CarryAlong,
    paste.PasteBack,
    assemble.AssembleVideo,
    assemble.FramesToVideo,
    alpha.SaveAlpha,
    batch.BatchToList,
    motion_files.SaveMotion,
    motion_files.LoadMotion,
    edit_motion.EditMotion,
    edit_motion.MixMotion,
    edit_motion.PlotMotion,
    conversation.TwoVoices,
    conversation.Listen,
    two_people.ConversationMotion,
    two_people.FilmTwoPeople,
    track.TrackFace,
    dub.DubVideo,
    expression.EditExpression,
    mood.SetMood,
    motion_length.IdleMotion,
    motion_length.TrimMotion,
    motion_length.FitLength,
    control.JointControl,
    joint_motion.JointMotion,
    phones.PhonesToMotion,
    captures.LoadCapture,
    captures.SaveCapture,
    captures.PosePictures,
    actalker_load.LoadACTalker,
    actalker_masks.ACTalkerMasks,
    actalker_encode.ACTalkerEncodeIdentity,
    actalker_encode.ACTalkerEncodeVoice,
    actalker_encode.ACTalkerEncodeDriving,
    actalker_sample.ACTalkerSample,
    actalker_decode.ACTalkerDecode,
    examples.ExamplePortrait,
    examples.ExampleVoice,
    examples.ExampleDrivingVideo,
]
for _node in NODES:
    checked(_node)


class MambaPortraitExtension(ComfyExtension):
    """The pack's extension, for ComfyUI and the headless runner."""

    async def on_load(self) -> None:
        register_folders()

    async def get_node_list(self) -> list[type]:
        register_folders()
        return list(NODES)


def register_folders() -> None:
    """Register the model folders: the host's `models/mamba_portrait` and the pack's `weights`."""
    add_model_folder()
    add_model_folder(Path(__file__).parent.parent / "weights")
