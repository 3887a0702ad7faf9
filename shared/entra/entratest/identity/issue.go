package identity

import (
	"crypto/sha256"
	"net/http"
	"time"

	"bindery/shared/entra/entratest/state"
)

// sessionOf is what a grant remembers of its sign-in.
type sessionOf struct {
	authTime time.Time
	epoch    int
	id       string
	nonce    string
}

// answer mints the tokens of one successful request.
func (s *Platform) answer(r *http.Request, app state.App, p principal, scope scopeRequest, granted []string, from sessionOf) (map[string]any, *stsError) {
	now := s.state.Now()
	life := time.Duration(3599+s.state.Random.N(1802)) * time.Second
	var graph []string
	for _, g := range granted {
		if _, ok := graphPermissions[g]; ok {
			graph = append(graph, g)
		}
	}
	access, err := s.state.IssueToken(state.AccessToken{TenantID: p.TenantID, UserOID: p.OID, AppID: app.ID, Scopes: graph, Expires: now.Add(life)})
	if err != nil {
		return nil, aadsts(90033)
	}
	out := map[string]any{
		"token_type": "Bearer", "scope": answerScope(scope, granted),
		"expires_in": int(life / time.Second), "ext_expires_in": int(life / time.Second),
		"access_token": access,
	}
	if scope.has("offline_access") {
		t := refreshToken{
			Token: "1." + s.state.Random.Secret(32), TenantID: p.TenantID, UserOID: p.OID, AppID: app.ID, Scope: scope,
			AuthTime: from.authTime, Epoch: from.epoch, Session: from.id, Issued: now, LastUsed: now,
		}
		if err := s.keepRefresh(t); err != nil {
			return nil, aadsts(90033)
		}
		out["refresh_token"] = t.Token
	}
	if scope.has("openid") {
		id, err := s.idToken(r, app, p, scope, from)
		if err != nil {
			return nil, aadsts(90033)
		}
		out["id_token"] = id
	}
	return out, nil
}

// idToken signs the claims of a version 2.0 id_token.
func (s *Platform) idToken(r *http.Request, app state.App, p principal, scope scopeRequest, from sessionOf) (string, error) {
	key, err := s.signingKey()
	if err != nil {
		return "", err
	}
	now := s.state.Now()
	sub := sha256.Sum256([]byte(app.ID + "/" + p.TenantID + "/" + p.OID)) // pairwise
	issued := now.Add(-5 * time.Minute).Unix()                            // Microsoft's allowance for slow clocks
	claims := map[string]any{
		"ver": "2.0", "iss": s.issuer(r, p.TenantID), "aud": app.ID, "tid": p.TenantID,
		"sub": base64url.EncodeToString(sub[:]), "iat": issued, "nbf": issued, "exp": now.Add(idTokenLife).Unix(),
		"uti": base64url.EncodeToString([]byte(s.state.Random.ID())[:16]), "sid": from.id, "rh": "1.",
	}
	if scope.has("profile") {
		claims["oid"], claims["name"], claims["preferred_username"] = p.OID, p.Name, p.UPN
	}
	if scope.has("email") && p.Mail != "" {
		claims["email"] = p.Mail
	}
	if p.Guest {
		claims["idp"] = "live.com"
	}
	if from.nonce != "" {
		claims["nonce"] = from.nonce
	}
	return key.sign(claims)
}
