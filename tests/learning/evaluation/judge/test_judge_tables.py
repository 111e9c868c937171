"""Tables: what is shown of a verdict, and the papers' own figures."""

import csv
import io

import cv2
import pytest

from mamba_portrait.learning.evaluation.judge import papers
from mamba_portrait.learning.evaluation.judge.judging import Judged
from mamba_portrait.learning.evaluation.judge.measures import ALWAYS, MEASURES
from mamba_portrait.learning.evaluation.judge.pictures import STRIP, plot_figures, side_by_side
from mamba_portrait.learning.evaluation.judge.protocols import PROTOCOLS, VIDEO, VOICE, protocol_of
from mamba_portrait.learning.evaluation.judge.run import Method, Verdict, method_of
from mamba_portrait.learning.evaluation.judge.samples import read_samples
from mamba_portrait.learning.evaluation.judge.statistics import Statistics
from mamba_portrait.learning.evaluation.judge.tables import (
    as_csv,
    difference_table,
    figures_of,
    measured_table,
    paper_table,
    seconds_table,
)
from mamba_portrait.media.video import probe_video, read_video


@pytest.fixture
def statistics():
    """Three samples; the second method has two seeds, is better in PSNR, worse in TGD, and noise in SSIM."""
    methods = [Method("ours, video", "", {}), Method("new", "1", {}), Method("new", "2", {})]
    judged = {}
    for number, method in enumerate(methods):
        gain = (0, 1, 2)[number]
        rows = {}
        for i in range(3):
            similar = 0.91 if (i + number) % 2 else 0.89
            rows[f"clip{i}"] = {"psnr": 30 + i + gain, "ssim": similar, "tgd": 1 + gain}
        judged[method.label] = Judged(rows)
    truth = Judged({f"clip{i}": {"div": 7.0 + i} for i in range(3)})
    return Statistics(Verdict(methods, judged, truth, {"lse_d": "syncnet", "lse_c": "syncnet"}), draws=200)


def row_of(table, title):
    return [
        cell.strip() for line in table.splitlines() if line.startswith(f"| {title}") for cell in line.split("|")[1:-1]
    ]


def test_the_table_of_all_measures_has_intervals_seeds_and_what_is_missing(statistics):
    table = measured_table(statistics)
    assert row_of(table, "measure") == ["measure", "ours, video", "new", "the films themselves"]
    assert row_of(table, "PSNR")[1:3] == ["31.00 [30.00, 32.00]", "32.50 [31.50, 33.50] (32.00, 33.00)"]
    assert row_of(table, "LSE-D") == ["LSE-D ↓", "not computed", "not computed", ""]
    assert row_of(table, "DIV")[-1] == "8.00"
    assert "Not computed for want of: syncnet." in table and row_of(table, "TGD")[0].endswith("*")


def test_differences_say_what_is_better_worse_and_noise(statistics):
    table = difference_table(statistics, "ours, video")
    assert row_of(table, "measure")[1] == "new less ours, video"
    assert row_of(table, "PSNR")[1] == "+1.50 [+1.50, +1.50] better"
    assert row_of(table, "TGD")[1] == "+1.500 [+1.500, +1.500] worse"
    assert row_of(table, "SSIM")[1].endswith("noise")
    assert not row_of(table, "LSE-D")


def test_figures_go_on_as_csv(statistics):
    figures = figures_of(statistics, "ours, video")
    lines = list(csv.DictReader(io.StringIO(as_csv(figures))))
    [psnr] = [line for line in lines if (line["method"], line["measure"]) == ("new", "psnr")]
    assert (float(psnr["value"]), int(psnr["samples"]), psnr["noise"]) == (32.5, 3, "")
    [ssim] = [line for line in lines if (line["method"], line["measure"]) == ("new less ours, video", "ssim")]
    assert ssim["noise"] == "noise"
    assert (
        figures["figures"]["new"]["psnr"]["seeds"] == {"1": 32, "2": 33} and figures["figures"]["new"]["lse_d"] is None
    )


