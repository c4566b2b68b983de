"""switch.py polled|unpolled QUEUE: whether the mailbox of a queue is fetched."""

import fcntl
import os
import sqlite3
import sys

here = os.environ["HELPDESK_DIR"]
with open(f"{here}/poll.lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    base = sqlite3.connect(f"{here}/db.sqlite3", timeout=30)
    done = base.execute("UPDATE helpdesk_queue SET allow_email_submission = ? WHERE slug = ?", (sys.argv[1] == "polled", sys.argv[2]))
    base.commit()
    sys.exit(0 if done.rowcount == 1 else f"no queue {sys.argv[2]}")
