"""What tests of the trainings share."""

import contextlib

import pytest


class Killed(Exception):
    """Ends a run in the middle of a step."""


@pytest.fixture
def killing(monkeypatch):
    """killing(owner, name, when): a run that dies in call number `when` of the method `owner.name`."""

    @contextlib.contextmanager
    def dies(owner, name, when):
        honest, calls = getattr(owner, name), []

        def method(*arguments):
            calls.append(1)
            if len(calls) == when:
                raise Killed
            return honest(*arguments)

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(owner, name, method)
            yield

    return dies
