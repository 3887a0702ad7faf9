package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Jobs are bulk acts that are done in slices, with their inputs, what they refused
// and the uploads that loads are made of.
type Jobs struct{ db *db }

// strJobKind is of an open job.
const strJobKind = "kind"

// JobRecord is a job with what its worker needs to go on with it.
type JobRecord struct {
	directory.Job
	// Input says what is to be done; Cursor is the worker's place in it.
	Input  json.RawMessage `json:"input,omitempty"`
	Cursor json.RawMessage `json:"cursor,omitempty"`
	// Inputs counts the parts of a large input (JobInput), Refusals the
	// stored parts of the list of refused elements.
	Inputs   int   `json:"inputs,omitempty"`
	Refusals int   `json:"refusals,omitempty"`
	Attempts int   `json:"attempts,omitempty"` // slices since the last progress
	Version  int64 `json:"-"`
	// Attested says that whoever asked for the job is who the record says: set by
	// AcquireJob.
	Attested bool `json:"-"`
}

// By is who is named for what the job does. Of a job whose record does not bear
// the seal of whoever took the request, nobody is: acts are sealed in the name
// that they have.
func (j *JobRecord) By() string {
	if j.Attested {
		return j.AskedBy
	}
	return directory.BySystem
}

func decodeJob(it table.Item) (JobRecord, error) {
	var j JobRecord
	err := decode(it, &j)
	j.Version = it.Version
	return j, err
}

// CreateJob stores a job with its inputs and puts it on the list of open jobs.
// Inputs are parts of at most 300 KB.
func (s *Jobs) CreateJob(ctx context.Context, act directory.AuditEvent, j *JobRecord, inputs ...[]byte) error {
	j.Version, j.Inputs = 1, len(inputs)
	expires := s.db.expiry()
	for i, in := range inputs {
		err := s.db.table.Write(ctx, table.Write{Put: &table.Item{Key: jobInputKey(j.ID, i), Body: in, Expires: expires}})
		if err != nil {
			return fail("create job", err)
		}
	}
	return fail("create job", s.db.table.Write(ctx, s.jobWrites(ctx, act, j)...))
}

// jobWrites are the writes that make a job.
func (s *Jobs) jobWrites(ctx context.Context, act directory.AuditEvent, j *JobRecord) []table.Write {
	item := table.Item{
		Key: jobKey(j.ID), Index1: table.Key{Partition: jobsPartition(j.ConnectionID), Sort: string(j.ID)}, Index2: jobPlace(j.ID),
		Version: 1, Body: encode(j), Expires: s.db.expiry(),
	}
	writes := []table.Write{
		{Put: &item, If: table.Condition{Absent: true}},
		{Put: &table.Item{Key: openJobKey(j.ID), Strings: map[string]string{strConnection: string(j.ConnectionID), strJobKind: string(j.Kind)}}},
	}
	return append(writes, s.db.record(act, subject{connection: j.ConnectionID, job: j.ID})...)
}

// Job reads a job. ErrNotFound.
func (s *Jobs) Job(ctx context.Context, id directory.JobID) (JobRecord, error) {
	it, err := s.db.table.Get(ctx, jobKey(id))
	if err != nil {
		return JobRecord{}, fail("job "+string(id), err)
	}
	return decodeJob(it)
}

// JobInput reads part n of a job's input. A part that is not as it was written is
// an error, unless nobody is named for what the job does.
func (s *Jobs) JobInput(ctx context.Context, j *JobRecord, n int) ([]byte, error) {
	it, err := s.db.table.Get(ctx, jobInputKey(j.ID, n))
	if err != nil {
		return nil, fail("job input", err)
	}
	state, err := s.db.itemState(ctx, &it)
	if err == nil && state != SealGood && j.Attested {
		err = fmt.Errorf("%w: part %d of the job's input does not bear our seal: somebody has changed it in the table", ErrRecord, n)
	}
	return it.Body, fail("job input", err)
}

