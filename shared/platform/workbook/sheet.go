package workbook

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"bindery/shared/directory"
)

// Sheet is a sheet of a workbook.
type Sheet struct {
	book    *excelize.File
	name    string
	rows    *excelize.Rows
	row     int            // that was read last
	numbers *excelize.Rows // the same rows without the formats of numbers, read where they are needed
	number  int
}

// Name is the sheet's.
func (s *Sheet) Name() string { return s.name }

// Open opens the sheet of a name of a workbook, "" for the first that is shown.
// What is wrong with the file is a *directory.Refusal.
func Open(data []byte, name string) (*Sheet, error) {
	z, uncomputed, err := check(data)
	if err != nil {
		return nil, err
	}
	book, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{
		UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: spillBytes, ShortDatePattern: "yyyy-mm-dd",
	})
	if err != nil {
		return nil, refuse("The workbook cannot be read: it is damaged, or has a password.")
	}
	s := &Sheet{book: book}
	if err := s.begin(z, name, uncomputed); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// begin finds the sheet and stands before its first row. uncomputed are the cells
// without results, by the part of their sheet.
func (s *Sheet) begin(z *zip.Reader, name string, uncomputed map[string]string) (err error) {
	s.name, err = find(s.book, name)
	if err != nil {
		return err
	}
	if cell := uncomputed[partOf(z, s.name)]; cell != "" {
		return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFile,
			fmt.Sprintf("The sheet %q holds formulas without their results, the first in the cell %s: the program that wrote it does not compute.", s.name, cell),
			"Open it in Excel or LibreOffice, and save it again.")
	}
	s.rows, err = s.book.Rows(s.name)
	if err != nil {
		return refuse(fmt.Sprintf("The sheet %q cannot be read.", s.name))
	}
	return nil
}

// find is the name of the sheet to be read.
func find(book *excelize.File, name string) (string, error) {
	list := book.GetSheetList()
	if name != "" {
		if i := slices.IndexFunc(list, func(s string) bool { return strings.EqualFold(s, name) }); i >= 0 {
			return list[i], nil
		}
		names := "“" + strings.Join(list[:min(len(list), 20)], "”, “") + "”"
		return "", directory.Refuse(directory.ErrInvalid, directory.CodeNoSuchSheet, fmt.Sprintf("The workbook has no sheet %q.", name), "Its sheets are "+names+".")
	}
	for _, s := range list {
		if shown, err := book.GetSheetVisible(s); err == nil && shown {
			return s, nil
		}
	}
	return "", refuse("The workbook shows no sheet.")
}

// Close gives back what the sheet holds, files on the disk too.
func (s *Sheet) Close() error {
	var errs []error
	for _, rows := range []*excelize.Rows{s.rows, s.numbers} {
		if rows == nil {
			continue
		}
		if err := rows.Close(); err != nil && !errors.Is(err, rows.Error()) { // which Next has told
			errs = append(errs, err)
		}
	}
	if err := errors.Join(append(errs, s.book.Close())...); err != nil {
		return fmt.Errorf("workbook: %w", err)
	}
	return nil
}

// Skip passes over the rows up to row. Its error is a refusal, or the context's.
func (s *Sheet) Skip(ctx context.Context, row int) error {
	for s.row < row && s.rows.Next() {
		s.row++
		if s.row%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return s.fault(s.rows)
}

func (s *Sheet) fault(rows *excelize.Rows) error {
	if err := rows.Error(); err != nil {
		return refuse(fmt.Sprintf("The sheet %q cannot be read behind row %d.", s.name, s.row))
	}
	return nil
}

// Next reads the next row that holds something; without cells at the end of the
// sheet. Rows are numbered from 1.
// Cells are texts as they are shown; a number that is shown with an exponent has
// all its digits.
func (s *Sheet) Next() (row int, cells []string, err error) {
	for s.rows.Next() {
		s.row++
		cells, err := s.rows.Columns()
		if err != nil {
			return s.row, nil, refuse(fmt.Sprintf("Row %d of the sheet %q cannot be read.", s.row, s.name))
		}
		if strings.TrimSpace(strings.Join(cells, "")) == "" {
			continue
		}
		if slices.ContainsFunc(cells, exponent().MatchString) {
			if err := s.digits(cells); err != nil {
				return s.row, nil, err
			}
		}
		return s.row, cells, nil
	}
	return 0, nil, s.fault(s.rows)
}

// exponent is a number that is shown with one.
var exponent = directory.Pattern(`^-?\d+([.,]\d+)?E[+-]?\d+$`)

// digits writes numbers of the row that was read last without an exponent.
func (s *Sheet) digits(cells []string) error {
	var err error
	if s.numbers == nil {
		if s.numbers, err = s.book.Rows(s.name); err != nil {
			return refuse(fmt.Sprintf("The sheet %q cannot be read.", s.name))
		}
	}
	for s.number < s.row && s.numbers.Next() {
		s.number++
	}
	values, err := s.numbers.Columns(excelize.Options{RawCellValue: true})
	if err != nil {
		return refuse(fmt.Sprintf("Row %d of the sheet %q cannot be read.", s.row, s.name))
	}
	for i, text := range cells {
		if i >= len(values) || !exponent().MatchString(text) {
			continue
		}
		cells[i] = values[i]
		if n, ok := new(big.Float).SetPrec(64).SetString(values[i]); ok && exponent().MatchString(values[i]) && n.IsInt() && n.MantExp(nil) < 128 {
			cells[i] = n.Text('f', 0)
		}
	}
	return nil
}
