package groups

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"bindery/shared/directory"
)

// longestNickname is how long Microsoft lets a mailNickname be (GG 2.1).
const longestNickname = 64

// nicknames are what a new group may be called, one after the other as Microsoft
// refuses them because another object has them. Only among Microsoft 365 groups must
// they differ.
func nicknames(g *directory.Group) []string {
	id := strings.ToLower(string(g.ID))
	wanted := nicknameOf(g.MailNickname)
	if wanted == "" {
		wanted = nicknameOf(g.Name)
	}
	if wanted == "" {
		wanted = nicknameOf(id)
	}
	list := []string{wanted}
	for _, suffix := range []string{"2", "3", "-" + id[max(0, len(id)-5):]} {
		list = append(list, wanted[:min(len(wanted), longestNickname-len(suffix))]+suffix)
	}
	return list
}

// nicknameOf is a text with what a mailNickname may hold: ASCII without some signs.
func nicknameOf(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch {
		case r > ' ' && r < 0x7f && !strings.ContainsRune(`@()\[]";:.<>,`, r):
			b.WriteRune(r)
		case r == ' ' || r == '.':
			b.WriteByte('-')
		}
	}
	name := strings.Trim(b.String(), "-")
	return name[:min(len(name), longestNickname)]
}

// nickname chooses the mailNickname of a new group: the first one that was not refused
// because another object has it. The problem says that all were.
func nickname(b *directory.Binding, g *directory.Group) (directory.Value, *directory.Problem) {
	list := nicknames(g)
	r, refused := b.Refused[propNickname]
	at := -1
	if refused {
		at = slices.Index(list, r.Value.String())
	}
	if at+1 == len(list) {
		return directory.Null, &r.Problem
	}
	return directory.StringValue(list[at+1]), nil
}
