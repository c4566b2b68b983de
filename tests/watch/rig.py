"""One watched desk: `replypath sandbox`, `replypath serve`, Prometheus, Alertmanager and a webhook that keeps what it is sent.

Everything lies in a folder of its own, listens on free loopback ports and ends with the `Rig`."""

import http.server
import json
import pathlib
import random
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/debug/replypath"
RULES = ROOT / "dashboards/replypath.rules.yml"
ROUTES = ROOT / "dashboards/alertmanager.example.yml"
# Minutes of the shipped files become tenths of minutes, all alike, so that what must be longer than what stays so.
FASTER = 10
# Longer than the alert of the desk's API waits, as the half hour of the default is.
BLIND_AFTER = 40


# Every process that was started here, so that an interrupted test leaves none.
started = []


class Failed(Exception):
    """What was to be shown did not show."""


def free_port(given=set()):
    """Below the ports that the kernel hands out by itself: none of our own connections takes it before it is listened on."""
    while True:
        port = random.randrange(16_000, 32_000)
        with socket.socket() as s:
            if port not in given and s.connect_ex(("127.0.0.1", port)):
                given.add(port)
                return port


def quicker(text):
    """The file with every waiting time divided by FASTER, and the age at which a scheduler counts as stuck."""
    units = {"s": 1000, "m": 60_000, "h": 3_600_000}
    times = r"\b(for|keep_firing_for|group_wait|group_interval|repeat_interval): (\d+)([smh])\b"
    text, found = re.subn(times, lambda m: f"{m[1]}: {int(m[2]) * units[m[3]] // FASTER}ms", text)
    if not found:
        raise Failed("the file names no waiting time")
    return text.replace("_tick_timestamp_seconds) > 120", f"_tick_timestamp_seconds) > {120 // FASTER}")


