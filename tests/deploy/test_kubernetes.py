"""The manifests of deploy/kubernetes: valid, closed, and what the application expects."""

import copy as copies
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate
import pytest
import yaml
from django.conf import settings
from kubernetes_validate.utils import all_versions

from config import env
from dovetail.devtools.embedded import valkey
from dovetail.devtools.embedded.testing import free_port
from tests.cable.servers import wait_until
from tests.config.test_settings import run as run_python
from tests.deploy import kubernetes
from tests.deploy.kubernetes import SECRETS, SOURCE, Manifests, Object, allowed, labels, pod, ports
from tests.deploy.policies import problems
from tests.repository import ROOT

pytestmark = pytest.mark.skipif(bool(kubernetes.missing()), reason=kubernetes.missing() or "none")

# The kinds of the operators, with the Go modules that have their definitions and the folder there.
KEDA = ("github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases")
MONITORING = (
    "github.com/prometheus-operator/prometheus-operator@v0.85.0",
    "example/prometheus-operator-crd",
)
CLOUDNATIVE_PG = ("github.com/cloudnative-pg/cloudnative-pg@v1.30.0", "config/crd/bases")
RABBITMQ = ("github.com/rabbitmq/cluster-operator/v2@v2.22.3", "config/crd/bases")
TOPOLOGY = ("github.com/rabbitmq/messaging-topology-operator@v1.20.1", "config/crd/bases")
CUSTOM = {
    "ScaledObject": KEDA,
    "TriggerAuthentication": KEDA,
    "ServiceMonitor": MONITORING,
    "Cluster": CLOUDNATIVE_PG,
    "ImageCatalog": CLOUDNATIVE_PG,
    "RabbitmqCluster": RABBITMQ,
    "User": TOPOLOGY,
    "Permission": TOPOLOGY,
}
# The same site with stores elsewhere, and uploads on a volume.
MANAGED = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: site
resources: [../../base]
components: [../../components/managed-services, ../../components/uploads-volume]
images: [{name: site, newName: registry.example/site, newTag: "1"}]
configMapGenerator:
  - name: settings
    behavior: merge
    literals:
      - ALLOWED_HOSTS=site.example
      - SITE_URL=https://site.example
      - DEFAULT_FROM_EMAIL=hello@site.example
secretGenerator:
  - name: site
    literals: [SECRET_KEY=a, DATABASE_URL=b, VALKEY_URL=c, CELERY_BROKER_URL=d, EMAIL_URL=e]
