package docs

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// A box of the picture: its place in pixels, what it is called, and what it holds.
type box struct {
	name       string
	x, y, w, h int
	class      string // how it looks: caller, function, service, group or step
	below      string // a second, smaller line
}

// A line of the picture goes through its points; it ends in an arrow, and begins
// in one when it goes both ways.
type line struct {
	points [][2]int
	both   bool
}

// A note stands beside lines.
type note struct {
	x, y   int
	text   string
	anchor string // start, middle or end
}

const (
	pictureWidth  = 1000
	pictureHeight = 490
	rowHeight     = 44
)

var boxes = []box{
	{"", 254, 18, 182, 308, "group", ""}, // all functions use the table

	{"an admin's browser", 20, 30, 170, rowHeight, "caller", ""},
	{"console", 20, 90, 170, rowHeight, "function", ""},
	{"an admin's client", 20, 150, 170, rowHeight, "caller", ""},
	{"EventBridge", 20, 210, 170, rowHeight, "service", "every five minutes"},
	{"an identity provider", 20, 270, 170, rowHeight, "caller", ""},

	{"oauth-callback", 270, 30, 150, rowHeight, "function", ""},
	{"admin", 270, 90, 150, rowHeight, "function", ""},
	{"deactivate", 270, 150, 150, rowHeight, "function", ""},
	{"schedule", 270, 210, 150, rowHeight, "function", ""},
	{"scim", 270, 270, 150, rowHeight, "function", ""},

	{"SQS", 500, 120, 110, rowHeight, "service", "wake-ups"},
	{"sync", 690, 120, 110, rowHeight, "function", ""},
	{"load", 600, 190, 90, rowHeight, "function", ""},
	{"Microsoft Graph", 850, 120, 130, rowHeight, "caller", "$batch"},

	{"DynamoDB", 270, 356, 250, rowHeight, "service", "users, bindings, runs, changes"},
	{"Secrets Manager", 540, 356, 160, rowHeight, "service", "tokens"},
	{"KMS, S3", 720, 356, 260, rowHeight, "service", "seals, heads of chains, uploads"},
}

var lines = []line{
	{points: [][2]int{{190, 52}, {270, 52}}},
	{points: [][2]int{{190, 112}, {270, 112}}},
	{points: [][2]int{{105, 74}, {105, 90}}},
	{points: [][2]int{{190, 172}, {270, 172}}},
	{points: [][2]int{{230, 172}, {230, 112}, {270, 112}}},
	{points: [][2]int{{230, 112}, {230, 172}, {270, 172}}},
	{points: [][2]int{{190, 232}, {270, 232}}},
	{points: [][2]int{{190, 292}, {270, 292}}},

	{points: [][2]int{{420, 52}, {460, 52}, {460, 142}, {500, 142}}},
	{points: [][2]int{{420, 112}, {460, 112}, {460, 142}, {500, 142}}},
	{points: [][2]int{{420, 172}, {460, 172}, {460, 142}, {500, 142}}},
	{points: [][2]int{{420, 232}, {460, 232}, {460, 142}, {500, 142}}},
	{points: [][2]int{{420, 292}, {460, 292}, {460, 142}, {500, 142}}},

	{points: [][2]int{{610, 142}, {690, 142}}},
	{points: [][2]int{{555, 164}, {555, 212}, {600, 212}}},
	{points: [][2]int{{645, 234}, {645, 340}}},
	{points: [][2]int{{800, 142}, {850, 142}}, both: true},
	{points: [][2]int{{745, 120}, {745, 84}, {555, 84}, {555, 120}}},

	{points: [][2]int{{345, 326}, {345, 356}}, both: true},
	{points: [][2]int{{745, 164}, {745, 340}, {480, 340}, {480, 356}}, both: true},
	{points: [][2]int{{620, 340}, {620, 356}}},
	{points: [][2]int{{745, 340}, {850, 340}, {850, 356}}},
}

var notes = []note{
	{230, 44, "/oauth", "middle"},
	{115, 86, "/console", "start"},
	{230, 104, "/v1", "middle"},
	{230, 284, "/scim", "middle"},
	{650, 76, "the next slice, at once or delayed", "middle"},
	{980, 184, "only sync writes there;", "end"},
	{980, 200, "admin, oauth-callback read", "end"},
	{20, 432, "one slice of sync, while it holds the connection's lease", "start"},
}

