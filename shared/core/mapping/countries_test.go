package mapping

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

var update = flag.Bool("update", false, "write countries.txt")

// nameLanguages are those in which names of countries are known.
var nameLanguages = []language.Tag{
	language.English, language.German, language.French, language.Spanish, language.Italian, language.Dutch, language.Portuguese, language.Polish,
	language.Swedish, language.Danish, language.Norwegian, language.Finnish, language.Czech, language.Slovak, language.Hungarian, language.Romanian,
	language.Croatian, language.Slovenian, language.Bulgarian, language.Greek, language.Turkish, language.Ukrainian, language.Russian, language.Hebrew,
	language.Arabic, language.Japanese, language.Korean, language.SimplifiedChinese, language.TraditionalChinese, language.Indonesian, language.Vietnamese,
}

// The table of names is what x/text knows, in the form in which names are looked up.
func TestCountryTable(t *testing.T) {
	t.Parallel()
	names := map[string]string{}
	ambiguous := map[string]bool{}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			region, err := language.ParseRegion(string([]rune{a, b}))
			if err != nil || !region.IsCountry() || region.Canonicalize() != region {
				continue
			}
			for _, tag := range nameLanguages {
				name := foldCountry(display.Regions(tag).Name(region))
				if code, known := names[name]; known && code != region.String() {
					ambiguous[name] = true
				}
				names[name] = region.String()
			}
		}
	}
	delete(names, "")
	of := map[string][]string{}
	for name, code := range names {
		if !ambiguous[name] {
			of[code] = append(of[code], name)
		}
	}
	var table strings.Builder
	for _, code := range slices.Sorted(maps.Keys(of)) {
		slices.Sort(of[code])
		table.WriteString(code + "\t" + strings.Join(of[code], "\t") + "\n")
	}
	if *update {
		if err := os.WriteFile("countries.txt", []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table.String() != countryTable {
		t.Error("countries.txt is not what x/text knows: go test ./shared/core/mapping -run TestCountryTable -update writes it anew")
	}
}
