"""What the help pages have beyond the schema, by node id: notes (Markdown) and the captions of pictures."""

PICTURES = {
    "MambaPortraitLoadRenderer": "A portrait, and frames that the renderer makes of it.",
    "MambaPortraitLoadMotionModel": "A voice, and curves of the motion that the model generates for it.",
    "MambaPortraitPersonalise": "What a person is learnt from: a film of the face, and its voice.",
    "MambaPortraitCrop": "The photo with the face box (white) and the crop (green); the crop; the face mask.",
    "MambaPortraitEncodeSource": "The portrait, and the implicit depth planes that its pixels belong to.",
    "MambaPortraitExtractAppearance": "Two portraits and their appearance vectors.",
    "MambaPortraitGlobalAudio": "The recording, and its prosody features frame by frame.",
    "MambaPortraitLocalAudio": "The recording, and the features of the sound around each frame.",
    "MambaPortraitSampleMotion": "One voice, two seeds: the mouth follows the words in both, the head moves "
    "differently.",
    "MambaPortraitEncodeDriving": "Frames of a driving video, and the motion encoded from them.",
    "MambaPortraitFollowDriving": "The opening of a mouth that begins open: told from the first frame (blue), and from "
    "the neutral face that was found (orange).",
    "MambaPortraitDecodeMotion": "Frames of one motion on one portrait.",
    "MambaPortraitMotionField": "Frames, and the displacement of their pixels: the colour is its direction, light "
    "where it is far.",
    "MambaPortraitWarp": "The portrait, and its own pixels moved by the flow of three frames.",
    "MambaPortraitPaint": "The warped portrait, where it is painted over, and the finished frame.",
    "MambaPortraitEditFlow": "One frame: the flow at strength 0, 1 and 2, and at 2 in the left half only.",
    "MambaPortraitCarryAlong": "A frame; where it is painted; the frame with detail that was carried along.",
    "MambaPortraitPasteBack": "Frames of the crop, and the whole photo with one of them pasted back.",
    "MambaPortraitAssembleVideo": "Portrait and motion in, frames of the finished video out; the sound runs below.",
    "MambaPortraitFramesToVideo": "Images and a sound become one video.",
    "MambaPortraitSaveAlpha": "A portrait that was cut out, moving before two backgrounds.",
    "MambaPortraitBatchToList": "Two portraits and one voice: two films.",
    "MambaPortraitSaveMotion": "Motion is saved, not pictures: 768 numbers, 25 times a second.",
    "MambaPortraitLoadMotion": "One saved motion on two faces.",
    "MambaPortraitEditMotion": "The same frame: unchanged; mouth 1.8; yaw 12 degrees; roll 8 degrees.",
    "MambaPortraitEditExpression": "One portrait: unchanged; smile 0.7; jaw 0.5; yaw 15 degrees.",
    "MambaPortraitSetMood": "The same frame: neutral, happy, sad, surprised.",
    "MambaPortraitIdleMotion": "Idle motion over ten seconds: the head's turn (blue) and the lids (orange).",
    "MambaPortraitTrimMotion": "The opening of the mouth: a motion, and a part of it played three times.",
    "MambaPortraitFitLength": "The opening of the mouth, made longer: hold, loop, bounce, retime.",
    "MambaPortraitMixMotion": "Opening of the mouth over time: first motion, second motion, blend, one after the "
    "other.",
    "MambaPortraitPlotMotion": "The picture that this node makes.",
    "MambaPortraitPickFace": "All faces of the photo with their numbers; the picked one and its crop are green.",
    "MambaPortraitTwoVoices": "Two voices, one after the other: each track is silent while the other one speaks.",
    "MambaPortraitListen": "Ten seconds of a listener: lids, nods and sway of the head; the jaw rests.",
    "MambaPortraitConversationMotion": "Two voices, one after the other, and the opening of the first (orange) and of "
    "the second mouth (blue).",
    "MambaPortraitFilmTwoPeople": "Frames of one film: the first one speaks, then the second; the sound runs below.",
    "MambaPortraitTrackFace": "A frame of the film: the crop (green), marks of the face, the mouth's region darkened.",
    "MambaPortraitDubVideo": "Above frames of the film, below the same frames with the mouth of another voice.",
    "MambaPortraitJointControl": "With both gates at 1 the voice controls the mouth (green), the driving video all the "
    "rest (violet).",
    "MambaPortraitJointMotion": "Above frames of the driving video, below the joint motion: head and eyes of the "
    "video, the mouth of the voice.",
    "MambaPortraitPhonesToMotion": "The phones m, a, f and u on one portrait.",
    "MambaPortraitLoadCapture": "Shapes of a capture over time (jaw, smile, blink), and frames of a portrait that it "
    "drives.",
    "MambaPortraitSaveCapture": "A voice, and the jaw and smile that its table holds.",
    "MambaPortraitPosePictures": "Above frames of a portrait, below the face points at the same moments.",
    "MambaPortraitExamplePortrait": "The pictures: Grace Hopper, Eileen Collins, picture in a room, two people.",
    "MambaPortraitExampleVoice": "The two recordings: greeting and man.",
    "MambaPortraitExampleDrivingVideo": "Frames of the clip drawn head.",
}

