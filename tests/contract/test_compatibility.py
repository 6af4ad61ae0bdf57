"""What may change in the published schemas, and what must not go unnoticed."""

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts import CONTRACT_VERSION, compatibility
from contracts.generate import SCHEMAS
from contracts.schemas import schemas

Change = Callable[[dict[str, Any]], object]
CURRENT = schemas()


def changed(name: str, change: Change) -> list[compatibility.Change]:
    after = copy.deepcopy(CURRENT)
    change(after[name])
    return compatibility.compare(CURRENT, after)


def requested(schema: dict[str, Any]) -> dict[str, Any]:
    part = schema["$defs"]["Requested"]
    assert isinstance(part, dict)
    return part


def field(of: str, name: str, **replaced: Any) -> Change:
    """A field of a definition (``""`` for the schema itself) with keywords that replace its own."""
    return lambda s: (s["$defs"][of] if of else s)["properties"][name].update(replaced)


def may_be_null(schema: dict[str, Any]) -> None:
    schema["properties"]["reason"] = {"anyOf": [schema["properties"]["reason"], {"type": "null"}]}


COMPATIBLE: dict[str, tuple[str, Change]] = {
    "optional field": ("referral.requested", lambda s: requested(s)["properties"].update(x={"type": "string"})),
    "optional field of a fact": ("fact.refused", lambda s: s["properties"].update(x={"type": "string"})),
    "no longer required": ("referral.requested", lambda s: requested(s)["required"].remove("urgency")),
    "one more code": ("referral.requested", lambda s: s["$defs"]["Urgency"]["enum"].append("U4")),
    "longer": ("referral.requested", lambda s: requested(s)["properties"]["recipient"].update(maxLength=60)),
    "no pattern": ("referral.requested", lambda s: requested(s)["properties"]["recipient"].pop("pattern")),
    "one more type": ("envelope.ruta", lambda s: s["properties"]["ce_type"]["enum"].append("co.ruta.fact.new.v1")),
}

BREAKING: dict[str, tuple[str, Change]] = {
    "field gone": ("referral.requested", lambda s: requested(s)["properties"].pop("flags")),
    "required field gone": ("fact.refused", lambda s: (s["properties"].pop("reason"), s["required"].remove("reason"))),
    "now required": ("referral.requested", lambda s: requested(s)["required"].append("flags")),
    "new and required": ("referral.accepted", lambda s: (s["properties"].update(x={}), s["required"].append("x"))),
    "code gone": ("referral.requested", lambda s: s["$defs"]["Urgency"]["enum"].remove("U3")),
    "shorter": ("referral.requested", field("Requested", "recipient", maxLength=8)),
    "fewer": ("referral.requested", field("Requested", "flags", maxItems=1)),
    "more needed": ("sealed", field("", "recipients", minItems=2)),
    "another pattern": ("referral.accepted", field("Accepted", "unit", pattern="x")),
    "another type": ("sealed", field("", "iv", type="integer")),
    "another meaning": ("referral.requested", field("Requested", "urgency", **{"$ref": "#/$defs/Flag"})),
    "another format": ("referral.accepted", field("Accepted", "planned_on", format="date-time")),
    "never null": ("referral.closed", lambda s: s["properties"]["sealed"]["anyOf"].pop()),
    "items of another sort": ("referral.requested", field("Requested", "flags", items={"type": "integer"})),
    "closed": ("referral.requested", lambda s: requested(s).update(additionalProperties=False)),
    "unknown keyword": ("referral.requested", lambda s: requested(s).update(oneOf=[{}])),
    # What Ruta writes must also stay readable for readers of the last release.
    "fact: no longer required": ("fact.refused", lambda s: s["required"].remove("reason")),
    "fact: one more code": ("fact.refused", lambda s: s["$defs"]["Refusal"]["enum"].append("new")),
    "fact: longer": ("fact.quarantined", lambda s: s["properties"]["detail"].update(maxLength=400)),
    "fact: may be null": ("fact.refused", may_be_null),
}  # fmt: skip


