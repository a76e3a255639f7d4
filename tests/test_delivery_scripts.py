"""The scripts that the workflows call to publish and to deploy, with stand-ins for what is outside.

A server is a real sshd on 127.0.0.1. There is no registry and no cluster: docker, nix, cosign and
kubectl are programs that write down how they were called and answer as the real ones do.
"""

import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dovetail.devtools.embedded.testing import free_port
from tests.repository import ROOT

BASH = shutil.which("bash") or "bash"  # a sandbox has no /usr/bin/env
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
IMAGE = f"ghcr.io/ada/site@{DIGEST}"
STAND_IN = """\
#!{bash}
printf '%s\\n' "${{0##*/}} $*" >>{calls}
{code}
"""


class Programs:
    """Stand-ins on PATH.

    Attributes:
        calls: the file with a line for each call.
        environment: with them before all others.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "programs"
        self.folder.mkdir()
        self.calls = folder / "calls"
        self.calls.touch()
        self.environment = {
            "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
        }

    def add(self, name: str, code: str) -> None:
        """Write a program that answers with this shell code."""
        program = self.folder / name
        program.write_text(STAND_IN.format(bash=BASH, calls=self.calls, code=code))
        program.chmod(0o755)

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()

    def run(self, script: str, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BASH, ROOT / "bin" / script, *words],
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


@pytest.mark.parametrize(
    ("script", "words", "message"),
    [
        ("image", ["podman"], "bin/image takes one word: docker or nix"),
        ("publish-image", [], "bin/publish-image takes one word: docker or nix"),
        ("publish-image", ["nix"], "GITHUB_REPOSITORY is not set"),
        ("verify-image", ["ghcr.io/ada/site:1.2.0"], "no image with a digest"),
        ("verify-image", [IMAGE], "set GITHUB_REPOSITORY"),
        ("deploy-ssh", [f"{IMAGE};id"], "no image with a digest"),
        ("deploy-ssh", [IMAGE], "DEPLOY_HOST is not set"),
        ("deploy-kubernetes", ["site:latest"], "no image with a digest"),
        ("deploy-kubernetes", [IMAGE], "DEPLOY_OVERLAY is not set"),
        ("check-release", ["v0.0.1"], "the tag is 'v0.0.1', but pyproject.toml has version"),
    ],
)
def test_bad_input_is_one_sentence(
    programs: Programs, script: str, words: list[str], message: str
) -> None:
    result = programs.run(script, *words)

    assert result.returncode
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert programs.called() == []


def test_flake_is_checked_and_the_image_built_twice(programs: Programs) -> None:
    programs.add("uv", "")
    programs.add("nix", "")

    result = programs.run("ci", "nix")

    assert result.returncode == 0, result.stderr
    assert programs.called() == [
        "uv sync --locked --quiet",
        "nix flake check --print-build-logs",
        "nix build --no-link .#image",
        "nix build --no-link --rebuild .#image",
        "nix develop -c uv run --no-sync pytest tests/stack -n0 --confcutdir=tests/stack",
    ]


def test_failed_step_of_bin_ci_ends_the_run(programs: Programs) -> None:
    programs.add("uv", "")
    programs.add("nix", "[ $2 != --no-link ]")

    result = programs.run("ci", "nix", "audit")

    assert result.returncode == 1
    assert programs.called()[-1] == "nix build --no-link .#image"


class TestBuild:
    @pytest.fixture
    def data(self) -> Iterator[Path]:
        """Return the bill of materials in this checkout, and remove it afterward."""
        bill = ROOT / ".data/image/nix.cdx.json"
        before = bill.read_bytes() if bill.exists() else None
        yield bill
        if before is None:
            bill.unlink(missing_ok=True)
        else:
            bill.write_bytes(before)

    def test_dockerfile_is_built_with_its_revision(self, programs: Programs) -> None:
        programs.add("docker", "")
        programs.add("git", "echo 0123abc")

        assert programs.run("image", "docker").returncode == 0
        build = "docker build --pull --tag site:docker --build-arg REVISION=0123abc ."
        assert build in programs.called()

    def test_image_of_the_flake_gets_its_name_and_bill(
        self, programs: Programs, data: Path
    ) -> None:
        (programs.folder / "closure.cdx.json").write_text("{}")
        programs.add("nix", f"echo {programs.folder}")
        programs.add("docker", "[ $1 = load ] && echo 'Loaded image: a:0123' || true")

        result = programs.run("image", "nix")

        assert result.returncode == 0, result.stderr
        assert programs.called()[-2:] == [
            "docker tag a:0123 site:nix",
            "nix build --no-link --print-out-paths .#sbom",
        ]
        assert data.read_text() == "{}"

    def test_failed_build_fails(self, programs: Programs) -> None:
        programs.add("nix", "exit 3")
        programs.add("docker", "")

        assert programs.run("image", "nix").returncode == 3
        assert not [call for call in programs.called() if call.startswith("docker")]


class TestPublish:
    DOCKER = f"""\
