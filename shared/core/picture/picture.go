// Package picture turns what a stranger calls a picture into one that can be
// kept: a JPEG or PNG, whole, of at most MaxBytes, and within Side by Side.
//
// What a file claims is read first (its kind and its measures), and refused when
// unpacking it would take more memory than a picture of a person has use for;
// only then is it decoded, wholly, since a picture that no viewer can show is
// none. A file that is small enough is kept byte for byte, others are scaled
// and written anew as JPEG.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // decodes PNG
	"math"

	"golang.org/x/image/draw"
)

// Limits of what is read and of what is kept.
const (
	MaxInput = 4 << 20 // of a file; Microsoft takes no larger one
	// MaxPixels bounds what is unpacked: 16 million take 64 MB, and 128 MB in
	// a file of 16 bits a colour.
	MaxPixels = 16 << 20
	// MaxLength bounds each way, to what a JPEG can have: scaling keeps 32 bytes
	// for every line of a picture, and a PNG of 32 KB may have 16 million lines.
	MaxLength = 1<<16 - 1
	MaxBytes  = 64 << 10 // of a kept picture
	Side      = 240      // pixels of a kept picture, each way
	// maxScans bounds the scans of a progressive JPEG: each goes over the whole
	// picture, however few bytes it has. Encoders write about ten.
	maxScans = 64
)

// ErrRefused says that a file is no picture that can be kept.
var ErrRefused = errors.New("picture refused")

// Picture is one that can be kept.
type Picture struct {
	Type          string // media type: image/jpeg or image/png
	Width, Height int
	Data          []byte
}

// Prepare checks a file by decoding it, and scales it when it is too large. The
// error is an ErrRefused that says why.
func Prepare(data []byte) (Picture, error) {
	if len(data) == 0 || len(data) > MaxInput {
		return Picture{}, fmt.Errorf("%w: it has %d bytes, and may have 1 to %d", ErrRefused, len(data), MaxInput)
	}
	cfg, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return Picture{}, fmt.Errorf("%w: it is neither JPEG nor PNG", ErrRefused)
	}
	if format != "jpeg" && format != "png" {
		return Picture{}, fmt.Errorf("%w: it is neither JPEG nor PNG but %s", ErrRefused, format)
	}
	if cfg.Width < 1 || cfg.Height < 1 || max(cfg.Width, cfg.Height) > MaxLength || cfg.Width > MaxPixels/cfg.Height {
		return Picture{}, fmt.Errorf("%w: %d by %d pixels are too many", ErrRefused, cfg.Width, cfg.Height)
	}
	// A scan's marker cannot occur within the data of a scan.
	if n := bytes.Count(data, []byte{0xff, 0xda}); format == "jpeg" && n > maxScans {
		return Picture{}, fmt.Errorf("%w: it has %d scans", ErrRefused, n)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return Picture{}, fmt.Errorf("%w: it cannot be decoded", ErrRefused)
	}
	if cfg.Width <= Side && cfg.Height <= Side && len(data) <= MaxBytes {
		return Picture{"image/" + format, cfg.Width, cfg.Height, data}, nil
	}
	return scale(img)
}

// scale writes a picture within Side by Side, its proportions kept, on white.
func scale(img image.Image) (Picture, error) {
	b := img.Bounds()
	f := min(1, Side/float64(b.Dx()), Side/float64(b.Dy()))
	w, h := max(1, int(math.Round(f*float64(b.Dx())))), max(1, int(math.Round(f*float64(b.Dy()))))
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(small, small.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.CatmullRom.Scale(small, small.Bounds(), img, b, draw.Over, nil)
	for quality := 90; quality > 0; quality -= 20 {
		var out bytes.Buffer
		if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: quality}); err != nil {
			return Picture{}, fmt.Errorf("%w: it cannot be scaled", ErrRefused)
		}
		if out.Len() <= MaxBytes {
			return Picture{"image/jpeg", w, h, out.Bytes()}, nil
		}
	}
	return Picture{}, fmt.Errorf("%w: it stays over %d bytes when scaled", ErrRefused, MaxBytes)
}
