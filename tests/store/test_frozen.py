"""The frozen spec of a run: what goes in comes out, nothing else is believed, and its hashes say what changed."""

import stat
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from loopdeck.core.findings import finding
from loopdeck.core.loopfile import read_deck, read_loop
from loopdeck.core.spec import CheckSpec, Exit, LoopSpec
from loopdeck.errors import StoreError, UsageError
from loopdeck.store.frozen import Frozen, Origin, exit_hash_of, freeze, harness_of, hash_of, thaw
from tests.core.test_loopfile import DECK, EVERYTHING, SMALLEST


def spec_of(text: str, deck: str = "", prompt: str = "") -> LoopSpec:
    spec = read_loop("fix", text, "loop.toml", read_deck(deck, "deck.toml")[0], prompt=prompt).spec
    assert spec is not None
    return spec


def frozen_of(spec: LoopSpec, **more) -> Frozen:
    return Frozen("fix", "20261121-0715-a3f9", "/repo", "/repo/.git", "2026-11-21T07:15:00Z", spec, **more)


@pytest.mark.req("S0-15")
@pytest.mark.parametrize("text", [SMALLEST, EVERYTHING])
def test_what_is_frozen_thaws_to_the_same(tmp_path, text):
    spec = spec_of(text, DECK, prompt="At length:\n\n'''quoted'''\n")
    files = {
        "system": "Be brief.\n",
        "rubric:a b": "\n'it's'",
        "script:ä": "\r\n\x7f\0\t",
        "empty": "",
        "skill:x": "a'",
        "prompt:maker": '"""\\',
    }
    written = freeze(
        tmp_path,
        frozen_of(spec, deck=read_deck(DECK, "")[0].deck, files=files, by="ann", input='two\nlines "quoted" é 🙂'),
    )
    thawed = thaw(tmp_path)
    assert thawed == written
    assert (thawed.spec, thawed.files, thawed.by) == (spec, files, "ann")
    assert thawed.spec_hash == hash_of(spec)
    assert thawed.exit_hash == exit_hash_of(spec)
    assert thawed.harness == harness_of(spec, files)
    assert [path.name for path in tmp_path.iterdir()] == ["spec.toml"]
    assert stat.S_IMODE((tmp_path / "spec.toml").stat().st_mode) == 0o600


def test_it_is_toml_that_spells_the_defaults_out(tmp_path):
    freeze(tmp_path, frozen_of(spec_of(SMALLEST, prompt="First.\nSecond.\n")))
    text = (tmp_path / "spec.toml").read_text()
    read = tomllib.loads(text)
    assert read["spec"]["maker"]["tools"][0] == "bash"
    assert read["spec"]["exit"]["no_progress"] == 3
    assert read["spec"]["checks"][0]["timeout_s"] == 600
    assert "\nFirst.\nSecond.\n" in text