case $1 in
  login) cat >"$HOME/password" ;;
  image) echo "docker.io/ada/site@sha256:other {IMAGE}" ;;
esac"""

    def publish(self, programs: Programs, builder: str, tag: str) -> dict[str, str]:
        programs.add("docker", self.DOCKER)
        result = programs.run(
            "publish-image",
            builder,
            GITHUB_REPOSITORY="Ada/Site",
            GITHUB_ACTOR="ada",
            GITHUB_REF_NAME=tag,
            GITHUB_OUTPUT=str(programs.folder / "output"),
            GITHUB_STEP_SUMMARY=str(programs.folder / "summary"),
            REGISTRY_TOKEN="t0ken",
        )
        assert result.returncode == 0, result.stderr
        lines = (programs.folder / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def test_image_is_pushed_and_its_digest_told(self, programs: Programs) -> None:
        told = self.publish(programs, "docker", "v1.2.0")

        assert told == {"name": "ghcr.io/ada/site", "digest": DIGEST}
        assert "docker push --quiet ghcr.io/ada/site:1.2.0" in programs.called()
        assert f"`1.2.0` is `{IMAGE}`" in (programs.folder / "summary").read_text()

    def test_image_of_the_flake_has_a_tag_of_its_own(self, programs: Programs) -> None:
        self.publish(programs, "nix", "main")

        assert "docker tag site:nix ghcr.io/ada/site:main-nix" in programs.called()

    def test_token_is_on_no_command_line(self, programs: Programs) -> None:
        self.publish(programs, "docker", "main")

        assert not [call for call in programs.called() if "t0ken" in call]
        assert Path(programs.environment["HOME"], "password").read_text() == "t0ken\n"


class TestVerify:
    def test_only_this_repository_s_workflow_is_trusted(self, programs: Programs) -> None:
        programs.add("cosign", "")

        result = programs.run("verify-image", IMAGE, GITHUB_REPOSITORY="ada/my.site")

        assert result.returncode == 0, result.stderr
        [call] = programs.called()
        [pattern] = re.findall(r"--certificate-identity-regexp (\S+)", call)
        workflow = "https://github.com/ada/my.site/.github/workflows/images.yml@refs"
        assert re.search(pattern, f"{workflow}/tags/v1.2.0")
        assert re.search(pattern, f"{workflow}/heads/main")
        for other in (
            f"{workflow}/heads/feature",
            f"{workflow}/pull/1/merge",
            f"{workflow.replace('my.site', 'my-site')}/heads/main",
            f"{workflow.replace('images', 'other')}/heads/main",
            f"https://evil.example/?{workflow}/heads/main",
        ):
            assert not re.search(pattern, other)

    def test_image_without_a_signature_is_refused(self, programs: Programs) -> None:
        programs.add("cosign", "echo 'no signatures found' >&2; exit 10")

        result = programs.run("verify-image", IMAGE, GITHUB_REPOSITORY="ada/site")

        assert result.returncode == 10
        assert "was published" not in result.stdout


class TestKubernetes:
    """The cluster is a stand-in; the manifests are made by the real kubectl, by its kustomize."""

    @pytest.fixture
    def overlay(self, programs: Programs, tmp_path: Path) -> str:
        kubectl = shutil.which("kubectl")
        if not kubectl:
            pytest.skip("kubectl is not on PATH")
        folder = tmp_path / "overlay"
        folder.mkdir()
        (folder / "kustomization.yaml").write_text("namespace: shop\nresources: [job.yaml]\n")
        (folder / "job.yaml").write_text(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\n"
            "spec: {template: {spec: {containers: [{name: app, image: site}]}}}\n"
        )
        programs.add(
            "kubectl",
            f"""\
case "$*" in
  kustomize*) exec {kubectl} "$@" ;;
  apply*) cp "$3" "$HOME/applied.yaml" ;;
  *"get job"*) [ ! -e "$HOME/is-away" ] && cat "$HOME/state" ;;
  *logs*) echo "relation is missing" ;;
  *rollout*) exit "$(cat "$HOME/rollout")" ;;
