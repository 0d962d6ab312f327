"""The chart is what Kubernetes takes, in both modes, and no pod of it may do more than it must."""

from typing import Any

import pytest
import yaml

from tests.deploy.tools import DEPLOY, run, tool
from tests.engines.tools import KUBERNETES, schema_location
from townsquare.boot import check_engines
from townsquare.settings import Settings, read_settings

pytestmark = pytest.mark.slow  # a program is started for each

CHART = "helm/townsquare"
CLUSTER = ("-f", "helm/cluster.example.yaml")
MODES = pytest.mark.parametrize("values", [(), CLUSTER], ids=["embedded", "cluster"])


def _objects(*values: str) -> list[dict[str, Any]]:
    text = run([tool("helm"), "template", "town", CHART, "--kube-version", KUBERNETES, *values])
    return [each for each in yaml.safe_load_all(text) if each]


def _one(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    [found] = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def _pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in objects if each["kind"] in ("Deployment", "StatefulSet")]


@MODES
def test_the_chart_is_clean(values: tuple[str, ...]) -> None:
    """helm lint finds nothing, and Kubernetes's own schemas take every object."""
    run([tool("helm"), "lint", "--strict", CHART, *values])
    text = run([tool("helm"), "template", "town", CHART, "--kube-version", KUBERNETES, *values])
    command = [tool("kubeconform"), "-strict", "-skip", "PodMonitor", "-schema-location", schema_location(), "-summary"]
    said = run(command, text=text)
    assert "Invalid: 0, Errors: 0" in said
    assert "Valid: 0" not in said


@MODES
def test_pods_are_confined_and_watched(values: tuple[str, ...]) -> None:
    """Non-root, a read-only root, no capabilities; probes of health, a wait before SIGTERM, time for the drain."""
    for pod in _pods(_objects(*values)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        [container] = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
        wait_s = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
        assert pod["terminationGracePeriodSeconds"] >= wait_s + Settings().drain_s + 5
        assert {"requests", "limits"} <= container["resources"].keys()
        writable = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert writable == {"/var/lib/townsquare", "/tmp"}


def test_the_cluster_scales_and_survives_drains() -> None:
    """Web pods by CPU, worker pods by CPU and by the queue's age; one pod of a role at a time leaves."""
    objects = _objects(*CLUSTER)
    web = _one(objects, "HorizontalPodAutoscaler", "town-townsquare-web")["spec"]
    workers = _one(objects, "HorizontalPodAutoscaler", "town-townsquare-workers")["spec"]
    assert [each["type"] for each in web["metrics"]] == ["Resource"]
    assert [each["type"] for each in workers["metrics"]] == ["Resource", "External"]
    assert workers["metrics"][1]["external"]["metric"]["name"] == "townsquare_queue_oldest_seconds"
    for role in ("web", "workers"):
        budget = _one(objects, "PodDisruptionBudget", f"town-townsquare-{role}")["spec"]
        deployment = _one(objects, "Deployment", f"town-townsquare-{role}")["spec"]
        assert budget["maxUnavailable"] == 1
        assert budget["selector"] == deployment["selector"]
        assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert "replicas" not in deployment  # or each upgrade would undo what the autoscaler did
    service = _one(objects, "Service", "town-townsquare")["spec"]
    labels = _one(objects, "Deployment", "town-townsquare-web")["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    policy = _one(objects, "NetworkPolicy", "town-townsquare")["spec"]
    assert policy["egress"][0]["to"][0]["ipBlock"]["except"] == ["169.254.169.254/32"]


@MODES
def test_the_settings_are_ours(values: tuple[str, ...]) -> None:
    """What the chart sets is read without complaint and names engines that there are."""
    variables = _one(_objects(*values), "ConfigMap", "town-townsquare")["data"]
    settings = read_settings({**variables, "TOWNSQUARE_DATA": "/nonexistent"})
    assert settings.metrics == "0.0.0.0:9394"
    assert settings.url == "https://example.org"
    check_engines(settings)


@pytest.mark.parametrize(
    "wrong", ["settings.bind=0.0.0.0:1", "settings.url=example.org", "mode=both", "gracePeriodSeconds=5"]
)
def test_wrong_values_are_refused(wrong: str) -> None:
    """The schema of the values says so before anything is sent."""
    tool("helm")
    assert "schema" in run([tool("helm"), "lint", CHART, "--set", wrong], fails=True)


def test_the_chart_has_our_version() -> None:
    """One version for all."""
    from townsquare import __version__  # noqa: PLC0415

    chart = yaml.safe_load((DEPLOY / CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == __version__
