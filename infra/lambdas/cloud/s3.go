package cloud

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"bindery/infra/lambdas/iam"
)

// s3: addresses have the bucket in their path, as the SDK makes them for a host
// that is no name. What an object is encrypted with is the bucket's matter.
func (c *Cloud) s3(q *call) ([]iam.Request, error) {
	name, object, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/"), "/")
	bucket, ok := c.Buckets[name]
	if !ok {
		return nil, fmt.Errorf("the bucket %s %w", name, errUnknown)
	}
	if object == "" {
		return c.listing(q, name)
	}
	actions, key, err := objectRights(q)
	if err != nil {
		return nil, err
	}
	var out []iam.Request
	for _, a := range actions {
		out = append(out, iam.Request{Action: "s3:" + a, Resource: "arn:aws:s3:::" + name + "/" + object, Context: lockContext(q)})
	}
	return append(out, c.byKey("s3", bucket.Key, key...)...), nil
}

func (c *Cloud) listing(q *call, bucket string) ([]iam.Request, error) {
	query := q.URL.Query()
	action := ""
	switch {
	case q.Method == http.MethodHead, q.Method == http.MethodGet && query.Get("list-type") == "2":
		action = "ListBucket"
	case q.Method == http.MethodGet && query.Has("versions"):
		action = "ListBucketVersions"
	case q.Method == http.MethodGet && query.Has("object-lock"):
		action = "GetBucketObjectLockConfiguration"
	default:
		return nil, errUnknown
	}
	context := map[string][]string{"s3:prefix": {query.Get("prefix")}}
	return []iam.Request{{Action: "s3:" + action, Resource: "arn:aws:s3:::" + bucket, Context: context}}, nil
}

// objectRights are the actions of a call on an object, and what S3 does with
// the object's key for it.
func objectRights(q *call) (actions, key []string, err error) {
	query := q.URL.Query()
	version := ""
	if query.Has("versionId") {
		version = "Version"
	}
	switch {
	case query.Has("retention") && q.Method == http.MethodGet:
		return []string{"GetObjectRetention"}, nil, nil
	case query.Has("retention") && q.Method == http.MethodPut:
		return []string{"PutObjectRetention"}, nil, nil
	case query.Has("tagging"), query.Has("acl"), query.Has("legal-hold"), query.Has("attributes"), query.Has("restore"), query.Has("select"):
		return nil, nil, errUnknown
	case q.Method == http.MethodGet, q.Method == http.MethodHead:
		return []string{"GetObject" + version}, []string{"Decrypt"}, nil
	case q.Method == http.MethodDelete && query.Has("uploadId"):
		return []string{"AbortMultipartUpload"}, nil, nil
	case q.Method == http.MethodDelete:
		return []string{"DeleteObject" + version}, nil, nil
	case q.Method == http.MethodPost && (query.Has("uploads") || query.Has("uploadId")):
		return []string{"PutObject"}, []string{"GenerateDataKey", "Decrypt"}, nil
	case q.Method == http.MethodPut && q.Header.Get("X-Amz-Copy-Source") == "":
		actions = []string{"PutObject"}
		if q.Header.Get("X-Amz-Object-Lock-Mode") != "" {
			actions = append(actions, "PutObjectRetention")
		}
		if q.Header.Get("X-Amz-Object-Lock-Legal-Hold") != "" {
			actions = append(actions, "PutObjectLegalHold")
		}
		if q.Header.Get("X-Amz-Tagging") != "" {
			actions = append(actions, "PutObjectTagging")
		}
		return actions, []string{"GenerateDataKey"}, nil
	}
	return nil, nil, errUnknown
}

// lockContext is what a call says of retention.
func lockContext(q *call) map[string][]string {
	context := map[string][]string{}
	if mode := q.Header.Get("X-Amz-Object-Lock-Mode"); mode != "" {
		context["s3:object-lock-mode"] = []string{mode}
	}
	return context
}

// hide makes an object that is not there one that is denied, for a caller who
// may not list the bucket: S3 tells nobody else that something is missing.
func (c *Cloud) hide(q *call, who *Principal, got *http.Response) error {
	name, object, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/"), "/")
	reads := q.Method == http.MethodGet || q.Method == http.MethodHead
	list := iam.Request{Action: "s3:ListBucket", Resource: "arn:aws:s3:::" + name, Context: map[string][]string{"s3:prefix": {object}}}
	if !reads || object == "" || who.Role.Would(list) {
		return nil
	}
	if _, err := io.Copy(io.Discard, got.Body); err != nil {
		return err
	}
	body := []byte(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
	if q.Method == http.MethodHead {
		body = nil
	}
	got.StatusCode, got.Status = http.StatusForbidden, "403 Forbidden"
	got.Body, got.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	got.Header.Set("Content-Length", strconv.Itoa(len(body)))
	got.Header.Set("Content-Type", "application/xml")
	return nil
}