esac""",
        )
        (tmp_path / "state").write_text("Complete ")
        (tmp_path / "rollout").write_text("0")
        return str(folder)

    def verbs(self, programs: Programs) -> list[str]:
        calls = [call.removeprefix("kubectl ") for call in programs.called()]
        short = [re.sub(r"--(namespace|filename|output|timeout) \S+ ?", "", call) for call in calls]
        return [call.strip() for call in short if not call.startswith("kustomize")]

    def test_migrations_come_first(self, programs: Programs, overlay: str) -> None:
        result = programs.run("deploy-kubernetes", IMAGE, DEPLOY_OVERLAY=overlay)

        assert result.returncode == 0, result.stderr
        found = self.verbs(programs)
        assert found[:2] == [
            "delete job migrate --ignore-not-found",
            "apply --selector app.kubernetes.io/component notin (web, worker, beat)",
        ]
        assert found[2].startswith("get job migrate")
        assert found[3:] == [
            "apply --selector app.kubernetes.io/component in (worker, beat)",
            "rollout status deployment --selector app.kubernetes.io/component in (worker, beat)",
            "apply",
            "rollout status deployment --selector app.kubernetes.io/component in (web)",
        ]
        applied = Path(programs.environment["HOME"], "applied.yaml").read_text()
        assert f"image: {IMAGE}" in applied

    def test_namespace_is_that_of_the_overlay(self, programs: Programs, overlay: str) -> None:
        programs.run("deploy-kubernetes", IMAGE, DEPLOY_OVERLAY=overlay)

        named = [one for one in programs.called() if "--namespace" in one]
        assert len(named) == 4
        assert all("--namespace shop " in one for one in named)

    def test_cluster_that_does_not_answer_is_no_slow_migration(
        self, programs: Programs, overlay: str
    ) -> None:
        Path(programs.environment["HOME"], "is-away").touch()

        result = programs.run("deploy-kubernetes", IMAGE, DEPLOY_OVERLAY=overlay)

        assert result.returncode == 1
        assert "error: The cluster does not tell how the migrations are." in result.stderr

    def test_image_of_the_overlay_is_replaced(self, programs: Programs, overlay: str) -> None:
        with Path(overlay, "kustomization.yaml").open("a") as file:
            file.write("images: [{name: site, newName: ghcr.io/ada/site, newTag: '1.0'}]\n")

        result = programs.run("deploy-kubernetes", IMAGE, DEPLOY_OVERLAY=overlay)

        assert result.returncode == 0, result.stderr
        applied = Path(programs.environment["HOME"], "applied.yaml").read_text()
        assert re.findall("image: (.*)", applied) == [IMAGE]

    def test_failed_migration_replaces_nothing(self, programs: Programs, overlay: str) -> None:
        Path(programs.environment["HOME"], "state").write_text("Failed ")

        result = programs.run("deploy-kubernetes", IMAGE, DEPLOY_OVERLAY=overlay)

        assert result.returncode == 1
        assert "relation is missing" in result.stderr
        assert "error: The migrations failed. What runs has not been replaced" in result.stderr
        assert self.verbs(programs)[-1].startswith("logs job/migrate")
        assert not [one for one in self.verbs(programs) if re.search("rollout|in .worker", one)]

    def test_rollout_that_does_not_become_ready_fails(
        self, programs: Programs, overlay: str
    ) -> None:
        Path(programs.environment["HOME"], "rollout").write_text("1")

        result = programs.run("deploy-kubernetes", IMAGE, DEPLOY_OVERLAY=overlay)

        assert result.returncode == 1
        assert "The new workers are not ready. The old web pods go on serving" in result.stderr
        assert "apply" not in self.verbs(programs)  # not all of it: the web pods stay

    def test_overlay_without_the_image_is_refused(self, programs: Programs, overlay: str) -> None:
        job = Path(overlay, "job.yaml")
        job.write_text(job.read_text().replace("image: site", "image: other"))

        result = programs.run("deploy-kubernetes", IMAGE, DEPLOY_OVERLAY=overlay)

        assert "has no container with the image 'site'" in result.stderr
        assert self.verbs(programs) == []


@dataclass(frozen=True)
class Server:
    """A running sshd.

    Attributes:
        address: as DEPLOY_HOST has it.
        known: its host key, as DEPLOY_KNOWN_HOSTS has it.
        key: the private key that it lets in.
        folder: its checkout.
    """

    address: str
    known: str
    key: str
    folder: Path


def make_key(path: Path) -> str:
    """Write a key, and return its public half."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path.with_suffix(".pub").read_text().strip()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    if not sshd or not shutil.which("ssh"):
        pytest.skip("there is no sshd and ssh (Debian's openssh-server)")
    host, port = make_key(tmp_path / "host"), free_port()
    (tmp_path / "authorized").write_text(f"restrict {make_key(tmp_path / 'key')}\n")
    (tmp_path / "site/bin").mkdir(parents=True)
    deploy = tmp_path / "site/bin/deploy"
    deploy.write_text('#!/bin/sh\necho "$*" >deployed\n')
    deploy.chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it separates its privileges
    options = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": tmp_path / "host",
        "AuthorizedKeysFile": tmp_path / "authorized",
        "PidFile": "none",
        "StrictModes": "no",  # pytest's folders belong to all
        "UsePAM": "no",
        "PasswordAuthentication": "no",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    log = tmp_path / "sshd.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sshd, "-D", "-e", "-f", "/dev/null", *words], stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + 30
        while "Server listening" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        user = pwd.getpwuid(os.geteuid()).pw_name
        yield Server(
            f"ssh://{user}@127.0.0.1:{port}",
            f"[127.0.0.1]:{port} {host}",
            (tmp_path / "key").read_text(),
            tmp_path / "site",
        )
    finally:
        process.terminate()
        process.wait(10)


