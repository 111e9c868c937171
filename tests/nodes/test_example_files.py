"""The examples that come with the pack: names of a list, not of files."""

import pytest

from mamba_portrait.nodes import examples


@pytest.mark.parametrize("node", [examples.ExamplePortrait, examples.ExampleVoice, examples.ExampleDrivingVideo])
@pytest.mark.parametrize("name", ["../README.md", "/etc/hostname", "portrait.jpg", "greeting\0", "", "a\nb", {}])
def test_an_example_is_one_of_the_list(node, name):
    with pytest.raises(ValueError, match=r"^Example .*: 'name' is .*; it can be .*\.$"):
        node.execute(name)