// steps are what one slice of sync does, in its order.
var steps = []string{"lease", "observe", "plan", "record", "guard", "apply", "journal"}

// style makes the text readable wherever the picture stands: it brings its own
// ground, light or dark as the reader's system is, and no font.
const style = `
    svg { --ground: #ffffff; --ink: #1f2328; --faint: #59636e; --line: #59636e; --caller: #eef1f4; --function: #dcebff; --service: #e7f5e4; --step: #fff3d6; --edge: #a8b1bb; }
    @media (prefers-color-scheme: dark) {
      svg { --ground: #0d1117; --ink: #e6edf3; --faint: #9da7b1; --line: #9da7b1; --caller: #21262d; --function: #14305c; --service: #163a22; --step: #4a3a12; --edge: #4d5560; }
    }
    text { font-family: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 14px; fill: var(--ink); }
    .small { font-size: 12px; fill: var(--faint); }
    .ground { fill: var(--ground); }
    .caller { fill: var(--caller); } .function { fill: var(--function); } .service { fill: var(--service); } .step { fill: var(--step); }
    rect.caller, rect.function, rect.service, rect.step { stroke: var(--edge); }
    rect.group { fill: none; stroke: var(--edge); stroke-dasharray: 5 4; }
    polyline { fill: none; stroke: var(--line); stroke-width: 1.5; }
    marker path { fill: var(--line); }
`

// Picture draws the flow of the README: who calls which function, what each
// reaches, and the way of one slice of sync. The result is an SVG.
func Picture() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`+"\n", pictureWidth, pictureHeight)
	b.WriteString("  <!-- Drawn by infra/docs/picture.go; go test ./infra/docs -update draws it anew. -->\n")
	b.WriteString(`  <title id="title">How Bindery works: callers, functions, services, and one slice of sync</title>` + "\n")
	b.WriteString("  <style>" + style + "  </style>\n")
	b.WriteString(`  <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>` + "\n")
	fmt.Fprintf(&b, `  <rect class="ground" width="%d" height="%d" rx="10"/>`+"\n", pictureWidth, pictureHeight)
	for _, x := range boxes {
		drawBox(&b, x)
	}
	for _, l := range lines {
		drawLine(&b, l)
	}
	for _, n := range notes {
		drawText(&b, n.x, n.y, n.text, n.anchor, "small")
	}
	const left, top, width, gap = 20, 444, 116, 24
	for i, name := range steps {
		x := left + i*(width+gap)
		drawBox(&b, box{name: name, x: x, y: top, w: width, h: 32, class: "step"})
		if i > 0 {
			drawLine(&b, line{points: [][2]int{{x - gap, top + 16}, {x, top + 16}}})
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func drawLine(b *strings.Builder, l line) {
	var points []string
	for _, p := range l.points {
		points = append(points, fmt.Sprintf("%d,%d", p[0], p[1]))
	}
	start := ""
	if l.both {
		start = ` marker-start="url(#arrow)"`
	}
	fmt.Fprintf(b, `  <polyline points="%s"%s marker-end="url(#arrow)"/>`+"\n", strings.Join(points, " "), start)
}

func drawBox(b *strings.Builder, x box) {
	fmt.Fprintf(b, `  <rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="6"/>`+"\n", x.class, x.x, x.y, x.w, x.h)
	if x.name == "" {
		return
	}
	middle := x.x + x.w/2
	if x.below == "" {
		drawText(b, middle, x.y+x.h/2+5, x.name, "middle", "")
		return
	}
	drawText(b, middle, x.y+19, x.name, "middle", "")
	drawText(b, middle, x.y+36, x.below, "middle", "small")
}

func drawText(b *strings.Builder, x, y int, text, anchor, class string) {
	if class != "" {
		class = fmt.Sprintf(` class="%s"`, class)
	}
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(text)) // a Builder takes everything
	fmt.Fprintf(b, `  <text x="%d" y="%d" text-anchor="%s"%s>%s</text>`+"\n", x, y, anchor, class, escaped.String())
}