// AddJobInput stores part n of a job's input, of at most 300 KB, which its worker
// has made of those that came with it, together with the job's progress, while
// the lease is ours; ErrLeaseLost otherwise. It keeps the lease for ttl. The job's
// Inputs stay those that came with it, which its seal counts.
func (s *Jobs) AddJobInput(ctx context.Context, l JobLease, j *JobRecord, n int, part []byte, ttl time.Duration) error {
	now, at := s.db.now(), jobPlace(j.ID)
	j.Updated = now.UTC()
	err := s.db.table.Write(ctx,
		table.Write{Put: &table.Item{Key: jobInputKey(j.ID, n), Body: part, Expires: now.Add(s.db.retention)}},
		table.Write{
			Update: &table.Update{Key: jobKey(j.ID), AddVersion: 1, SetBody: encode(j), SetNumbers: map[string]int64{numLeaseUntil: now.Add(ttl).UnixMilli()}, SetIndex2: &at},
			If:     table.When(table.VersionIs(j.Version), table.NumberIs(numFence, table.Equal, l.fence)),
		})
	if refused(err) {
		return fmt.Errorf("add job input: %w", directory.ErrLeaseLost)
	}
	if err == nil {
		j.Version++
	}
	return fail("add job input", err)
}

// JobLease is the right to work on a job; it rides on the job's own item.
type JobLease struct{ fence int64 }

// AcquireJob takes the job's lease for ttl. ErrLeaseHeld while somebody else
// has it. The job is returned as read under the lease.
func (s *Jobs) AcquireJob(ctx context.Context, id directory.JobID, ttl time.Duration) (JobLease, JobRecord, error) {
	for {
		it, err := s.db.table.Get(ctx, jobKey(id))
		if err != nil {
			return JobLease{}, JobRecord{}, fail("acquire job", err)
		}
		j, err := decodeJob(it)
		if err != nil {
			return JobLease{}, j, err
		}
		now := s.db.now()
		if it.Numbers[numLeaseUntil] > now.UnixMilli() {
			return JobLease{}, j, ErrLeaseHeld
		}
		state, err := s.db.sealState(ctx, jobBirth(&j, it.Expires), it.Strings[strBirth])
		if err != nil {
			return JobLease{}, j, fail("acquire job", err)
		}
		j.Attested = state == SealGood
		l := JobLease{fence: it.Numbers[numFence] + 1}
		err = s.db.table.Write(ctx, table.Write{
			Update: &table.Update{Key: jobKey(id), SetNumbers: map[string]int64{numFence: l.fence, numLeaseUntil: now.Add(ttl).UnixMilli()}},
			If:     table.When(sameNumber(it, numFence), table.VersionIs(it.Version)),
		})
		if !refused(err) {
			return l, j, fail("acquire job", err)
		}
	}
}

// SaveJob stores a job's progress and newly refused elements, while the lease
// is ours; ErrLeaseLost otherwise. ttl > 0 keeps the lease so much longer, 0
// gives it back. An ended job leaves the list of open jobs.
func (s *Jobs) SaveJob(ctx context.Context, l JobLease, j *JobRecord, rejected []directory.RefusedItem, ttl time.Duration) error {
	now, at := s.db.now(), jobPlace(j.ID)
	until := int64(0)
	if ttl > 0 {
		until = now.Add(ttl).UnixMilli()
	}
	j.Updated = now.UTC()
	var writes []table.Write
	if len(rejected) > 0 {
		writes = append(writes, table.Write{Put: &table.Item{
			Key: refusedKey(j.ID, j.Refusals), Body: encode(rejected), Expires: now.Add(s.db.retention)}})
		j.Refusals++
		j.RefusedCount += len(rejected)
	}
	writes = append(writes, table.Write{
		Update: &table.Update{Key: jobKey(j.ID), AddVersion: 1, SetBody: encode(j), SetNumbers: map[string]int64{numLeaseUntil: until}, SetIndex2: &at},
		If:     table.When(table.VersionIs(j.Version), table.NumberIs(numFence, table.Equal, l.fence)),
	})
	if j.State == directory.JobDone || j.State == directory.JobFailed {
		key := openJobKey(j.ID)
		writes = append(writes, table.Write{Delete: &key})
		writes = append(writes, s.db.record(endOfJob(j), subject{})...)
	}
	err := s.db.table.Write(ctx, writes...)
	if refused(err) {
		return fmt.Errorf("save job: %w", directory.ErrLeaseLost)
	}
	if err == nil {
		j.Version++
	}
	return fail("save job", err)
}

