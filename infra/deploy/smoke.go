package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/ownfile"
)

// smoke checks a live stack: its API, and as far as the aws CLI may, its queues,
// alarms and notices. It leaves nothing behind, and writes to no tenant.
//
//	API=…         the API's address; the stack's, when the aws CLI knows it
//	TOKEN=…       an access token with read, write and admin; else .local/token
//	CONNECTION=…  a connection to try a dry run on; else every active one
//	ALARM=1       put a message into a dead-letter queue and wait for its alarm
func (t *tool) smoke(ctx context.Context, _ []string) error {
	s := &smoker{tool: t, api: strings.TrimRight(t.getenv("API"), "/"), token: directory.NewSecret(t.getenv("TOKEN")), started: t.now()}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	for _, c := range []struct {
		what string
		do   func(context.Context) (string, error)
	}{
		{"the API answers, and says what it is", s.health},
		{"who brings no token is refused", s.unauthenticated},
		{"the callback refuses a stranger with words", s.callback},
		{"the console leads to its sign-in, and its pages are guarded", s.console},
		{"a connection can be made, authorised, deactivated and deleted", s.lifecycle},
		{"a dry run plans, says what the guard would hold, and writes nothing", s.dryRun},
		{"no alarm rings, and each can be heard", s.alarms},
		{"no dead letter lies in a queue", s.deadLetters},
		{"a notice is put on the bus and reaches the topic", s.notice},
		{"a dead letter raises its alarm", s.deadLetterAlarm},
	} {
		detail, err := c.do(ctx)
		switch {
		case errors.Is(err, errSkip):
			s.skipped++
			s.say("skipped  %s: %s", c.what, detail)
		case err != nil:
			s.failed++
			s.say("FAILED   %s: %v", c.what, err)
		default:
			s.passed++
			s.say("ok       %s: %s", c.what, detail)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	s.say("smoke: %d passed, %d failed, %d skipped", s.passed, s.failed, s.skipped)
	if s.failed > 0 {
		return errFailed
	}
	return nil
}

// errSkip says that something was not looked at; the detail says why.
var errSkip = errors.New("skipped")

type smoker struct {
	*tool
	api                     string
	hasConsole              bool // the stack has pages for admins
	token                   directory.Secret
	started                 time.Time
	resources               map[string]string // of the stack; nil without the aws CLI
	noAWS                   string            // why
	paused                  bool              // the stack's parameter
	passed, failed, skipped int
}

func (s *smoker) prepare(ctx context.Context) error {
	is, err := s.describe(ctx)
	switch {
	case err != nil:
		s.noAWS = err.Error()
	case !is.exists:
		s.noAWS = "the aws CLI sees no stack " + s.stackName()
	default:
		if s.resources, err = s.tool.resources(ctx); err != nil {
			s.noAWS = err.Error()
		}
		s.api = or(s.api, is.outputs["ApiUrl"])
		s.hasConsole = is.outputs["ConsoleUrl"] != ""
		s.paused = is.parameters["Paused"] == "true"
	}
	if s.api == "" {
		return fmt.Errorf("say where the API is: make smoke API=https://… TOKEN=… (%s)", s.noAWS)
	}
	if s.token.IsZero() {
		data, err := ownfile.Read(s.local(s.ofStack("token")))
		if err != nil {
			return errors.New("the API needs a token: make smoke TOKEN=…, or make token first")
		}
		s.token = directory.NewSecret(strings.TrimSpace(string(data)))
	}
	return nil
}

// answer is what the API answered.
type answer struct {
	status int
	kind   string
	header http.Header
	body   []byte
}

func (a *answer) problem() string {
	var p struct{ Code, Detail, NextStep string }
	if json.Unmarshal(a.body, &p) != nil || p.Code == "" {
		return fmt.Sprintf("%d", a.status)
	}
	return fmt.Sprintf("%d %s: %s %s", a.status, p.Code, p.Detail, p.NextStep)
}

func (s *smoker) request(ctx context.Context, method, path, token string, in any) (*answer, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.api+path, body)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	return &answer{resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header, raw}, err
}

// ask is a request with the token that must succeed.
func (s *smoker) ask(ctx context.Context, method, path string, in, out any) error {
	a, err := s.request(ctx, method, path, s.token.Reveal(), in)
	if err != nil {
		return err
	}
	if a.status >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, a.problem())
	}
	if out == nil || len(a.body) == 0 {
		return nil
	}
	return json.Unmarshal(a.body, out)
}

