package runs

import (
	"encoding/json"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// firstEdition is a place in a run as the first edition stored it, with everything
// that it could say.
const firstEdition = `{"read":true,"marks":"m1","index":7,"planned":true,"page":50,"ready":3,"looked":100,"laid":true,
"waves":{"block":{"number":2,"start":1,"allowed":2,"total":150,"look":"2026-01-02T03:04:05Z"}},
"free":true,"waited":true,"part":4,"lefts":5,"phase":1,"chunk":6,"resume":"applying",
"lastError":{"code":"slice-failed","message":"No."},
"doubts":{"run_1.0.2":{"since":"2026-01-02T03:00:00Z","tries":2,"works":true}},"single":true,"settled":9}`

// TestProgressOfTheFirstEdition: what is stored is read, and written by the same
// names again.
func TestProgressOfTheFirstEdition(t *testing.T) {
	t.Parallel()
	p, err := ProgressOf(&store.RunRecord{Cursor: json.RawMessage(firstEdition)})
	if err != nil {
		t.Fatal(err)
	}
	w, u := p.Waves[directory.EffectBlock], p.UnknownOutcomes["run_1.0.2"]
	switch {
	case !p.Read || p.Marks != "m1" || p.Index != 7 || !p.Planned || p.Page != 50 || p.Part != 4 || p.Lefts != 5:
		t.Errorf("planning: %+v", p)
	case p.Ready != 3 || p.Looked != 100 || !p.Laid || !p.Exempt || !p.Waited || p.Phase != 1 || p.Chunk != 6 || !p.Single:
		t.Errorf("applying: %+v", p)
	case w == nil || w.Number != 2 || w.Start != 1 || w.Allowed != 2 || w.Total != 150 || w.Look.IsZero() || w.Last():
		t.Errorf("wave: %+v", w)
	case u.Tries != 2 || !u.Works || u.Since.IsZero():
		t.Errorf("unknown outcome: %+v", u)
	case p.Resumed() != directory.RunApplying || p.LastError == nil || p.LastError.Code != "slice-failed":
		t.Errorf("resumes to %s after %+v", p.Resumed(), p.LastError)
	}
	var before, after map[string]any
	if err := json.Unmarshal([]byte(firstEdition), &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(p.Encode(), &after); err != nil {
		t.Fatal(err)
	}
	delete(before, "settled") // was counted, and never read
	for name := range before {
		if _, kept := after[name]; !kept {
			t.Errorf("%s is not written any more", name)
		}
	}
	for name := range after {
		if _, was := before[name]; !was {
			t.Errorf("%s is a new name", name)
		}
	}
}

// TestTransitions: each way to go on with a run goes on where it should.
func TestTransitions(t *testing.T) {
	t.Parallel()
	stopped := func() *Progress {
		return &Progress{Planned: true, Ready: 2, Looked: 5, Laid: true, Exempt: true, Phase: 1, Chunk: 1, Waves: map[directory.Effect]*Wave{
			directory.EffectBlock: {Allowed: 2, Total: 9, Look: time.Unix(9, 0)}, directory.EffectRename: {Allowed: 9, Total: 9}}}
	}
	for name, tt := range map[string]struct {
		move                               func(*Progress)
		laid, waited, exempt, wavesToCome  bool
		waves, ready, looked, phase, chunk int
	}{
		"restarted: waves that are not through are laid out anew": {move: (*Progress).Restart, waves: 1},
		"rechecked: the guard looks again":                        {move: (*Progress).Recheck, waited: true, waves: 1},
		"gone on: with the next wave":                             {move: (*Progress).GoOn, laid: true, wavesToCome: true, waves: 2},
		"chosen: in no more waves":                                {move: (*Progress).Choose, laid: true},
		"the rest held: its waves stand":                          {move: (*Progress).HoldRest, laid: true, wavesToCome: true, waves: 2, ready: 2, looked: 5},
		"from the front: nothing else":                            {move: (*Progress).FromFront, laid: true, exempt: true, wavesToCome: true, waves: 2, ready: 2, looked: 5},
		"next phase: from its first chunk":                        {move: (*Progress).NextPhase, laid: true, exempt: true, wavesToCome: true, waves: 2, ready: 2, looked: 5, phase: 2},
	} {
		p := stopped()
		tt.move(p)
		if p.Laid != tt.laid || p.Waited != tt.waited || p.Exempt != tt.exempt || p.WavesToCome() != tt.wavesToCome || len(p.Waves) != tt.waves ||
			p.Ready != tt.ready || p.Looked != tt.looked || p.Phase != tt.phase || p.Chunk != tt.chunk || !p.Planned {
			t.Errorf("%s: %+v", name, p)
		}
	}
	p := stopped()
	if !p.NextLook().Equal(time.Unix(9, 0)) {
		t.Errorf("the next look is at %s", p.NextLook())
	}
	p.WaitFrom(directory.RunApplying, true)
	p.WaitFrom(directory.RunWaiting, false) // once more, before it went on
	if p.Resumed() != directory.RunApplying || p.Single {
		t.Errorf("after waiting twice it resumes to %s, single %v", p.Resumed(), p.Single)
	}
}
