package entra

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"bindery/shared/directory"
)

// Members reads the first pages of the direct members of tenant groups, many groups in
// one request, and answers each in its place. A page with a Next is a part: only
// directory.MemberRoll, given all of them, says who is no member. An answer without a
// page says that there is no such group, or not yet.
func (t *Tenant) Members(ctx context.Context, groups []directory.TenantGroupID) ([]directory.Read[directory.MemberPage], error) {
	return readEach(ctx, t, groups, t.decodeMembers, func(id directory.TenantGroupID) (string, bool) {
		return "/groups/" + url.PathEscape(string(id)) + "/members?$select=id&$top=" + pageSize, validID(string(id))
	})
}

// MemberOf reads the first pages of what accounts of users are direct members of, groups
// and directory roles, many accounts in one request, and answers each in its place. A page
// with a Next is a part. An answer without a page says that there is no such account, or
// not yet.
func (t *Tenant) MemberOf(ctx context.Context, ids []directory.AccountID) ([]directory.Read[directory.MemberPage], error) {
	return readEach(ctx, t, ids, t.decodeMembers, func(id directory.AccountID) (string, bool) {
		return "/users/" + url.PathEscape(string(id)) + "/memberOf?$select=id&$top=" + pageSize, validID(string(id))
	})
}

// MoreMembers reads the page of members that a Next leads to. Errors as those of List;
// ErrResync says that all pages are to be read anew.
func (t *Tenant) MoreMembers(ctx context.Context, link string) (directory.MemberPage, error) {
	var none directory.MemberPage
	u, err := t.graph.follow(link)
	if err != nil {
		return none, err
	}
	body, err := t.get(ctx, request{url: u}, priorityLow, true)
	if err != nil {
		return none, err
	}
	p, err := t.decodeMembers(body)
	if err != nil && !errors.Is(err, directory.ErrForeignLink) {
		err = fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	return p, err
}

// decodeMembers reads a page of members. One with a member that has no ID, or with a
// link that leads elsewhere, is none at all.
func (t *Tenant) decodeMembers(body []byte) (directory.MemberPage, error) {
	p, err := decodeMembers(body)
	if err == nil && p.Next != "" {
		_, err = t.graph.follow(p.Next)
	}
	if err != nil {
		return directory.MemberPage{}, err
	}
	return p, nil
}

func decodeMembers(body []byte) (directory.MemberPage, error) {
	var p directory.MemberPage
	s := scanner{data: body}
	found := false
	s.object(func(key []byte) {
		switch string(key) {
		case "value":
			found = true
			p.Members = make([]directory.TenantMember, 0, min(bytes.Count(body, []byte(`"id"`)), 1000))
			s.array(func() {
				m, _ := s.member()
				p.Members = append(p.Members, m)
			})
		case "@odata.nextLink":
			p.Next = s.optional()
		default:
			s.skip()
		}
	})
	if err := s.end(); err != nil {
		return directory.MemberPage{}, err
	}
	if !found {
		return directory.MemberPage{}, fmt.Errorf("%w: it has no value", errJSON)
	}
	return p, nil
}

// member takes one member of a group, which a round of changes may mark as removed.
func (s *scanner) member() (m directory.TenantMember, removed bool) {
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			m.ID = directory.AccountID(s.optional())
		case "@odata.type":
			m.Type = memberType(s.optional())
		case "@removed":
			removed = true
			s.skip()
		default:
			s.skip()
		}
	})
	if !validID(string(m.ID)) {
		s.fail()
	}
	return m, removed
}

// memberTypes spares a string for each member.
var memberTypes = []directory.TenantMemberType{
	directory.TenantMemberUser, directory.TenantMemberGroup, directory.TenantMemberDevice, directory.TenantMemberServicePrincipal, directory.TenantMemberContact,
}

// memberType reads "#microsoft.graph.user".
func memberType(odata string) directory.TenantMemberType {
	name := odata[strings.LastIndexByte(odata, '.')+1:]
	for _, t := range memberTypes {
		if strings.EqualFold(string(t), name) {
			return t
		}
	}
	return directory.TenantMemberType(clip(name, 64))
}
