"""A real ComfyUI: expressions edited on a still and as movement."""


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


def test_key_frames_that_cannot_be_read_are_one_sentence(comfyui, tiny):
    graph = tiny.workflow("expression_edited")
    graph["7"]["inputs"].update(keys="1: grin=1")
    assert "There is no control 'grin'" in comfyui.refusal(graph)
