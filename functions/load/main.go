// Command load is the Lambda function that loads files of users and groups: for each wake-up of
// its queue one slice of one job. It reads what strangers send, CSV, JSON and
// workbooks, and reaches no Microsoft.
package main

import (
	"bindery/shared/boot/app"
	"bindery/shared/boot/lambda"
	"bindery/shared/core/people"
	"bindery/shared/platform/workbook"
)

func main() { lambda.Main(app.LoadFiles, wire) }

func wire(a *app.AWS) (lambda.Handler, error) {
	parts := a.Parts
	parts.OpenSheet = people.Sheets(workbook.Open)
	return lambda.Handler{Message: app.NewCore(parts).Load}, nil
}
