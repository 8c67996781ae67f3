"""How shards become a file: what is taken up again, what pointers may not do, what the progress is told."""

from __future__ import absolute_import, division, print_function

import errno
import io
import json

import pytest

from pymdc._transfer import channel
from pymdc.errors import IntegrityError, PymdcError, TransportError
from stored_file import hash_of

SHARDS = [b"first" * 200, b"second" * 200, b"last" * 200]
FIRST, SECOND, LAST = SHARDS
CONTENT = b"".join(SHARDS)
MIB = 1024 * 1024


def leave_part(stored, path, content):
    """Leave a part file as an interrupted download does."""
    part = stored.part_of(path)
    part.write_binary(content)
    part.chmod(0o600)
    return part


# Parts.

LEFT = [  # what is in the part; how many shards are fetched where sizes are told, and where not
    (b"", 3, 3),
    (FIRST, 2, 2),
    (FIRST + SECOND[:-1], 2, 2),
    (FIRST + SECOND, 1, 1),
    (CONTENT[:-1], 1, 1),
    (CONTENT, 0, 0),
    (CONTENT + b"a tail", 0, 0),
    (CONTENT + b"\0" * len(CONTENT), 0, 0),
    (b"\0" * len(CONTENT), 3, 3),
    (b"x" + CONTENT[1:], 1, 3),
    (FIRST + SECOND[:-1] + b"x" + LAST, 1, 2),
    (CONTENT[:-1] + b"x", 1, 1),
    (FIRST + LAST + SECOND, 2, 2),
    (CONTENT[1:], 3, 3),
    (b"x" + CONTENT, 3, 3),
    (b"x" * 3 * len(CONTENT), 3, 3),
]


@pytest.mark.parametrize("sizes", [True, False])
@pytest.mark.parametrize("left, fetched, fetched_without_sizes", LEFT)
def test_a_part_is_taken_up_as_far_as_it_is_right_and_the_rest_fetched(
        store, tmpdir, left, fetched, fetched_without_sizes, sizes):
    stored, path = store(sizes=sizes), tmpdir.join("copy")
    leave_part(stored, path, left)
    steps = []

    stored.download(str(path), progress=lambda done, total: steps.append(done))

    assert path.read_binary() == CONTENT
    assert stored.fetched == (fetched if sizes else fetched_without_sizes)
    assert steps == [len(FIRST), len(FIRST + SECOND), len(CONTENT)]
    assert tmpdir.listdir() == [path]


@pytest.mark.parametrize("sizes", [True, False])
def test_an_empty_file_takes_nothing_from_a_part(store, tmpdir, sizes):
    stored, path = store([], sizes), tmpdir.join("copy")
    leave_part(stored, path, b"a tail")

    assert stored.download(str(path))["size"] == 0
    assert path.read_binary() == b""
    assert tmpdir.listdir() == [path]


@pytest.mark.parametrize("sizes", [True, False])
def test_a_download_that_breaks_leaves_the_shards_that_came(store, tmpdir, sizes):
    stored, path = store(sizes=sizes), tmpdir.join("copy")
    path.write_binary(b"old content")
    stored.served[1] = b"wrong!" * 200
    with pytest.raises(IntegrityError):
        stored.download(str(path), concurrency=1)
    assert path.read_binary() == b"old content"
    stored.served = [b"not the first again", SECOND, LAST]

    stored.download(str(path))

    assert path.read_binary() == CONTENT
    assert tmpdir.listdir() == [path]


def test_without_sizes_only_right_shards_are_left_in_the_part(store, tmpdir):
    stored, path = store(sizes=False), tmpdir.join("copy")
    part = leave_part(stored, path, FIRST + b"x" * 100000)
    stored.served[2] = b"wrong" * 160

    with pytest.raises(IntegrityError):
        stored.download(str(path))

    assert part.read_binary() == FIRST + SECOND


@pytest.mark.parametrize("more", [0, 1, 16])
def test_a_part_from_a_bridge_that_cuts_at_8_mib_or_a_little_later_is_taken_up(store, tmpdir, more):
    first = b"\x01" * (8 * MIB + more)
    stored, path = store([first, SECOND, LAST], sizes=False), tmpdir.join("copy")
    leave_part(stored, path, first + SECOND)

    stored.download(str(path))

    assert path.read_binary() == first + SECOND + LAST
    assert stored.requests[1:] == ["/shards/2"]


