"""The key overlay: private keys stay private, existing ones are kept, bad files are named."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from contracts import keys
from contracts.keys import BadKeyFile, NoKey
from contracts.sealing import NotForUs, open_sealed

CODES = ["icbf-santander", "imebu"]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_private_keys_are_files_of_their_owner_only_and_the_overlay_holds_none(tmp_path: Path) -> None:
    overlay = keys.make(CODES, tmp_path / "keys", tmp_path / "keys.json")
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == [
        "icbf-santander.jwk", "imebu.jwk", "vault.jwk",
    ]  # fmt: skip
    assert {mode(path) for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert mode(tmp_path / "keys") == 0o700
    assert mode(tmp_path / "keys.json") == 0o644
    assert set(overlay.institutions) == set(CODES)
    assert not overlay.vault.is_private
    for path in (tmp_path / "keys").iterdir():
        secret = json.loads(path.read_text())["d"]
        assert secret not in (tmp_path / "keys.json").read_text()


def test_making_again_keeps_every_key_and_adds_the_new_ones(tmp_path: Path) -> None:
    before = keys.make(CODES, tmp_path / "keys", tmp_path / "keys.json")
    after = keys.make([*CODES, "amb"], tmp_path / "keys", tmp_path / "keys.json")
    assert after.vault.thumbprint() == before.vault.thumbprint()
    for code in CODES:
        assert after.institutions[code].thumbprint() == before.institutions[code].thumbprint()
    assert "amb" in after.institutions


def test_a_damaged_private_key_is_never_replaced(tmp_path: Path) -> None:
    keys.make(CODES, tmp_path / "keys", tmp_path / "keys.json")
    damaged = tmp_path / "keys" / "imebu.jwk"
    damaged.write_text("{}")
    with pytest.raises(BadKeyFile, match=r"imebu\.jwk"):
        keys.make(CODES, tmp_path / "keys", tmp_path / "keys.json")
    assert damaged.read_text() == "{}"


def test_the_vault_and_the_recipient_open_what_the_overlay_seals(tmp_path: Path) -> None:
    overlay = keys.make(CODES, tmp_path / "keys", tmp_path / "keys.json")
    referral = uuid4()
    sealed = overlay.seal(b"relato", referral, "imebu")
    for name in ("vault", "imebu"):
        assert open_sealed(sealed, referral, keys.load_private(tmp_path / "keys" / f"{name}.jwk")) == b"relato"
    with pytest.raises(NotForUs):
        open_sealed(sealed, referral, keys.load_private(tmp_path / "keys" / "icbf-santander.jwk"))


def test_who_has_no_key_is_never_left_out_in_silence(tmp_path: Path) -> None:
    overlay = keys.make(CODES, tmp_path / "keys", tmp_path / "keys.json")
    with pytest.raises(NoKey, match="is its code right"):
        overlay.seal(b"", uuid4(), "icbf-santader")
    assert len(overlay.seal(b"", uuid4(), None).recipients) == 1, "the vault, where the sender says so"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("not json SECRETO", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "no institutions"),
        ('{"institutions": {}}', "vault"),
        ('{"institutions": {}, "vault": {"kty": "OKP", "crv": "X25519", "x": "SECRETO"}}', "vault"),
        ('{"institutions": {}, "vault": 7}', "vault"),
        ('{"institutions": {"imebu": {"kty": "EC"}}, "vault": PUBLIC}', "imebu"),
        ('{"institutions": {"imebu": PRIVATE}, "vault": PUBLIC}', "imebu"),
        ('{"institutions": {"imebu": ED25519}, "vault": PUBLIC}', "imebu"),
    ],
)
def test_a_bad_overlay_is_named_and_not_repeated(tmp_path: Path, content: str, named: str) -> None:
    keys.make([], tmp_path / "keys", tmp_path / "made.json")
    private = (tmp_path / "keys" / "vault.jwk").read_text()
    public = json.dumps(json.loads((tmp_path / "made.json").read_text())["vault"])
    content = content.replace("ED25519", public.replace("X25519", "Ed25519"))
    path = tmp_path / "keys.json"
    path.write_text(content.replace("PUBLIC", public).replace("PRIVATE", private))
    with pytest.raises(BadKeyFile, match=named) as caught:
        keys.load(path)
    assert "SECRETO" not in str(caught.value)
    assert json.loads(private)["d"] not in str(caught.value)


def test_a_missing_file_and_a_public_key_in_a_private_ones_place(tmp_path: Path) -> None:
    keys.make([], tmp_path / "keys", tmp_path / "keys.json")
    with pytest.raises(BadKeyFile, match="cannot be read"):
        keys.load(tmp_path / "nothing.json")
    public = tmp_path / "public.jwk"
    public.write_text(json.dumps(json.loads((tmp_path / "keys.json").read_text())["vault"]))
    with pytest.raises(BadKeyFile, match="not a private"):
        keys.load_private(public)
