#!/usr/bin/env bash
# Holds the API to its own description by Schemathesis, against the local stack:
#
#	infra/apitest/run.sh SCHEMATHESIS [ARGUMENTS OF st run...]
#
# The stack lives in a folder of its own and on free ports, and ends with this.
# SECONDS_FOR_API says how long requests are made up for (150).
set -euo pipefail

st=$1
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$here/../.." && pwd)/.build
state=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi; rm -rf "$state"' EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

api=$(free_port) m365=$(free_port)
LOCAL_STATE=$state/stack LOCAL_API_PORT=$api LOCAL_M365_PORT=$m365 DNS_SERVER=127.0.0.1:9 "$build/local" run >"$build/apitest.log" 2>&1 </dev/null &
pid=$!
for _ in $(seq 240); do
	if curl -fsS -o /dev/null -H "Authorization: Bearer $(cat "$state/stack/admin-token" 2>/dev/null)" "http://localhost:$api/v1/openapi.json" 2>/dev/null; then up=yes; break; fi
	if ! kill -0 "$pid" 2>/dev/null; then break; fi
	sleep 0.25
done
if [ -z "${up:-}" ]; then
	echo "test-api: the stack did not start:"
	tail -n 20 "$build/apitest.log"
	exit 1
fi

call() { curl -fsS -H "Authorization: Bearer $API_TOKEN" -H 'Content-Type: application/json' "http://localhost:$api$@" >/dev/null; }
API_TOKEN=$(cat "$state/stack/admin-token")
export API_TOKEN
call /v1/connections -d '{"name":"tested"}'
call /v1/users -d '{"email":"tested@corp.example"}'

# It writes its own files where it is started.
cd "$state"
"$st" --config-file "$here/schemathesis.toml" run --url "http://localhost:$api" --max-time "${SECONDS_FOR_API:-150}" "$@" "http://localhost:$api/v1/openapi.json"
if grep -E '"msg":"(request failed)"|panic' "$build/apitest.log"; then
	echo "test-api: the stack's log has failed requests"
	exit 1
fi
