"""What deploys a release waits for its migrations for as long as `migrate` itself may take."""

import re

import yaml

from config.settings.parts.database import DATABASE_LIMITS
from tests.repository import ROOT

STATEMENT = DATABASE_LIMITS["migrate"]["statement_timeout"]
# It waits for another migrate for as long as a statement may take, and then has one of its own.
LONGEST = 2 * STATEMENT
PAUSES = 360  # seconds in which an atomic migration is tried again


def deadline() -> int:
    manifest = yaml.safe_load((ROOT / "deploy/kubernetes/base/migrate.yaml").read_text())
    return int(manifest["spec"]["activeDeadlineSeconds"])


def defaults() -> list[int]:
    """Return for how many seconds the script waits for migrations, and for pods."""
    text = (ROOT / "bin/deploy-kubernetes").read_text()
    return [int(seconds) for seconds in re.findall(r"\$\{DEPLOY_TIMEOUT:-(\d+)\}", text)]


def test_job_lasts_longer_than_its_migrate() -> None:
    """Kind: a migration that is ended because the one before it took long."""
    assert deadline() > LONGEST + PAUSES


def test_deployments_wait_for_the_job() -> None:
    """Kind: a deployment that has given up while its migrations succeed."""
    migrations, _ = defaults()
    documented = re.search(r"job/migrate --timeout=(\d+)m", (ROOT / "docs/deploy.md").read_text())

    assert migrations >= deadline()
    assert documented
    assert int(documented[1]) * 60 >= deadline()


def test_workflow_waits_for_the_deployments() -> None:
    migrations, pods = defaults()
    workflow = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())
    minutes = {name: job["timeout-minutes"] for name, job in workflow["jobs"].items()}

    assert minutes["kubernetes"] * 60 > migrations + 2 * pods
    assert minutes["compose"] * 60 > deadline()
    assert max(minutes.values()) <= 360  # as GitHub allows
