package console

import (
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// effectWords are what a page says of an effect: as a badge, and of how many with a verb.
type effectWords struct {
	name text
	many number
	tone tone
}

// words of an effect; of one that only a newer version knows, its own name.
func words(e directory.Effect) effectWords {
	switch e {
	case directory.EffectBlock:
		return effectWords{textEffectBlock, countBlock, toneBad}
	case directory.EffectDelete:
		return effectWords{textEffectDelete, countDelete, toneBad}
	case directory.EffectCreate:
		return effectWords{textEffectCreate, countCreate, toneGood}
	case directory.EffectAdopt:
		return effectWords{textEffectAdopt, countAdopt, toneInfo}
	case directory.EffectUpdate:
		return effectWords{textEffectUpdate, countUpdate, toneInfo}
	case directory.EffectUpdateSensitive:
		return effectWords{textEffectSensitive, countSensitive, toneWarn}
	case directory.EffectUpdateToEmpty:
		return effectWords{textEffectEmpty, countEmpty, toneWarn}
	case directory.EffectRename:
		return effectWords{textEffectRename, countRename, toneWarn}
	case directory.EffectUnblock:
		return effectWords{textEffectUnblock, countUnblock, toneGood}
	case directory.EffectRevoke:
		return effectWords{textEffectRevoke, countRevoke, toneWarn}
	case directory.EffectRestore:
		return effectWords{textEffectRestore, countRestore, toneGood}
	case directory.EffectRelease:
		return effectWords{textEffectRelease, countRelease, tonePlain}
	case directory.EffectDeselect:
		return effectWords{textEffectDeselect, countDeselect, toneWarn}
	}
	return groupWords(e)
}

// groupWords are those of what is done to groups, managers and licences.
func groupWords(e directory.Effect) effectWords {
	switch e {
	case directory.EffectGroupCreate:
		return effectWords{textEffectGroupCreate, countGroupCreate, toneGood}
	case directory.EffectGroupAdopt:
		return effectWords{textEffectGroupAdopt, countGroupAdopt, toneInfo}
	case directory.EffectGroupUpdate:
		return effectWords{textEffectGroupUpdate, countGroupUpdate, toneInfo}
	case directory.EffectGroupDelete:
		return effectWords{textEffectGroupDelete, countGroupDelete, toneBad}
	case directory.EffectGroupRestore:
		return effectWords{textEffectGroupRestore, countGroupRestore, toneGood}
	case directory.EffectMemberAdd:
		return effectWords{textEffectMemberAdd, countMemberAdd, toneGood}
	case directory.EffectMemberRemove:
		return effectWords{textEffectMemberRemove, countMemberRemove, toneBad}
	case directory.EffectManagerSet:
		return effectWords{textEffectManagerSet, countManagerSet, toneInfo}
	case directory.EffectManagerClear:
		return effectWords{textEffectManagerClear, countManagerClear, toneWarn}
	case directory.EffectLicenceAdd:
		return effectWords{textEffectLicenceAdd, countLicenceAdd, toneGood}
	case directory.EffectLicenceRemove:
		return effectWords{textEffectLicenceRemove, countLicenceRemove, toneBad}
	case directory.EffectLicenceSwap:
		return effectWords{textEffectLicenceSwap, countLicenceSwap, toneInfo}
	case directory.EffectLicencePlans:
		return effectWords{textEffectLicencePlans, countLicencePlans, toneInfo}
	case directory.EffectLicenceReprocess:
		return effectWords{textEffectLicenceReprocess, countLicenceReprocess, tonePlain}
	}
	name := text{string(e), string(e)}
	return effectWords{name, countOther, tonePlain}
}

// graveFirst are the effects of some counts, those that take away first; what a
// change counts as besides is left out.
func graveFirst(counts map[directory.Effect]int) []directory.Effect {
	rank := func(e directory.Effect) int {
		return slices.Index([]tone{toneBad, toneWarn, toneInfo, toneGood, tonePlain}, words(e).tone)
	}
	list := slices.DeleteFunc(slices.Sorted(maps.Keys(counts)), func(e directory.Effect) bool {
		return e == directory.EffectUpdateToEmpty || counts[e] == 0
	})
	slices.SortStableFunc(list, func(a, b directory.Effect) int { return rank(a) - rank(b) })
	return list
}

// total is how many changes some counts are of.
func total(counts map[directory.Effect]int) (n int) {
	for e, k := range counts {
		if e != directory.EffectUpdateToEmpty {
			n += k
		}
	}
	return n
}

// effectBadge is an effect as a word with a colour and a sign.
func (v *visit) effectBadge(e directory.Effect) g.Node {
	w := words(e)
	return v.badge(w.tone, w.name)
}

// inWords says how many there are of each effect, with verbs: "Block 14 accounts, update
// 2".
func (v *visit) inWords(counts map[directory.Effect]int) string {
	s := ""
	for i, e := range graveFirst(counts) {
		if i > 0 {
			s += ", "
		}
		s += v.lang.count(words(e).many, counts[e])
	}
	return capital(s)
}

// capital makes the first letter of a text a capital one.
func capital(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[size:]
}

// chips are the counts of a run by effect, each a link to the changes of that effect.
func (v *visit) chips(counts map[directory.Effect]int, chosen string) g.Node {
	var list []g.Node
	for _, e := range graveFirst(counts) {
		w := words(e)
		to, current := v.with("effect", string(e), "next", ""), string(e) == chosen
		if current {
			to = v.with("effect", "", "next", "")
		}
		list = append(list, h.Li(link(to, h.Class("chip "+string(w.tone)), g.If(current, h.Aria("current", "true")), h.Data("swap", "#changes"),
			h.Strong(v.number(counts[e])), g.Text(" "), v.say(w.name))))
	}
	return h.Ul(h.Class("chips"), v.label(textByEffect), g.Group(list))
}
