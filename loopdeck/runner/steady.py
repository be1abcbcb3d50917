"""What a run's maker is told that stays the same from call to call: template, system file, skills, goal, checks; all as frozen."""

from functools import cached_property

from loopdeck.core import prompt
from loopdeck.core.conversation import Part
from loopdeck.store.frozen import Frozen
from loopdeck.store.loopfolder import NAME, SKILLS


class Steady:
    """The steady part of a maker's prompt."""

    def __init__(self, frozen: Frozen) -> None:
        self._frozen = frozen

    def skills(self) -> dict[str, str]:
        """Texts of the loop's skills, by name, each with word of what lies beside it."""
        files = self.skill_files()
        texts = {name.partition("/")[0]: text for name, text in files.items() if name.endswith("/SKILL.md") and name.count("/") == 1}
        beside = {name: sorted(file for file in files if file.startswith(f"{name}/") and file != f"{name}/SKILL.md") for name in texts}
        return {name: text + _told_of(beside[name]) for name, text in texts.items()}

    def skill_files(self) -> dict[str, str]:
        """All files of the loop's skills, as frozen, by `<skill>/<path in its folder>`."""
        keys = {key: key.partition(":")[2] for key in self._frozen.files if key.startswith("skill:")}
        return {name if "/" in name else f"{name}/SKILL.md": self._frozen.files[key] for key, name in keys.items()}

    @cached_property
    def template(self) -> Part:
        """The maker's prompt template."""
        return Part("template", self._frozen.files["template"], prompt.template_of(self._frozen.spec))

    def parts(self) -> tuple[Part, ...]:
        """All of it."""
        described = {name: prompt.described(text) for name, text in self.skills().items()}
        return prompt.system_parts(self._frozen.spec, self.template, self._frozen.files.get("system", ""), described)


def _told_of(files: list[str]) -> str:
    listed = ", ".join(f"`{NAME}/{SKILLS}/{file}`" for file in files)
    return f"\n\nFiles of this skill, to be read or run from the worktree: {listed}." if files else ""
