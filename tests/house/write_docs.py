"""Writes the pages that are made from the code: docs/api.md from ROUTES, docs/settings.md from Settings, the table
of docs/operate/metrics.md from FAMILIES, the charts of docs/insights.md from CHARTS."""

import inspect
from pathlib import Path

import msgspec

from townsquare.metrics.families import FAMILIES
from townsquare.settings import Settings, meanings
from townsquare.social.insights.authors import AUTHOR_CHARTS
from townsquare.social.insights.charts import Chart
from townsquare.social.insights.operators import OPERATOR_CHARTS
from townsquare.web.server.table import ALL_ROUTES

DOCS = Path(__file__).parents[2] / "docs"
API_PAGE, SETTINGS_PAGE = DOCS / "api.md", DOCS / "settings.md"
METRICS_PAGE = DOCS / "operate" / "metrics.md"
INSIGHTS_PAGE = DOCS / "insights.md"
CHARTS_FOLLOW = "<!-- from here on made from the charts by `make docs` -->\n"


def api_page() -> str:
    """The page that lists all routes."""
    lines = [
        "# The API",
        "",
        "Made from the routes by `make docs`. Paths, parameters and entities are those of Mastodon 4.7.3.",
        "",
        "| method | path | token | scope | what it does |",
        "|---|---|---|---|---|",
    ]
    for route in sorted(ALL_ROUTES, key=lambda route: (route.html, route.path, route.method)):
        about = (inspect.getdoc(route.handler) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        access = "page" if route.html else route.access.value
        lines.append(f"| {route.method} | `{route.path}` | {access} | {' or '.join(route.scope)} | {about} |")
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """The page that lists all settings."""
    about = meanings()
    lines = [
        "# Settings",
        "",
        "Made from `settings.py` by `make docs`. A setting is an option of `townsquare run` where that has it, else a",
        "variable (`TOWNSQUARE_TITLE`) or a line of `townsquare.toml` in the data folder; paths are relative to it.",
        "",
        "| name | default | meaning |",
        "|---|---|---|",
    ]
    for field in msgspec.structs.fields(Settings):
        default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        lines.append(f"| `{field.name}` | `{default!r}` | {about[field.name]} |")
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """The page of the metrics, its table made anew."""
    rows = [
        f"| `{each.name}` | {each.sort}{', shared' if each.shared else ''} | {' '.join(each.labels)} | {each.about} |\n"
        for each in FAMILIES
    ]
    kept = [
        line for line in METRICS_PAGE.read_text().splitlines(keepends=True) if not line.startswith("| `townsquare_")
    ]
    at = kept.index("| name | kind | labels | meaning |\n") + 2
    return "".join([*kept[:at], *rows, *kept[at:]])


def insights_page() -> str:
    """The page of insights, its charts made anew."""
    kept, mark, _ = INSIGHTS_PAGE.read_text().partition(CHARTS_FOLLOW)
    server = _charts("Charts of the server, for its staff", OPERATOR_CHARTS)
    return kept + mark + server + _charts("Charts for authors, about what is theirs", AUTHOR_CHARTS)


def _charts(title: str, charts: tuple[Chart, ...]) -> str:
    lines = [
        "",
        f"## {title}",
        "",
        "| chart | what it shows | what it means | what it cannot say |",
        "|---|---|---|---|",
    ]
    for chart in charts:
        measure = chart.title.replace("{step}", " or ".join(chart.steps))
        lines.append(f"| `{chart.name}` | {measure} | {chart.about} | {chart.limits} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    API_PAGE.write_text(api_page())
    SETTINGS_PAGE.write_text(settings_page())
    METRICS_PAGE.write_text(metrics_page())
    INSIGHTS_PAGE.write_text(insights_page())
