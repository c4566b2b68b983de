"""What whoever is on call gets: the real program on its own desk, watched by the shipped rules in real Prometheus and Alertmanager.

    scenarios.py FOLDER [NAME...]     FOLDER is made; each scenario has a folder of its own in it

All at once, since they wait most of the time. The waiting times of rules and routes are a tenth of what is shipped (see rig.py)."""

import concurrent.futures
import os
import pathlib
import signal
import sqlite3
import sys
import time
import traceback

import dashboards
from rig import Failed, Rig, get, need, started, until

PROBE = """
desk = "sandbox"
account = "{account}"
gateway = "{gateway}"
every = "{every}"
settle = "1s"
{more}
[email]
to = "{queue}@desk.test"
subject = "A question (${{token}})"
text = "When will it be sent? ${{token}}"
[reply]
text = "Tomorrow. ${{token}}"
[limits]
accept = "20s"
land = "20s"
return = "20s"
{tables}
"""
JOURNEY = "only = ['send', 'accept', 'land']"


def probe(queue, every="10s", gateway="mx-desk", account="alice", more=JOURNEY, tables=""):
    return PROBE.format(queue=queue, every=every, gateway=gateway, account=account, more=more, tables=tables)


# The desk's mail server refuses every published address but support@: these four break, `support` does not.
BEHIND_ONE_GATEWAY = {
    "billing": probe("billing"), "billing-2": probe("billing", account="bob"),
    "sales": probe("sales"), "sales-2": probe("sales", account="bob"),
    "support": probe("support", gateway="mx-other"),
}
WHERE = "mx-desk at accept: mx-rejects-alias"
BROKEN = ["billing", "billing-2", "sales", "sales-2"]


def broken_gateway(rig):
    """Breaks the gateway and takes its one page."""
    dashboards.shows(rig, colours="green")
    rig.fault("mx-rejects-alias", True)
    [alert] = rig.page("firing ReplypathGatewayDown", 1)
    labels, said = alert["labels"], alert["annotations"]
    need("gateway and stage", (labels["gateway"], labels["stage"]) == ("mx-desk", "accept"), labels)
    words = ["mx-desk", "stage accept", "(mx-rejects-alias)", "since 20", "last good 20"]
    need("the page in words", all(word in said["description"] for word in words), said)
    need("the command that explains it", said["explain"] == "replypath faults mx-rejects-alias", said)
    path = said["run_url"].removeprefix(f"http://127.0.0.1:{rig.port}/probes/")
    need("the address of the run", path in [f"{probe}/last-failure" for probe in BROKEN], said)
    run = get(said["run_url"])
    need("the run that the page leads to", "accept" in run and "mx-rejects-alias" in run, run[:2000])


def gateway(rig):
    dashboards.lint_rules(rig.command("rules"))
    rig.well()
    dashboards.lint_metrics(rig.scrape())
    broken_gateway(rig)
    # Each probe would page for itself by now, were it not covered by its gateway.
    until("the alerts of the probes", lambda: len(rig.firing("ReplypathProbeFailing")) == len(BROKEN), 60)
    until("Alertmanager to cover them", lambda: rig.suppressed().count("ReplypathProbeFailing") == len(BROKEN), 30)
    dashboards.lint_metrics(rig.scrape())
    dashboards.all_run(rig)
    dashboards.shows(rig, {"Broken probes": "red", "Where it breaks": "red"}, WHERE)
    rig.quiet(pages=1, seconds=10)
    need("no ticket beside the page", not rig.hook.tickets(), rig.hook.tickets())
    rig.fault("mx-rejects-alias", False)
    rig.well()
    [alert] = rig.page("resolved ReplypathGatewayDown", 2, seconds=120)
    need("the same gateway", alert["labels"]["gateway"] == "mx-desk", alert)
    rig.quiet(pages=2, seconds=15)
    return f"{len(BROKEN)} probes behind one broken gateway: one page, with gateway, stage, fault, since, last good; one resolved"