@pytest.mark.parametrize("sizes", [True, False])
def test_a_part_of_other_content_is_not_taken_for_this(store, tmpdir, sizes):
    stored, path = store(sizes=sizes), tmpdir.join("copy")
    other = leave_part(store([b"other"]), path, b"other")

    stored.download(str(path))

    assert path.read_binary() == CONTENT
    assert other.read_binary() == b"other"


# The shards of several uploads.

CUT = [(300, 700), (310, 720), (250, 800)]  # where each upload is cut
LONG = b"".join(b"%d," % number for number in range(300))
ZEROS = b"\0" * 1000


def interleaved(uploads, content=LONG):
    """The shards of the first few of CUT."""
    shards = [[content[:first], content[first:second], content[second:]] for first, second in CUT[:uploads]]
    return [shard for each in zip(*shards) for shard in each]


UNEVEN = [LONG[:300], LONG[:500], LONG[300:700], LONG[500:], LONG[700:]]


@pytest.mark.parametrize("shards", [
    interleaved(2), interleaved(3), interleaved(2, ZEROS), [LONG] * 2, [LONG] * 5, UNEVEN,
    [LONG[:500], LONG[:300], LONG[500:], LONG[300:700], LONG[700:]],
])
@pytest.mark.parametrize("to_path", [True, False])
def test_the_shards_of_one_upload_are_chosen(store, tmpdir, shards, to_path):
    stored, path, copy = store(shards, sizes=False), tmpdir.join("copy"), io.BytesIO()
    whole = ZEROS if shards[0] == ZEROS[:300] else LONG
    stored.hash = hash_of(whole)

    answer = stored.download(str(path) if to_path else copy)

    assert (path.read_binary() if to_path else copy.getvalue()) == whole
    assert answer["size"] == len(whole)
    assert stored.fetched == len(shards)


def test_a_part_with_shards_of_two_uploads_is_taken_up(store, tmpdir):
    shards = interleaved(2)
    stored, path = store(shards, sizes=False), tmpdir.join("copy")
    stored.hash = hash_of(LONG)
    leave_part(stored, path, b"".join(shards[:3]))

    stored.download(str(path))

    assert path.read_binary() == LONG
    assert tmpdir.listdir() == [path]
    assert stored.fetched == 3


def test_shards_that_all_begin_alike_may_be_of_one_upload(store):
    stored, copy = store([ZEROS[:300], ZEROS[:200], ZEROS[:100]], sizes=False), io.BytesIO()

    assert stored.download(copy)["size"] == 600
    assert copy.getvalue() == ZEROS[:600]


@pytest.mark.parametrize("shards", [interleaved(2), interleaved(2)[:-1], interleaved(3)[:-2] + [b"x"] * 2, SHARDS])
def test_shards_of_which_no_choice_makes_the_file_are_refused(store, tmpdir, shards):
    stored, path, copy = store(shards, sizes=False), tmpdir.join("copy"), io.BytesIO()
    stored.hash = hash_of(LONG + b"other")
    path.write_binary(b"old")

    for target in (str(path), copy):
        with pytest.raises(IntegrityError, match="the shards make"):
            stored.download(target)

    assert path.read_binary() == b"old"
    if shards is not SHARDS:
        assert copy.getvalue() == shards[0]


def test_where_sizes_are_told_every_shard_counts(store):
    stored = store(interleaved(2))
    stored.hash = hash_of(LONG)

    with pytest.raises(IntegrityError):
        stored.download(io.BytesIO())


# Progress.

@pytest.mark.parametrize("shards", [SHARDS, SHARDS[:1], [b"a" * 5000, b"b" * 6000, b"c" * 7000, b"d"]])
def test_without_sizes_the_progress_is_told_how_long_the_file_is_at_least(store, shards):
    stored, steps = store(shards, sizes=False), []

    stored.download(io.BytesIO(), progress=lambda done, total: steps.append((done, total)))

    size = stored.file["size"]
    assert steps[-1] == (size, size)
    assert len(steps) == len(shards)
    assert all(done < total <= size for done, total in steps[:-1])
    assert [total for _, total in steps] == sorted(total for _, total in steps)


