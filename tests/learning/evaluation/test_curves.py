"""A run's curves."""

import json

import cv2
import numpy as np
import pytest

from mamba_portrait.learning.evaluation.curves import HEIGHT, WIDTH, main, plot_run, read_log


def write_log(folder):
    rows = [{"step": i, "time": 0.0, "samples": 8 * i, "part": "coarse", "loss": 1 / i} for i in range(1, 5)]
    rows += [{"step": 4, "time": 0.0, "samples": 32, "part": "coarse", "held_out/psnr": 20.5, "flow": None}]
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_log_becomes_series_of_samples_and_values(tmp_path):
    write_log(tmp_path)
    series = read_log(tmp_path)["coarse"]
    assert np.allclose(series["loss"], [[8, 1], [16, 1 / 2], [24, 1 / 3], [32, 1 / 4]])
    assert series["held_out/psnr"].tolist() == [[32, 20.5]] and "flow" not in series


def test_every_quantity_has_its_plot(tmp_path):
    write_log(tmp_path)
    image = cv2.imread(str(plot_run(tmp_path, tmp_path / "curves.png")))
    assert image.shape == (HEIGHT, 2 * WIDTH, 3) and (image[:, :WIDTH] < 128).any() and (image[:, WIDTH:] < 128).any()
    with pytest.raises(FileNotFoundError, match="training run"):
        plot_run(tmp_path / "nothing", tmp_path / "curves.png")


def test_the_command_draws_the_named_quantities_and_tells_what_there_is(tmp_path):
    write_log(tmp_path)
    main([str(tmp_path), str(tmp_path / "all.png")])
    main([str(tmp_path), str(tmp_path / "one.png"), "held_out/psnr"])
    every, one = (cv2.imread(str(tmp_path / name)) for name in ("all.png", "one.png"))
    assert every.shape[1] == 2 * WIDTH and one.shape[1] == WIDTH
    with pytest.raises(ValueError, match="no flow; it has loss, held_out/psnr"):
        main([str(tmp_path), str(tmp_path / "none.png"), "flow"])
