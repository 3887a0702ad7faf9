package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bindery/shared/api/console"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// live is a stack as smoke sees it: an API and what the aws CLI tells. faults
// break one thing each.
type live struct {
	t      *testing.T
	faults map[string]bool
	conns  map[string]bool
	looks  map[string]int
	dead   []map[string]string
	put    []map[string]any
}

func (l *live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	if r.URL.Path == "/oauth/callback" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		status := http.StatusBadRequest
		if l.faults["callback"] {
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/console") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch {
		case l.faults["no console"]:
			w.WriteHeader(http.StatusNotFound)
		case l.faults["dead console"]:
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == "/console" && l.faults["open console"]:
			w.WriteHeader(http.StatusOK)
		case r.URL.Path == "/console":
			w.Header().Set("Location", "/console/sign-in?to=%2Fconsole")
			w.WriteHeader(http.StatusSeeOther)
		case l.faults["no sign-in"]:
			w.WriteHeader(http.StatusBadGateway)
		case !l.faults["no policy"]:
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'")
		}
		return
	}
	if r.Header.Get("Authorization") != "Bearer good" && !l.faults["open"] {
		answer(401, map[string]string{"message": "Unauthorized"})
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	switch {
	case path == "/openapi.json":
		answer(200, map[string]any{"openapi": "3.1.0", "info": map[string]string{"title": "Bindery", "version": "1"}, "paths": map[string]any{"/v1/users": 1}})
	case path == "/connections" && r.Method == http.MethodPost:
		l.conns["con_1"] = true
		answer(201, map[string]string{"id": "con_1", "authorizationUrl": "https://login.example/authorize"})
	case path == "/connections":
		items := []map[string]string{{"id": "con_0", "status": "active"}, {"id": "con_9", "status": "deactivated"}}
		if l.faults["nobody"] {
			items = items[1:]
		}
		answer(200, map[string]any{"items": items})
	case path == "/connections/con_1/deactivate":
		answer(200, map[string]string{"status": "deactivated"})
	case path == "/connections/con_1" && r.Method == http.MethodDelete:
		if l.faults["undeletable"] {
			answer(503, map[string]string{"code": "busy", "detail": "The secret is still there."})
			return
		}
		delete(l.conns, "con_1")
		w.WriteHeader(http.StatusNoContent)
	case path == "/connections/con_1":
		answer(404, map[string]string{"code": "not-found"})
	case path == "/connections/con_0":
		guard := map[string]any{"unblock": map[string]int{"count": 1}}
		if l.faults["raised"] {
			guard["block"] = map[string]int{"count": 100}
		}
		answer(200, map[string]any{"id": "con_0", "settings": map[string]any{"guard": guard}})
	case path == "/connections/con_0/runs":
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), `"dryRun":true`) {
			l.t.Errorf("a run that is no dry run was asked for: %s", body)
		}
		answer(202, map[string]any{"id": "run_1", "state": "planning"})
	case path == "/runs/run_1":
		l.looks["run"]++
		run := map[string]any{"id": "run_1", "state": "planning", "counts": map[string]int{"block": 60}}
		if l.looks["run"] > 2 && !l.faults["asleep"] {
			run["state"] = "planned"
			if !l.faults["unguarded"] {
				run["held"] = map[string]any{"reasons": []string{"60 of 60 accounts would be blocked."}}
			}
			if l.faults["few"] {
				run["counts"] = map[string]int{"block": 5, "revoke": 5}
			}
		}
		if l.faults["writes"] {
			run["applied"] = 1
		}
		answer(200, run)
	default:
		answer(404, map[string]string{"code": "not-found"})
	}
}

var liveResources = map[string]string{
	"EventBus": "bindery-notices", "NoticeRule": "bindery-notices|rule-1", "NoticeDeadLetters": "https://sqs/notice", "WorkDeadLetters": "https://sqs/work",
	"WorkDeadLettersAlarm": "work-alarm", "HeldRunsAlarm": "held-alarm", "WorkQueue": "https://sqs/q", "AdminShiftAlarm": "shift-alarm",
	"ScheduleStoppedAlarm": "silence-alarm",
}

