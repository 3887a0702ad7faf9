# A client of SCIM that others wrote tries tokens. TestScimTokens runs it, with a list of
# addresses and tokens on its input; each answer is one line of JSON on its output.
import json
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_client.errors import UnexpectedStatusCodeException
from scim2_models import Error, User

for base, token in json.load(sys.stdin):
    answers = []
    http = Client(base_url=base, headers={"Authorization": "Bearer " + token} if token else {}, event_hooks={"response": [lambda r: answers.append((r.read(), r))]})
    said = None
    try:
        said = SyncSCIMClient(http, resource_models=[User]).query(User, raise_scim_errors=False)
    except UnexpectedStatusCodeException:
        pass  # no error of SCIM's, but a gateway's
    (body, response), = answers
    headers = sorted(f"{k}: {v}" for k, v in response.headers.items() if k.lower() not in ("date", "apigw-requestid"))
    print(json.dumps({"status": response.status_code, "error": isinstance(said, Error), "body": body.decode(), "headers": headers}))
