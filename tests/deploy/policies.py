"""What must hold for whatever deploy/kubernetes renders. Each function yields what does not."""

import re
from collections.abc import Callable, Iterator

from tests.deploy.kubernetes import Manifests, Object, containers, labels, pod, ports, selects

TELEMETRY = 3  # seconds in which a process that ends sends the rest
TAG = re.compile(r"[^@]+:[\w.-]+(@sha256:[0-9a-f]{64})?")
FOREIGN = (  # labels of pods that others create
    {"acme.cert-manager.io/http01-solver": "true"},  # cert-manager
    {"cnpg.io/cluster": "postgres"},
    {"app.kubernetes.io/name": "rabbitmq"},
)


def name(workload: Object) -> str:
    return f"{workload['kind']} {workload['metadata']['name']}"


def pods_are_restricted(manifests: Manifests) -> Iterator[str]:
    """The profile `restricted` of the Pod Security Standards, and more."""
    (namespace,) = manifests.all("Namespace")
    if namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] != "restricted":
        yield "the namespace enforces another profile"
    for one in manifests.workloads():
        context = pod(one)["securityContext"]
        if not (
            context["runAsNonRoot"] and context["runAsUser"] >= 100 and context["runAsGroup"] >= 100
        ):
            yield f"{name(one)} runs as root"
        if context["seccompProfile"] != {"type": "RuntimeDefault"}:
            yield f"{name(one)} has another seccomp profile"


def pods_have_nothing_of_the_node(manifests: Manifests) -> Iterator[str]:
    kinds = {"emptyDir", "projected", "configMap", "secret", "persistentVolumeClaim"}
    for one in manifests.workloads():
        for shared in ("hostNetwork", "hostPID", "hostIPC"):
            if pod(one).get(shared):
                yield f"{name(one)} has {shared}"
        for volume in pod(one)["volumes"]:
            if not set(volume) & kinds:
                yield f"{name(one)} has another kind of volume: {volume}"


def containers_are_restricted(manifests: Manifests) -> Iterator[str]:
    for one in manifests.workloads():
        for container in containers(one):
            if container.get("securityContext") != {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }:
                yield f"{name(one)}: container {container['name']} is not restricted"


def pods_know_nothing_of_the_cluster(manifests: Manifests) -> Iterator[str]:
    accounts = {one["metadata"]["name"]: one for one in manifests.all("ServiceAccount")}
    for one in manifests.workloads():
        if pod(one).get("automountServiceAccountToken") is not False:
            yield f"{name(one)} has a token of the cluster"
        if pod(one).get("enableServiceLinks") is not False:
            yield f"{name(one)} gets variables of Services, such as VALKEY_PORT"
        account = pod(one).get("serviceAccountName")
        if account and accounts.get(account, {}).get("automountServiceAccountToken") is not False:
            yield f"{name(one)} has an account with a token"
    if manifests.all("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
        yield "something has rights in the cluster"


def containers_have_limits_and_probes(manifests: Manifests) -> Iterator[str]:
    for one in manifests.workloads():
        for container in containers(one):
            for kind in ("requests", "limits"):
                if set(container.get("resources", {}).get(kind, {})) != {"cpu", "memory"}:
                    yield f"{name(one)}: container {container['name']} has no {kind}"
        if one["kind"] == "Job":
            continue
        for container in pod(one)["containers"]:
            probes = {"startupProbe", "livenessProbe"}
            if one["metadata"]["name"] in {"web", "valkey"}:
                probes.add("readinessProbe")
            if lacking := probes - set(container):
                yield f"{name(one)} has no {', '.join(sorted(lacking))}"


def images_are_pinned(manifests: Manifests) -> Iterator[str]:
    for one in manifests.workloads():
        for container in containers(one):
            image = container["image"]
            if not TAG.fullmatch(image) or image.endswith(":latest"):
                yield f"{name(one)}: {image} names no version"
    ours = {
        container["image"]
        for one in manifests.workloads()
        if labels(one)["app.kubernetes.io/name"] == "site"
        for container in containers(one)
    }
    if len(ours) != 1:
        yield f"the roles have several images: {sorted(ours)}"


def workloads_select_their_pods(manifests: Manifests) -> Iterator[str]:
    workloads = manifests.workloads()
    for one in manifests.all("Deployment", "StatefulSet"):
        if [x for x in workloads if selects(one["spec"]["selector"], labels(x))] != [one]:
            yield f"{name(one)} selects other pods than its own"
        for spread in pod(one).get("topologySpreadConstraints", []):
            if not selects(spread["labelSelector"], labels(one)):
                yield f"{name(one)} spreads other pods than its own"


def services_have_pods(manifests: Manifests) -> Iterator[str]:
    for one in manifests.all("Service"):
        selector = {"matchLabels": one["spec"]["selector"]}
        chosen = [x for x in manifests.workloads() if selects(selector, labels(x))]
        if not chosen:
            yield f"{name(one)} selects nothing"
        for target in [port["targetPort"] for port in one["spec"]["ports"]]:
            for x in chosen:
                if target not in ports(x):
                    yield f"{name(one)}: {name(x)} has no port {target}"


def budgets_and_policies_have_pods(manifests: Manifests) -> Iterator[str]:
    known = [*map(labels, manifests.workloads()), *FOREIGN]
    for one in manifests.all("PodDisruptionBudget", "NetworkPolicy"):
        selector = one["spec"].get("podSelector", one["spec"].get("selector"))
        if not any(selects(selector, found) for found in known):
            yield f"{name(one)} selects nothing"


def ingresses_have_services(manifests: Manifests) -> Iterator[str]:
    for one in manifests.all("Ingress"):
        paths = [path for rule in one["spec"]["rules"] for path in rule["http"]["paths"]]
        for service in [path["backend"]["service"] for path in paths]:
            found = manifests.one("Service", service["name"])["spec"]["ports"]
            if service["port"]["name"] not in [port["name"] for port in found]:
                yield f"{name(one)}: Service {service['name']} has no such port"


def scaled_workloads_exist(manifests: Manifests) -> Iterator[str]:
    for one in manifests.all("HorizontalPodAutoscaler", "ScaledObject"):
        target = one["spec"]["scaleTargetRef"]["name"]
        found = [x for x in manifests.all("Deployment") if x["metadata"]["name"] == target]
        if not found:
            yield f"{name(one)} scales nothing"
        elif "replicas" in found[0]["spec"]:
            yield f"{name(one)}: `kubectl apply` would set back the replicas of {target}"


def rollouts_lose_nothing(manifests: Manifests) -> Iterator[str]:
    budgets = [one["spec"] for one in manifests.all("PodDisruptionBudget")]
    for one in manifests.all("Deployment"):
        if one["spec"]["strategy"] != {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}:
            yield f"{name(one)} stops pods before others are ready"
        if not [
            x for x in budgets if selects(x["selector"], labels(one)) and x["maxUnavailable"] == 1
        ]:
            yield f"{name(one)} may lose all pods to the drain of nodes"
        keys = [x["topologyKey"] for x in pod(one)["topologySpreadConstraints"]]
        if keys != ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]:
            yield f"{name(one)} is not spread"
        if one["metadata"]["name"] != "web" and [
            x["args"] for x in pod(one).get("initContainers", [])
        ] != [["manage", "migrate", "--check"]]:
            yield f"{name(one)} does not wait for migrations"


