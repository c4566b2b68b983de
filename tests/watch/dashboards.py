"""Dashboards, rules and what the program exposes belong together: no query names what does not exist, and what is seen at
first glance is true when all is well, when a gateway is broken and when the monitor is dead."""

import json
import re
import subprocess
import sys

from rig import ROOT, RULES, Failed, need

FOLDER = ROOT / "dashboards"
OVERVIEW = FOLDER / "replypath-overview.json"
PANELS = {"row", "stat", "table", "timeseries", "status-history", "bargauge"}
# What Grafana puts in for the user; any value is right for a query that is only to run.
VARIABLES = {"job": ".+", "gateway": ".+", "probe": ".+"}
METRIC = r"\b(?:\w+:)?(?:replypath|process)_\w+(?::\w+)?"


def read(file):
    dashboard = json.loads(file.read_text())
    return dashboard, [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def files():
    found = sorted(FOLDER.glob("*.json"))
    need("dashboards", len(found) >= 2, found)
    return found


def queries(panel, variables=VARIABLES):
    """The panel's queries as Prometheus gets them."""
    for target in panel["targets"]:
        yield re.sub(r"\$\{?(\w+)\}?", lambda m: variables[m[1]], target["expr"])


def check_form():
    """The house rules that need no Prometheus."""
    for file in files():
        dashboard, panels = read(file)
        known = {v["name"] for v in dashboard["templating"]["list"]}
        taken = {}
        ids = [panel["id"] for panel in dashboard["panels"]]
        need(f"{file.name}: ids are unique", len(ids) == len(set(ids)), ids)
        need(f"{file.name}: stands alone", dashboard["id"] is None and dashboard["uid"] == file.stem, dashboard["uid"])
        for panel in dashboard["panels"]:
            what = f"{file.name}: {panel['title']}"
            need(f"{what}: a known kind of panel", panel["type"] in PANELS, panel["type"])
            at = panel["gridPos"]
            for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
                need(f"{what}: lies in the grid and on no other panel", cell[0] < 24 and cell not in taken, taken.get(cell))
                taken[cell] = panel["title"]
        for panel in panels:
            what = f"{file.name}: {panel['title']}"
            need(f"{what}: says what it shows", panel["title"] and panel["description"], panel)
            sources = [panel["datasource"]["uid"]] + [target["datasource"]["uid"] for target in panel["targets"]]
            need(f"{what}: reads the chosen source", set(sources) == {"${datasource}"}, sources)
            need(f"{what}: has a unit", panel["fieldConfig"]["defaults"].get("unit"), panel["fieldConfig"])
            for target in panel["targets"]:
                used = set(re.findall(r"\$\{?(\w+)\}?", target["expr"]))
                need(f"{what}: uses variables that there are", used <= known, used - known)
                # It shows a green 0 when nothing is known.
                need(f"{what}: makes up no number", "vector(" not in target["expr"], target["expr"])
    return f"{len(files())} dashboards parse and keep the house rules"


def check_syntax():
    """Every query as the expression of a rule, read by promtool."""
    expressions = [query for file in files() for panel in read(file)[1] for query in queries(panel)]
    rules = [{"record": f"query:number_{n}", "expr": query} for n, query in enumerate(expressions)]
    text = json.dumps({"groups": [{"name": "queries", "rules": rules}]})
    said = promtool("check", "rules", "/dev/stdin", reads=text)
    need("promtool reads every query", f"{len(rules)} rules found" in said, said)
    return f"{len(rules)} queries parse"


def promtool(*arguments, reads):
    """What promtool says to a text; it must take it."""
    done = subprocess.run(["promtool", *arguments], input=reads, capture_output=True, text=True, timeout=30)
    need(f"promtool {' '.join(arguments)}", done.returncode == 0, done.stdout + done.stderr)
    return done.stdout + done.stderr


def lint_metrics(scrape):
    said = promtool("check", "metrics", reads=scrape)
    need("promtool check metrics is silent", not said, said)


def lint_rules(rules):
    """Rules that `replypath rules` made."""
    promtool("check", "rules", "--lint-fatal", "/dev/stdin", reads=rules)


def names_exist(names):
    """Every metric that a dashboard or a rule names was seen in one of the scenarios."""
    for file in [*files(), RULES]:
        text = file.read_text()
        if file != RULES:
            text = "\n".join([q for panel in read(file)[1] for q in queries(panel)] +
                             [v["definition"] for v in read(file)[0]["templating"]["list"] if "definition" in v])
        named = set(re.findall(METRIC, re.sub(r"\$labels\.\w+", "", text)))
        need(f"{file.name} names metrics", len(named) >= 5, named)
        need(f"{file.name} names only metrics that exist", named <= names, named - names)


def colour(panel, samples):
    """The background of a stat panel; Grafana takes the last threshold that the value reaches, and the mapping of null for none."""
    shown = panel["fieldConfig"]["defaults"]
    if not samples:
        return next(m["options"]["result"]["color"] for m in shown["mappings"] if m["options"].get("match") == "null")
    [(_, value)] = samples
    return [step["color"] for step in shown["thresholds"]["steps"] if step["value"] is None or value >= step["value"]][-1]


def glance(rig):
    """The first row of the overview: title to (colour, labels of its one series)."""
    row = {}
    for panel in (p for p in read(OVERVIEW)[1] if p["gridPos"]["y"] == 1):
        [query] = queries(panel)
        samples = rig.query(query)
        need(f"{panel['title']}: one series at most", len(samples) <= 1, samples)
        row[panel["title"]] = colour(panel, samples), samples[0][0] if samples else {}
    return row


def shows(rig, colours, where=None):
    """Compares the first row; `colours` names those that are not `green`, or the one colour of all."""
    row = glance(rig)
    wanted = {title: colours if isinstance(colours, str) else colours.get(title, "green") for title in row}
    found = {title: said for title, (said, _) in row.items()}
    if found != wanted:
        raise Failed(f"the first row shows {found}, not {wanted}")
    if where:
        said = row["Where it breaks"][1].get("place")
        need("gateway, stage and fault in words", said == where, said)


def all_run(rig):
    """Every query of every panel runs."""
    for file in files():
        for panel in read(file)[1]:
            for query in queries(panel):
                try:
                    rig.query(query)
                except OSError as error:
                    raise Failed(f"{panel['title']}: {error}: {query}") from error


if __name__ == "__main__":
    try:
        print(f"ok: {check_form()}")
        print(f"ok: {check_syntax()}")
    except Failed as error:
        sys.exit(f"FAILED: {error}")