class TestSsh:
    def deploy(
        self, programs: Programs, server: Server, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        given = {
            "DEPLOY_HOST": server.address,
            "DEPLOY_PATH": str(server.folder),
            "DEPLOY_KNOWN_HOSTS": server.known,
            "DEPLOY_KEY": server.key,
        }
        return programs.run("deploy-ssh", IMAGE, **(given | more))

    def test_server_deploys_the_image(self, programs: Programs, server: Server) -> None:
        result = self.deploy(programs, server)

        assert result.returncode == 0, result.stderr
        assert (server.folder / "deployed").read_text() == f"{IMAGE}\n"

    def test_failure_on_the_server_is_told(self, programs: Programs, server: Server) -> None:
        (server.folder / "bin/deploy").write_text("#!/bin/sh\necho 'error: no' >&2\nexit 7\n")

        result = self.deploy(programs, server)

        assert (result.returncode, result.stderr) == (7, "error: no\n")

    def test_other_host_key_is_refused(
        self, programs: Programs, server: Server, tmp_path: Path
    ) -> None:
        name = server.known.partition(" ")[0]

        result = self.deploy(
            programs, server, DEPLOY_KNOWN_HOSTS=f"{name} {make_key(tmp_path / 'other')}"
        )

        assert result.returncode == 255
        assert "Host key verification failed" in result.stderr
        assert not (server.folder / "deployed").exists()

    def test_unknown_host_is_refused(self, programs: Programs, server: Server) -> None:
        known = server.known.replace("127.0.0.1", "site.example")

        result = self.deploy(programs, server, DEPLOY_KNOWN_HOSTS=known)

        assert result.returncode == 255
        assert not (server.folder / "deployed").exists()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DEPLOY_HOST", "-oProxyCommand=id"),
            ("DEPLOY_HOST", "site.example"),
            ("DEPLOY_PATH", "/srv/site; id"),
            ("DEPLOY_PATH", "site"),
        ],
    )
    def test_strange_setting_is_refused_by_name(
        self, programs: Programs, name: str, value: str
    ) -> None:
        server = Server("ssh://ada@127.0.0.1", "127.0.0.1 key", "key", Path("/srv/site"))

        result = self.deploy(programs, server, **{name: value})

        assert result.returncode == 1
        assert result.stderr.startswith(f"error: {name} must be ")

    def test_nothing_is_left_behind(
        self, programs: Programs, server: Server, tmp_path: Path
    ) -> None:
        temporary = tmp_path / "temporary"
        temporary.mkdir()

        self.deploy(programs, server, TMPDIR=str(temporary))

        assert list(temporary.iterdir()) == []


class TestRelease:
    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        (tmp_path / "bin").mkdir()
        shutil.copy(ROOT / "bin/check-release", tmp_path / "bin")
        (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
        (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 (2026-12-01)\n")
        return tmp_path

    def check(self, checkout: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BASH, "bin/check-release", "v1.2.0"],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_tag_of_the_version_is_accepted(self, checkout: Path) -> None:
        assert self.check(checkout).returncode == 0

    def test_version_without_changes_is_refused(self, checkout: Path) -> None:
        (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0-beta\n\n## 112.0\n")

        assert "has no heading '## 1.2.0'" in self.check(checkout).stderr
