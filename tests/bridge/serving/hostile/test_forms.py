"""Forms, and the names of files in them."""

import pytest

from siege import CONTENT, FILE, FORM, assert_refused, cases
from wire import BOUNDARY, ending, multipart, part


def disposed(disposition, content=CONTENT):
    """Return a form whose part has this Content-Disposition."""
    disposition = disposition if isinstance(disposition, bytes) else disposition.encode()
    return f"--{BOUNDARY}\r\nContent-Disposition: ".encode() + disposition + b"\r\n\r\n" + content + b"\r\n" + ending()


def headed(head, content=CONTENT):
    """Return a form whose part has these header lines."""
    return f"--{BOUNDARY}\r\n".encode() + head + b"\r\n\r\n" + content + b"\r\n" + ending()


DISPOSITION = b'Content-Disposition: form-data; name="a"; filename="b"'
BODIES = {
    "empty": b"",
    "only the ending": ending(),
    "ends in the boundary": FILE[:8],
    "ends after the boundary": FILE[:len(BOUNDARY) + 4],
    "ends in a header name": FILE[:len(BOUNDARY) + 12],
    "ends in a header value": FILE[:len(BOUNDARY) + 50],
    "ends after the headers": FILE[:FILE.index(b"\r\n\r\n") + 4],
    "ends in the content": FILE[:FILE.index(b"\r\n\r\n") + 9],
    "ends after the content": FILE[:-len(ending()) - 2],
    "ends in the last boundary": FILE[:-8],
    "ends in the last two hyphens": FILE[:-3],
    "no last boundary": part(CONTENT, filename="a"),
    "another boundary": FILE.replace(BOUNDARY.encode(), b"other"),
    "the last boundary is another": part(CONTENT, filename="a") + b"--other--\r\n",
    "the boundary without hyphens": FILE.replace(b"--" + BOUNDARY.encode(), BOUNDARY.encode()),
    "the boundary in capitals": FILE.replace(BOUNDARY.encode(), BOUNDARY.upper().encode()),
    "spaces in a boundary": FILE.replace(BOUNDARY.encode(), BOUNDARY.encode() + b" x", 1),
    "no end of the headers": headed(DISPOSITION).replace(b"\r\n\r\n", b"\r\n"),
    "bare LF": FILE.replace(b"\r\n", b"\n"),
    "bare CR": FILE.replace(b"\r\n", b"\r"),
    "LF behind the boundary": FILE.replace(BOUNDARY.encode() + b"\r\n", BOUNDARY.encode() + b"\n"),
    "NULs": b"\0" * 1000,
    "NUL in a header name": headed(b"Content\0-Disposition: form-data"),
    "NUL in a header value": disposed(b'form-data; name="a"; filename="a\0b"'),
    "header without a colon": headed(DISPOSITION + b"\r\nnonsense"),
    "header without a name": headed(DISPOSITION + b"\r\n: nonsense"),
    "header folded": headed(DISPOSITION.replace(b"; filename", b";\r\n filename")),
    "header of 70 000 bytes": headed(DISPOSITION + b"\r\nX: " + b"y" * 70000),
    "header name of 70 000 bytes": headed(DISPOSITION + b"\r\n" + b"y" * 70000 + b": x"),
    "10 000 headers": headed(DISPOSITION + b"\r\nX: y" * 10000),
    "no headers": headed(b""),
    "no Content-Disposition": headed(b"X: y"),
    "3 000 parts": b"".join(part(b"x", f"n{number}") for number in range(3000)) + FILE,
    "a field of 70 000 bytes": part(b"x" * 70000) + FILE,
    "nested": headed(b"Content-Type: multipart/mixed; boundary=inner",
                     b'--inner\r\nContent-Disposition: file; filename="a"\r\n\r\nx\r\n--inner--'),
    "JSON": b'{"file": "x"}',
    "gzip": b"\x1f\x8b\x08" + b"x" * 500,
    "preamble": b"garbage\r\n" + FILE,
}
EXPLAINED = ("multipart", "No file", "field", "file name", "Unexpected end", "declared size")


@cases("body", {name: [body] for name, body in BODIES.items()})
def test_a_form_that_is_none_is_refused(world, body):
    answer, = world.ask(world.put(*body))

    assert_refused(answer, 400)
    assert any(text in answer.json()["error"] for text in EXPLAINED)


@pytest.mark.parametrize("cut", range(0, len(FILE), 17))
def test_a_form_that_breaks_off_anywhere_is_refused(world, cut):
    answers = world.ask(world.put(FILE[:cut]))

    assert_refused(answers[0], 400)


