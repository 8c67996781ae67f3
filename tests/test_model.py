"""Random calls and faults: after each, the bridge holds what a simple model says."""

from __future__ import absolute_import, division, print_function

import hashlib
import io

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

import pymdc
from pymdc._digest import content_hash
from pymdc.errors import APIError, TransportError
from pymdc.testing import Fault

SENT = st.one_of(st.none(), st.integers(0, 2000))
RECEIVED = st.integers(0, 400)
FAULTS = st.one_of(
    st.none(),
    st.builds(dict, kind=st.just("reset"), sent=SENT, received=RECEIVED),
    st.builds(dict, kind=st.just("truncate"), received=RECEIVED),
    st.builds(dict, kind=st.just("answer"), status=st.sampled_from([429, 502, 503, 504]), sent=SENT),
)
NAMES = st.text("abc \u00e9\u732b", min_size=1, max_size=8)


class Model(RuleBasedStateMachine):
    """A bucket's name and files, changed by a client that repeats and one that does not."""

    wire = pair = None

    def __init__(self):
        super(Model, self).__init__()
        behind = pymdc.Client(self.wire.target, raise_errors=True)
        bucket = pymdc.api.Buckets(self.pair, client=behind).create("model", 1, 1)
        self.behind = pymdc.api.Bucket(bucket, self.pair, client=behind)
        self.bucket_id = bucket["id"]
        self.name, self.files = "model", {}

    def attempt(self, fault, steady, call, name=None, files=None):
        """Make a call under a fault; when it is done, the bucket has this name and these files."""
        after = (self.name if name is None else name), (self.files if files is None else files)
        if fault is not None:
            self.wire.faults.append(Fault(**fault))
        # Each call has a client of its own: a kept connection may be one that an earlier fault is about to close.
        client = pymdc.Client(
            self.wire.url, raise_errors=True, retries=3 if steady else 0, timeout=(5, 5), sleep=lambda seconds: None
        )
        try:
            with client:
                call(pymdc.api.Bucket(self.bucket_id, self.pair, client=client))
            allowed = [after]
        except (APIError, TransportError):
            assert fault is not None and not steady
            allowed = [(self.name, self.files), after]  # the answer was lost, and maybe the call as well
        finally:
            del self.wire.faults[:]
        held = self.behind.list()["name"], sorted(file["hash"] for file in self.behind.files.list())
        agreeing = [model for model in allowed if (model[0], sorted(model[1])) == held]
        assert agreeing, (held, allowed)
        self.name, self.files = agreeing[0]

    @rule(fault=FAULTS, steady=st.booleans(), name=NAMES)
    def rename(self, fault, steady, name):
        self.attempt(fault, steady, lambda bucket: bucket.update(name=name), name=name)

    @rule(fault=FAULTS, steady=st.booleans(), content=st.binary(max_size=3000))
    def upload(self, fault, steady, content):
        digest = content_hash(hashlib.sha256(content))

        def call(bucket):
            assert bucket.files.upload(io.BytesIO(content))["hash"] == digest

        self.attempt(fault, steady, call, files=dict(self.files, **{digest: content}))

    @rule(fault=FAULTS, steady=st.booleans(), which=st.integers(0, 20))
    def delete(self, fault, steady, which):
        digest = self.one_of_the_files(which)
        left = {other: content for other, content in self.files.items() if other != digest}
        if digest:
            self.attempt(fault, steady, lambda bucket: bucket.files.delete(digest), files=left)

    @rule(fault=FAULTS, steady=st.booleans(), which=st.integers(0, 20))
    def download(self, fault, steady, which):
        digest, stream = self.one_of_the_files(which), io.BytesIO()

        def call(bucket):
            bucket.files.download(digest, stream)
            assert stream.getvalue() == self.files[digest]

        if digest:
            self.attempt(fault, steady, call)

    def one_of_the_files(self, which):
        # Nothing is drawn by what the bridge holds: a lost call may be done the one time and not the other.
        digests = sorted(self.files)
        return digests[which % len(digests)] if digests else None


def test_bridge_and_model_agree_whatever_happens(wire, full):
    Model.wire, Model.pair = wire, pymdc.testing.account(wire.bridge).key_pair

    run_state_machine_as_test(Model, settings=hypothesis.settings(
        max_examples=200 if full else 15, stateful_step_count=20, deadline=None,
        suppress_health_check=(hypothesis.HealthCheck.too_slow,),
    ))