def one_run_and_two(rig):
    rig.well()
    rig.fault("mx-rejects-alias", True)
    until("a first failed run", lambda: rig.values("replypath_probe_consecutive_failures")["billing"] == 1, 60)
    rig.fault("mx-rejects-alias", False)
    # Its verdict stands for longer than the rule and the route wait: it is the number of runs that protects.
    rig.well()
    stood = rig.query('max_over_time(replypath_probe_consecutive_failures{probe="billing"}[5m])')[0][1]
    long = rig.query('count_over_time((replypath_probe_success{probe="billing"} == 0)[5m:1s])')[0][1]
    need("one failed run", stood == 1, stood)
    need("its verdict stood for longer than a page takes", long > 18, long)
    rig.quiet(pages=0, seconds=5)
    rig.fault("mx-rejects-alias", True)
    [alert] = rig.page("firing ReplypathProbeFailing", 1, seconds=120)
    need("stage", (alert["labels"]["probe"], alert["labels"]["stage"]) == ("billing", "accept"), alert)
    need("runs in a row", "failed 2 scheduled runs in a row at stage accept: A published address is refused as unknown (mx-rejects-alias);" in alert["annotations"]["description"], alert)
    return f"one failed run, whose verdict stood for {long:.0f} s: no page; two in a row: one"


def killed(rig):
    rig.well()
    broken_gateway(rig)
    rig.kill("serve")
    rig.page("firing ReplypathDown", 2)
    # Else it would have been over before it was covered.
    need("the gateway's alert outlasts its series", rig.firing("ReplypathGatewayDown"), "it ended")
    dashboards.shows(rig, "purple")
    until("the alert of the gateway to end with its series", lambda: not rig.firing("ReplypathGatewayDown"), 90)
    rig.quiet(pages=2, seconds=15)
    rig.serve()
    need("the verdicts are those from before", rig.values("replypath_probe_success")["billing"] == 0, rig.scrape())
    rig.page("resolved ReplypathDown", 3, seconds=60)
    until("the gateway to be known as broken again", lambda: rig.firing("ReplypathGatewayDown"), 60)
    rig.quiet(pages=3, seconds=10)
    return "monitor killed while a gateway was broken: one page, no false resolved, no green; started again: its verdicts, and no second page for them"


def paused(rig):
    rig.well()
    rig.fault("mx-rejects-alias", True)
    until("two failed runs", lambda: rig.values("replypath_probe_consecutive_failures")["billing"] >= 2, 60)
    rig.command("pause", "--all")
    until("every probe to rest", lambda: rig.all_are("replypath_probe_paused", 1), 10)
    rig.quiet(pages=0, seconds=40)
    need("no ticket either", not set(rig.hook.tickets()) - {"ReplypathErrorBudgetBurn"}, rig.hook.tickets())
    rig.command("resume", "--all")
    rig.page("firing ReplypathProbeFailing", 1, seconds=90)
    return "a paused probe that failed twice: 40 s of silence; resumed: the page comes"


def leak(rig):
    rig.well()
    rig.fault("note-leaks", True)
    [alert] = rig.page("firing ReplypathSecurityFault", 1)
    labels = alert["labels"]
    need("fault and probe", (labels["fault"], labels["probe"]) == ("note-leaks", "guarded"), labels)
    runs = rig.values("replypath_probe_consecutive_failures")["guarded"]
    need("before a second run had failed", runs <= 1, runs)
    need("the command that explains it", alert["annotations"]["explain"] == "replypath faults note-leaks", alert)
    return f"an internal note that reached the customer: one page at once, after {runs:.0f} finished failed runs"


def stuck(rig):
    rig.well()
    # What the scheduler asks of the store each second cannot be answered any more; the process lives and answers.
    store = sqlite3.connect(next((rig.site / "state").glob("*.db")), timeout=30)
    with store:
        store.execute("ALTER TABLE paused RENAME TO paused_hidden")
    rig.page("firing ReplypathSchedulerStuck", 1)
    need("the process answers", "ok" in get(f"http://127.0.0.1:{rig.port}/healthz"), "no")
    with store:
        store.execute("ALTER TABLE paused_hidden RENAME TO paused")
    rig.page("resolved ReplypathSchedulerStuck", 2)
    config = rig.site / "replypath.toml"
    before = config.read_text()
    config.write_text(before + "\nnonsense = [")
    rig.processes["serve"].send_signal(signal.SIGHUP)
    until("the ticket of the refused configuration", lambda: "ReplypathConfigRefused" in rig.hook.tickets(), 90)
    rig.quiet(pages=2, seconds=1)
    return "a scheduler that is stuck in a process that answers: one page, one resolved; a refused configuration: a ticket"


