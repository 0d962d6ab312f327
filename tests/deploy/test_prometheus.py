"""Prometheus takes the rules and the settings; rules, dashboard and autoscalers name only metrics that there are."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.tools import DEPLOY, run, tool
from townsquare.metrics.families import FAMILIES, Sort

NAMES = {family.name for family in FAMILIES if family.sort is not Sort.HISTOGRAM} | {
    f"{family.name}_{end}" for family in FAMILIES if family.sort is Sort.HISTOGRAM for end in ("bucket", "sum", "count")
}
LABELS = {label for family in FAMILIES for label in family.labels} | {"role", "process", "le", "instance", "job"}


def test_promtool_takes_settings_and_rules(tmp_path: Path) -> None:
    """The rules' own tests too: an alert comes when it should, once for many machines, with its words."""
    folder = DEPLOY / "prometheus"
    promtool = tool("promtool")
    run([promtool, "check", "config", "prometheus.yml"], folder=folder)
    run([promtool, "check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"], folder=folder)
    run([promtool, "test", "rules", "alerts.test.yml"], folder=folder)
    shutil.copy(DEPLOY / "compose" / "prometheus.yml", tmp_path)
    shutil.copy(folder / "alerts.yml", tmp_path)
    run([promtool, "check", "config", "prometheus.yml"], folder=tmp_path)


def _expressions() -> dict[str, str]:
    found = {}
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            found[rule.get("alert") or rule["record"]] = rule["expr"]
    for panel in _dashboard()["panels"]:
        for target in panel.get("targets", ()):
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    adapter = yaml.safe_load((DEPLOY / "prometheus" / "adapter.yml").read_text())
    for rule in adapter["rules"]["external"]:
        found[rule["name"]["as"]] = rule["seriesQuery"] + rule["metricsQuery"]
    return found


def _dashboard() -> dict[str, Any]:
    dashboard: dict[str, Any] = json.loads((DEPLOY / "grafana" / "townsquare.json").read_text())
    return dashboard


@pytest.mark.parametrize(("where", "expression"), _expressions().items(), ids=list(_expressions()))
def test_every_name_is_one_of_ours(where: str, expression: str) -> None:
    """A metric that is renamed or taken away is missed here, not at night."""
    recorded = {each for each in _expressions() if ":" in each}
    named = set(re.findall(r"\btownsquare_\w+", expression)) | set(re.findall(r"\btownsquare:[\w:]+", expression))
    assert named or "up{" in expression, where
    assert named <= NAMES | recorded
    grouped = re.findall(r"\bby \(([^)]*)\)", expression)
    labels = {label.strip() for group in grouped for label in group.split(",")}
    labels |= set(re.findall(r"(\w+)=~?\"", expression)) - {"__name__"}
    assert labels <= LABELS


def test_every_metric_is_shown() -> None:
    """The dashboard has all of them."""
    shown = " ".join(each["expr"] for panel in _dashboard()["panels"] for each in panel.get("targets", ()))
    assert [family.name for family in FAMILIES if not re.search(rf"\b{family.name}(_\w+)?\b", shown)] == []


def test_the_dashboard_is_whole() -> None:
    """Numbers and places of panels are their own."""
    panels = _dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_no_alert_is_without_a_way_to_repair() -> None:
    """Each says what it means and what to do, and pages it names are there."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["labels"]["severity"] in ("page", "warn")
                assert {"summary", "repair"} <= rule["annotations"].keys()
                for page in re.findall(r"docs/[\w/.]+\.md", rule["annotations"]["repair"]):
                    assert (DEPLOY.parent / page).exists(), page
