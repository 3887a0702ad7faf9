package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bindery/infra/stack"
	"bindery/shared/core/audit"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/signer"
)

// verifyUsage says how an export is verified.
const verifyUsage = `usage: local verify [-partial] [-state .local | -kms <key>] [-heads <bucket>] <entries.jsonl> <links.jsonl> [<chain>:<link>:<hash> ...]
  the files are GET /v1/activity and GET /v1/activity/links, as JSON lines; heads are those that events told,
  beside those of the export's chains that the bucket, or the state folder, has kept`

// errDifferences says that an export is not what was digested.
var errDifferences = errors.New("the export is not what was digested")

// verify holds an export against its chain, without Bindery's table. Seals are
// checked too when it is said with which key.
func verify(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	state := flags.String("state", "", "state folder of a local stack")
	key := flags.String("kms", "", "key of AWS KMS")
	bucket := flags.String("heads", "", "bucket that keeps the heads")
	partial := flags.Bool("partial", false, "entries were left out on purpose")
	if err := flags.Parse(args); err != nil || flags.NArg() < 2 {
		return errors.New(verifyUsage)
	}
	var known []audit.KnownHead
	for _, text := range flags.Args()[2:] {
		h, err := parseHead(text)
		if err != nil {
			return err
		}
		known = append(known, h)
	}
	check, err := sealCheck(ctx, *state, *key)
	if err != nil {
		return err
	}
	kept, err := keeper(ctx, *state, *bucket)
	if err != nil {
		return err
	}
	entries, err := os.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	defer entries.Close()
	links, err := os.ReadFile(flags.Arg(1))
	if err != nil {
		return err
	}
	if kept != nil {
		more, behind, err := audit.KeptHeads(ctx, kept, bytes.NewReader(links))
		if err != nil {
			return err
		}
		known = append(known, more...)
		for _, h := range behind {
			fmt.Fprintf(out, "kept\t%s:%d:%s\tis behind the end of the export: export again, and if it still is, the chain was cut off\n", h.Chain, h.Seq, h.Hash)
		}
	}
	verdict, err := audit.VerifyExport(entries, bytes.NewReader(links), audit.ExportCheck{Heads: known, Partial: *partial, Seal: check, Now: time.Now()})
	if err != nil {
		return err
	}
	return tellVerdict(out, &verdict, check != nil, len(known))
}

func tellVerdict(out io.Writer, verdict *audit.ExportVerdict, sealed bool, heads int) error {
	for _, d := range verdict.Differences {
		fmt.Fprintf(out, "%s\t%s\t%s#%d\t%s\n", d.Code, d.Entry, d.Chain, d.Seq, d.Text)
	}
	for _, h := range verdict.Heads {
		fmt.Fprintf(out, "head\t%s:%d:%s\n", h.Chain, h.Seq, h.Hash)
	}
	seals := "seals were not checked"
	if sealed {
		seals = "seals were checked"
	}
	fmt.Fprintf(out, "%d entries and %d links; %s; %d heads; %d entries not proved yet, %d only since they were linked, %d expired; %d differences\n",
		verdict.Entries, verdict.Links, seals, heads, verdict.Unproved, verdict.OldForm, verdict.Expired, len(verdict.Differences))
	if len(verdict.Differences) > 0 {
		return errDifferences
	}
	return nil
}

func parseHead(text string) (audit.KnownHead, error) {
	parts := strings.Split(text, ":")
	if len(parts) == 3 {
		if n, err := strconv.ParseInt(parts[1], 10, 64); err == nil && n > 0 && len(parts[2]) == 64 {
			return audit.KnownHead{Chain: parts[0], Seq: n, Hash: parts[2]}, nil
		}
	}
	return audit.KnownHead{}, fmt.Errorf("%q is no head: <chain>:<link>:<hash>", text)
}

// keeper returns where heads are kept; nil when nothing was named.
func keeper(ctx context.Context, state, bucket string) (audit.Keeper, error) {
	switch {
	case bucket != "":
		cfg, err := config.LoadDefaultConfig(ctx)
		return heads.NewS3(heads.S3Config{Client: s3.NewFromConfig(cfg), Bucket: bucket}), err
	case state != "":
		return stack.Heads(state), nil
	}
	return nil, nil
}

// sealCheck returns how seals are checked; nil when no key was named.
func sealCheck(ctx context.Context, state, key string) (func(statement, mac []byte) (bool, error), error) {
	switch {
	case key != "":
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, err
		}
		s := signer.NewKMS(signer.KMSConfig{Client: kms.NewFromConfig(cfg), KeyID: key})
		return func(statement, mac []byte) (bool, error) { return s.Verify(ctx, statement, mac) }, nil
	case state != "":
		s, err := stack.Seal(ctx, state)
		if err != nil {
			return nil, err
		}
		return func(statement, mac []byte) (bool, error) { return s.Verify(ctx, statement, mac) }, nil
	}
	return nil, nil
}
