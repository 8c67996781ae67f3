"""Who brings the mails: when, how often, and that none is lost or sent twice."""

import base64
import dataclasses
import socket
import threading

import pytest
import sqlalchemy

from mail_server import PASSWORD, USER
from post import LINK, LOGIN, ONCE, SOON, TOKEN, mail_to, next_of
from pymdc.bridge.mail.postman import Postman, Schedule
from pymdc.bridge.mail.relay import Relay
from pymdc.bridge.metadata.mails import Mails
from waiting import eventually


def test_each_wait_is_twice_as_long_up_to_an_hour():
    age, waits = 0, []
    for _ in range(8):
        waits.append(Schedule().wait(age))
        age += waits[-1]

    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert Schedule().wait(-1000) == 60


def test_a_postman_that_was_not_started_has_no_thread(post):
    before = threading.active_count()

    postman = Postman(post.memory.mails, post.memory.clock, Relay.parse("smtp://localhost"))

    assert threading.active_count() == before
    postman.close()


def test_a_new_mail_waits_for_no_look(make_server, make_postman, post):
    server = make_server()
    make_postman(server.url(), Schedule(look=600))

    for name in "abc":
        post.send(mail_to(name))
        assert next_of(server) == f"{name}@example.com"


def test_a_mail_of_another_process_is_found(make_server, make_postman, post):
    server = make_server()
    make_postman(server.url())

    post.send(mail_to("a"), told=[])

    assert next_of(server) == "a@example.com"


def test_a_mail_waits_for_a_server_that_is_down(make_server, make_postman, post, caplog):
    server = make_server(start=False)
    make_postman(server.url())
    post.send(mail_to("a"))
    eventually(lambda: "refused" in caplog.text)

    server.start()

    assert next_of(server) == "a@example.com"


@pytest.mark.parametrize("command, reply", [
    ("RCPT", "451 4.7.1 come again"), ("DATA", "452 4.3.1 full"), ("MAIL", "550 5.1.8 you are not known here"),
    ("RCPT", "530 5.7.0 who are you"), ("MAIL", "421 4.3.2 closing"), ("RCPT", "421 4.3.2 closing"),
])
def test_a_mail_that_is_put_off_is_tried_again(make_server, make_postman, post, caplog, command, reply):
    server = make_server(replies={command: [reply, reply]})
    postman = make_postman(server.url())

    post.send(mail_to("a"))

    assert next_of(server) == "a@example.com"
    postman.close()
    assert post.rows() == []
    assert caplog.text.count(f" said {reply}") == 2


def test_a_mail_that_is_put_off_does_not_hold_up_the_next(make_server, make_postman, post):
    server = make_server(replies={"RCPT": ["451 later"]})
    post.send(mail_to("a"))
    post.send(mail_to("b"))

    postman = make_postman(server.url(), ONCE)

    assert next_of(server) == "b@example.com"
    postman.close()
    assert len(post.rows()) == 1


@pytest.mark.parametrize("command, reply", [("RCPT", "550 5.1.1 no such user"), ("DATA", "554 5.7.1 not this")])
def test_a_mail_that_is_refused_for_good_is_given_up(make_server, make_postman, post, caplog, command, reply):
    server = make_server(replies={command: [reply]})
    post.send(mail_to("a"))
    post.send(mail_to("b"))
    first, _ = [row["name"] for row in post.rows()]

    postman = make_postman(server.url())

    assert next_of(server) == "b@example.com"
    postman.close()
    assert post.given_up() == [row["name"] for row in post.rows()] == [first]
    assert f"mail {first} to a@example.com: not sent, given up: localhost:{server.port} said {reply}" in caplog.text


def test_a_mail_that_is_too_old_is_tried_once_and_given_up(make_server, make_postman, post):
    post.send(mail_to("a"))
    post.make_old()

    make_postman(make_server(start=False).url(), ONCE)

    eventually(post.given_up)


def test_a_mail_that_was_sent_and_cannot_be_forgotten_is_not_sent_again(
        make_server, make_postman, post, caplog, monkeypatch):
    forget, failing = Mails.forget, threading.Event()
    failing.set()

    def forget_later(mails, name):
        if failing.is_set():
            raise sqlalchemy.exc.OperationalError("DELETE", {}, OSError(LINK))
        forget(mails, name)
    monkeypatch.setattr(Mails, "forget", forget_later)
    server = make_server()
    make_postman(server.url(), dataclasses.replace(SOON, claim=0))

    post.send(mail_to("a"))
    assert next_of(server) == "a@example.com"
    eventually(lambda: caplog.text.count("OperationalError") > 5)
    assert len(post.rows()) == 1
    failing.clear()

    eventually(lambda: post.rows() == [])
    assert server.taken.empty() and TOKEN not in caplog.text


def failing_once(function, error=RuntimeError(LINK)):
    """Return a function that fails at first, as nobody has foreseen."""
    failures = [error]

    def fail_at_first(*arguments):
        if failures:
            raise failures.pop()
        return function(*arguments)
    return fail_at_first


def test_a_delivery_that_fails_as_nobody_has_foreseen_is_tried_again(
        make_server, make_postman, post, caplog, monkeypatch):
    monkeypatch.setattr(Relay, "deliver", failing_once(Relay.deliver))
    server = make_server()
    for name in "ab":
        post.send(mail_to(name))

    make_postman(server.url())

    assert [next_of(server) for _ in "ab"] == ["b@example.com", "a@example.com"]
    eventually(lambda: post.rows() == [])
    assert "RuntimeError" in caplog.text and TOKEN not in caplog.text