def processes_have_time_to_stop(manifests: Manifests, task_limit: int) -> Iterator[str]:
    settings, web = manifests.settings(), pod(manifests.workload("web"))
    (container,) = web["containers"]
    stop = sum(int(settings[key]) for key in ("WEB_DRAIN_SECONDS", "WEB_STOP_SECONDS"))
    least = container["lifecycle"]["preStop"]["sleep"]["seconds"] + stop + TELEMETRY
    if web["terminationGracePeriodSeconds"] <= least:
        yield f"web pods are killed before {least} seconds have passed"
    worker = pod(manifests.workload("worker"))
    if worker["terminationGracePeriodSeconds"] < task_limit + 2 * TELEMETRY + 10:
        yield "workers are killed before their tasks end"


def settings_are_known(manifests: Manifests, known: set[str], needed: set[str]) -> Iterator[str]:
    """What the ConfigMap names exists, and nothing that production needs is left out."""
    files = manifests.secret_files()
    given = set()
    for key, value in manifests.settings().items():
        setting = key.removesuffix("_FILE")
        given.add(setting)
        if setting not in known:
            yield f"{key} is no setting"
        if key.endswith("_FILE") and value.removeprefix("/run/secrets/site/") not in files:
            yield f"{key}: no Secret has the file {value}"
    for setting in sorted(needed - given):
        yield f"{setting} is left out"
    for one in manifests.workloads():
        if labels(one)["app.kubernetes.io/name"] != "site":
            continue
        for container in containers(one):
            source = manifests.one("ConfigMap", "settings")["metadata"]["name"]
            if container["envFrom"] != [{"configMapRef": {"name": source}}] or "env" in container:
                yield f"{name(one)} has settings of its own"
            mounts = {x["mountPath"] for x in container["volumeMounts"]}
            if not {"/tmp", "/run/secrets/site"} <= mounts:  # noqa: S108
                yield f"{name(one)}: container {container['name']} lacks a folder"


def hosts_agree(manifests: Manifests) -> Iterator[str]:
    settings = manifests.settings()
    host = settings["ALLOWED_HOSTS"].split(",")[0]
    for one in manifests.all("Ingress"):
        spec = one["spec"]
        if [x["host"] for x in spec["rules"]] != [host] or spec["tls"][0]["hosts"] != [host]:
            yield f"{name(one)} is for another host than ALLOWED_HOSTS"
        if "cert-manager.io/cluster-issuer" not in one["metadata"]["annotations"]:
            yield f"{name(one)} gets no certificate"
    if settings["SITE_URL"] != f"https://{host}":
        yield "SITE_URL is another host than ALLOWED_HOSTS"
    if settings["TRUSTED_PROXY_COUNT"] != "1":
        yield "the ingress controller is not trusted"


Policy = Callable[[Manifests], Iterator[str]]


def problems(manifests: Manifests, known: set[str], needed: set[str], task_limit: int) -> list[str]:
    """Return all that does not hold."""
    simple: list[Policy] = [
        pods_are_restricted,
        pods_have_nothing_of_the_node,
        containers_are_restricted,
        pods_know_nothing_of_the_cluster,
        containers_have_limits_and_probes,
        images_are_pinned,
        workloads_select_their_pods,
        services_have_pods,
        budgets_and_policies_have_pods,
        ingresses_have_services,
        scaled_workloads_exist,
        rollouts_lose_nothing,
        hosts_agree,
    ]
    found: list[str] = [problem for policy in simple for problem in policy(manifests)]
    found += processes_have_time_to_stop(manifests, task_limit)
    found += settings_are_known(manifests, known, needed)
    return found
