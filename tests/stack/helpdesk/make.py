"""make.py IMAP-PORT URL LANES: makes the database with its people and queues; queue LaneNN has the number NN."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.sites.models import Site  # noqa: E402
from django.core.management import call_command  # noqa: E402
from helpdesk.models import Queue  # noqa: E402

imap, url, lanes = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
call_command("migrate", verbosity=0)
Site.objects.update_or_create(id=1, defaults={"domain": url.removeprefix("http://"), "name": "desk"})
for name in ("agent1", "monitor"):
    user = get_user_model()(username=name, email=f"{name}@helpdesk.test", is_staff=True)
    user.set_password(f"{name}-pass")
    user.save()
names = [f"lane{n:02}" for n in range(1, lanes + 1)] + ["general"]
for number, name in enumerate(names, 1):
    address = f"{name}@helpdesk.test"
    Queue.objects.create(
        id=number,
        slug=name,
        title=name.capitalize(),
        locale="en",
        email_address=address,
        allow_public_submission=True,
        allow_email_submission=True,
        enable_notifications_on_email_events=True,
        email_box_type="imap",
        email_box_host="127.0.0.1",
        email_box_port=imap,
        email_box_ssl=False,
        email_box_user=address,
        email_box_pass="secret",
        email_box_imap_folder="INBOX",
        email_box_interval=0,
    )
