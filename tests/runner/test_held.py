"""What a runner holds, whether it is in its environment or in what it copies for its maker."""

from msgspec import structs

from loopdeck.agents import keys
from loopdeck.core.redact import Redactor
from loopdeck.core.spec import Sandbox, Workspace
from loopdeck.runner.held import held
from loopdeck.store.frozen import Frozen
from tests.core.make import check, loop
from tests.kit.repos import make_repo


def test_secrets_of_its_environment_of_what_it_lets_through_and_of_what_it_copies(tmp_path):
    root = make_repo(tmp_path / "repo", {"a": "a"})
    (root / ".env").write_text("export DB_PASSWORD='c4n4ry in a file'\n# a comment\nMODE=production\nAPI_KEY: c4n4ry-value-two\n")
    (root / "cfg").mkdir()
    (root / "cfg" / "prod.env").write_text("TOKEN=c4n4ry-value-three\n")
    (root / "big.txt").write_text("TOKEN=c4n4ry-not-in-a-file-of-secrets\n")
    spec = structs.replace(
        loop(check()),
        sandbox=Sandbox(env=("STAGE", "PLAIN", "NONE")),
        workspace=Workspace(copy=(".env", "cfg", "cfg/*.env", "big.txt")),
    )
    frozen = Frozen(loop="fix", run="r", root=str(root), common_dir="", created="", spec=spec)
    environ = {"STAGE": "production", "PLAIN": "c4n4ry-let-through-4", "A_TOKEN": "c4n4ry-value-five", "HOME": "/home/olga"}
    assert held(environ, frozen) == {
        "c4n4ry in a file", "c4n4ry-value-two", "c4n4ry-value-three", "c4n4ry-let-through-4", "c4n4ry-value-five",
    }  # fmt: skip


def test_a_key_that_is_found_later_is_told_to_the_redactor(monkeypatch):
    redactor = Redactor()
    monkeypatch.setattr(keys, "_listeners", [])
    keys.listen(redactor.learn)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "c4n4ry-no-shape-of-a-key")
    assert keys.find_key("anthropic") is not None
    assert "c4n4ry" not in redactor.text("it is c4n4ry-no-shape-of-a-key")
