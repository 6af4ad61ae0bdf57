"""Notes and checkpoints against the specification, and against a note that Go's implementation signed."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit import note

# The example of the documentation of Go's package golang.org/x/mod/sumdb/note.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
KNOWN = [note.read_vkey(VKEY)]
OTHER = note.signer("other.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def test_the_example_of_go() -> None:
    signer = note.read_signer(SKEY)
    assert signer.verifier.vkey == VKEY
    assert signer.text == SKEY
    assert note.sign(TEXT, signer) == f"{TEXT}\n{LINE}"
    assert note.read(f"{TEXT}\n{LINE}", KNOWN) == TEXT


def test_signatures_of_unknown_keys_are_ignored() -> None:
    other = note.sign(TEXT, OTHER).removeprefix(f"{TEXT}\n")
    assert note.read(f"{TEXT}\n{other}{LINE}", KNOWN) == TEXT
    with pytest.raises(note.Unacceptable, match="no known key"):
        note.read(f"{TEXT}\n{other}", KNOWN)


def test_a_text_may_have_blank_lines() -> None:
    text = "a\n\nb\n"
    assert note.read(note.sign(text, OTHER), [OTHER.verifier]) == text


SHORT = b64encode(b"1234").decode()


@pytest.mark.parametrize(
    "bad",
    [
        f"{TEXT}\n{LINE}".replace("answer", "question"),
        f"{TEXT}\n{LINE}".removesuffix("\n"),
        f"{TEXT}{LINE}",
        f"{TEXT}\n",
        f"{TEXT}\n{LINE}".replace("think", "th\tnk"),
        f"{TEXT}\n{LINE}".replace("think", "th\ud800nk"),
        f"{TEXT}\n{LINE}— PeterNeumann not!base64\n",
        f"{TEXT}\n{LINE}— PeterNeumann {SHORT}\n",
        f"{TEXT}\n{LINE}- PeterNeumann {SHORT}AA==\n",
        f"{TEXT}\n{LINE}— Peter+Neumann {LINE.split()[2]}\n",
        f"{TEXT}\n{LINE}— {LINE.split()[2]}\n",
        f"{TEXT}\n{LINE[:-5]}nAN=\n",
        f"{TEXT}\n" + LINE * 101,
    ],
)
def test_what_a_reader_must_reject(bad: str) -> None:
    with pytest.raises(note.Unacceptable):
        note.read(bad, KNOWN)


def test_no_newer_signature_type_is_taken_for_ed25519() -> None:
    with pytest.raises(note.Unacceptable, match="only Ed25519"):
        note.read_vkey("x+01020304+" + b64encode(b"\x04" + bytes(32)).decode())


@pytest.mark.parametrize(
    "bad", ["", "x", "x+c74f20a3", "x+zzzzzzzz+" + VKEY.split("+", 2)[2], VKEY.replace("c7", "c8")]
)
def test_broken_keys(bad: str) -> None:
    with pytest.raises(note.Unacceptable):
        note.read_vkey(bad)
    with pytest.raises(note.Unacceptable):
        note.read_signer(bad)
    with pytest.raises(note.Unacceptable):
        note.read_signer("PRIVATE+KEY+" + bad)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b"])
def test_names_that_no_note_can_carry(name: str) -> None:
    with pytest.raises(note.Unacceptable):
        note.signer(name, OTHER.key)


def test_checkpoints() -> None:
    made = note.Checkpoint("other.example/log", 70_000, bytes(range(32)))
    assert made.text == "other.example/log\n70000\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert note.read_checkpoint(note.read(note.sign(made.text, OTHER), [OTHER.verifier])) == made
    assert note.read_checkpoint(made.text + "extension\n") == made


@pytest.mark.parametrize(
    ("old", "new"), [("70000", "070000"), ("70000", "-1"), ("70000", "٣"), ("70000", ""), ("AAEC", "AA"), ("AAEC", "!")]
)
def test_broken_checkpoints(old: str, new: str) -> None:
    text = note.Checkpoint("other.example/log", 70_000, bytes(range(32))).text
    with pytest.raises(note.Unacceptable):
        note.read_checkpoint(text.replace(old, new))