func (s *smoker) health(ctx context.Context) (string, error) {
	var spec struct {
		OpenAPI string
		Info    struct{ Title, Version string }
		Paths   map[string]any
	}
	if err := s.ask(ctx, http.MethodGet, "/v1/openapi.json", nil, &spec); err != nil {
		return "", err
	}
	if !strings.HasPrefix(spec.OpenAPI, "3.") || len(spec.Paths) == 0 {
		return "", errors.New("/v1/openapi.json is no description of an API")
	}
	return fmt.Sprintf("%s %s, %d paths", spec.Info.Title, spec.Info.Version, len(spec.Paths)), nil
}

func (s *smoker) unauthenticated(ctx context.Context) (string, error) {
	for what, token := range map[string]string{"no token": "", "a token that is none": "not-a-token"} {
		for _, path := range []string{"/v1/connections", "/v1/users", "/v1/connections/con_none/deactivate"} {
			method := http.MethodGet
			if strings.HasSuffix(path, "deactivate") {
				method = http.MethodPost
			}
			a, err := s.request(ctx, method, path, token, nil)
			if err != nil {
				return "", err
			}
			if a.status != http.StatusUnauthorized {
				return "", fmt.Errorf("%s %s with %s answered %d, want 401", method, path, what, a.status)
			}
		}
	}
	return "401 on three routes", nil
}

func (s *smoker) callback(ctx context.Context) (string, error) {
	a, err := s.request(ctx, http.MethodGet, "/oauth/callback?code=none&state=none", "", nil)
	if err != nil {
		return "", err
	}
	if a.status < 400 || a.status >= 500 || !strings.HasPrefix(a.kind, "text/html") {
		return "", fmt.Errorf("it answered %d with %s, want a page that refuses", a.status, a.kind)
	}
	return fmt.Sprint(a.status), nil
}

// console looks at the pages for admins with a browser that nobody has signed in with:
// the first page leads to the sign-in, and that one is there, with its policy of content.
func (s *smoker) console(ctx context.Context) (string, error) {
	none := "the stack has none; ConsoleClientId asks for it"
	if s.noAWS == "" && !s.hasConsole {
		return none, errSkip
	}
	first, err := s.request(ctx, http.MethodGet, "/console", "", nil)
	if err != nil {
		return "", err
	}
	if s.noAWS != "" && first.status == http.StatusNotFound { // API Gateway's, which has no such route
		return none, errSkip
	}
	signIn := first.header.Get("Location")
	if first.status != http.StatusSeeOther || !strings.HasPrefix(signIn, "/console/sign-in") {
		return "", fmt.Errorf("/console answered %d with the location %q, want 303 to /console/sign-in", first.status, signIn)
	}
	page, err := s.request(ctx, http.MethodGet, signIn, "", nil)
	if err != nil {
		return "", err
	}
	if page.status != http.StatusOK || !strings.HasPrefix(page.kind, "text/html") {
		return "", fmt.Errorf("%s answered %d with %s, want a page", signIn, page.status, page.kind)
	}
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		return "", fmt.Errorf("%s came with the policy of content %q, want one that begins with nothing", signIn, policy)
	}
	return s.api + "/console", nil
}

func (s *smoker) lifecycle(ctx context.Context) (string, error) {
	var c struct{ ID, AuthorizationURL string }
	if err := s.ask(ctx, http.MethodPost, "/v1/connections", map[string]string{"name": "Smoke test " + s.started.UTC().Format(time.DateTime)}, &c); err != nil {
		return "", err
	}
	u, err := url.Parse(c.AuthorizationURL)
	if err == nil && (u.Scheme == "" || u.Host == "") {
		err = errors.New("it names no address to authorise at")
	}
	path := "/v1/connections/" + c.ID
	err = errors.Join(err, s.ask(ctx, http.MethodPost, path+"/deactivate", nil, nil))
	if err = errors.Join(err, s.ask(ctx, http.MethodDelete, path, nil, nil)); err != nil {
		return "", fmt.Errorf("%s: %w", c.ID, err)
	}
	a, err := s.request(ctx, http.MethodGet, path, s.token.Reveal(), nil)
	if err == nil && a.status != http.StatusNotFound {
		err = fmt.Errorf("%s is still there: %d", c.ID, a.status)
	}
	return c.ID, err
}

