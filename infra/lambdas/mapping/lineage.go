package mapping

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxHops is how often a chain of messages may go through one function before
// Lambda takes it for a loop.
const MaxHops = 16

// Lineage is what Lambda makes of a trace header for a function that it calls:
// the header for the call, and how often its chain has now gone through the
// function. AWS's SDK in the function sends the header along, and SQS keeps it
// in a message's AWSTraceHeader: so Lambda counts, whatever the function does.
//
//	Root=1-66abd797-167a78c02dcfeb4551890716;Parent=ad075ec25766d3f9;Sampled=0;Lineage=456f6a97:3|8408dcb0:1
//
// A member of the lineage is a function's hash and its count.
func Lineage(header, function string) (next string, hops int) {
	root, own := "", fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(function)))
	var members []string
	if decoded, err := url.PathUnescape(header); err == nil {
		header = decoded // AWS's SDK encodes the bar
	}
	for part := range strings.SplitSeq(header, ";") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
		case "Root":
			root = value
		case "Lineage":
			members = strings.Split(value, "|")
		}
	}
	if root == "" {
		root = fmt.Sprintf("1-%08x-%s", time.Now().Unix(), random(12))
	}
	i := slices.IndexFunc(members, func(m string) bool { return strings.HasPrefix(m, own+":") })
	if i < 0 {
		i, members = len(members), append(members, "")
	} else if n, err := strconv.Atoi(strings.TrimPrefix(members[i], own+":")); err == nil {
		hops = n
	}
	hops++
	members[i] = own + ":" + strconv.Itoa(hops)
	return fmt.Sprintf("Root=%s;Parent=%s;Sampled=0;Lineage=%s", root, random(8), strings.Join(members, "|")), hops
}

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
