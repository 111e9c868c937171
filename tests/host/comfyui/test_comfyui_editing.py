"""A real ComfyUI: expressions on a still and as movement, motion of any length, films with alpha and of batches."""

import torch

from mamba_portrait.media.photo import load_cutout, save_image


def cut_out():
    """A picture whose lower half is transparent."""
    picture = torch.rand(64, 64, 4, generator=torch.Generator().manual_seed(0))
    picture[..., 3] = (torch.arange(64) < 32).float()[:, None]
    return picture


def test_the_expression_template_shows_its_still_and_makes_a_film(comfyui, tiny):
    graph = tiny.workflow("expression_edited")
    graph["7"]["inputs"].update(end=0.6, keys="0: yaw=0\n0.3: yaw=9")
    entry = comfyui.run(graph)
    assert len(entry["outputs"]["6"]["images"]) == len(entry["outputs"]["7"]["images"]) == 1
    (path,) = [p for p in comfyui.saved(entry) if p.suffix == ".mp4"]
    assert path.stat().st_size > 1000


def test_moods_and_manners_are_taken(comfyui, tiny):
    graph = tiny.workflow("expression_edited")
    graph["7"]["inputs"].update(end=0.6, keys="")
    graph["10"] = {
        "class_type": "MambaPortraitSetMood",
        "inputs": {
            "motion": ["7", 0],
            "renderer": ["1", 0],
            "manner": "own settings",
            "mood": "sad",
            "strength": 0.8,
            "liveliness": 0.5,
        },
    }
    graph["8"]["inputs"].update(motion=["10", 0])
    assert len(comfyui.saved(comfyui.run(graph))) == 1


def test_idle_motion_is_trimmed_looped_and_fitted_to_a_sound(comfyui, tiny):
    graph = tiny.workflow("expression_edited")
    del graph["6"]
    graph["7"] = {
        "class_type": "MambaPortraitIdleMotion",
        "inputs": {"renderer": ["1", 0], "seconds": 1.0, "seed": 3, "amount": 1.0, "fps": 25.0},
    }
    graph["10"] = {
        "class_type": "MambaPortraitTrimMotion",
        "inputs": {"motion": ["7", 0], "start": 0.2, "end": 0.6, "times": 2, "join": 0.1},
    }
    graph["11"] = {"class_type": "LoadAudio", "inputs": {"audio": "voice.wav"}}
    graph["12"] = {
        "class_type": "MambaPortraitFitLength",
        "inputs": {"motion": ["10", 0], "audio": ["11", 0], "seconds": 0.0, "mode": "loop", "join": 0.1, "fps": 30.0},
    }
    graph["8"]["inputs"].update(motion=["12", 0], audio=["11", 0])
    (path,) = comfyui.saved(comfyui.run(graph))
    assert tiny.facts(path)[:2] == (19, 30)  # 9999 samples of 16 kHz


def test_transparency_of_a_picture_is_kept_in_a_film(comfyui, tiny):
    save_image(comfyui.base / "input" / "cut.png", cut_out())
    graph = tiny.workflow("expression_edited")
    del graph["6"], graph["8"], graph["9"]
    graph["7"]["inputs"].update(end=0.4, keys="")
    graph["2"] = {"class_type": "LoadImage", "inputs": {"image": "cut.png"}}
    graph["10"] = {"class_type": "JoinImageWithAlpha", "inputs": {"image": ["2", 0], "alpha": ["2", 1]}}
    graph["3"]["inputs"].update(image=["10", 0], finder="whole")
    graph["11"] = {
        "class_type": "MambaPortraitDecodeMotion",
        "inputs": {
            "renderer": ["1", 0],
            "source": ["4", 0],
            "appearance": ["5", 0],
            "motion": ["7", 0],
            "size": "256",
            "mode": "relative",
            "gain": 1.0,
            "articulation": 1.0,
            "batch": 4,
        },
    }
    for key, kind in (("12", "webm"), ("13", "png pictures")):
        graph[key] = {
            "class_type": "MambaPortraitSaveAlpha",
            "inputs": {
                "frames": ["11", 0],
                "mask": ["11", 4],
                "fps": ["11", 1],
                "format": kind,
                "filename_prefix": "clear/film",
                "quality": 18,
            },
        }
    comfyui.run(graph)
    files = sorted((comfyui.base / "output" / "clear").iterdir())
    (film,) = [path for path in files if path.suffix == ".webm"]
    assert film.stat().st_size > 500
    alpha = load_cutout(files[0] if files[0] != film else files[1])[1]
    assert alpha[:100].min() > 0.9 and alpha[156:].max() < 0.1


def test_a_batch_of_portraits_makes_a_film_of_each(comfyui, tiny):
    graph = tiny.workflow("expression_edited")
    del graph["6"]
    graph["7"]["inputs"].update(end=0.4, keys="")
    graph["10"] = {"class_type": "ImageBatch", "inputs": {"image1": ["2", 0], "image2": ["2", 0]}}
    graph["11"] = {"class_type": "MambaPortraitBatchToList", "inputs": {"images": ["10", 0], "how": "pairs"}}
    graph["3"]["inputs"].update(image=["11", 0])
    films = comfyui.saved(comfyui.run(graph))
    assert len(films) == len(set(films)) == 2 and all(path.suffix == ".mp4" for path in films)


def test_a_driving_video_without_a_face_is_told_by_the_node_that_follows(comfyui, tiny):
    graph = tiny.workflow("driven_by_video", ExampleDrivingVideo=("LoadVideo", {"file": "driver.mp4"}))
    graph["7"] = {
        "class_type": "MambaPortraitFollowDriving",
        "inputs": {
            "renderer": ["1", 0],
            "video": ["6", 0],
            "face": "largest",
            "face_number": 0,
            "scale": 1.86,
            "neutral": "found",
            "neutral_time": 0.0,
            "batch": 8,
            "start": 0.0,
            "length": 0.0,
        },
    }
    assert "No face was found in the whole driving video" in comfyui.refusal(graph)


def test_a_driving_video_is_followed(comfyui, tiny):
    graph = tiny.workflow("driven_by_video")
    graph["7"] = {
        "class_type": "MambaPortraitFollowDriving",
        "inputs": {
            "renderer": ["1", 0],
            "video": ["6", 0],
            "face": "largest",
            "face_number": 0,
            "scale": 1.86,
            "neutral": "at a time",
            "neutral_time": 0.2,
            "batch": 8,
            "start": 0.0,
            "length": 0.4,
        },
    }
    graph["8"]["inputs"].update(mode="expression")
    entry = comfyui.run(graph)
    (path,) = [p for p in comfyui.saved(entry) if p.suffix == ".mp4"]
    assert path.stat().st_size > 1000
    assert "The face is seen in" in entry["outputs"]["7"]["text"][0]


def test_key_frames_that_cannot_be_read_are_one_sentence(comfyui, tiny):
    graph = tiny.workflow("expression_edited")
    graph["7"]["inputs"].update(keys="1: grin=1")
    assert "There is no control 'grin'" in comfyui.refusal(graph)