@pytest.mark.req("S0-15")
def test_an_edited_or_damaged_one_is_refused(tmp_path):
    freeze(tmp_path, frozen_of(spec_of(SMALLEST)))
    path = tmp_path / "spec.toml"
    whole = path.read_bytes()
    thaw(tmp_path)
    spoiled = [
        whole.replace(b"max_iterations = 4", b"max_iterations = 9"),
        whole[: len(whole) // 2],
        whole + b"\n",
        b"",
        b"\xff" + whole,
        whole.replace(b'digest = "', b'digest = "0', 1),
    ]
    for data in spoiled:
        path.write_bytes(data)
        with pytest.raises(StoreError, match="does not fit its digest") as raised:
            thaw(tmp_path)
        assert str(path) in str(raised.value)
        assert raised.value.remedy


def test_one_that_is_gone_or_of_another_version_is_refused(tmp_path):
    with pytest.raises(StoreError, match="can't be read"):
        thaw(tmp_path)
    import hashlib

    for body in (b"format = 2\n", b"", b"format = 1\n[texts]\n", b"x ="):
        (tmp_path / "spec.toml").write_bytes(b'digest = "%s"\n' % hashlib.sha256(body).hexdigest().encode() + body)
        with pytest.raises(StoreError, match="not one of this version"):
            thaw(tmp_path)


def test_a_run_is_frozen_once(tmp_path):
    first = freeze(tmp_path, frozen_of(spec_of(SMALLEST)))
    with pytest.raises(StoreError, match="frozen already"):
        freeze(tmp_path, frozen_of(spec_of(EVERYTHING)))
    assert thaw(tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StoreError, match="can't be written"):
        freeze(tmp_path / "gone", frozen_of(spec_of(SMALLEST)))


def test_an_input_that_is_no_text_is_the_users_mistake(tmp_path):
    with pytest.raises(UsageError, match="Unicode"):
        freeze(tmp_path, frozen_of(spec_of(SMALLEST), input="\udc80"))
    assert list(tmp_path.iterdir()) == []


SPEC = LoopSpec("fix", "goal", maker=spec_of(SMALLEST).maker, checks=(CheckSpec("a", run="a"),), exit=Exit(4, max_tokens=9))


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"goal": "other"}, {"spec", "harness"}),
        ({"prompt": "other"}, {"spec", "harness"}),
        ({"exit": Exit(5, max_tokens=9)}, {"spec", "exit"}),
        ({"checks": (CheckSpec("a", run="b"),)}, {"spec", "exit", "harness"}),
        ({"maker": structs.replace(SPEC.maker, tools=("bash",))}, {"spec", "harness"}),
        ({"maker": structs.replace(SPEC.maker, model="other")}, {"spec"}),
        ({"level": "report"}, {"spec"}),
    ],
)
def test_each_hash_is_over_its_own_part(change, changed):
    other = structs.replace(SPEC, **change)
    differ = {
        "spec": hash_of(SPEC) != hash_of(other),
        "exit": exit_hash_of(SPEC) != exit_hash_of(other),
        "harness": harness_of(SPEC, {}) != harness_of(other, {}),
    }
    assert {name for name, differs in differ.items() if differs} == changed


@pytest.mark.parametrize(
    ("key", "counts"), [("system", True), ("rubric:a", True), ("skill:x", True), ("script", False), ("script:a", False)]
)
def test_the_harness_is_every_text_but_the_scripts_that_stand_for_models(key, counts):
    assert (harness_of(SPEC, {key: "1"}) != harness_of(SPEC, {key: "2"})) is counts


_text = st.text(st.characters(codec="utf-8"))


@settings(max_examples=60)
@given(st.dictionaries(_text, _text, max_size=3), _text, _text, _text)
def test_any_text_survives(tmp_path, files, prompt, goal, said):
    spec = structs.replace(SPEC, prompt=prompt, goal=goal)
    (tmp_path / "spec.toml").unlink(missing_ok=True)
    assert freeze(tmp_path, frozen_of(spec, files=files, input=said)) == thaw(tmp_path)


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(tmp_path, data):
    (tmp_path / "spec.toml").write_bytes(data)
    with pytest.raises(StoreError):
        thaw(tmp_path)


def test_thawing_is_quick_even_with_long_texts(tmp_path: Path):
    spec = spec_of(EVERYTHING, DECK, prompt="A line of the prompt.\n" * 5000)
    freeze(tmp_path, frozen_of(spec, files={"system": "Another line.\n" * 5000}))
    fastest = 1.0
    for _ in range(20):
        start = time.process_time()
        thaw(tmp_path)
        fastest = min(fastest, time.process_time() - start)
    assert fastest < 0.005


def test_what_a_retry_goes_on_from_thaws_to_the_same(tmp_path):
    found = structs.replace(
        finding("c", "a b", "it's '''odd'''\x00\x1b[31m\n\u202e", path="a/b.py", line=3), snippet="\t'x'\r\n", seen=4, regression=True
    )
    origin = Origin("20261121-0714-a3f9", 3, "b" * 40, "c" * 40, (found, finding("d", "d", "plain")))
    written = freeze(tmp_path, frozen_of(spec_of(SMALLEST), origin=origin, files={"system": "Be brief.\n"}))
    assert thaw(tmp_path) == written
    assert thaw(tmp_path).origin == origin
