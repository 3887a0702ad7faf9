package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"
)

// noise is a picture that hardly compresses.
func noise(w, h int) image.Image {
	r := rand.New(rand.NewPCG(1, 2))
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = byte(r.Uint32())
	}
	return m
}

func asPNG(m image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func asJPEG(m image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// claiming is a PNG whose header claims other measures than it has.
func claiming(w, h uint32) []byte {
	data := asPNG(image.NewGray(image.Rect(0, 0, 1, 1)))
	binary.BigEndian.PutUint32(data[16:], w)
	binary.BigEndian.PutUint32(data[20:], h)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

func TestPrepare(t *testing.T) {
	flat := image.NewGray(image.Rect(0, 0, 240, 240))
	small, smallPNG := asJPEG(flat), asPNG(flat)
	for name, row := range map[string]struct {
		data          []byte
		kind          string
		width, height int
		same          bool
	}{
		"JPEG of the right size": {small, "image/jpeg", 240, 240, true},
		"PNG of the right size":  {smallPNG, "image/png", 240, 240, true},
		"smaller":                {asPNG(image.NewGray(image.Rect(0, 0, 48, 40))), "image/png", 48, 40, true},
		"right size, heavy":      {asPNG(noise(240, 240)), "image/jpeg", 240, 240, false},
		"large":                  {asJPEG(noise(648, 648)), "image/jpeg", 240, 240, false},
		"wide":                   {asPNG(image.NewGray(image.Rect(0, 0, 960, 480))), "image/jpeg", 240, 120, false},
		"a line":                 {asPNG(image.NewGray(image.Rect(0, 0, 9000, 1))), "image/jpeg", 240, 1, false},
		"transparent":            {asPNG(image.NewNRGBA(image.Rect(0, 0, 500, 500))), "image/jpeg", 240, 240, false},
	} {
		p, err := Prepare(row.data)
		if err != nil || p.Type != row.kind || p.Width != row.width || p.Height != row.height || bytes.Equal(p.Data, row.data) != row.same {
			t.Errorf("%s: Prepare = %s %dx%d of %d bytes, %v", name, p.Type, p.Width, p.Height, len(p.Data), err)
			continue
		}
		if again, err := Prepare(p.Data); err != nil || !bytes.Equal(again.Data, p.Data) {
			t.Errorf("%s: what is kept would not be kept as it is: %v", name, err)
		}
	}
}

// A transparent picture stands on white, not on black.
func TestPrepareOnWhite(t *testing.T) {
	p, err := Prepare(asPNG(image.NewNRGBA(image.Rect(0, 0, 500, 500))))
	if err != nil {
		t.Fatal(err)
	}
	m, err := jpeg.Decode(bytes.NewReader(p.Data))
	if err != nil {
		t.Fatal(err)
	}
	if r, _, _, _ := m.At(120, 120).RGBA(); r < 0xf000 {
		t.Errorf("the middle is %#x, want white", r)
	}
}

func TestPrepareRefuses(t *testing.T) {
	var animated bytes.Buffer
	if err := gif.Encode(&animated, image.NewGray(image.Rect(0, 0, 9, 9)), nil); err != nil {
		t.Fatal(err)
	}
	whole := asJPEG(noise(100, 100))
	for name, data := range map[string][]byte{
		"nothing":       nil,
		"text":          []byte("<svg onload=alert(1)>"),
		"GIF":           animated.Bytes(),
		"too long":      make([]byte, MaxInput+1),
		"bomb":          claiming(60_000, 60_000),
		"overflow":      claiming(1<<31-1, 1<<31-1),
		"many pixels":   claiming(MaxPixels+1, 1),
		"many lines":    asPNG(image.NewGray(image.Rect(0, 0, 1, MaxLength+1))),
		"empty":         claiming(0, 5),
		"truncated":     whole[:len(whole)/2],
		"header only":   asPNG(noise(50, 50))[:33],
		"many scans":    append(asJPEG(noise(9, 9)), bytes.Repeat([]byte{0xff, 0xda}, maxScans)...),
		"false measure": claiming(200, 200),
	} {
		if p, err := Prepare(data); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: Prepare = %d bytes, %v, want ErrRefused", name, len(p.Data), err)
		}
	}
}

func FuzzPrepare(f *testing.F) {
	f.Add(asJPEG(noise(30, 30)))
	f.Add(asPNG(noise(30, 30)))
	f.Add(asPNG(image.NewPaletted(image.Rect(0, 0, 300, 3), color.Palette{color.Black, color.White})))
	f.Add(claiming(60_000, 60_000))
	f.Add(claiming(300, 200))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Prepare(data)
		if err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Fatalf("Prepare = %v, want ErrRefused", err)
			}
			return
		}
		if len(p.Data) > MaxBytes || p.Width > Side || p.Height > Side {
			t.Fatalf("kept %d bytes, %dx%d", len(p.Data), p.Width, p.Height)
		}
		if again, err := Prepare(p.Data); err != nil || !bytes.Equal(again.Data, p.Data) {
			t.Fatalf("what is kept would not be kept as it is: %v", err)
		}
	})
}