NOTES = {
    "MambaPortraitPickFace": """
For two people use two of these nodes, each with its own choice, and give their crops to Sample Conversation and to
Film Two People.
""",
    "MambaPortraitTwoVoices": """
Give both tracks to Sample Conversation, or each to its own audio nodes, Sample Motion and Listen; give `both` to the
video.
""",
    "MambaPortraitConversationMotion": """
Who is named first gets the first voice, whichever side that face is on. Each motion can be edited before the film, for
example by Set Mood or Edit Motion.
""",
    "MambaPortraitFilmTwoPeople": """
H.264 and AAC in MP4. Cancel takes effect within a batch; the same graph, queued again, goes on from the frames that are
finished. The command `talk` makes the same film.
""",
    "MambaPortraitDubVideo": """
Nothing outside of the mouth's region changes, before encoding. The film's length and rate are kept: a longer voice is
cut, after a shorter one the lips stay closed. Use Sample Motion without an appearance.
""",
    "MambaPortraitLoadRenderer": """
Put checkpoints of your own into `models/mamba_portrait`. Only files with a renderer, by their metadata, are offered
here. Source, appearance and motion belong to the renderer that made them: use one Load Renderer for the whole graph.
""",
    "MambaPortraitLoadMotionModel": """
Put checkpoints of your own into `models/mamba_portrait`. A motion model generates motion in the motion space of the
renderer it was trained with. The file's metadata name that space (`motion_language`), and other renderers refuse its
motion. Files without the entry are not checked.
""",
    "MambaPortraitPersonalise": """
- One person, the whole face in the picture, a voice without music: a minute is good, 8 seconds are needed. Of a longer
film the first three minutes are read.
- Wire its renderer and motion model as those of the loaders; or choose the file as `person` in both loaders later.
Files of others go into `models/mamba_portrait/persons`.
- The file belongs to the two networks that it was made with. Others refuse it: run this node again.
- For two cores four minutes are enough. A portrait at rest stays the photo as it is.
- Learn people only with their consent.
""",
    "MambaPortraitCrop": """
The crop keeps the photo's own pixels, up to 1024 a side. Where the square reaches beyond the photo, the photo is
mirrored.

- *No face was found*: choose `box` and give the box, or `whole` if the picture is a portrait already.
- The wrong face: choose `left`, `right`, `center`, or `number`.
- `face_mask` is an ellipse on the face, of the photo's size, for example for inpainting.
""",
    "MambaPortraitEncodeSource": """
Done once per portrait and cached by ComfyUI: changing voice, seed or motion does not repeat it.
""",
    "MambaPortraitGlobalAudio": """
To use the speaking style of another recording, connect its global audio to `style_audio` of Sample Motion.
""",
    "MambaPortraitLocalAudio": """
The sound is resampled to 16 kHz mono. The last frame is padded with silence: there are `floor(seconds * 25 + 0.5)`
frames.
""",
    "MambaPortraitSampleMotion": """
- More movement of the lips: raise voice strength (`audio_guidance`) to 3, or use Edit Motion.
- Another performance: change the seed.
- Audio may be long: motion takes 3 kB of memory a frame.
""",
    "MambaPortraitEncodeDriving": """
The motion is relative to the first frame, so the driving video should begin with a calm, frontal face. If the face
moves far across the picture, crop the video to it first.
""",
    "MambaPortraitFollowDriving": """
- For videos as people film them; for one that is cut to a face already, Encode Driving Video is faster.
- With `pose and lips` = expression the portrait takes the driver's expression as it is, whatever the neutral face.
""",
    "MambaPortraitDecodeMotion": """
161 frames at 512 x 512 take about 500 MB as images. Assemble Video does not hold them.
""",
    "MambaPortraitMotionField": """
Connect its field to Paint and its flow to Warp Portrait: with unchanged values the three give the picture of Decode
Motion to the bit. About 1 MB of memory a frame.
""",
    "MambaPortraitEditFlow": """
- A still background: a mask of it, and strength 0.
- Less movement of the head without another motion: strength 0.7. What Paint adds stays as it was.
""",
    "MambaPortraitCarryAlong": """
- One restored portrait (any upscaler or face restorer, run once): connect it to `detailed`.
- Restored frames (a restorer run on every frame): `steadiness` 2 or more against flicker.
- The mask may be any other: grow or blur it with the host's mask nodes.
""",
    "MambaPortraitPasteBack": """
Pixels outside the crop are not changed.
""",
    "MambaPortraitAssembleVideo": """
H.264 and AAC in MP4. Odd sides are padded to even ones, as the codec requires. The file's metadata says that it was
generated. Cancel takes effect within a batch and leaves no partial file.
""",
    "MambaPortraitSaveAlpha": """
Put Join Image with Alpha, of ComfyUI itself, between Load Image and Portrait Crop: what is transparent then moves with
the head. Wire frames and mask of Decode Motion to this node.
""",
    "MambaPortraitBatchToList": """
Wire both outputs instead of the loaders: the image to Portrait Crop, the sound to the audio nodes and to Assemble
Video. Nothing else changes in the graph.
""",
    "MambaPortraitSaveMotion": """
The file holds 768 numbers a frame, the reference, the frame rate and the id of the motion space (`motion_language`), as
safetensors. Renderers of another motion space refuse it.
""",
    "MambaPortraitLoadMotion": """
Workflows may come from anyone, so only files in ComfyUI's `input`, `output` and `temp` folders and their subfolders are
read, after links are resolved. Copy other files into `input` and give their names.
`talk_00001_.safetensors [output]` names a file in another of the three. Without ComfyUI the folders are `--input-dir`
and `--output-dir` of `python -m mamba_portrait run`.

The page uploads pictures, sound and film only: copy a motion file from elsewhere into ComfyUI's `input` folder
yourself, press R, and choose it in the list.
""",
    "MambaPortraitEditMotion": """
- Calmer head: `pose` 0.3. No blinks: `blink` 0. Stronger mouth: `mouth` 1.3.
- Only the part of the motion that the renderer's read-out describes is scaled; the rest is not changed.
""",
    "MambaPortraitEditExpression": """
- Values are added to the portrait's own expression, or to the motion's. Press Run after a change: the picture below the
node takes a part of a second.
- Another motion, another Edit Expression: nodes can be chained, each with its own start and end.
- Lids shut best together: drawn people, of whom the renderer learnt, seldom wink.
""",
    "MambaPortraitSetMood": """
- A mood comes within half a second; the first frame is the photo as it is.
- With a driving video the moods are added to the driver's own.
""",
    "MambaPortraitIdleMotion": """
For a listener, or before and after speech: Mix Motion plays one after the other. The same seed gives the same motion at
every frame rate.
""",
    "MambaPortraitFitLength": """
- A voice gives 25 frames a second; for films of 24, 30 or 60 set `fps`. The lips keep their time.
- Motion of a video and another sound: wire the sound, choose a mode.
""",
    "MambaPortraitMixMotion": """
Each motion is relative to its own reference, so a driving video and a voice can be mixed.
""",
    "MambaPortraitJointControl": """
Connect it to ACTalker Sample or to Joint Motion. A gate at 0 switches its source off.
""",
    "MambaPortraitJointMotion": """
- It dubs a driving video: head, brows and eyes of the video, the mouth of the voice.
- Both gates at 1: mouth from the voice, the rest from the video. With `audio` at 0.7 the video keeps 0.3 of the mouth.
- The mouth (lips, jaw, tongue and smile) is separated by the renderer's linear read-out. Motion that the read-out does
not describe counts as the rest.
- In the mode `parallel control` a network joins both: the voice's words, the video's expression, and its brows, eyes
and head. It learnt this from drawn faces. Begin the driving video with a face at rest: its changes are what is joined.
- A mask of Control Gates counts, in that mode, by those of 8 x 8 cells of the portrait that it covers by a quarter.
""",
    "MambaPortraitPhonesToMotion": """
- A TextGrid of Montreal Forced Aligner or of Praat (a tier `phones`), in ARPABET or IPA, is the most exact.
- Subtitles (SRT, VTT) and words with times (JSON of Whisper, of ElevenLabs, of MFA, or a list of objects with `word`,
`start` and `end`) are spoken by espeak-ng, which must be installed; with `audio` only where the sound is not silent.
- A list of objects with `phone`, `start` and `end` in seconds needs no espeak-ng.
- `voice` keeps the head of Sample Motion, and its lips have a say: both together follow a speaker best.
""",
    "MambaPortraitLoadCapture": """
- Live Link Face: take the calibrated CSV (`_cal.csv`), and its sound by Load Audio. Frames that the phone dropped are
filled in by their time codes.
- Landmarks: an array (frames, 478, 3) of MediaPipe's face mesh as `.npy` or `.npz`.
- Left and right are the person's in these files; the head's place is not in them.
""",
    "MambaPortraitSaveCapture": """
- What a parameter and a shape say alike goes there and back without loss. The tongue and the shoulders have no shape.
- A table of a voice: Sample Motion, then this node.
""",
    "MambaPortraitPosePictures": """
The points of a mean face are laid onto the portrait by its eyes, nose and mouth. As many pictures as frames, at the
motion's rate.
""",
    "MambaPortraitLoadACTalker": """
Put the published files into `models/actalker` (any subfolders); nothing is downloaded. Needs
`pip install diffusers transformers`. Which files, from where, under which licence:

- always: `unet-136000.pth`, `pose_guider-136000.pth`, `id_proj_model-136000.pth`; for a voice also
  `audio_linear-136000.pth`, for a driving video `vasa_linear-136000.pth`. They were in the authors' OneDrive folder,
  which they report as gone (May 2026); no other place is known. No licence is stated.
- always: `vae/` of `stable-video-diffusion-img2vid-xt-1-1` in diffusers form, from Hugging Face, after accepting its
  terms; `scheduler/` and `unet/config.json` are read if they are beside it. Or the single file
  `svd_xt_1_1.safetensors`, of which the VAE alone is read. Stability AI Community License.
- always: `backbone.pth` (ArcFace r50); came with the authors' files. No licence stated; such models are mostly for
  non-commercial research.
- for a voice: `whisper-tiny/model.safetensors`, Hugging Face `openai/whisper-tiny`. Apache-2.0.
- for a driving video: `expression.pth` and `headpose.pth`, Hugging Face `tencent/HunyuanPortrait`, for academic,
  research and education only; or the authors' own `MX31c_32k.ckpt`.

So the full model can be loaded only by those who kept the files. Each is read without running code and checked by names
and shapes; a message says which file is wrong. Files for voice or video may be absent if you do not use them.
`python -m mamba_portrait convert-actalker FOLDER -o models/mamba_portrait/actalker.safetensors` makes one file of them.
""",
    "MambaPortraitACTalkerMasks": """
- A single source needs no Control Gates: it controls the face mask.
- The face box of this pack reaches from the brows to the chin; give a box of your own to match another detector.
""",
    "MambaPortraitACTalkerEncodeIdentity": """
Done once per photo and cached. The whole photo is regenerated: crop it first if the face is small.
""",
    "MambaPortraitACTalkerEncodeDriving": """
The published crop of the face uses landmarks that are not public. Here it is made from five landmarks where the finder
gives them (`own`, `yunet`), as in HunyuanPortrait, else from the face box.
""",
    "MambaPortraitACTalkerSample": """
At 576 x 576 a UNet call in fp16 takes 3.6 GB for the weights and about 12 GB for its work with `rows_at_once` 4, 5 GB
with 1 (counted, not measured). A gate at 0 leaves out its guidance row: three rows instead of four.

A connected mask is used whatever the gates are. With a single source leave the masks of Control Gates unconnected: it
then controls the face, as published.
""",
    "MambaPortraitACTalkerDecode": """
The latents are unscaled SVD latents, so other nodes for SVD latents can be used as well.
""",
}