// SavePage stores what a job must know of the n-th page that it has dealt with;
// Pages reads it.
func (s *Jobs) SavePage(ctx context.Context, id directory.JobID, n int, data []byte) error {
	err := s.db.table.Write(ctx, table.Write{Put: &table.Item{Key: pageKey(id, n), Body: data, Expires: s.db.expiry()}})
	return fail("save page", err)
}

// Pages are what was stored of the first n pages, in order.
func (s *Jobs) Pages(ctx context.Context, id directory.JobID, n int) iter.Seq2[[]byte, error] {
	end := pageKey(id, n)
	return func(yield func([]byte, error) bool) {
		for it, err := range s.db.list(ctx, table.Query{Partition: end.Partition, Prefix: "page#"}) {
			if err != nil {
				yield(nil, fail("pages", err))
				return
			}
			if it.Sort >= end.Sort || !yield(it.Body, nil) {
				return
			}
		}
	}
}

// A page of refused elements ends with the part that fills it: a job stores a
// part for each step that refused something, if only one element.
const (
	refusedOnPage = 500
	partsOnPage   = 50
)

// Refused returns one page of the elements that a job refused.
func (s *Jobs) Refused(ctx context.Context, id directory.JobID, cursor string) ([]directory.RefusedItem, string, error) {
	if cursor != "" && !strings.HasPrefix(cursor, "refused#") {
		return nil, "", badCursor()
	}
	if err := checkPlace(cursor); err != nil {
		return nil, "", err
	}
	page, err := s.db.table.Query(ctx, table.Query{Partition: jobKey(id).Partition, Prefix: "refused#", After: cursor, Limit: partsOnPage})
	if err != nil {
		return nil, "", fail("refused", err)
	}
	var list []directory.RefusedItem
	for i, it := range page.Items {
		var part []directory.RefusedItem
		if err := decode(it, &part); err != nil {
			return nil, "", err
		}
		list = append(list, part...)
		if more := i+1 < len(page.Items) || page.Next != ""; more && (len(list) >= refusedOnPage || i+1 == len(page.Items)) {
			return list, it.Sort, nil
		}
	}
	return list, "", nil
}

// OpenJob is a job that has not ended.
type OpenJob struct {
	ID           directory.JobID
	ConnectionID directory.ConnectionID
	Kind         directory.JobKind // "" of a job that an older version started
}

// OpenJobs lists the jobs that have not ended, oldest first.
func (s *Jobs) OpenJobs(ctx context.Context) ([]OpenJob, error) {
	var list []OpenJob
	for it, err := range s.db.list(ctx, table.Query{Partition: openJobsAt}) {
		if err != nil {
			return nil, fail("open jobs", err)
		}
		list = append(list, OpenJob{directory.JobID(it.Sort), directory.ConnectionID(it.Strings[strConnection]), directory.JobKind(it.Strings[strJobKind])})
	}
	return list, nil
}

// StalledJobs returns those of open jobs that nobody works on.
func (s *Jobs) StalledJobs(ctx context.Context, open []OpenJob) ([]OpenJob, error) {
	keys := make([]table.Key, len(open))
	for i, j := range open {
		keys[i] = jobKey(j.ID)
	}
	now := s.db.now().UnixMilli()
	idle := map[table.Key]bool{}
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("open jobs", err)
		}
		idle[it.Key] = it.Numbers[numLeaseUntil] <= now
	}
	var stalled []OpenJob
	for i, j := range open {
		if idle[keys[i]] {
			stalled = append(stalled, j)
		}
	}
	return stalled, nil
}

// jobBirth is what a job is from its first moment on, and what it is to do. The
// parts of a large input bear seals of their own.
func jobBirth(j *JobRecord, expires time.Time) []byte {
	return sealed(sealsJob, jobKey(j.ID), expires, string(j.ConnectionID), string(j.Kind), j.AskedBy, itoa(millis(j.Created)),
		sumOf(j.Input), itoa(int64(j.Inputs)))
}