@pytest.mark.parametrize("sizes, by_dict", [(True, False), (True, True), (False, True)])
@pytest.mark.parametrize("to_path", [True, False])
def test_where_the_size_is_known_the_progress_is_told_it_from_the_start(store, tmpdir, sizes, by_dict, to_path):
    stored, steps = store(sizes=sizes), []

    stored.download(str(tmpdir.join("copy")) if to_path else io.BytesIO(), file=stored.file if by_dict else stored.hash,
                    progress=lambda done, total: steps.append((done, total)))

    assert steps == [(done, len(CONTENT)) for done in (len(FIRST), len(FIRST + SECOND), len(CONTENT))]


@pytest.mark.parametrize("size", [None, "5", 0, -1, 1.5, 10 ** 30])
def test_a_size_that_the_caller_hands_in_decides_nothing(store, tmpdir, size):
    stored, steps = store(sizes=False), []

    answer = stored.download(str(tmpdir.join("copy")), file=dict(stored.file, size=size),
                             progress=lambda done, total: steps.append((done, total)))

    assert answer["size"] == len(CONTENT)
    assert steps[-1] == (len(CONTENT), len(CONTENT))


# Pointers.

def without_the_last(pointers):
    del pointers[-1]


def without_the_first(pointers):
    del pointers[0]


def without_any(pointers):
    del pointers[:]


def with_one_twice(pointers):
    pointers.append(pointers[-1])


def in_another_order(pointers):
    pointers.reverse()


@pytest.mark.parametrize("sizes", [True, False])
@pytest.mark.parametrize("to_path", [True, False])
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("change", [
    without_the_last, without_the_first, without_any, with_one_twice, in_another_order,
])
def test_pointers_that_make_another_file_never_reach_the_path(store, tmpdir, sizes, to_path, concurrency, change):
    stored, path = store(sizes=sizes), tmpdir.join("copy")
    path.write_binary(b"old content")
    change(stored.pointers)

    with pytest.raises(IntegrityError, match="the shards make [0-9a-f]{40}, but " + stored.hash):
        stored.download(str(path) if to_path else io.BytesIO(), concurrency=concurrency)

    assert path.read_binary() == b"old content"


@pytest.mark.parametrize("to_path", [True, False])
@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("lie", [
    0, 1, -1, 9 * MIB, 9 * MIB + 1, 10 ** 30, "1000", True, 1000.0, None, [1000], {"size": 1000}, "x" * 1000,
    lambda size: size - 1, lambda size: size + 1, lambda size: size + 1000,
])
def test_a_pointer_that_lies_about_the_size_is_an_error_of_ours_in_words(store, tmpdir, to_path, index, lie):
    stored, path = store(), tmpdir.join("copy")
    path.write_binary(b"old content")
    stored.pointers[index]["size"] = lie(len(SHARDS[index])) if callable(lie) else lie

    with pytest.raises((IntegrityError, TransportError)) as refused:
        stored.download(str(path) if to_path else io.BytesIO())

    words = str(refused.value)
    assert "shard" in words and "bytes" in words and len(words) < 250
    assert path.read_binary() == b"old content"


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("sizes", [True, False])
def test_a_shard_that_is_too_long_ends_at_the_limit_though_its_hash_is_right(store, monkeypatch, index, sizes):
    stored, target, limit = store(sizes=sizes), io.BytesIO(), len(SHARDS[index]) - 1
    if sizes:
        stored.pointers[index]["size"] = limit
    else:
        limit = min(limit, len(FIRST) - 1)
        monkeypatch.setattr(channel, "MAX_SHARD", limit)

    with pytest.raises(IntegrityError, match="a shard is longer than the {0} bytes it should have".format(limit)):
        stored.download(target)

    assert CONTENT.startswith(target.getvalue()) and len(target.getvalue()) < len(CONTENT)


