package admin

import "testing"

func TestConnectionNameWithControlCharacters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{`A\u0000B`, `A\nB`, `A\u001b[31mB`, `A\u0085B`} {
		w.want(422, "invalid-connection", "PATCH", "/v1/connections/"+string(w.conn.ID), `{"name":"`+name+`"}`)
	}
	w.want(200, "", "PATCH", "/v1/connections/"+string(w.conn.ID), `{"name":"Z\u00fcrich \u2013 HQ"}`)
}
