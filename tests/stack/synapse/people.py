"""people.py URL SECRET NAME...: registers accounts (password NAME-pass) with the shared secret of registration.

https://element-hq.github.io/synapse/latest/admin_api/register_api.html
"""

import hashlib
import hmac
import json
import sys
import urllib.request

url, secret = sys.argv[1], sys.argv[2]


def ask(body=None):
    request = urllib.request.Request(f"{url}/_synapse/admin/v1/register", body and json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


for name in sys.argv[3:]:
    nonce = ask()["nonce"]
    password = f"{name}-pass"
    mac = hmac.new(secret.encode(), "\0".join([nonce, name, password, "notadmin"]).encode(), hashlib.sha1).hexdigest()
    ask({"nonce": nonce, "username": name, "password": password, "admin": False, "mac": mac})