// dryRun asks what blocking everybody would be: the guard must hold it, unless these
// are few or the connection's settings allow more, and nothing is written in any
// case.
func (s *smoker) dryRun(ctx context.Context) (string, error) {
	ids, err := s.active(ctx)
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "no connection is active yet", errSkip
	}
	var found []string
	for _, id := range ids {
		text, err := s.planned(ctx, id)
		if err != nil {
			return "", fmt.Errorf("%s: %w", id, err)
		}
		found = append(found, id+" "+text)
	}
	return strings.Join(found, ", "), nil
}

func (s *smoker) active(ctx context.Context) ([]string, error) {
	if id := s.getenv("CONNECTION"); id != "" {
		return []string{id}, nil
	}
	var ids []string
	for next := ""; ; {
		var page struct {
			Items []struct{ ID, Status string }
			Next  string
		}
		if err := s.ask(ctx, http.MethodGet, "/v1/connections?next="+url.QueryEscape(next), nil, &page); err != nil {
			return nil, err
		}
		for _, c := range page.Items {
			if c.Status == "active" {
				ids = append(ids, c.ID)
			}
		}
		if next = page.Next; next == "" {
			return ids, nil
		}
	}
}

// freeBlocks is how many accounts the guard lets be blocked without any setting,
// when they are all that are bound.
const freeBlocks = 5

// dryRunTime is how long a dry run may take: sync is woken by a queue, and reads
// every account.
const dryRunTime = 10 * time.Minute

func (s *smoker) planned(ctx context.Context, id string) (string, error) {
	type run struct {
		ID, State                string
		Counts                   map[string]int
		Applied, Failed, Refused int
		Held                     *struct{ Reasons []string }
		Error                    *struct{ Message string }
	}
	var r run
	if err := s.ask(ctx, http.MethodPost, "/v1/connections/"+id+"/runs", map[string]any{"dryRun": true, "release": "block"}, &r); err != nil {
		return "", err
	}
	for until := s.now().Add(dryRunTime); r.State != "planned"; {
		if slices.Contains([]string{"failed", "cancelled", "superseded", "done"}, r.State) {
			why := ""
			if r.Error != nil {
				why = ": " + r.Error.Message
			}
			return "", fmt.Errorf("the dry run %s ended %s%s", r.ID, r.State, why)
		}
		if s.now().After(until) {
			return "", fmt.Errorf("the dry run %s is still %s after %s: is sync woken?", r.ID, r.State, dryRunTime)
		}
		if err := s.wait(ctx, 2*time.Second); err != nil {
			return "", err
		}
		if err := s.ask(ctx, http.MethodGet, "/v1/runs/"+r.ID, nil, &r); err != nil {
			return "", err
		}
	}
	if r.Applied+r.Failed > 0 {
		return "", fmt.Errorf("the dry run %s wrote: %d applied, %d failed", r.ID, r.Applied, r.Failed)
	}
	changes := 0
	for _, n := range r.Counts {
		changes += n
	}
	if r.Held == nil {
		if blocks := r.Counts["block"]; blocks > freeBlocks {
			var c struct {
				Settings struct{ Guard map[string]any }
			}
			if err := s.ask(ctx, http.MethodGet, "/v1/connections/"+id, nil, &c); err != nil {
				return "", err
			}
			if c.Settings.Guard["block"] == nil {
				return "", fmt.Errorf("the guard would let all of %d accounts be blocked, in the dry run %s", blocks, r.ID)
			}
		}
		return fmt.Sprintf("would write %d and hold none", changes), nil
	}
	return fmt.Sprintf("would write %d, held: %s", changes, strings.Join(r.Held.Reasons, " ")), nil
}

// tickTime is how long the first tick of a new stack's schedule may take, and
// CloudWatch to see it. That it does not come is told by the state of an alarm that
// has seen nothing.
const tickTime = 15 * time.Minute