func (l *live) aws(call string, in map[string]any) (any, error) {
	switch call {
	case "cloudformation describe-stacks":
		if l.faults["no aws"] {
			return nil, errors.New("Unable to locate credentials")
		}
		outputs := map[string]string{"ConsoleUrl": "https://api.example/console"}
		if l.faults["no console"] {
			outputs = nil
		}
		return described(map[string]string{"Paused": fmt.Sprint(l.faults["paused"])}, outputs), nil
	case "cloudformation list-stack-resources":
		var list []map[string]string
		for logical, physical := range liveResources {
			list = append(list, map[string]string{"LogicalResourceId": logical, "PhysicalResourceId": physical})
		}
		return map[string]any{"StackResourceSummaries": list}, nil
	case "cloudwatch describe-alarms":
		var list []map[string]any
		for _, name := range in["AlarmNames"].([]any) {
			l.looks["alarm"]++
			a := map[string]any{"AlarmName": name, "StateValue": "OK", "AlarmActions": []string{"arn:topic"}}
			if l.faults["ringing"] && name == "held-alarm" || name == "work-alarm" && len(l.dead) > 0 && l.looks["alarm"] > 5 {
				a["StateValue"], a["StateReason"] = "ALARM", "Threshold Crossed"
			}
			if name == "silence-alarm" && (l.faults["silent"] || l.looks["alarm"] < 9) {
				a["StateValue"], a["StateReason"] = "INSUFFICIENT_DATA", "Unchecked: Initial alarm creation"
			}
			if name == "shift-alarm" || l.faults["mute"] {
				a["AlarmActions"] = []string{}
			}
			list = append(list, a)
		}
		return map[string]any{"MetricAlarms": list}, nil
	case "cloudwatch get-metric-statistics":
		dims, _ := json.Marshal(in["Dimensions"])
		if string(dims) != `[{"Name":"EventBusName","Value":"bindery-notices"},{"Name":"RuleName","Value":"rule-1"}]` {
			l.t.Errorf("asked for the metrics of %s", dims)
		}
		l.looks["metric"]++
		sum := 0.0
		if in["MetricName"] == "Invocations" && l.looks["metric"] > 4 && !l.faults["undelivered"] || in["MetricName"] == "FailedInvocations" && l.faults["refused"] {
			sum = 1
		}
		return map[string]any{"Datapoints": []map[string]float64{{"Sum": sum}}}, nil
	case "events put-events":
		l.put = append(l.put, in)
		return map[string]any{"FailedEntryCount": 0, "Entries": []map[string]string{{"EventId": "1"}}}, nil
	case "sqs get-queue-attributes":
		n := 0
		if in["QueueUrl"] == "https://sqs/work" {
			n = len(l.dead)
		}
		if l.faults["dead letter"] && in["QueueUrl"] == "https://sqs/work" {
			n = 3
		}
		return map[string]any{"Attributes": map[string]string{"ApproximateNumberOfMessages": fmt.Sprint(n)}}, nil
	case "sqs send-message":
		l.dead = append(l.dead, map[string]string{"Body": `{"connectionId":"con_real"}`, "ReceiptHandle": "real"}, map[string]string{"Body": in["MessageBody"].(string), "ReceiptHandle": "ours"})
		return map[string]string{"MessageId": "1"}, nil
	case "sqs receive-message":
		return map[string]any{"Messages": l.dead}, nil
	case "sqs delete-message":
		if in["ReceiptHandle"] != "ours" {
			l.t.Errorf("the dead letter %v of somebody else was deleted", in["ReceiptHandle"])
		}
		l.dead = nil
		return nil, nil
	}
	return nil, fmt.Errorf("no call %s", call)
}

// smoked runs smoke on a stack with some faults.
func smoked(t *testing.T, env map[string]string, faults ...string) (string, *live, error) {
	t.Helper()
	s, l := newShell(t), &live{t: t, faults: map[string]bool{}, conns: map[string]bool{}, looks: map[string]int{}}
	for _, f := range faults {
		l.faults[f] = true
	}
	srv := httptest.NewServer(l)
	defer srv.Close()
	s.aws = l.aws
	s.env["API"], s.env["TOKEN"] = srv.URL+"/", "good"
	for k, v := range env {
		s.env[k] = v
	}
	err := s.smoke(t.Context(), nil)
	return s.said.String(), l, err
}

