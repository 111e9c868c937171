"""A person's file: it fits one base, changes what it may, and a portrait at rest comes out as before."""

import pytest
import torch
from safetensors.torch import save_file

from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.model_loaders.person import CHANGED, Person, load_person, save_person, weights_id, with_person

pytestmark = pytest.mark.usefixtures("shipped_tiny")


def changed(network, names, scale=1.0):
    """Random changes of the weights of a network that has them: factors of matrices, vectors whole."""
    weights = dict(network.named_parameters())
    deltas = {}
    for name in names:
        if name in weights and weights[name].ndim > 1:
            shape = len(weights[name]), weights[name][0].numel()
            deltas[name] = scale * torch.randn(shape[0], 2), torch.randn(2, shape[1])
        elif name in weights:
            deltas[name] = (scale * torch.randn_like(weights[name]),)
    return deltas


@pytest.fixture
def person():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        renderer, model = load_renderer(), load_motion_model()
        base = {"renderer": weights_id(renderer), "motion_model": weights_id(model)}
        deltas = {
            "renderer": changed(renderer, CHANGED["renderer"]),
            "motion_model": {
                "ear.weight": (torch.randn_like(model.ear.weight),),
                "ear.bias": (torch.randn_like(model.ear.bias),),
            },
        }
    return Person(base, deltas, {"seconds": 60})


def test_it_comes_back_and_changes_the_networks_of_its_base(person, tmp_path):
    file = save_person(tmp_path / "anna.safetensors", person)
    again = load_person(file)
    assert again.base == person.base and again.facts == {"seconds": 60}
    model, own = load_motion_model(), load_motion_model(person=file)
    torch.testing.assert_close(own.ear.weight, model.ear.weight + person.deltas["motion_model"]["ear.weight"][0])
    name = "deviation.to_maps.weight"
    left, right = person.deltas["renderer"][name]
    before, after = (network.get_parameter(name) for network in (load_renderer(), load_renderer(person=file)))
    torch.testing.assert_close(after, before + (left @ right).view_as(before), rtol=2e-3, atol=2e-3)
    assert weights_id(load_renderer()) == person.base["renderer"], "the base stays as it is"


def test_a_portrait_at_rest_is_the_same_picture(person):
    """Whatever the changes are: here large random ones of all weights that may change."""
    renderer, own = load_renderer(), with_person(load_renderer(), person, "renderer")
    photo = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    motion = 0.3 * torch.randn(1, 768, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        pictures = []
        for network, moved in ((renderer, 0.0), (own, 0.0), (renderer, 1.0), (own, 1.0)):
            source = network.encode_source(photo)
            target = source.motion + moved * motion
            pictures.append(network.decode(source, network.extract_appearance(source), target).image)
    torch.testing.assert_close(pictures[1], pictures[0], rtol=0, atol=2e-5)
    assert (pictures[3] - pictures[2]).abs().max() > 1e-3, "and moves otherwise"


def test_another_base_is_refused(person, tmp_path):
    file = save_person(tmp_path / "anna.safetensors", person)
    other = load_renderer()
    with torch.no_grad():
        other.decoder.beta += 0.1
    with pytest.raises(ValueError, match=r"anna.safetensors was made with another renderer \(.*personalise again"):
        with_person(other, load_person(file), "renderer")
    with pytest.raises(ValueError, match="another motion model"):
        with_person(load_renderer(), load_person(file), "motion_model")


def facts(**more):
    return {"format": "mamba_portrait", "kind": "person", "version": "1", "renderer": "ab", "motion_model": "cd"} | more


@pytest.mark.parametrize(
    ("tensors", "metadata", "told"),
    [
        ({"renderer/decoder.beta": torch.zeros(2)}, facts(), "decoder.beta.*no person's file may"),
        ({"renderer/lmdd.inject.weight/left": torch.zeros(2, 2)}, facts(), "half of a change"),
        ({"motion_model/ear.bias": torch.tensor([torch.nan])}, facts(), "numbers"),
        ({"motion_model/ear.bias": torch.tensor([1e9])}, facts(), "numbers"),
        ({"motion_model/ear.bias": torch.zeros(1)}, facts(kind="renderer"), "is no person's file"),
        ({"motion_model/ear.bias": torch.zeros(1)}, facts(version="2"), "version 2"),
        ({"motion_model/ear.bias": torch.zeros(1)}, facts(renderer="a b"), "renderer's id"),
        ({"motion_model/ear.bias": torch.zeros(1)}, facts(facts="{"), "not JSON"),
    ],
)
def test_what_it_must_not_hold(tensors, metadata, told, tmp_path):
    save_file(tensors, str(tmp_path / "p.safetensors"), metadata)
    with pytest.raises(ValueError, match=told):
        load_person(tmp_path / "p.safetensors")


def test_wrong_shapes_and_files_of_others(person, tmp_path):
    wrong = Person(person.base, {"motion_model": {"ear.bias": (torch.zeros(3),)}})
    with pytest.raises(ValueError, match="does not fit"):
        with_person(load_motion_model(), wrong, "motion_model")
    (tmp_path / "noise.safetensors").write_bytes(b"noise")
    with pytest.raises(ValueError, match="damaged"):
        load_person(tmp_path / "noise.safetensors")
    with pytest.raises(FileNotFoundError, match="personalise"):
        load_person(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="safetensors file"):
        save_person(tmp_path / "anna.pt", person)