def test_a_protocols_table_has_its_columns_and_the_papers_figures_below(statistics):
    table = paper_table(statistics, protocol_of("implicit-motion-talking-head"), (VIDEO, VOICE))
    lines = table.splitlines()
    assert lines[0].startswith("|  | Headpose ↓ | PSNR ↑ | SSIM ↑ | FID ↓ | FVD ↓ | LSE-D ↓ | LSE-C ↑ |")
    assert row_of(table, "ours, video")[:4] == ["ours, video", "not computed", "31.00", "0.897"]
    assert "| the paper's | 1.465 | 34.661 | 0.953 | 30.501 | 92.179 | 9.025 | 2.672 |" in lines
    assert "no rivals of the rows above" in table
    assert len([line for line in lines if line.startswith("| FOMM")]) == 2


def test_gesture_takes_pictures_from_video_and_the_rest_from_voice():
    methods = [Method("ours, video", "", {}), Method("ours, voice", "", {})]
    rows = {"ours, video": {"psnr": 28.0, "tgd": 1.0}, "ours, voice": {"psnr": 20.0, "tgd": 5.0}}
    judged = {label: Judged({"clip": row}) for label, row in rows.items()}
    table = paper_table(
        Statistics(Verdict(methods, judged, Judged())), protocol_of("implicit-motion-gesture"), (VIDEO, VOICE)
    )
    assert row_of(table, "ours")[2] == "28.00" and row_of(table, "ours")[8] == "5.000"
    assert "| TANGO | - | - | - | - | 42.863 | 168.313 | 5.217 | 1.883 | 10.365 | 1.736 |" in table


def test_every_table_of_a_paper_fits_its_protocol():
    for protocol in PROTOCOLS.values():
        assert all(name in MEASURES for _, name, _ in protocol.columns)
        for table in protocol.tables:
            assert table.columns == tuple(title for title, _, _ in protocol.columns)
    for table in vars(papers).values():
        if isinstance(table, papers.PaperTable):
            assert all(len(values) == len(table.columns) for values in table.rows.values())
    for column in zip(*papers.STUDY.rows.values(), strict=True):
        assert sum(column) == pytest.approx(100, abs=0.02)
    with pytest.raises(ValueError, match="no protocol 'mead'; use one of implicit-motion-talking-head"):
        protocol_of("mead")


def test_seconds_stand_above_the_papers():
    table = seconds_table({"a CPU": {"img2img (s)": 2.5, "audio2video (s)": 3.25}}, papers.SECONDS)
    assert row_of(table, "ours, a CPU") == ["ours, a CPU", "2.500", "3.250"]
    assert row_of(table, "Hallo2") == ["Hallo2", "-", "22.088"]


def test_plots_show_a_panel_for_each_computed_measure(statistics, tmp_path):
    pytest.importorskip("matplotlib")
    picture = cv2.imread(str(plot_figures(statistics, tmp_path / "plots.png")))
    assert picture.shape[1] > 1000 and picture.std() > 10
    blue = (abs(picture.astype(int) - [170, 119, 68]).max(-1) < 40).any()  # of the first method
    assert blue


def test_films_stand_side_by_side_with_names_and_sound(judged_set, tmp_path):
    samples = read_samples(judged_set / "list.csv")
    methods = [method_of(f"{name}={judged_set / name}", samples) for name in ("near", "far")]
    path = side_by_side(samples[0], methods, tmp_path / "films" / "a_1.mp4", 64)
    info = probe_video(path)
    assert (info.width, info.height, info.has_audio) == (3 * 64, 64 + STRIP, True)
    frame = next(iter(read_video(path)))
    truth, near, far = (frame[STRIP:, 64 * i : 64 * i + 64] for i in range(3))
    assert (near - truth).abs().mean() < 0.8 * (far - truth).abs().mean()
    assert (near - truth).abs().mean() < 0.05
    assert probe_video(side_by_side(samples[2], methods, tmp_path / "b.mp4", 64)).width == 2 * 64


def test_always_names_what_needs_no_file_of_the_user():
    assert {"psnr", "ssim", "lips", "closures", "frechet_frames", "flow_change", "div", "tgd"} <= set(ALWAYS)
    assert not {"fid", "lse_d", "identity", "lpips_alex"} & set(ALWAYS)
