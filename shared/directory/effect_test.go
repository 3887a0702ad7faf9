package directory

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEachEffectHasARow holds the table against the constants: each has one row,
// with what it needs.
func TestEachEffectHasARow(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "effect.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Effect") || len(v.Values) != 1 {
			return true
		}
		if lit, ok := v.Values[0].(*ast.BasicLit); ok {
			text, _ := strconv.Unquote(lit.Value)
			named = append(named, text)
		}
		return true
	})
	var rows []string
	for _, row := range Effects {
		rows = append(rows, string(row.Effect))
		if row.Words == "" || row.Phase < PhaseTake || row.Phase > LastPhase {
			t.Errorf("the row of %s says too little: %+v", row.Effect, row)
		}
		if row.Guarded != (row.Letter != 0) || row.Default != nil && !row.Guarded {
			t.Errorf("%s is guarded %v, with the letter %q and the default %v", row.Effect, row.Guarded, row.Letter, row.Default)
		}
		if row.Effect.Row().Effect != row.Effect || !row.Effect.Known() {
			t.Errorf("%s does not find its row", row.Effect)
		}
	}
	slices.Sort(named)
	slices.Sort(rows)
	if len(named) < 15 || !slices.Equal(named, rows) {
		t.Errorf("constants %v\nrows      %v", named, rows)
	}
	if Effect("levitate").Known() {
		t.Error("an effect that nobody has named is known")
	}
}

// TestDocumentsNameEachGuardedEffect: whoever sets a limit finds the effect that it
// is of.
func TestDocumentsNameEachGuardedEffect(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(raw), "Effects: `")
	list, _, _ = strings.Cut(list, "`")
	named := strings.Fields(list)
	slices.Sort(named)
	want := make([]string, len(GuardedEffects))
	for i, e := range GuardedEffects {
		want[i] = string(e)
	}
	if !found || !slices.Equal(named, want) {
		t.Errorf("the settings' table names the effects %v, want %v", named, want)
	}
}

// TestLettersOfEffectsStay: the letters are stored, in what the guard has counted.
func TestLettersOfEffectsStay(t *testing.T) {
	t.Parallel()
	stored := map[Effect]byte{EffectBlock: 'b', EffectCreate: 'c', EffectDelete: 'd', EffectUpdateToEmpty: 'e',
		EffectRename: 'n', EffectRevoke: 'r', EffectUpdateSensitive: 's', EffectUnblock: 'u',
		EffectGroupCreate: 'g', EffectGroupDelete: 'h', EffectMemberAdd: 'm', EffectMemberRemove: 'o', EffectManagerSet: 'p', EffectManagerClear: 'q',
		EffectLicenceAdd: 'l', EffectLicenceRemove: 'k', EffectLicenceSwap: 'w', EffectLicencePlans: 'i'}
	taken := map[byte]Effect{}
	for _, row := range Effects {
		if stored[row.Effect] != 0 && stored[row.Effect] != row.Letter {
			t.Errorf("%s is stored as %q, and its row says %q", row.Effect, stored[row.Effect], row.Letter)
		}
		if other, is := taken[row.Letter]; is && row.Letter != 0 {
			t.Errorf("%s and %s are both stored as %q", other, row.Effect, row.Letter)
		}
		taken[row.Letter] = row.Effect
	}
}