"""


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    return kubernetes.render(kubernetes.copy(tmp_path_factory.mktemp("example") / "kubernetes"))


@pytest.fixture
def example(objects: list[Object]) -> Manifests:
    return Manifests(copies.deepcopy(objects))


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    folder = tmp_path_factory.mktemp("managed") / "kubernetes"
    kubernetes.copy(folder)
    (folder / "overlays/managed").mkdir()
    (folder / "overlays/managed/kustomization.yaml").write_text(MANAGED)
    return Manifests(kubernetes.render(folder / "overlays/managed"))


def minors() -> list[str]:
    """Return the two newest minor versions of Kubernetes whose schemas are known."""
    found = {version.rpartition(".")[0] for version in all_versions()}
    return sorted(found, key=lambda minor: [int(part) for part in minor.split(".")])[-2:]


def invalid(manifests: Manifests, minor: str) -> list[str]:
    """Return what a version of Kubernetes would refuse, and fields that it does not know."""
    found = []
    for one in manifests.objects:
        if one["kind"] in CUSTOM:
            continue
        try:
            kubernetes_validate.validate(one, minor, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{one['kind']} {one['metadata']['name']}: {error.message}")
    return found


@pytest.mark.parametrize("minor", minors())
@pytest.mark.parametrize("site", ["example", "managed"])
def test_manifests_are_valid(minor: str, site: str, request: pytest.FixtureRequest) -> None:
    assert not invalid(request.getfixturevalue(site), minor)


@pytest.mark.parametrize("minor", minors())
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda web: pod(web).update(terminationGracePeriod=40), "terminationGracePeriod"),
        (lambda web: pod(web)["containers"][0]["livenessProbe"].update(periodSeconds="10"), "'10'"),
        (lambda web: web["spec"].pop("selector"), "selector"),
    ],
)
def test_mistake_in_a_manifest_is_found(
    example: Manifests, minor: str, change: Callable[[Object], object], problem: str
) -> None:
    change(example.workload("web"))

    (found,) = invalid(example, minor)

    assert found.startswith("Deployment web: ")
    assert problem in found


def production_settings() -> set[str]:
    """Return the settings that .env.example marks as needed in production."""
    found, comment = set(), ""
    for line in (ROOT / ".env.example").read_text().splitlines():
        if match := re.match(r"# ([A-Z0-9_]+)=", line):
            if "(production" in comment:
                found.add(match[1])
            comment = ""
        elif line.startswith("# "):
            comment += line
        else:
            comment = ""
    return found


def found_problems(manifests: Manifests) -> list[str]:
    known = set(env.names_in(ROOT / ".env.example"))
    return problems(manifests, known, production_settings(), settings.CELERY_TASK_TIME_LIMIT)


def test_marked_settings_are_read() -> None:
    assert {"SECRET_KEY", "DATABASE_URL", "TRUSTED_PROXY_COUNT"} < production_settings()
    assert "JWT_PRIVATE_KEY" not in production_settings()


@pytest.mark.parametrize("site", ["example", "managed"])
def test_manifests_keep_the_policies(site: str, request: pytest.FixtureRequest) -> None:
    assert found_problems(request.getfixturevalue(site)) == []


def container(manifests: Manifests, name: str) -> Any:
    return pod(manifests.workload(name))["containers"][0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda m: m.all("Namespace")[0]["metadata"]["labels"].update(
                {"pod-security.kubernetes.io/enforce": "baseline"}
            ),
            "enforces another profile",
        ),
        (lambda m: pod(m.workload("web"))["securityContext"].update(runAsUser=0), "runs as root"),
        (lambda m: pod(m.workload("beat")).update(hostNetwork=True), "has hostNetwork"),
        (
            lambda m: pod(m.workload("web"))["volumes"].append({"name": "x", "hostPath": {}}),
            "kind of",
        ),
        (lambda m: container(m, "valkey")["securityContext"].pop("capabilities"), "not restricted"),
        (
            lambda m: pod(m.workload("worker"))["initContainers"][0].pop("securityContext"),
            "migrated is not restricted",
        ),
        (lambda m: pod(m.workload("migrate")).pop("automountServiceAccountToken"), "a token"),
        (
            lambda m: m.one("ServiceAccount", "site").pop("automountServiceAccountToken"),
            "account with",
        ),
        (lambda m: pod(m.workload("web")).pop("enableServiceLinks"), "variables of Services"),
        (lambda m: container(m, "worker")["resources"].pop("limits"), "has no limits"),
        (lambda m: container(m, "beat").pop("livenessProbe"), "has no livenessProbe"),
        (lambda m: container(m, "web").pop("readinessProbe"), "has no readinessProbe"),
        (lambda m: container(m, "valkey").update(image="valkey"), "names no version"),
        (lambda m: container(m, "web").update(image="registry.example/site:latest"), "no version"),
        (
            lambda m: container(m, "migrate").update(image="registry.example/site:old"),
            "several images",
        ),
        (
            lambda m: labels(m.workload("web")).update({"app.kubernetes.io/component": "worker"}),
            "selects other pods",
        ),
        (
            lambda m: m.one("Service", "web")["spec"]["ports"][0].update(targetPort="web"),
            "no port web",
        ),
        (
            lambda m: m.one("PodDisruptionBudget", "web")["spec"]["selector"]["matchLabels"].update(
                {"app.kubernetes.io/name": "other"}
            ),
            "PodDisruptionBudget web selects nothing",
        ),
        (
            lambda m: m.one("NetworkPolicy", "valkey")["spec"]["podSelector"]["matchLabels"].update(
                {"app.kubernetes.io/name": "redis"}
            ),
            "NetworkPolicy valkey selects nothing",
        ),
        (
            lambda m: m.one("HorizontalPodAutoscaler", "web")["spec"]["scaleTargetRef"].update(
                name="x"
            ),
            "scales nothing",
        ),
        (
            lambda m: m.workload("worker")["spec"].update(replicas=2),
            "set back the replicas of worker",
        ),
        (
            lambda m: m.workload("web")["spec"]["strategy"]["rollingUpdate"].update(
                maxUnavailable=1
            ),
            "before others are ready",
        ),
        (lambda m: pod(m.workload("worker")).pop("initContainers"), "does not wait for migrations"),
        (
            lambda m: pod(m.workload("web")).update(terminationGracePeriodSeconds=31),
            "web pods are killed",
        ),
        (lambda m: m.settings().update(WEB_STOP_SECONDS="60"), "web pods are killed"),
        (
            lambda m: pod(m.workload("worker")).update(terminationGracePeriodSeconds=300),
            "workers are",
        ),
        (lambda m: m.settings().update(WEB_CONCURENCY="2"), "WEB_CONCURENCY is no setting"),
        (lambda m: m.settings().pop("CELERY_BROKER_URL_FILE"), "CELERY_BROKER_URL is left out"),
        (
            lambda m: m.settings().update(JWT_PRIVATE_KEY_FILE="/run/secrets/site/JWT"),
            "has the file",
        ),
        (
            lambda m: m.settings().update(SITE_URL="https://other.example"),
            "SITE_URL is another host",
        ),
        (
            lambda m: m.settings().update(ALLOWED_HOSTS="b.example"),
            "another host than ALLOWED_HOSTS",
        ),
    ],
)
def test_policy_finds(
    example: Manifests, change: Callable[[Manifests], object], problem: str
) -> None:
    change(example)

    assert [one for one in found_problems(example) if problem in one]


# --- Who may speak with whom ---

INTERNET = {
    (f"{network} except {first}", port)
    for network, first in (("0.0.0.0/0", "10.0.0.0/8"), ("::/0", "fc00::/7"))
    for port in (443, 465, 587)
}
DNS = {("kube-system/kube-dns", 53)}
STORES = {("postgres", 5432), ("rabbitmq", 5672), ("valkey", 6379)}
METRICS = {("monitoring/prometheus", 9464)}


@pytest.mark.parametrize(
    ("name", "ingress", "egress"),
    [
        ("web", {("traefik", 8000)} | METRICS, DNS | STORES | INTERNET),
        ("worker", METRICS, DNS | STORES | INTERNET),
        ("beat", set(), DNS | STORES),
        ("migrate", set(), DNS | STORES),
        ("valkey", {("site", 6379)}, DNS),
    ],
)
def test_pod_speaks_only_with(
    example: Manifests,
    name: str,
    ingress: set[tuple[str, int]],
    egress: set[tuple[str, int]],
) -> None:
    """Kind: a rule that opens more than it says, such as one without ports."""
    workload = example.workload(name)
    named = ports(workload)

    assert allowed(example, labels(workload), "Ingress", named) == ingress
    assert allowed(example, labels(workload), "Egress", named) == egress


@pytest.mark.parametrize(
    ("found", "ingress"),
    [
        (
            {"cnpg.io/cluster": "postgres"},
            {
                ("site", 5432),
                *(
                    (peer, port)
                    for peer in ("postgres", "cnpg-system/cloudnative-pg")
                    for port in (5432, 8000)
                ),
            },
        ),
        (
            {"app.kubernetes.io/name": "rabbitmq"},
            {
                ("site", 5672),
                ("keda/keda-operator", 5672),
                ("rabbitmq-system", 15672),
                *(("rabbitmq", port) for port in (4369, 25672, *range(35672, 35683))),
            },
        ),
        ({"acme.cert-manager.io/http01-solver": "true"}, {("traefik", 8089)}),
        ({"anything": "else"}, set()),
    ],
)
def test_pod_of_an_operator_is_reached_only_by(
    example: Manifests, found: dict[str, str], ingress: set[tuple[str, int]]
) -> None:
    assert allowed(example, found, "Ingress", {}) == ingress


def test_everything_else_is_denied(example: Manifests) -> None:
    assert example.one("NetworkPolicy", "default-deny")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    for policy in example.all("NetworkPolicy"):
        spec = policy["spec"]
        given = {kind for kind in ("Ingress", "Egress") if kind.lower() in spec}
        assert given <= set(spec["policyTypes"]), policy
    outside = example.one("NetworkPolicy", "web-and-worker-to-internet")
    for rule in outside["spec"]["egress"]:
        networks = {one["ipBlock"]["cidr"]: one["ipBlock"]["except"] for one in rule["to"]}
        assert set(networks["0.0.0.0/0"]) == {
            *("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
        }
        assert set(networks["::/0"]) == {"fc00::/7", "fe80::/10"}


def test_metrics_are_not_published(example: Manifests, managed: Manifests) -> None:
    assert example.settings()["METRICS_HOST"] == "0.0.0.0"  # noqa: S104 - behind policies
    assert int(example.settings()["METRICS_PORT"]) == ports(example.workload("web"))["metrics"]
    assert "METRICS_HOST" not in managed.settings()
    assert [port["name"] for port in example.one("Service", "web")["spec"]["ports"]] == ["http"]
    assert example.one("Service", "metrics")["spec"]["clusterIP"] == "None"
    assert all(
        one["spec"].get("type", "ClusterIP") == "ClusterIP" for one in example.all("Service")
    )


# --- What the application expects ---


@pytest.mark.parametrize("site", ["example", "managed"])
def test_roles_are_those_of_the_image(site: str, request: pytest.FixtureRequest) -> None:
    manifests = request.getfixturevalue(site)
    help_ = subprocess.run(
        [sys.executable, ROOT / "nix/entrypoint.py", "help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    roles = {match[1] for match in re.finditer(r"^    (\w+)  ", help_, re.MULTILINE)}
    (program,) = re.findall(r'mainProgram = "(\w+)"', (ROOT / "nix/app.nix").read_text())

    for name in ("web", "worker", "beat", "migrate"):
        assert container(manifests, name)["args"][0] == name
        assert name in roles
    for name in ("worker", "beat"):
        for probe in ("startupProbe", "livenessProbe"):
            command = container(manifests, name)[probe]["exec"]["command"]
            assert command == [program, "health", name]
    assert "health" in roles
    for probe, path in (("startup", "/livez"), ("liveness", "/livez"), ("readiness", "/readyz")):
        assert container(manifests, "web")[f"{probe}Probe"]["httpGet"]["path"] == path
    assert ports(manifests.workload("web"))["http"] == 8000  # the default of PORT


def test_settings_start_production(example: Manifests, tmp_path: Path) -> None:
    """Kind: a file of secrets that no process can read, or a form of URL that is refused."""
    written = SECRETS | {"DATABASE_URL": "postgresql://site:pw@postgres-rw.site:5432/site"}
    for name in example.secret_files():
        (tmp_path / name).write_text(written[name])
    environment = {
        name: value.replace("/run/secrets/site", str(tmp_path))
        for name, value in example.settings().items()
    }
    code = "from django.conf import settings as s; print(s.VALKEY_URL, s.ALLOWED_HOSTS)"

    result = run_python(
        "-c",
        code,
        **environment,
        PYTHONPATH="project",
        DJANGO_SETTINGS_MODULE="config.settings.production",
        DATA_DIR=str(tmp_path),
    )

    assert result.returncode == 0, result.stderr
    assert "valkey.site.svc" in result.stdout
    assert "['site.example']" in result.stdout


def test_uploads_are_where_all_pods_find_them(example: Manifests, managed: Manifests) -> None:
    assert example.settings()["S3_BUCKET"]
    (claim,) = managed.all("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for name in ("web", "worker"):
        mounts = {one["mountPath"]: one["name"] for one in container(managed, name)["volumeMounts"]}
        (volume,) = [
            one for one in pod(managed.workload(name))["volumes"] if one["name"] == mounts["/data"]
        ]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


@pytest.mark.parametrize("reverse", [False, True])
def test_components_work_in_any_order(tmp_path: Path, *, reverse: bool) -> None:
    """Kind: a patch that finds another volume at its place."""
    example = kubernetes.copy(tmp_path / "kubernetes")
    file = example / "kustomization.yaml"
    names = sorted(path.name for path in (SOURCE / "components").iterdir())
    content = yaml.safe_load(file.read_text())
    content["components"] = [f"../../components/{one}" for one in sorted(names, reverse=reverse)]
    file.write_text(yaml.safe_dump(content))

    manifests = Manifests(kubernetes.render(example))

    assert found_problems(manifests) == []
    assert not invalid(manifests, minors()[-1])
    assert "DATABASE_URL" in manifests.secret_files()


def test_patch_of_the_docs_for_argo_and_flux_renders(tmp_path: Path) -> None:
    example = kubernetes.copy(tmp_path / "kubernetes")
    section = (ROOT / "docs/deploy.md").read_text().partition("## Kubernetes")[2]
    patch = section.partition("```yaml\n")[2].partition("```")[0]
    file = example / "kustomization.yaml"
    content = yaml.safe_load(file.read_text())
    content["patches"] += yaml.safe_load(patch)
    file.write_text(yaml.safe_dump(content))

    job = Manifests(kubernetes.render(example)).one("Job", "migrate")

    assert job["metadata"]["annotations"] == {
        "argocd.argoproj.io/hook": "Sync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
        "kustomize.toolkit.fluxcd.io/force": "enabled",
    }
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate"]


def test_database_takes_all_connections(example: Manifests) -> None:
    """Kind: pods that the autoscaler adds, and for whom the database has no connection."""
    limits = container(example, "web")["resources"]["limits"]
    processes = int(limits["cpu"])  # and not fewer for want of memory, of which each needs 256 MiB
    assert limits["memory"] == "1Gi"
    most = example.one("HorizontalPodAutoscaler", "web")["spec"]["maxReplicas"] + 1  # maxSurge
    of_web = most * processes * (settings.WEB_THREADS + 4)
    (concurrency,) = [
        one for one in container(example, "worker")["args"] if one.startswith("--concurrency=")
    ]
    most = example.one("ScaledObject", "worker")["spec"]["maxReplicaCount"] + 1
    of_workers = most * (int(concurrency.rpartition("=")[2]) + 1)
    parameters = example.one("Cluster", "postgres")["spec"]["postgresql"]["parameters"]

    assert int(parameters["max_connections"]) > of_web + of_workers + 10  # people, the operator


def test_steps_of_a_release_cover_everything(example: Manifests) -> None:
    """docs/deploy.md applies the objects by their label, in this order."""
    (step, workers) = re.findall(
        r"-l 'app\.kubernetes\.io/component (?:not)?in \(([\w, ]+)\)'",
        (ROOT / "docs/deploy.md").read_text(),
    )
    late = set(step.split(", "))
    assert late == {"web", "worker", "beat"}
    assert set(workers.split(", ")) == late - {"web"}
    first = [
        one
        for one in example.objects
        if one["metadata"].get("labels", {}).get("app.kubernetes.io/component") not in late
    ]
    kinds = {one["kind"] for one in first}
    assert kinds >= {"Namespace", "Job", "ConfigMap", "Secret", "NetworkPolicy", "Cluster"}
    assert "Deployment" not in kinds


def test_commands_of_the_docs_make_the_secrets(tmp_path: Path) -> None:
    """The first block of the section, as printed."""
    section = (ROOT / "docs/deploy.md").read_text().partition("## Kubernetes")[2]
    script = section.partition("```sh\n")[2].partition("```")[0]
    shutil.copytree(
        SOURCE, tmp_path / "deploy/kubernetes", ignore=shutil.ignore_patterns("secrets")
    )
    python = Path(sys.executable)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(python)

    subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        check=True,
    )

    site = tmp_path / "deploy/kubernetes/overlays/site"
    made = {path.name: path.read_text() for path in (site / "secrets").iterdir()}
    assert set(SECRETS) - set(made) == {"EMAIL_URL", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"}
    for name in set(SECRETS) - set(made):
        (site / "secrets" / name).write_text(SECRETS[name])
    assert (site / "secrets").stat().st_mode & 0o777 == 0o700
    password = made["valkey.conf"].removeprefix("requirepass ")
    assert made["VALKEY_URL"] == f"valkey://:{password}@valkey.site.svc:6379/0"
    assert f":{made['rabbitmq-password']}@rabbitmq.site.svc" in made["CELERY_BROKER_URL"]
    assert len({password, made["rabbitmq-password"], made["SECRET_KEY"]}) == 3
    assert all(value == value.strip() and len(value) >= 4 for value in made.values())
    assert found_problems(Manifests(kubernetes.render(site))) == []
    assert "/deploy/kubernetes/overlays/*/secrets/" in (ROOT / ".gitignore").read_text().split()


@pytest.mark.skipif(
    not valkey.find_installed(), reason="valkey-server and redis-server are missing"
)
def test_valkey_starts_and_asks_for_the_password(example: Manifests, tmp_path: Path) -> None:
    text = example.one("ConfigMap", "valkey")["data"]["valkey.conf"]
    (tmp_path / "password.conf").write_text(SECRETS["valkey.conf"])
    text = text.replace("/run/secrets/valkey", str(tmp_path)).replace("/data", str(tmp_path))
    port = free_port()
    (tmp_path / "valkey.conf").write_text(f"{text}\nport {port}\nbind 127.0.0.1\n")
    process = subprocess.Popen(
        [str(valkey.find_installed()), str(tmp_path / "valkey.conf")], stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answer(port, "PING").startswith(b"-"), "Valkey")
        assert answer(port, "PING").startswith(b"-NOAUTH")
        assert (
            answer(port, "AUTH secret", "CONFIG GET maxmemory-policy").count(b"volatile-lru") == 1
        )
    finally:
        process.terminate()
        process.wait(30)


def answer(port: int, *commands: str) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall("".join(f"{one}\r\n" for one in (*commands, "QUIT")).encode())
            with client.makefile("rb") as stream:
                return stream.read()
    except OSError:
        return b""


# --- The operators' own kinds ---


def test_only_kinds_of_operators_have_no_schema(example: Manifests, managed: Manifests) -> None:
    for one in [*example.objects, *managed.objects]:
        has_domain = "." in one["apiVersion"].partition("/")[0].removesuffix(".k8s.io")
        assert (one["kind"] in CUSTOM) == has_domain, one["kind"]


def test_fields_of_custom_resources_fit_the_rest(example: Manifests) -> None:
    """What no schema can know: names that must agree."""
    cluster = example.one("Cluster", "postgres")["spec"]
    (image,) = example.one("ImageCatalog", cluster["imageCatalogRef"]["name"])["spec"]["images"]
    assert image["major"] == cluster["imageCatalogRef"]["major"] == 17
    assert re.fullmatch(r"docker\.io/paradedb/paradedb:[\d.]+-pg17", image["image"])
    assert cluster["postgresql"]["shared_preload_libraries"] == ["pg_search"]
    assert cluster["bootstrap"]["initdb"]["owner"] == "site"

    broker = example.one("RabbitmqCluster", "rabbitmq")["spec"]
    assert broker["replicas"] % 2, "a quorum needs an odd number of nodes"
    assert re.fullmatch(r"docker\.io/library/rabbitmq:[\d.]+-management", broker["image"])
    user = example.one("User", "site")["spec"]
    secret = example.one("Secret", "rabbitmq-site")
    assert user["importCredentialsSecret"]["name"] == secret["metadata"]["name"]
    assert secret["metadata"]["labels"] == {"rabbitmq.com/topology-operator": "true"}
    assert not user.get("tags")
    permission = example.one("Permission", "site")["spec"]
    assert permission["userReference"] == {"name": "site"}
    for one in (user, permission):
        assert one["rabbitmqClusterReference"] == {"name": "rabbitmq"}

    trigger = example.one("TriggerAuthentication", "broker")["spec"]["secretTargetRef"]
    site = example.one("Secret", "site")
    assert trigger == [
        {"parameter": "host", "name": site["metadata"]["name"], "key": "CELERY_BROKER_URL"}
    ]
    triggers = example.one("ScaledObject", "worker")["spec"]["triggers"]
    assert {one["metadata"]["queueName"] for one in triggers} == {
        queue.name for queue in settings.CELERY_TASK_QUEUES
    }
    assert all(one["authenticationRef"] == {"name": "broker"} for one in triggers)

    monitor = example.one("ServiceMonitor", "site")["spec"]
    service = example.one("Service", "metrics")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [one["port"] for one in monitor["endpoints"]] == ["metrics"]


@cache
def definitions(module: str, folder: str) -> dict[str, Object]:
    """Return the schemas of a Go module's custom resources, by their kind.

    Go downloads the module once, and checks it against its public database of hashes.
    """
    if not shutil.which("go"):
        pytest.skip("Go is missing, which downloads the definitions")
    done = subprocess.run(
        ["go", "mod", "download", "-json", module],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"Go cannot download {module} here: {done.stderr or done.stdout}"[:500])
    found = {}
    for path in Path(json.loads(done.stdout)["Dir"], folder).glob("*.yaml"):
        # YAML 1.1 has a type for the plain "=", which one list of operators has in it.
        definition = yaml.safe_load(path.read_text().replace("- =\n", '- "="\n'))["spec"]
        for version in definition["versions"]:
            key = f"{definition['group']}/{version['name']} {definition['names']['kind']}"
            found[key] = version["schema"]["openAPIV3Schema"]
    return found


def strict(schema: Any) -> Any:
    """Refuse fields that a schema does not name, as `kubectl apply` does."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get(
        "x-kubernetes-preserve-unknown-fields"
    ):
        result.setdefault("additionalProperties", False)
    return result


@pytest.mark.long("Go downloads the modules of the operators first")
@pytest.mark.parametrize("kind", CUSTOM)
def test_custom_resource_is_valid(example: Manifests, kind: str) -> None:
    for one in example.all(kind):
        schema = strict(definitions(*CUSTOM[kind])[f"{one['apiVersion']} {kind}"])
        schema["properties"]["metadata"] = {"type": "object"}
        validator = jsonschema.Draft202012Validator(schema)
        assert not [error.message for error in validator.iter_errors(one)]

        one["spec"]["misspelled"] = True
        assert [
            error.message for error in validator.iter_errors(one) if "misspelled" in error.message
        ]
