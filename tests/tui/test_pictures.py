"""The room looks as it did: each scene's text is compared with the picture kept of it."""

import asyncio

import pytest

from tests.tui.scenes import PICTURES, SCENES, picture

SHOTS = [(scene, size) for scene in SCENES for size in scene.sizes]


@pytest.mark.parametrize(("scene", "size"), SHOTS, ids=[f"{scene.name}-{width}x{height}" for scene, (width, height) in SHOTS])
def test_a_scene_looks_as_it_did(tmp_path, scene, size):
    kept = (PICTURES / f"{scene.name}-{size[0]}x{size[1]}.txt").read_text(encoding="utf-8")
    now = asyncio.run(picture(scene, size, tmp_path))
    assert now == kept, "look at it; `python -m tests.tui.scenes` keeps what there is now"


def test_no_picture_is_of_nothing():
    assert {file.stem for file in PICTURES.glob("*.txt")} == {f"{scene.name}-{size[0]}x{size[1]}" for scene, size in SHOTS}
