"""Renders the manifests of deploy/kubernetes, and finds what they allow."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

import tools
from tests.repository import ROOT

SOURCE = ROOT / "deploy/kubernetes"
# What docs/deploy.md makes and lets people write, for the namespace of the example.
SECRETS = {
    "SECRET_KEY": "kX9-" * 16 + "abcdefgh",
    "VALKEY_URL": "valkey://:secret@valkey.site.svc:6379/0",
    "CELERY_BROKER_URL": "amqp://site:secret@rabbitmq.site.svc:5672//",
    "EMAIL_URL": "smtp+tls://user:secret@mail.example:587",
    "S3_ACCESS_KEY_ID": "key",
    "S3_SECRET_ACCESS_KEY": "secret",
    "valkey.conf": "requirepass secret",
    "rabbitmq-username": "site",
    "rabbitmq-password": "secret",
}

Object = dict[str, Any]


def missing() -> str:
    """Return why nothing can be rendered here; "" if it can."""
    return "" if shutil.which("kubectl") else tools.missing("kustomize")


def render(folder: Path) -> list[Object]:
    """Return the objects of a kustomization."""
    command = (
        ["kubectl", "kustomize"]
        if shutil.which("kubectl")
        else [*tools.command("kustomize"), "build"]
    )
    done = subprocess.run(
        [*command, str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def copy(folder: Path) -> Path:
    """Copy all manifests, with secrets for the example, and return the example's folder."""
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("secrets"))
    example = folder / "overlays/example"
    (example / "secrets").mkdir()
    for name, value in SECRETS.items():
        (example / "secrets" / name).write_text(value)
    return example


class Manifests:
    """The objects of a site.

    Attributes:
        objects: all of them, which a test may change.
    """

    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects

    def all(self, *kinds: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """Return an object by its name, or what precedes the hash in it."""
        (found,) = [
            one
            for one in self.all(kind)
            if one["metadata"]["name"] in {name, f"{name}-{one['metadata']['name'][-10:]}"}
        ]
        return found

    def workloads(self) -> list[Object]:
        """Return whatever starts pods, except for custom resources."""
        return self.all("Deployment", "StatefulSet", "Job")

    def workload(self, name: str) -> Object:
        (found,) = [one for one in self.workloads() if one["metadata"]["name"] == name]
        return found

    def settings(self) -> dict[str, str]:
        settings: dict[str, str] = self.one("ConfigMap", "settings")["data"]
        return settings

    def secret_files(self) -> set[str]:
        """Return the names of the files that the web pods have in /run/secrets/site."""
        (volume,) = [
            one for one in pod(self.workload("web"))["volumes"] if one["name"] == "secrets"
        ]
        found: set[str] = set()
        for source in volume["projected"]["sources"]:
            if items := source["secret"].get("items"):
                found |= {one["path"] for one in items}
            else:
                name = source["secret"]["name"]
                (secret,) = [one for one in self.all("Secret") if one["metadata"]["name"] == name]
                found |= set(secret["data"])
        return found


def pod(workload: Object) -> Object:
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


def labels(workload: Object) -> dict[str, str]:
    """Return the labels of a workload's pods."""
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def containers(workload: Object) -> list[Object]:
    spec = pod(workload)
    return [*spec.get("initContainers", []), *spec["containers"]]


def ports(workload: Object) -> dict[str, int]:
    """Return the named ports of a workload's pods."""
    return {
        port["name"]: port["containerPort"]
        for container in containers(workload)
        for port in container.get("ports", [])
    }


def selects(selector: Object, found: dict[str, str]) -> bool:
    """Return whether a selector of labels matches."""
    if any(found.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for one in selector.get("matchExpressions", []):
        assert one["operator"] == "In", one
        if found.get(one["key"]) not in one["values"]:
            return False
    return True


def allowed(
    manifests: Manifests, found: dict[str, str], direction: str, named: dict[str, int]
) -> set[tuple[str, int]]:
    """Return the peers and ports with which NetworkPolicies let a pod speak.

    Args:
        manifests: with the policies.
        found: the labels of the pod.
        direction: Ingress or Egress.
        named: the ports of the pod that have names.
    """
    peers = "from" if direction == "Ingress" else "to"
    result = set()
    for policy in manifests.all("NetworkPolicy"):
        spec = policy["spec"]
        if not selects(spec["podSelector"], found):
            continue
        for rule in spec.get(direction.lower(), []):
            for peer in rule.get(peers, [{"anything": True}]):
                for port in rule["ports"]:  # a rule without ports would allow all of them
                    number = port["port"]
                    for one in range(
                        named.get(number, number),
                        port.get("endPort", named.get(number, number)) + 1,
                    ):
                        result.add((describe(peer), one))
    return result


def describe(peer: Object) -> str:
    """Return a peer in words: `namespace/pod`, a network, or `anything`."""
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return " except ".join([block["cidr"], *sorted(block.get("except", []))][:2])
    words = [
        ",".join(peer[kind].get("matchLabels", {}).values()) or "all"
        for kind in ("namespaceSelector", "podSelector")
        if kind in peer
    ]
    return "/".join(words) or "anything"
