#!/usr/bin/env bash
# Starts ElasticMQ, which plays SQS in memory, on 127.0.0.1: delays, visibility
# timeouts and redrive to dead-letter queues are real there.
#
#	infra/aws-local/elasticmq.sh [port]      (default 9324)
#
# It comes from Maven (Apache License 2.0) into .build/elasticmq at the first
# run, and needs Java 11 or newer and mvn. Prints "ready http://127.0.0.1:port"
# and stays in the foreground; a signal ends it.
set -eu

port=${1:-9324}
version=1.6.14
root=$(cd "$(dirname "$0")/../.." && pwd)
home=$root/.build/elasticmq

for tool in java mvn; do
	if ! command -v "$tool" >/dev/null 2>&1; then
		echo "elasticmq.sh: $tool is missing; install it (Debian: apt-get install default-jre-headless maven)" >&2
		exit 3
	fi
done

if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
	echo "elasticmq.sh: port $port is taken; give another" >&2
	exit 1
fi

if [ ! -f "$home/$version.complete" ]; then
	echo "elasticmq.sh: fetching ElasticMQ $version" >&2
	rm -rf "$home"
	mkdir -p "$home"
	cat >"$home/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bindery</groupId>
  <artifactId>elasticmq</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.elasticmq</groupId>
      <artifactId>elasticmq-server_2.13</artifactId>
      <version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
	mvn -B -q -Dmaven.repo.local="$home/repository" -f "$home/pom.xml" dependency:copy-dependencies -DoutputDirectory="$home/lib" >&2
	rm -rf "$home/repository" # Maven's own folder for it would lie outside .build
	touch "$home/$version.complete"
fi

# The port is in the addresses that it gives its queues; the account and the
# region in their ARNs. It keeps to SQS's limits.
cat >"$home/conf-$port" <<CONF
include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = $port, context-path = "" }
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = $port, sqs-limits = strict }
rest-stats { enabled = false }
aws { region = eu-central-1, accountId = 123456789012 }
CONF

java -XX:-UsePerfData -Xmx256m -Dconfig.file="$home/conf-$port" -cp "$home/lib/*" org.elasticmq.server.Main >"$home/log-$port" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; exit 0' INT TERM HUP
trap 'kill "$server" 2>/dev/null || :' EXIT

# Listening is being ready.
tries=0
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
	tries=$((tries + 1))
	if ! kill -0 "$server" 2>/dev/null || [ "$tries" -gt 120 ]; then
		echo "elasticmq.sh: ElasticMQ did not start on port $port:" >&2
		tail -n 20 "$home/log-$port" >&2
		exit 1
	fi
	sleep 0.5
done
echo "ready http://127.0.0.1:$port"
wait "$server"