@cases("content_type", {
    "none": [None], "empty": [""], "another": ["text/plain"], "mixed": [FORM.replace("form-data", "mixed")],
    "no boundary": ["multipart/form-data"], "empty boundary": ["multipart/form-data; boundary="],
    "quoted empty boundary": ['multipart/form-data; boundary=""'], "open quote": ['multipart/form-data; boundary="'],
    "boundary of spaces": ['multipart/form-data; boundary="   "'],
    "boundary of 10 000": ["multipart/form-data; boundary=" + "x" * 10000],
    "two boundaries": ["multipart/form-data; boundary=first; boundary=" + BOUNDARY + "x"],
    "boundary by RFC 2231": ["multipart/form-data; boundary*=utf-8''other"],
    "boundary in parts": ["multipart/form-data; boundary*0=oth; boundary*1=er"],
    "boundary in no charset": ["multipart/form-data; boundary*=nonsense''%ff%fe"],
    "boundary in broken UTF-8": ["multipart/form-data; boundary*=utf-8''%ff%fe"],
    "boundary in punycode": ["multipart/form-data; boundary*=idna''%ff.%fe"],
    "boundary in a codec of bytes": ["multipart/form-data; boundary*=hex''zz"],
    "not Latin": [b"multipart/form-data; boundary=\xff\xfe\xe2\x82"],
    "only semicolons": [";" * 5000], "only quotes": ["multipart/form-data; boundary=" + '\\"' * 5000],
    "RFC 2047": ["=?utf-8?q?multipart/form-data?=; boundary=x"],
})
def test_a_content_type_that_tells_no_boundary_is_refused(world, content_type):
    answer, = world.ask(world.put(content_type=content_type[0]))

    assert_refused(answer, 400)


@cases("disposition, name", {
    "up": ['form-data; name="a"; filename="../../etc/passwd"', "passwd"],
    "up, of Windows": [r'form-data; name="a"; filename="..\..\boot.ini"', "boot.ini"],
    "absolute": ['form-data; name="a"; filename="/etc/passwd"', "passwd"],
    "absolute, of Windows": [r'form-data; name="a"; filename="C:\autoexec.bat"', "autoexec.bat"],
    "a folder": ['form-data; name="a"; filename="folder/"', None],
    "percent-encoded stays": ['form-data; name="a"; filename="%2e%2e%2fx"', "%2e%2e%2fx"],
    "RFC 5987": ["form-data; name=a; filename*=utf-8''..%2F..%2Fh%C3%A9", "h\u00e9"],
    "RFC 5987 beside a plain one": ["form-data; name=a; filename=\"x\"; filename*=UTF-8'en'y", "y"],
    "RFC 2047 stays": ['form-data; name="a"; filename="=?utf-8?q?x?="', "=?utf-8?q?x?="],
    "no quotes": ["form-data; name=a; filename=plain", "plain"],
    "quotes of a browser": ['form-data; name="a"; filename="say %22hi%22.txt"', 'say "hi".txt'],
    "nothing but quotes is decoded": ['form-data; name="a"; filename="%41%0d%0A%25"', "%41%0d%0A%25"],
    "without quotes nothing is": ["form-data; name=a; filename=%22", "%22"],
    "a line feed, escaped": [r'form-data; name="a"; filename="a\nb"', "nb"],
    "255 characters": ['form-data; name="a"; filename="' + "\u732b" * 255 + '"', "\u732b" * 255],
    "name twice": ['form-data; name="a"; name="b"; filename="x"', "x"],
    "in capitals": ['FORM-DATA; NAME="a"; FILENAME="x"', "x"],
})
def test_a_file_name_is_cut_to_its_base_and_leads_nowhere(world, disposition, name):
    answer, = world.ask(world.put(disposed(disposition)))

    assert answer.status == 200, answer
    assert answer.json()["filename"] == (name or answer.json()["hash"])


@pytest.mark.parametrize("name", ["..", "."])
def test_a_file_name_that_means_a_folder_is_refused(world, name):
    answer, = world.ask(world.put(disposed(f'form-data; name="a"; filename="/x/{name}"')))

    assert_refused(answer, 400)


@cases("disposition", {
    "256 characters": ['form-data; name="a"; filename="' + "\u732b" * 256 + '"'],
    "4 000 characters": ['form-data; name="a"; filename="' + "x" * 4000 + '"'],
    "not UTF-8": [b'form-data; name="a"; filename="\xff\xfe"'],
    "half a surrogate pair": [b'form-data; name="a"; filename="\xed\xa0\x80"'],
    "overlong UTF-8": [b'form-data; name="a"; filename="\xc0\xaf"'],
    "RFC 5987, not UTF-8": ["form-data; name=a; filename*=utf-8''%ff"],
    "RFC 5987, Latin": ["form-data; name=a; filename*=iso-8859-1''%e9"],
    "RFC 5987, NUL": ["form-data; name=a; filename*=utf-8''a%00b"],
    "RFC 5987, line feed": ["form-data; name=a; filename*=utf-8''a%0d%0ab"],
    "tab": ['form-data; name="a"; filename="a\tb"'],
    "delete": ['form-data; name="a"; filename="a\x7fb"'],
})
def test_a_file_name_that_cannot_be_kept_is_refused(world, disposition):
    answer, = world.ask(world.put(disposed(*disposition)))

    assert_refused(answer, 400)


@cases("body", {
    "of two files the first counts": [part(CONTENT, filename="first") + multipart(b"second", filename="second")],
    "garbage behind the end": [FILE + b"garbage" * 1000],
    "another form behind the end": [FILE + multipart(b"second")],
    "fields around": [part(b"x", "id") + part(CONTENT, filename="a") + part(b"y", "z") + ending()],
    "a header twice": [headed(DISPOSITION + b"\r\nContent-Type: a/b\r\nContent-Type: c/d")],
})
def test_a_form_that_is_only_odd_is_stored(world, body):
    answer, = world.ask(world.put(*body))

    assert answer.status == 200, answer
    assert answer.json()["size"] == len(CONTENT)
