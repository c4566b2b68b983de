"""poll.py SECONDS: fetches the mail of all queues, again and again, as a cron job would.

A round saves each queue as it was when the round began, so switch.py changes a queue only between two rounds.
"""

import fcntl
import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.db import connections  # noqa: E402
from helpdesk.email import process_email  # noqa: E402

pause = float(sys.argv[1])
with open(os.environ["HELPDESK_DIR"] + "/poll.lock", "w") as lock:
    while True:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process_email(quiet=True)
        connections.close_all()
        fcntl.flock(lock, fcntl.LOCK_UN)
        time.sleep(pause)