def desk_down(rig):
    rig.well()
    rig.fault("desk-api-down", True)
    [alert] = rig.page("firing ReplypathDeskApiDown", 1, seconds=90)
    need("desk", alert["labels"]["desk"] == "sandbox", alert)
    until("runs that could not tell", lambda: rig.all_are("replypath_probe_unknown", 1), 60)
    until("the alerts of the probes", lambda: len(rig.firing("ReplypathProbeBlind")) == len(TWO), 90)
    until("Alertmanager to cover them", lambda: rig.suppressed().count("ReplypathProbeBlind") == len(TWO), 30)
    dashboards.shows(rig, {"Cannot tell": "orange"})
    rig.quiet(pages=1, seconds=10)
    need("no verdict about the desk", rig.all_are("replypath_probe_success", 1), rig.scrape())
    return "the desk's API down: one page, none for its blind probes, and no probe says that the reply path is broken"


SLOWLY = {"billing": probe("billing", every="22s"), "support": probe("support", every="22s", gateway="mx-other")}
GUARDED = {"guarded": probe("support", every="20s", more="only = ['send', 'accept', 'land', 'reply', 'return']", tables="[canaries]\nnote = true")}
TWO = {"billing": probe("billing"), "support": probe("support", gateway="mx-other")}
# By hand: its clock of a person's answer and the certificate of the exchanger are there from the start.
AWAITED = {"by-hand": """
desk = "sandbox"
account = "alice"
[email]
to = "sales@desk.test"
subject = "A question (${token})"
text = "When will it be sent? ${token}"
check_exchangers = true
exchangers = ["{EXCHANGER}"]
[reply]
mode = "await"
"""}
SCENARIOS = [(gateway, BEHIND_ONE_GATEWAY), (killed, BEHIND_ONE_GATEWAY), (paused, TWO), (one_run_and_two, SLOWLY),
             (leak, GUARDED), (stuck, TWO), (desk_down, TWO | AWAITED)]


def story(rig, folder):
    """What was sent, and the ends of the logs."""
    posts = [(path, status, [a["labels"] for a in alerts]) for path, status, alerts in rig.hook.posts if path != "/heartbeat"] if rig else []
    ends = [f"{log.name}: {line}" for log in sorted(folder.glob("*.log")) for line in log.read_text(errors="replace").splitlines()[-8:]]
    return "\n".join([f"  sent: {post}" for post in posts] + [f"  {line}" for line in ends])


def play(scenario, probes, folder):
    """Prints what was shown, or why not. The names of the series that there were; none when it failed."""
    name, began = scenario.__name__, time.monotonic()
    rig = None
    try:
        rig = Rig(folder / name, probes)
        said = scenario(rig)
        print(f"ok: {said} ({time.monotonic() - began:.0f} s)", flush=True)
        return rig.names()
    except Exception as error:
        why = error if isinstance(error, Failed) else traceback.format_exc()
        print(f"FAILED: {name} ({time.monotonic() - began:.0f} s): {why}\n{story(rig, folder / name)}", flush=True)
        return None
    finally:
        if rig:
            rig.end()


def interrupted(*_):
    for process in started:
        process.kill()
    os._exit(130)


def main(folder, *chosen):
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    folder = pathlib.Path(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = [(s, p) for s, p in SCENARIOS if not chosen or s.__name__ in chosen]
    if not wanted:
        sys.exit(f"no such scenario; there are {', '.join(s.__name__ for s, _ in SCENARIOS)}")
    with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
        shown = list(pool.map(lambda w: play(*w, folder), wanted))
    good = all(names is not None for names in shown)
    if good and not chosen:
        try:
            dashboards.names_exist(set().union(*shown))
            print("ok: dashboards and rules name only metrics that the program exposes")
        except Failed as error:
            good = False
            print(f"FAILED: {error}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
