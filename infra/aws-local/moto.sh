#!/usr/bin/env bash
# Starts moto, which plays Secrets Manager, KMS, EventBridge and S3 in memory, on
# 127.0.0.1:
#
#	infra/aws-local/moto.sh [port]      (default 5000)
#
# It comes by pip into .build/moto at the first run, and needs Python 3.9 or
# newer with venv. Prints "ready http://127.0.0.1:port" and stays in the
# foreground; a signal ends it.
set -eu

port=${1:-5000}
version=5.2.5
services=events,kms,s3,secretsmanager
root=$(cd "$(dirname "$0")/../.." && pwd)
home=$root/.build/moto

if ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
	echo "moto.sh: python3 with venv is missing; install it (Debian: apt-get install python3-venv)" >&2
	exit 3
fi

if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
	echo "moto.sh: port $port is taken; give another" >&2
	exit 1
fi

if [ ! -f "$home/$version-$services.complete" ]; then
	echo "moto.sh: fetching moto $version" >&2
	rm -rf "$home"
	python3 -m venv "$home"
	mkdir "$home/tmp"
	TMPDIR=$home/tmp "$home/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check "moto[$services,server]==$version" >&2
	rm -rf "$home/tmp"
	touch "$home/$version-$services.complete"
fi

"$home/bin/moto_server" -H 127.0.0.1 -p "$port" >"$home/log-$port" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; exit 0' INT TERM HUP
trap 'kill "$server" 2>/dev/null || :' EXIT

tries=0
# Listening is being ready.
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
	tries=$((tries + 1))
	if ! kill -0 "$server" 2>/dev/null || [ "$tries" -gt 120 ]; then
		echo "moto.sh: moto did not start on port $port:" >&2
		tail -n 20 "$home/log-$port" >&2
		exit 1
	fi
	sleep 0.5
done
echo "ready http://127.0.0.1:$port"
wait "$server"