def test_nothing_changed_is_no_change() -> None:
    assert compatibility.compare(CURRENT, CURRENT) == []


@pytest.mark.parametrize("name", COMPATIBLE)
def test_compatible(name: str) -> None:
    found = changed(*COMPATIBLE[name])
    assert found
    assert not [change for change in found if change.breaking]


@pytest.mark.parametrize("name", BREAKING)
def test_breaking(name: str) -> None:
    assert [change for change in changed(*BREAKING[name]) if change.breaking]


def test_a_schema_that_is_gone_breaks_and_a_new_one_does_not() -> None:
    fewer = {name: schema for name, schema in CURRENT.items() if name != "sealed"}
    assert [str(change) for change in compatibility.compare(CURRENT, fewer)] == ["BREAKING: sealed: the schema is gone"]
    assert [str(change) for change in compatibility.compare(fewer, CURRENT)] == ["compatible: sealed: new"]


def test_what_cannot_be_compared_is_not_passed_over() -> None:
    twice = {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "string", "format": "date"}]}
    with pytest.raises(ValueError, match="two alternatives"):
        changed("sealed", lambda s: s["properties"].update(iv=twice))


@pytest.mark.parametrize(
    ("breaking", "released", "version", "ok"),
    [
        (None, "0.1", "0.1", True), (False, "0.1", "0.1", False), (False, "0.1", "0.1.1", True),
        (True, "0.1", "0.1", False), (True, "0.1", "0.1.1", False), (True, "0.1", "0.2", True),
        (False, "1.0", "1.1", True), (True, "1.0", "1.1", False), (True, "1.0", "2.0", True),
        (None, "0.10", "0.9", False),
    ],
)  # fmt: skip
def test_the_version_must_allow_the_changes(breaking: bool | None, released: str, version: str, ok: bool) -> None:
    changes = [] if breaking is None else [compatibility.Change("x", "y", breaking)]
    assert (compatibility.allowed(changes, released, version) is None) is ok


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git on PATH: there is no history to look at")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of its own with our schemas committed."""
    root = tmp_path / "checkout"
    shutil.copytree(SCHEMAS, root / "contracts" / "schemas")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "schemas")
    return root


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Test", "-c", "user.email=test@mesa.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


@needs_git
def test_without_a_tag_there_is_nothing_to_compare(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compatibility.main(repository, "0.1") == 0
    assert capsys.readouterr().out == "No release to compare with: there is no tag contracts-v*.\n"


@needs_git
def test_the_highest_tag_is_compared(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = repository / "contracts" / "schemas" / "sealed.json"
    git(repository, "tag", "contracts-v0.9")
    schema = json.loads(file.read_text("utf-8"))
    schema["properties"]["iv"]["maxLength"] = 64
    file.write_text(json.dumps(schema), "utf-8")
    git(repository, "commit", "--quiet", "-a", "-m", "longer")
    git(repository, "tag", "contracts-v0.10")
    assert compatibility.main(repository, "0.10") == 0
    assert "0 changes since contracts-v0.10" in capsys.readouterr().out

    schema["properties"]["iv"]["maxLength"] = 8
    file.write_text(json.dumps(schema), "utf-8")
    assert compatibility.main(repository, "0.10.1") == 1
    assert "BREAKING: sealed.iv: maxLength 64 is now 8\n" in capsys.readouterr().out
    assert compatibility.main(repository, "0.11") == 0


@needs_git
def test_a_folder_that_is_no_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        compatibility.main(tmp_path, "0.1")


@needs_git
def test_a_checkout_of_another_account_can_be_looked_at(repository: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 65534, 65534)
    assert compatibility.last_release(repository) is None


@needs_git
def test_this_version_may_bring_what_it_changes() -> None:
    """The check itself, on this checkout; without a tag it says that there is nothing to compare."""
    root = SCHEMAS.parent.parent
    if not (root / ".git").exists():
        pytest.skip("not a git checkout: there is no history to compare with")
    assert compatibility.main(root, CONTRACT_VERSION) == 0