@pytest.mark.parametrize("step", ["put_off", "forget"])
def test_a_mail_that_fails_as_nobody_has_foreseen_does_not_hold_up_the_next_and_is_not_thrown_away(
        make_server, make_postman, post, caplog, monkeypatch, step):
    server = make_server(replies={"RCPT": ["451 later"]} if step == "put_off" else {})
    monkeypatch.setattr(Mails, step, failing_once(getattr(Mails, step)))
    first, _ = [post.send(mail_to(name)) for name in "ab"]

    postman = make_postman(server.url(), dataclasses.replace(ONCE, look=600))

    assert "b@example.com" in [next_of(server), step == "forget" and next_of(server)]
    eventually(lambda: [row["name"] for row in post.rows()] == ([first] if step == "put_off" else []))
    postman.close()
    assert "RuntimeError" in caplog.text and TOKEN not in caplog.text


def test_mails_that_cannot_be_looked_for_as_nobody_has_foreseen_are_looked_for_all_the_same(
        make_server, make_postman, post, caplog, monkeypatch):
    monkeypatch.setattr(Mails, "claim", failing_once(Mails.claim))
    server = make_server()
    post.send(mail_to("a"))

    make_postman(server.url())

    assert next_of(server) == "a@example.com"
    assert "cannot be worked on: RuntimeError" in caplog.text and TOKEN not in caplog.text


def test_a_server_that_is_not_there_is_asked_once_for_all_mails(make_postman, post, caplog):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        for number in range(5):
            post.send(mail_to(number))
        make_postman(f"smtp://127.0.0.1:{listener.getsockname()[1]}", ONCE)

        with listener.accept()[0] as connection:
            connection.sendall(b"421 4.3.2 too busy\r\n")
            eventually(lambda: caplog.text.count("421 4.3.2 too busy") == 5)

        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_two_postmen_send_each_mail_once(make_server, make_postman, post):
    server = make_server()
    for number in range(20):
        post.send(mail_to(number))

    postmen = [make_postman(server.url()) for _ in range(2)]
    recipients = [next_of(server) for _ in range(20)]
    for postman in postmen:
        postman.close()

    assert sorted(recipients) == sorted(f"{number}@example.com" for number in range(20))
    assert server.taken.empty() and post.rows() == []


def test_postmen_of_many_processes_send_each_mail_once(make_server, shared_post, start_process):
    server = make_server()
    processes = [start_process(server) for _ in range(3)]

    for number in range(30):
        shared_post.send(mail_to(number))
    recipients = [next_of(server) for _ in range(30)]
    eventually(lambda: shared_post.rows() == [])
    for process in processes:
        process.communicate()

    assert sorted(recipients) == sorted(f"{number}@example.com" for number in range(30))
    assert server.taken.empty()


def kill_while_it_delivers(server, process):
    """Kill a postman's process between RCPT and DATA."""
    assert [server.seen.get(timeout=60)[0] for _ in range(2)] == ["MAIL", "RCPT"]
    process.kill()
    process.wait()
    server.release()


def test_a_mail_that_a_killed_process_left_is_sent_at_the_next_start(make_server, shared_post, start_process):
    server = make_server()
    server.hold()
    shared_post.send(mail_to("a"))
    kill_while_it_delivers(server, start_process(server))

    shared_post.memory.mails.hurry(shared_post.memory.clock.steady(), alone=True)
    postman = shared_post.hire(server.url())

    assert next_of(server) == "a@example.com"
    postman.close()
    assert server.taken.empty() and shared_post.rows() == []


def test_a_mail_that_a_killed_process_was_at_another_sends(make_server, shared_post, start_process):
    server = make_server()
    server.hold()
    shared_post.send(mail_to("a"))
    kill_while_it_delivers(server, start_process(server, claim=2))

    shared_post.hire(server.url())

    assert next_of(server) == "a@example.com"


def test_closing_waits_for_no_silent_server(make_postman, post):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        post.send(mail_to("a"))
        postman = make_postman(f"smtp://127.0.0.1:{listener.getsockname()[1]}", ONCE)

        with listener.accept()[0]:
            postman.close(grace=0)

            assert len(post.rows()) == 1
    postman.close(grace=30)
    assert len(post.rows()) == 1


def test_what_is_under_way_when_it_is_closed_is_finished_and_nothing_else(make_server, make_postman, post):
    server = make_server()
    server.hold()
    post.send(mail_to("a"))
    post.send(mail_to("b"))
    postman = make_postman(server.url())
    assert [server.seen.get(timeout=30)[0] for _ in range(2)] == ["MAIL", "RCPT"]

    postman.close(grace=0)
    server.release()
    postman.close(grace=30)

    assert next_of(server) == "a@example.com"
    assert server.taken.empty() and len(post.rows()) == 1


def test_no_secret_reaches_the_log(make_server, make_postman, post, caplog):
    login = [base64.b64encode(text.encode()).decode() for text in (PASSWORD, f"\0{USER}\0{PASSWORD}")]
    quoted = f"not {PASSWORD} nor {' '.join(login)} and {LINK}?redirect=elsewhere or {TOKEN} {TOKEN.upper()}"
    replies = {"AUTH": 2 * ["535 5.7.8 " + quoted], "RCPT": ["451 " + quoted, "550 " + quoted]}
    server = make_server(login=True, replies=replies)

    with caplog.at_level("DEBUG"):
        name = post.send(mail_to("a"))
        postman = make_postman(server.url(LOGIN))
        eventually(post.given_up)
        postman.close()

    said = [record.getMessage() for record in caplog.records if record.name == "pymdc.bridge"]
    assert len(said) == 3 and all("a@example.com" in line and name in line for line in said)
    for secret in (PASSWORD, *login, TOKEN, TOKEN.upper(), "activations", "elsewhere"):
        assert secret not in "".join(said)
        assert secret not in "".join(str(record.exc_info) for record in caplog.records if record.name == "pymdc.bridge")
