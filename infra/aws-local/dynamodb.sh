#!/usr/bin/env bash
# Starts DynamoDB Local, Amazon's own engine in memory, on 127.0.0.1:
#
#	infra/aws-local/dynamodb.sh [port]      (default 8000)
#
# It comes from Maven into .build/dynamodb-local at the first run, and needs
# Java 11 or newer and mvn, on amd64 (its native parts come for no other Linux).
# Prints "ready http://127.0.0.1:port" and stays in
# the foreground; a signal ends it.
set -eu

port=${1:-8000}
version=2.5.4
root=$(cd "$(dirname "$0")/../.." && pwd)
home=$root/.build/dynamodb-local

for tool in java mvn; do
	if ! command -v "$tool" >/dev/null 2>&1; then
		echo "dynamodb.sh: $tool is missing; install it (Debian: apt-get install default-jre-headless maven)" >&2
		exit 3
	fi
done

if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
	echo "dynamodb.sh: port $port is taken; give another" >&2
	exit 1
fi

if [ ! -f "$home/$version.complete" ]; then
	echo "dynamodb.sh: fetching DynamoDB Local $version" >&2
	rm -rf "$home"
	mkdir -p "$home"
	cat >"$home/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bindery</groupId>
  <artifactId>dynamodb-local</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>com.amazonaws</groupId>
      <artifactId>DynamoDBLocal</artifactId>
      <version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
	mvn -B -q -Dmaven.repo.local="$home/repository" -f "$home/pom.xml" dependency:copy-dependencies -DoutputDirectory="$home/lib" >&2
	rm -rf "$home/repository" # Maven's own folder for it would lie outside .build
	touch "$home/$version.complete"
fi

# It writes a file with an id for its maker into the folder that it is started in.
cd "$home"
java -XX:-UsePerfData -Djava.library.path="$home/lib" -DDDB_LOCAL_TELEMETRY=0 -cp "$home/lib/*" \
	com.amazonaws.services.dynamodbv2.local.main.ServerRunner -inMemory -port "$port" >"$home/log-$port" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; exit 0' INT TERM HUP
trap 'kill "$server" 2>/dev/null || :' EXIT

# Listening is being ready.
tries=0
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
	tries=$((tries + 1))
	if ! kill -0 "$server" 2>/dev/null || [ "$tries" -gt 120 ]; then
		echo "dynamodb.sh: the engine did not start on port $port:" >&2
		tail -n 20 "$home/log-$port" >&2
		exit 1
	fi
	sleep 0.5
done
echo "ready http://127.0.0.1:$port"
wait "$server"