func TestSmoke(t *testing.T) {
	said, l, err := smoked(t, map[string]string{"ALARM": "1"})
	if err != nil || !strings.Contains(said, "smoke: 10 passed, 0 failed, 0 skipped") || !strings.Contains(said, "60 of 60 accounts would be blocked") {
		t.Errorf("%v\n%s", err, said)
	}
	if len(l.conns) > 0 || len(l.dead) > 0 || len(l.put) != 1 {
		t.Errorf("it leaves connections %v and dead letters %v; notices %d", l.conns, l.dead, len(l.put))
	}
	said, _, err = smoked(t, nil)
	if err != nil || !strings.Contains(said, "smoke: 9 passed, 0 failed, 1 skipped") {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestSmokeWithoutAWS(t *testing.T) {
	said, _, err := smoked(t, nil, "no aws")
	if err != nil || !strings.Contains(said, "smoke: 6 passed, 0 failed, 4 skipped") || !strings.Contains(said, "Unable to locate credentials") {
		t.Errorf("%v\n%s", err, said)
	}
	s := newShell(t)
	if err := s.smoke(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "make smoke API=") {
		t.Errorf("without an address: %v", err)
	}
	s.env["API"] = "https://api.example"
	if err := s.smoke(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "make token") {
		t.Errorf("without a token: %v", err)
	}
}

// Each fault is found, and said; the others are looked at all the same.
func TestSmokeFaults(t *testing.T) {
	for fault, want := range map[string]string{
		"open":     "with a token that is none answered|with no token answered",
		"callback": "it answered 500",

		"dead console": "/console answered 500",
		"open console": "/console answered 200",
		"no sign-in":   "/console/sign-in?to=%2Fconsole answered 502",
		"no policy":    "the policy of content \"\"",
		"undeletable":  "503 busy: The secret is still there.",
		"asleep":       "is sync woken?",
		"writes":       "wrote: 1 applied",
		"ringing":      "ringing: held-alarm (Threshold Crossed)",
		"mute":         "nobody hears",
		"silent":       "ringing: silence-alarm (no tick of the schedule",
		"unguarded":    "the guard would let all of 60 accounts be blocked",
		"dead letter":  "3 in WorkDeadLetters",
		"refused":      "could not bring it to the topic",
		"undelivered":  "CloudWatch counts no delivery",
	} {
		said, _, err := smoked(t, nil, fault)
		told := false
		for _, w := range strings.Split(want, "|") {
			told = told || strings.Contains(said, w)
		}
		if !errors.Is(err, errFailed) || !told || !strings.Contains(said, "smoke: 8 passed, 1 failed, 1 skipped") {
			t.Errorf("%s: %v, want %q in\n%s", fault, err, want, said)
		}
	}
	for _, right := range [][]string{{"unguarded", "few"}, {"unguarded", "raised"}, {"silent", "paused"}} {
		if said, _, err := smoked(t, nil, right...); err != nil {
			t.Errorf("%v: %v\n%s", right, err, said)
		}
	}
	said, _, err := smoked(t, nil, "nobody")
	if err != nil || !strings.Contains(said, "no connection is active yet") {
		t.Errorf("%v\n%s", err, said)
	}
	for _, faults := range [][]string{{"no console"}, {"no console", "no aws"}} {
		if said, _, err := smoked(t, nil, faults...); err != nil || !strings.Contains(said, "ConsoleClientId asks for it") {
			t.Errorf("%v: %v\n%s", faults, err, said)
		}
	}
}

// What smoke wants of the console is what the console does.
func TestSmokeKnowsTheConsole(t *testing.T) {
	pages, err := console.New(console.Config{PublicURL: "https://bindery.example", Issuer: "https://issuer.example", ClientID: "console", Sessions: store.New(memory.New(), store.Options{}).Sessions})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(pages)
	defer srv.Close()
	s := &smoker{tool: newShell(t).tool, api: srv.URL, hasConsole: true}
	if said, err := s.console(t.Context()); err != nil || said != srv.URL+"/console" {
		t.Errorf("%q, %v", said, err)
	}
}
