// Package app turns the environment of a Lambda function into its working parts,
// and joins the core to them: it says what runs.
//
//	environment ──LoadConfig (config.go)──> Config ──Start (aws.go)──> AWS: the parts on AWS
//	Parts (parts.go) ──NewCore (core.go)──> Core, the same that the local stack makes of other Parts
//	Core: Work, Load, Sweep, Tick (messages.go) │ Connect: an http.Handler; the API is joined to it by package web
//
// LoadConfig reads every variable that the function uses, checks all of them by one
// table and reports all faults at once. Secrets are named in the environment
// and never carried in it (secret.go reads them). The same table is what
// infra/template compares template.yaml with, so neither can drift from the other.
//
// Nothing is decided here: a message is handed to the package of the core that it
// is about, and what that tells is counted (counts.go).
//
// app links no Microsoft Graph: the mains that talk to it add package entra,
// so the others stay small.
package app
