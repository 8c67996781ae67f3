import pytest


@pytest.fixture
def bucket(alice):
    return alice.bucket()
