// Package console is what admins see in a browser: pages under /console, made on the
// server, each of them a client of /v1 with the token of the admin who looks at it.
//
//	browser ─cookie─> session ─token─> /v1 ─> answers ─> page of HTML
//	        ─form──>  session ─token─> POST /v1/… ─> 303 to a page
//
// The console has no rights of its own. It reads and writes its sessions and nothing
// else; what the API refuses to the admin's token, the console cannot do. Its pages
// know the API's JSON, by the vocabulary's types where these are what the API shows
// (api.go has the others), and nothing of the core.
//
// # Where is what
//
//	console.go    Config, New; the table of routes: pattern, scope, page or act
//	visit.go      one request: its session, its language, what it reads of /v1, its answer
//	session.go    who is signed in: the cookie, the sealed row, its times
//	signin.go     signing in and out: code flow with PKCE, on the server
//	client.go     /v1: reads beside each other under one deadline, acts, problems, and the calls that a page tells of
//	mark.go       how many things wait for a decision, in every frame; pages that look again for nothing (304)
//	once.go       a form that is sent twice does one thing
//	numbers.go    numbers that people type
//	log.go        the log's lines, each with the ID of its request
//	names.go      names of users and groups, where /v1 has their IDs
//	api.go        what the API shows that the vocabulary has no type for
//	text.go       languages; words.go every text, English and German side by side,
//	              words_findings.go those of the doctor's findings, said by findings.go
//	html.go       what pages are made of: texts, names of others, tables, forms
//	frame.go      what stands around every page
//	choice.go     the changes of a run that are ticked, as an address has them
//	undo.go       the button that takes back what was just done
//	bothedits.go  two edits of one form at once, field by field
//	effects.go    what the effects of changes are called, and how grave they are
//	chart.go      columns by day, with the same as a table
//	faults.go     what is wrong with a form: the list on top of it, and each fault at its field
//	worddiff.go   what changed in a long text, word by word
//	page_export.go lists as files: CSV and JSON lines, in parts where one file does not take all
//	page_*.go     the pages; page_source*.go those of a client that pushes by SCIM
//	assets/       one sheet of style, one script, a sign; embedded, served by their hash
//
// # HTML
//
// Pages are Go functions over gomponents: a page is typed and checked by the compiler
// like the code that it shows, every text and attribute is escaped by the one
// library, and there is no second language with its own tests and build step. templ
// would bring a generator, html/template a language without types. What gomponents
// does not know, html.go holds in one place: which addresses a link may have (local),
// and that texts of others are set apart from ours (data).
//
// # A page
//
// Everything works without script: views are addresses, acts are forms, an act
// answers with a redirect (303), and what waits says so and is looked at again. The
// script only swaps parts of a page for fresh ones, and gives keys. Pages read from one to
// four answers of /v1 at once under a deadline of ten seconds, and names of what they know
// by IDs only; what is late says so, and the rest of the page stands. A page that looks
// again by itself asks with If-None-Match: of a run that costs one call of /v1, and has no
// body on either way while nothing has changed. Where something on a page may be shown once,
// as a token, a part of it alone looks again, by a page of its own that has that part.
//
// # Files
//
// A list that /v1 writes as CSV or JSON lines is handed on as a file, if it has at most 4 MB
// and, of users, 10,000: four calls. A longer one is a page of its first part, which tells how
// much that is and leads to its file and to the page of the next. The parts meet without a gap
// or an overlap, or else there is no file and the page says why (exported).
//
// # Signing in
//
//	GET /console/login   a cookie of random bytes; state, nonce and PKCE verifier are derived of it
//	issuer               asks who it is
//	GET /console/callback  state, iss (RFC 9207), code -> tokens, id_token verified with its nonce
//	                     a new session; the old one ends
//
// Tokens never reach the browser. It holds 32 random bytes, under the name __Host-bindery
// (HttpOnly, Secure, SameSite=Lax). The row of a session is named by their SHA-256, and its
// content is encrypted by a key derived from them: the table alone opens nothing, nor
// does the cookie. A session ends after an hour in which nobody uses it (a page that looks
// again by itself is nobody), after twelve hours, by signing out, and when the API refuses
// its token. Lax, since links in notices must arrive signed in. Shortly before an access token ends one request exchanges the refresh token,
// under a lease in the row (renew); while the token is good, no page waits for it long.
//
// Some decisions need a fresh sign-in, not older than five minutes (freshFor): those that
// cannot be taken back, and those of which that is not known.
//
// # What a browser may do
//
// Requests that may change something and come from another site are refused
// (http.CrossOriginProtection) before anything else is looked at. The policy of content
// allows our own script and style and nothing inline, and Trusted Types leave no way to make
// markup of text. A link may lead to paths of this console; the one way out is the
// authorisation page of our own host and the issuer's sign-out.
package console