def test_sizes_that_lie_but_add_up_are_noticed_too(store, tmpdir):
    stored, path = store([b"a" * 100, b"b" * 200]), tmpdir.join("copy")
    stored.pointers[0]["size"], stored.pointers[1]["size"] = 200, 100

    with pytest.raises(IntegrityError, match="bytes"):
        stored.download(str(path))

    assert not path.exists()


def test_where_only_some_sizes_are_told_they_count(store, tmpdir):
    stored, path = store(), tmpdir.join("copy")
    del stored.pointers[0]["size"]
    stored.download(str(path))
    assert path.read_binary() == CONTENT
    stored.pointers[1]["size"] += 1

    with pytest.raises(IntegrityError, match="1201"):
        stored.download(str(tmpdir.join("other")))
    assert not tmpdir.join("other").exists()


@pytest.mark.parametrize("answer", [{}, 5, "pointers", [None], [[]], [{}], {"error": 5}])
def test_what_is_no_list_of_pointers_is_an_error_in_words(store, tmpdir, answer):
    stored = store()
    stored.pointers = answer

    with pytest.raises(PymdcError, match="pointers"):
        stored.download(str(tmpdir.join("copy")))
    assert tmpdir.listdir() == []


def test_a_file_object_that_fails_is_the_error(store):
    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise IOError(errno.ENOSPC, "No space left on device")

    with pytest.raises(EnvironmentError, match="No space left"):
        store().download(Full())


def test_the_answer_tells_what_came(store, tmpdir):
    stored, path = store(), str(tmpdir.join("copy"))

    answer = stored.download(path)

    assert answer == {"hash": hash_of(CONTENT), "size": len(CONTENT), "path": path}
    assert json.loads(json.dumps(answer)) == answer


# New pointers, and shards that do not end.

@pytest.mark.parametrize("sizes", [True, False])
def test_when_the_tokens_of_all_shards_are_refused_new_pointers_are_asked_for_once(store, tmpdir, sizes):
    stored, path = store(sizes=sizes), tmpdir.join("copy")
    stored.refused = 1

    stored.download(str(path), token=None, retries=1)

    assert path.read_binary() == CONTENT
    assert stored.asked == 2


def test_a_token_that_was_handed_in_is_not_asked_with_again(store, tmpdir):
    stored = store()
    stored.refused = 1

    with pytest.raises(TransportError, match="401"):
        stored.download(str(tmpdir.join("copy")), retries=2, concurrency=1)

    assert stored.asked == 1


def test_tokens_that_are_always_refused_end_the_download(store, tmpdir):
    stored = store()
    stored.refused = 100

    with pytest.raises(TransportError, match="401") as failed:
        stored.download(str(tmpdir.join("copy")), token=None, retries=2, concurrency=1)

    assert stored.asked == len(failed.value.attempts) == 4  # the first refusal does not count


@pytest.mark.parametrize("to_path", [True, False])
@pytest.mark.parametrize("change", [
    without_the_last, without_any, with_one_twice, in_another_order,
    lambda pointers: pointers[2].update(hash=hash_of(b"other")), lambda pointers: pointers[2].update(size=5),
])
def test_new_pointers_that_lead_to_other_shards_end_the_download(store, tmpdir, to_path, change):
    stored, path = store(), tmpdir.join("copy")
    path.write_binary(b"old content")
    right = stored.pointers

    def changing(asked):
        pointers = [dict(pointer) for pointer in right]
        if asked > 1:
            change(pointers)
        return pointers

    stored.pointers, stored.refused = changing, 1

    with pytest.raises(IntegrityError, match="other shards"):
        stored.download(str(path) if to_path else io.BytesIO(), token=None, retries=1)

    assert path.read_binary() == b"old content"


@pytest.mark.parametrize("sizes, limit", [(True, len(SECOND)), (False, 9 * MIB)])
@pytest.mark.parametrize("to_path", [True, False])
def test_a_shard_that_does_not_end_is_not_read_on(store, tmpdir, sizes, limit, to_path):
    stored, path = store(sizes=sizes), tmpdir.join("copy")
    stored.served[1] = b"x" * (limit + 1)

    with pytest.raises(IntegrityError, match="longer than the {0} bytes".format(limit)):
        stored.download(str(path) if to_path else io.BytesIO())

    assert not path.exists()
