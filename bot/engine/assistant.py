"""An assistant: a directory in Rasa's 3.1 format, read whole and found sound.

    domain.yml          what it can hear, remember, ask, do and say
    data/**/*.yml       rules, and examples of what people say

`endpoints.yml` and `config.yml` are for a Rasa that trains on the same directory; they are not read here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.engine.domain import Domain
from bot.engine.domain_reading import check_version, read_domain
from bot.engine.examples import Examples, ExamplesReader
from bot.engine.policy import Policy
from bot.engine.policy_check import check_rules
from bot.engine.responses import Response
from bot.engine.rules import Rule, read_rules
from bot.engine.source import Node, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """`content_hash` is of every file read (hexadecimal SHA-256): the same hash behaves the same."""

    directory: Path
    domain: Domain
    rules: tuple[Rule, ...]
    examples: Examples
    content_hash: str
    policy: Policy = field(compare=False)

    @property
    def responses(self) -> Mapping[str, Response]:
        return self.domain.responses


_STORIES = "Write rules instead: stories need a trained policy"
_UNSUPPORTED = {
    "stories": _STORIES,
    "e2e_tests": _STORIES,
    "flows": _STORIES,
    "responses": "Put responses into domain.yml",
    **dict.fromkeys(
        ("intents", "entities", "slots", "forms", "actions", "session_config"), "Put the domain into domain.yml"
    ),
}


def load(directory: Path) -> Assistant:
    """The assistant in `directory`. Raises ContentError with every problem of every file."""
    report = Report()
    digest = hashlib.sha256()
    files = [directory / "domain.yml", *sorted((directory / "data").glob("**/*.yml"))]
    roots: dict[str, Node | None] = {}
    for path in files:
        name = path.relative_to(directory).as_posix()
        roots[name] = report.file(path, name)
        if path.is_file():
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    domain_root = roots.pop("domain.yml")
    if domain_root is None:  # everything else would seem unknown
        report.check()
    domain = read_domain(report, domain_root or Node("domain.yml", 1, {}))
    rules: list[Rule] = []
    examples = ExamplesReader(report, domain)
    for root in roots.values():
        if root is None:
            continue
        top = report.mapping(root, "the file", needs=("version",), may=("rules", "nlu"), unsupported=_UNSUPPORTED)
        check_version(report, top)
        if "rules" in top:
            rules += read_rules(report, top["rules"], domain)
        if "nlu" in top:
            examples.read(top["nlu"])
    if not roots:
        report.add(Node("data", 1, None), "there are no rules", "Write them in data/rules.yml")
    _check_names(report, rules)
    policy = Policy(rules)
    if not report.problems:  # what is half read would seem to contradict itself
        check_rules(report, domain, policy)
    report.check()
    return Assistant(
        directory=directory,
        domain=domain,
        rules=tuple(rules),
        examples=examples.done(),
        content_hash=digest.hexdigest(),
        policy=policy,
    )


def _check_names(report: Report, rules: list[Rule]) -> None:
    seen: dict[str, Rule] = {}
    for rule in rules:
        if other := seen.get(rule.name):
            report.add(
                Node(rule.file, rule.line, None),
                f"the rule `{rule.name}` has the name of another, at {other.file}:{other.line}",
                "Give one of them another name",
            )
        seen[rule.name] = rule
