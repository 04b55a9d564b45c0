"""Replace an SSH key of the account: add the new one, check that it works, and only then
delete the old one.

python new_key.py old-laptop new-laptop ~/.ssh/id_ed25519

The last argument is the private key; its public half must be in the same folder, with the
ending .pub.
"""

import sys
from pathlib import Path

from smartdc import DataCenter

old, new, path = sys.argv[1:]
dc = DataCenter()
public = Path(f"{path}.pub").expanduser().read_text()
if new not in [key.name for key in dc.keys()]:
    dc.add_key(new, public)

dc.authenticate(key_id=f"/{dc.account().login}/keys/{new}", secret=Path(path).expanduser())
print("the new key works for", dc.account().login)
if old in [key.name for key in dc.keys()]:
    dc.delete_key(old)
    print("deleted", old)
print(f"sign with it from now on: export TRITON_KEY_ID={dc.key(new).fingerprint}")
