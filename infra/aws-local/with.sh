#!/usr/bin/env bash
# Runs a command beside AWS's engines, and ends them with it:
#
#	infra/aws-local/with.sh NAME COMMAND...
#
# The command finds DynamoDB Local at BINDERY_DYNAMODB_ENDPOINT, ElasticMQ at
# BINDERY_SQS_ENDPOINT and moto, which plays the rest, at BINDERY_AWS_ENDPOINT.
# NAME is what messages begin with. Where a tool is missing, it says so and runs
# nothing: that is a failure in CI alone. Everything that it fetches and writes
# lies in .build/.
set -eu

name=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/../.." && pwd)/.build
mkdir -p "$build"

for tool in java mvn python3; do
	if ! command -v "$tool" >/dev/null 2>&1; then
		echo "$name: skipped, $tool is missing"
		[ "${CI:-}" != true ]
		exit
	fi
done

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true' EXIT

start() {
	echo "$name: starting $1"
	: >"$build/$1.log"
	"$here/$1.sh" "$2" >"$build/$1.log" 2>&1 </dev/null &
	pids+=($!)
}

ready() {
	for _ in $(seq 1200); do
		if grep -q 'ready http' "$build/$1.log"; then return; fi
		if ! kill -0 "$2" 2>/dev/null; then break; fi
		sleep 0.5
	done
	echo "$name: $1 did not start:"
	tail -n 20 "$build/$1.log"
	return 1
}

dynamodb=$(free_port) elasticmq=$(free_port) moto=$(free_port)
start dynamodb "$dynamodb"
start elasticmq "$elasticmq"
start moto "$moto"
ready dynamodb "${pids[0]}"
ready elasticmq "${pids[1]}"
ready moto "${pids[2]}"

export BINDERY_DYNAMODB_ENDPOINT=http://127.0.0.1:$dynamodb
export BINDERY_SQS_ENDPOINT=http://127.0.0.1:$elasticmq
export BINDERY_AWS_ENDPOINT=http://127.0.0.1:$moto
"$@"
