"""Who waits for a place in the store gets one when one is given back, once."""

import pytest

from pymdc.bridge.storage.folder import FolderStore
from pymdc.bridge.storage.incoming import Incoming
from pymdc.bridge.storage.store import SHARD_SIZE, Places


class NarrowStore(FolderStore):
    """A folder with places for so many shards."""

    def __init__(self, folder, places):
        super().__init__(folder)
        self.places = Places(places)


def free(places):
    """Return how many are free, which are taken then."""
    count = 0
    while (place := places.take()).done():
        count += 1
    place.cancel()
    return count


def test_who_waits_for_a_place_gets_the_next_that_is_given_back_in_turn():
    places = Places(1)
    held, first, second = (places.take() for _ in range(3))
    assert [future.done() for future in (held, first, second)] == [True, False, False]

    held.result().give_back()
    assert [first.done(), second.done()] == [True, False]

    first.result().give_back()
    assert second.done()


def test_a_place_is_given_back_once():
    places = Places(2)
    one, _ = places.take(), places.take()

    one.result().give_back()
    one.result().give_back()

    assert free(places) == 1


def test_who_waits_no_longer_is_passed_over():
    places = Places(1)
    held, gone, next_one = (places.take() for _ in range(3))

    assert gone.cancel()
    held.result().give_back()

    assert next_one.done()


@pytest.mark.parametrize("size", [0, 1, SHARD_SIZE, SHARD_SIZE + 1, 3 * SHARD_SIZE - 1])
@pytest.mark.parametrize("end", ["finish", "discard"])
def test_a_file_that_has_come_or_is_given_up_has_given_all_its_places_back(tmp_path, size, end):
    store = NarrowStore(tmp_path, 2)
    incoming = Incoming(store, size if end == "finish" else 4 * SHARD_SIZE)

    for start in range(0, size, SHARD_SIZE // 8):
        block = bytes(min(SHARD_SIZE // 8, size - start))
        waited = incoming.place()
        assert waited is None or waited.result(10)
        incoming.write(memoryview(block))
    getattr(incoming, end)()

    assert free(store.places) == 2
    assert len(list(store.objects())) == (len(incoming.shards) if end == "finish" else 0)


def test_who_needs_no_place_waits_for_none(tmp_path):
    store = NarrowStore(tmp_path, 1)
    incoming = Incoming(store, SHARD_SIZE)
    incoming.write(memoryview(bytes(SHARD_SIZE - 10)))

    assert incoming.place() is None

    incoming.write(memoryview(bytes(10)))

    assert incoming.place() is None


def test_who_has_a_place_does_not_wait_for_another_with_it(tmp_path):
    """Two files of two shards each share one place, and come by turns."""
    store = NarrowStore(tmp_path, 1)
    one, other = (Incoming(store, 2 * SHARD_SIZE) for _ in range(2))
    half, block = bytes(SHARD_SIZE // 2), memoryview(bytes(SHARD_SIZE))
    one.write(memoryview(half))
    waits = other.place()
    assert not waits.done()

    one.write(block)  # to the middle of its second shard, for which there is no place: the other one has been waiting
    waits.result(10)
    again = one.place()
    other.write(block)
    again.result(10)
    one.write(memoryview(half))
    one.finish()
    other.write(block)
    other.finish()

    assert [len(incoming.shards) for incoming in (one, other)] == [2, 2]
    assert free(store.places) == 1


def test_what_fails_in_the_store_has_given_its_place_back(tmp_path, monkeypatch):
    store = NarrowStore(tmp_path, 2)
    incoming = Incoming(store, SHARD_SIZE)

    def fail(writer):
        raise OSError("broken")

    monkeypatch.setattr("pymdc.bridge.storage.folder.ShardWriter.keep", fail)
    incoming.write(memoryview(bytes(SHARD_SIZE)))
    with pytest.raises(OSError, match="broken"):
        incoming.finish()
    incoming.discard()

    assert free(store.places) == 2
    assert list(store.objects()) == []


def test_who_is_given_up_while_he_waits_for_a_place_waits_no_longer(tmp_path):
    store = NarrowStore(tmp_path, 1)
    held = store.places.take()
    incoming = Incoming(store, 100)

    waited = incoming.place()
    incoming.discard()
    held.result().give_back()

    assert waited.cancelled()
    assert free(store.places) == 1
