import pytest

from shelf import Shelf


@pytest.fixture
def shelf(tmp_path):
    shelf = Shelf(tmp_path / "bridge.sqlite")
    yield shelf
    shelf.database.close()
