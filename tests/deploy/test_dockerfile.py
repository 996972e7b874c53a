"""deploy/Dockerfile as far as it can be checked with no engine to build it."""

from __future__ import annotations

import re

import pytest

from tests.deploy.deploy_example import ROOT, text


def instructions(source: str) -> list[tuple[str, str]]:
    """Instruction and its argument, comments left out, continued lines joined."""
    lines = [
        line
        for line in source.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [line.partition(" ") for line in joined.splitlines()]
    return [(name.upper(), argument.strip()) for name, _, argument in found]


def of(kind: str) -> list[str]:
    return [
        argument
        for name, argument in instructions(text("deploy/Dockerfile"))
        if name == kind
    ]


def test_every_instruction_is_one_that_docker_knows() -> None:
    known = {
        "FROM",
        "ARG",
        "RUN",
        "WORKDIR",
        "COPY",
        "ENV",
        "USER",
        "CMD",
    }  # ADD is not among them: no remote files
    assert {name for name, _ in instructions(text("deploy/Dockerfile"))} == known


def test_base_is_pinned_to_a_patch_release_of_our_python() -> None:
    (base,) = of("FROM")
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", base)


def test_container_does_not_run_as_root() -> None:
    assert of("USER") == ["1000"]
    names = [name for name, _ in instructions(text("deploy/Dockerfile"))]
    assert set(names[names.index("USER") + 1 :]) == {"CMD"}


def test_pip_keeps_no_cache_and_follows_the_pins() -> None:
    installs = [command for command in of("RUN") if "pip install" in command]
    assert len(installs) == 2
    for command in installs:
        assert "--no-cache-dir" in command
        assert "constraints.txt" in command


def test_apt_leaves_no_lists_and_no_recommends() -> None:
    (command,) = [command for command in of("RUN") if "apt-get install" in command]
    assert "--no-install-recommends" in command
    assert "rm -rf /var/lib/apt/lists/*" in command


@pytest.mark.parametrize("name", ["aws", "postgres"])
def test_extras_are_ours(name: str) -> None:
    assert name in next(
        argument for argument in of("ARG") if argument.startswith("EXTRAS=")
    ).split("=")[1].split(",")
    assert re.search(rf"^{name} = ", text("pyproject.toml"), re.MULTILINE)


def test_what_is_copied_is_there_and_not_ignored() -> None:
    sources = [source for argument in of("COPY") for source in argument.split()[:-1]]
    allowed = {
        line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")
    }
    assert text(".dockerignore").splitlines()[0] == "*"
    assert set(sources) == allowed
    assert all((ROOT / source).exists() for source in sources)


def test_our_packages_are_all_in_it() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == {"hvac", "ray_jobs", "serve"}
    assert packages <= {
        source for argument in of("COPY") for source in argument.split()[:-1]
    }


def test_image_asks_for_a_token_and_reports_nothing() -> None:
    values = dict(re.findall(r"(\w+)=(\S+)", " ".join(of("ENV"))))
    assert values["RAY_AUTH_MODE"] == "token"
    assert values["RAY_USAGE_STATS_ENABLED"] == "0"
    assert values["OMP_NUM_THREADS"] == "1"
    assert values["HOME"] == "/home/ray"
