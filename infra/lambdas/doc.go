// Package lambdas deploys template.yaml on one machine: each function's real
// binary runs as on Lambda, behind the HTTP API, the queues and the schedule
// that the template describes, with the environment and the rights that it
// gives, on AWS's engines. What it gives is a [World]; whoever has one plays a
// story over it and then asks for its [Report].
//
//	   caller ─> gateway ──┐                       ┌─> DynamoDB Local
//	     queue ─> mapping ─┼─> runtime: binaries ─> cloud ─> ElasticMQ
//	  schedule ────────────┘                       └─> moto
//	                                iam: may it?
//
//	runtime    processes: frozen, recycled at random, with Lambda's limits
//	gateway    the HTTP API
//	mapping    SQS's event source mapping, with its stop of loops
//	iam        a role's policies
//	cloud      what a call to AWS needs, and its way to an engine
//	stack.go       the template's resources, made at the engines
//	names.go       what each is called
//	world.go       everything joined, and running
//	functions.go   processes, roles and queues of each function
//	api.go         routes
//	watch.go       logs and what they must not hold; metrics and alarms
//	accesslog.go   what the API writes of each request, and the filters that count it
//	report.go      what is told at the end
//
// Each room has tests that need only Go. The whole is tested by `make
// test-lambda`, with the demo's story: infra/demo/lambdas_test.go.
package lambdas