func (s *smoker) alarms(ctx context.Context) (string, error) {
	if s.noAWS != "" {
		return s.noAWS, errSkip
	}
	var names []string
	for resource, name := range s.resources {
		if strings.HasSuffix(resource, "Alarm") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	type alarm struct {
		AlarmName, StateValue, StateReason string
		AlarmActions                       []string
	}
	var got struct{ MetricAlarms []alarm }
	silent := func(a alarm) bool {
		return a.StateValue == "INSUFFICIENT_DATA" && a.AlarmName == s.resources["ScheduleStoppedAlarm"]
	}
	for until := s.now().Add(tickTime); ; {
		got.MetricAlarms = nil
		if err := s.aws(ctx, map[string]any{"AlarmNames": names}, &got, "cloudwatch", "describe-alarms"); err != nil {
			return "", err
		}
		// A new stack's schedule has had no tick yet.
		if !slices.ContainsFunc(got.MetricAlarms, silent) || s.paused || s.now().After(until) {
			break
		}
		if err := s.wait(ctx, 20*time.Second); err != nil {
			return "", err
		}
	}
	if len(got.MetricAlarms) != len(names) || len(names) == 0 {
		return "", fmt.Errorf("CloudWatch has %d of %d alarms", len(got.MetricAlarms), len(names))
	}
	var ringing, mute []string
	for _, a := range got.MetricAlarms {
		if a.StateValue == "ALARM" {
			ringing = append(ringing, a.AlarmName+" ("+a.StateReason+")")
		}
		if silent(a) && !s.paused {
			ringing = append(ringing, a.AlarmName+" (no tick of the schedule came to its end)")
		}
		if len(a.AlarmActions) == 0 && a.AlarmName != s.resources["AdminShiftAlarm"] {
			mute = append(mute, a.AlarmName)
		}
	}
	switch {
	case ringing != nil:
		return "", errors.New("ringing: " + strings.Join(ringing, ", "))
	case mute != nil:
		return "", errors.New("nobody hears " + strings.Join(mute, ", ") + ": set AlarmEmail")
	}
	if s.paused {
		return fmt.Sprintf("%d alarms; the stack is paused, so that nothing is known of its schedule", len(names)), nil
	}
	return fmt.Sprintf("%d alarms", len(names)), nil
}

// deadQueues are the stack's dead-letter queues: address by name in the template.
func (s *smoker) deadQueues() map[string]string {
	found := map[string]string{}
	for resource, address := range s.resources {
		if strings.HasSuffix(resource, "DeadLetters") {
			found[resource] = address
		}
	}
	return found
}

func (s *smoker) deadLetters(ctx context.Context) (string, error) {
	if s.noAWS != "" {
		return s.noAWS, errSkip
	}
	queues := s.deadQueues()
	for _, resource := range slices.Sorted(maps.Keys(queues)) {
		n, err := s.waiting(ctx, queues[resource])
		if err != nil {
			return "", err
		}
		if n != "0" {
			return "", fmt.Errorf("%s in %s: infra/OPERATIONS.md tells what to do (Dead letters)", n, resource)
		}
	}
	return fmt.Sprintf("%d queues are empty", len(queues)), nil
}

func (s *smoker) waiting(ctx context.Context, queue string) (string, error) {
	var got struct{ Attributes map[string]string }
	err := s.aws(ctx, map[string]any{"QueueUrl": queue, "AttributeNames": []string{"ApproximateNumberOfMessages"}}, &got, "sqs", "get-queue-attributes")
	return got.Attributes["ApproximateNumberOfMessages"], err
}

// noticeTime is how long CloudWatch may take to count what EventBridge did.
const noticeTime = 6 * time.Minute

// notice puts a test notice on the bus, as the functions put theirs, and looks
// whether the rule brought it to the topic: what the role, the topic's policy and
// the input transformer are worth is seen nowhere else.
func (s *smoker) notice(ctx context.Context) (string, error) {
	if s.noAWS != "" {
		return s.noAWS, errSkip
	}
	bus, rule := s.resources["EventBus"], s.resources["NoticeRule"]
	if i := strings.LastIndexByte(rule, '|'); i >= 0 {
		rule = rule[i+1:] // CloudFormation's name for a rule of another bus than the default one
	}
	id := "test:" + s.started.UTC().Format(time.RFC3339)
	detail, err := json.Marshal(&directory.Notification{ID: id, Type: directory.NotificationTest, At: s.started.UTC(),
		Text: `This is a test: "make smoke" looks whether notices arrive. Nothing needs to be done.`})
	if err != nil {
		return "", err
	}
	var put struct {
		FailedEntryCount int
		Entries          []struct{ EventId, ErrorCode, ErrorMessage string }
	}
	err = s.aws(ctx, map[string]any{"Entries": []map[string]string{{"EventBusName": bus, "Source": "bindery", "DetailType": string(directory.NotificationTest), "Detail": string(detail)}}}, &put, "events", "put-events")
	if err != nil {
		return "", err
	}
	if put.FailedEntryCount != 0 || len(put.Entries) != 1 || put.Entries[0].EventId == "" {
		return "", fmt.Errorf("the bus refused it: %+v", put.Entries)
	}
	for until := s.now().Add(noticeTime); ; {
		counted := map[string]float64{}
		for _, metric := range []string{"Invocations", "FailedInvocations"} {
			if counted[metric], err = s.counted(ctx, metric, bus, rule); err != nil {
				return "", err
			}
		}
		if counted["FailedInvocations"] > 0 {
			return "", errors.New("EventBridge could not bring it to the topic: NoticeDeadLetters has it, with the error")
		}
		if dead, err := s.waiting(ctx, s.resources["NoticeDeadLetters"]); err != nil {
			return "", err
		} else if dead != "0" {
			return "", fmt.Errorf("%s in NoticeDeadLetters, with the error in the message's attributes", dead)
		}
		if counted["Invocations"] > 0 {
			return id + " was delivered; whoever gets notices has it", nil
		}
		if s.now().After(until) {
			return "", fmt.Errorf("CloudWatch counts no delivery within %s: does the rule take bindery.test?", noticeTime)
		}
		if err := s.wait(ctx, 15*time.Second); err != nil {
			return "", err
		}
	}
}

func (s *smoker) counted(ctx context.Context, metric, bus, rule string) (float64, error) {
	var got struct{ Datapoints []struct{ Sum float64 } }
	err := s.aws(ctx, map[string]any{
		"Namespace": "AWS/Events", "MetricName": metric, "Period": 60, "Statistics": []string{"Sum"},
		"Dimensions": []map[string]string{{"Name": "EventBusName", "Value": bus}, {"Name": "RuleName", "Value": rule}},
		"StartTime":  s.started.UTC().Truncate(time.Minute).Format(time.RFC3339), "EndTime": s.now().Add(time.Minute).UTC().Format(time.RFC3339),
	}, &got, "cloudwatch", "get-metric-statistics")
	sum := 0.0
	for _, p := range got.Datapoints {
		sum += p.Sum
	}
	return sum, err
}

// alarmTime is how long a dead letter may take to be heard of: the alarm looks at
// five minutes at a time.
const alarmTime = 15 * time.Minute

// smokeLetter is the body of the test's dead letter.
const smokeLetter = `{"smoke":true}`

// deadLetterAlarm puts a message into a dead-letter queue, waits for its alarm,
// and takes the message away again.
func (s *smoker) deadLetterAlarm(ctx context.Context) (string, error) {
	if s.getenv("ALARM") == "" {
		return "takes about ten minutes and rings; ALARM=1 asks for it", errSkip
	}
	if s.noAWS != "" {
		return s.noAWS, errSkip
	}
	queue := s.resources["WorkDeadLetters"]
	if n, err := s.waiting(ctx, queue); err != nil || n != "0" {
		return "", errors.Join(fmt.Errorf("WorkDeadLetters has %s messages already", n), err)
	}
	if err := s.aws(ctx, map[string]any{"QueueUrl": queue, "MessageBody": smokeLetter}, nil, "sqs", "send-message"); err != nil {
		return "", err
	}
	state, err := s.rings(ctx, s.resources["WorkDeadLettersAlarm"])
	// Taken away whatever came of it; what others put there meanwhile stays.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return state, errors.Join(err, s.takeAway(clean, queue))
}

func (s *smoker) takeAway(ctx context.Context, queue string) error {
	for range 10 {
		var got struct {
			Messages []struct{ Body, ReceiptHandle string }
		}
		if err := s.aws(ctx, map[string]any{"QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 2, "VisibilityTimeout": 5}, &got, "sqs", "receive-message"); err != nil {
			return err
		}
		for _, m := range got.Messages {
			if m.Body == smokeLetter {
				return s.aws(ctx, map[string]any{"QueueUrl": queue, "ReceiptHandle": m.ReceiptHandle}, nil, "sqs", "delete-message")
			}
		}
	}
	return errors.New("the test's message could not be taken away from WorkDeadLetters: purge it")
}

func (s *smoker) rings(ctx context.Context, alarm string) (string, error) {
	begun := s.now()
	for {
		var got struct{ MetricAlarms []struct{ StateValue string } }
		if err := s.aws(ctx, map[string]any{"AlarmNames": []string{alarm}}, &got, "cloudwatch", "describe-alarms"); err != nil {
			return "", err
		}
		if len(got.MetricAlarms) == 1 && got.MetricAlarms[0].StateValue == "ALARM" {
			return fmt.Sprintf("%s rang after %s", alarm, s.now().Sub(begun).Round(time.Second)), nil
		}
		if s.now().Sub(begun) > alarmTime {
			return "", fmt.Errorf("%s does not ring after %s", alarm, alarmTime)
		}
		if err := s.wait(ctx, 20*time.Second); err != nil {
			return "", err
		}
	}
}
