// Command deploy brings a stack of Bindery up and looks whether it works:
//
//	deploy stack      builds nothing; runs sam with the parameters that are known
//	deploy entra-app  registers the app at Entra, its secret into Secrets Manager
//	deploy token      signs an admin in to the stack's user pool
//	deploy smoke      checks a live stack
//
// The Makefile and infra/entra-app call it. It reaches AWS through the aws CLI,
// with whatever credentials that one finds, so that it needs no way of its own to
// sign in; no secret is ever an argument of a process or printed.
//
// Parameters of template.yaml are taken from the environment by their own names
// (make deploy AlarmEmail=ops@corp.example) and from .local/parameters, which
// entra-app writes. What is in neither keeps the value that the stack has. A stack
// of another name (STACK=bindery-test) has files of its own there
// (bindery-test.parameters, bindery-test.token), and an app and a client secret.
package main