def get(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def until(what, look, seconds):
    """Waits for `look` to give something; what it cannot reach yet counts as nothing."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := look():
                return found
        except (OSError, ValueError):
            pass
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.2)


def need(what, holds, found):
    if not holds:
        raise Failed(f"{what}: {found}")


class Hook:
    """Receives what Alertmanager sends: (path, status, alerts of that post)."""

    def __init__(self):
        posts = self.posts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                posts.append((self.path, body["status"], body["alerts"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pages(self):
        """Posts to the pager as `status alertname` with the alerts, in order."""
        return [(f"{status} {' '.join(sorted({a['labels']['alertname'] for a in alerts}))}", alerts)
                for path, status, alerts in list(self.posts) if path == "/page"]

    def tickets(self):
        return [a["labels"]["alertname"] for path, status, alerts in list(self.posts) if path == "/ticket" for a in alerts]

    def heartbeats(self):
        return sum(path == "/heartbeat" for path, _, _ in list(self.posts))


class Rig:
    def __init__(self, folder, probes):
        self.folder = pathlib.Path(folder)
        self.site = self.folder / "site"
        self.folder.mkdir(mode=0o700)
        self.probes = probes
        self.processes = {}
        self.hook = Hook()
        self.port, self.prometheus, self.alertmanager = free_port(), free_port(), free_port()
        try:
            self.start()
        except BaseException:
            self.end()
            raise

    def start(self):
        self.spawn("sandbox", PROGRAM, "sandbox", "--init", self.site)
        self.switchboard = until("the sandbox", lambda: re.search(r"switchboard +(\S+)", self.said("sandbox")), 60)[1]
        until("the sandbox's configuration", lambda: "Ctrl-C" in self.said("sandbox"), 30)
        config = self.site / "replypath.toml"
        config.write_text(config.read_text().replace("[daemon]\n", f'[daemon]\nblind_after = "{BLIND_AFTER}s"\n', 1))
        exchanger = re.search(r"desk's MX \(SMTP\) +(\S+)", self.said("sandbox"))[1]
        for file in (self.site / "probes").glob("*.toml"):
            file.unlink()
        for name, text in self.probes.items():
            (self.site / f"probes/{name}.toml").write_text(text.replace("{EXCHANGER}", exchanger))
        self.serve()
        self.watch()

    def serve(self):
        self.spawn("serve", PROGRAM, "serve", "--config", self.site, "--listen", f"127.0.0.1:{self.port}")
        ended = lambda: self.processes["serve"].poll() is not None
        until("/metrics", lambda: ended() or self.scrape(), 60)
        need("the program serves", not ended(), self.said("serve"))

    def watch(self):
        rules, routes, config = (self.folder / name for name in ("rules.yml", "alertmanager.yml", "prometheus.yml"))
        rules.write_text(quicker(RULES.read_text()))
        routes.write_text(quicker(ROUTES.read_text()).replace("127.0.0.1:9099", f"127.0.0.1:{self.hook.port}"))
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self.alertmanager}"]}]}]},
            "scrape_configs": [{"job_name": "replypath", "static_configs": [{"targets": [f"127.0.0.1:{self.port}"]}]}],
        }))
        self.spawn("alertmanager", "prometheus-alertmanager", f"--config.file={routes}", f"--storage.path={self.folder}/am",
                   f"--web.listen-address=127.0.0.1:{self.alertmanager}", "--cluster.listen-address=", "--log.level=warn")
        until("Alertmanager", lambda: get(f"http://127.0.0.1:{self.alertmanager}/-/ready"), 60)
        # An alert that is raised before Prometheus has found its Alertmanager is dropped and sent again only after the delay.
        self.spawn("prometheus", "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/tsdb",
                   f"--web.listen-address=127.0.0.1:{self.prometheus}", "--rules.alert.resend-delay=2s", "--log.level=warn")
        until("Prometheus", lambda: get(f"http://127.0.0.1:{self.prometheus}/-/ready"), 60)

    def spawn(self, name, *command):
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes[name] = process
        started.append(process)

    def said(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name, with_signal=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(with_signal)
        process.wait(30)

    def end(self):
        for name in ("prometheus", "alertmanager", "serve", "sandbox"):
            if name in self.processes:
                self.kill(name)
        self.hook.server.shutdown()

    def command(self, *arguments):
        done = subprocess.run([PROGRAM, *arguments, "--config", self.site], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise Failed(f"replypath {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def fault(self, fault, on):
        body = json.dumps({"id": fault, "on": on}).encode()
        urllib.request.urlopen(urllib.request.Request(self.switchboard, body, method="POST"), timeout=10).close()

    def scrape(self):
        return get(f"http://127.0.0.1:{self.port}/metrics")

    def names(self):
        """The names of all series that Prometheus has seen here, those of the recording rules among them."""
        return set(json.loads(get(f"http://127.0.0.1:{self.prometheus}/api/v1/label/__name__/values"))["data"])

    def values(self, metric):
        """The values of a metric by probe, as the program says them now."""
        lines = re.findall(rf'^{metric}{{[^}}]*probe="([^"]*)"[^}}]*}} (\S+)$', self.scrape(), re.M)
        return {probe: float(value) for probe, value in lines}

    def query(self, expression):
        """The samples of an instant query, as (labels, value)."""
        answer = json.loads(get(f"http://127.0.0.1:{self.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
        return [(sample["metric"], float(sample["value"][1])) for sample in answer["data"]["result"]]

    def firing(self, alert):
        return self.query(f'ALERTS{{alertname="{alert}", alertstate="firing"}}')

    def suppressed(self):
        """Names of the alerts that Alertmanager has and another one covers."""
        alerts = json.loads(get(f"http://127.0.0.1:{self.alertmanager}/api/v2/alerts"))
        return [a["labels"]["alertname"] for a in alerts if a["status"]["inhibitedBy"]]

    # What is to be shown.

    def well(self):
        until("a pass of every probe", lambda: self.all_are("replypath_probe_success", 1), 90)

    def all_are(self, metric, value):
        """Whether every probe with a schedule has this value, and has it already."""
        values = self.values(metric)
        return all(values.get(name) == value for name, text in self.probes.items() if "every" in text)

    def page(self, wanted, number, seconds=60):
        """The alerts of page `number`, which must be `wanted`, `status alertname`."""
        until(f"page {number}, {wanted}", lambda: len(self.hook.pages()) >= number, seconds)
        title, alerts = self.hook.pages()[number - 1]
        if title != wanted:
            raise Failed(f"page {number} is {title}, not {wanted}: {alerts}")
        return alerts

    def quiet(self, pages, seconds):
        """No further page for so long, while the way of the alarms is heard to work."""
        beats, end = self.hook.heartbeats(), time.monotonic() + seconds
        until("the time without a page", lambda: time.monotonic() > end or len(self.hook.pages()) > pages, seconds + 10)
        until("a heartbeat", lambda: self.hook.heartbeats() > beats, 30)
        if len(self.hook.pages()) != pages:
            raise Failed(f"unwanted page: {self.hook.pages()[pages:]}")

