package lambdas

import (
	"maps"
	"slices"
	"strings"

	"bindery/infra/template"
)

// pseudo adds the pseudo parameters to a stack's.
func pseudo(parameters map[string]string) map[string]string {
	given := map[string]string{
		"AWS::Partition": "aws", "AWS::Region": Region, "AWS::AccountId": Account, "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": StackName,
	}
	maps.Copy(given, parameters)
	return given
}

// name is a resource's own name, as CloudFormation makes one.
func (s *stack) name(resource string) string {
	p, _ := template.At(s.Resources, resource, "Properties").(map[string]any)
	for _, member := range []string{"Name", "BucketName", "TableName", "QueueName", "FunctionName", "LogGroupName"} {
		if p[member] == nil {
			continue
		}
		if text, err := s.Text(p[member]); err == nil && text != "" {
			return text
		}
	}
	if template.At(s.Resources, resource, "Type") == "AWS::S3::Bucket" {
		return strings.ToLower(StackName + "-" + resource + "-" + s.suffix)
	}
	return StackName + "-" + resource + "-" + s.suffix
}

// physical is what a resource is called, and its attributes.
func (s *stack) physical(resource, attribute string) (string, bool) {
	r, ok := s.Resources[resource].(map[string]any)
	if !ok {
		return "", false
	}
	arn := func(service, what string) string {
		return "arn:aws:" + service + ":" + Region + ":" + Account + ":" + what
	}
	// ref, Arn and the other attributes of each kind.
	var ref, itsARN string
	more := map[string]string{}
	switch r["Type"] {
	case "AWS::DynamoDB::Table":
		ref = s.name(resource)
		itsARN = arn("dynamodb", "table/"+ref)
	case "AWS::SQS::Queue":
		ref, itsARN = s.queueURL(s.name(resource)), arn("sqs", s.name(resource))
		more["QueueName"], more["QueueUrl"] = s.name(resource), ref
	case "AWS::KMS::Key":
		ref, itsARN = s.ids[resource], arn("kms", "key/"+s.ids[resource])
	case "AWS::SecretsManager::Secret":
		ref = s.ids[resource]
		more["Id"] = ref
	case "AWS::Events::EventBus":
		ref, itsARN = s.name(resource), arn("events", "event-bus/"+s.name(resource))
	case "AWS::Events::Rule":
		ref = s.name(resource)
		bus := "" // a rule of the default bus has it not in its ARN
		if p := template.At(r, "Properties", "EventBusName"); p != nil {
			if text, err := s.Text(p); err == nil && text != "" {
				bus = text + "/"
			}
		}
		itsARN = arn("events", "rule/"+bus+ref)
	case "AWS::SNS::Topic":
		ref = arn("sns", s.name(resource))
		more["TopicName"], more["TopicArn"] = s.name(resource), ref
	case "AWS::S3::Bucket":
		ref, itsARN = s.name(resource), "arn:aws:s3:::"+s.name(resource)
	case "AWS::Logs::LogGroup":
		ref, itsARN = s.name(resource), arn("logs", "log-group:"+s.name(resource)+":*")
	case "AWS::IAM::Role":
		ref, itsARN = s.name(resource), "arn:aws:iam::"+Account+":role/"+s.name(resource)
	case "AWS::Serverless::Function":
		ref, itsARN = s.name(resource), arn("lambda", "function:"+s.name(resource))
	case "AWS::ApiGatewayV2::Api":
		ref = s.apiID
		more["ApiEndpoint"], more["ApiId"] = "https://"+s.domain(), ref
	default:
		ref = s.name(resource)
	}
	switch {
	case attribute == "":
		return ref, ref != ""
	case attribute == "Arn":
		return itsARN, itsARN != ""
	}
	return more[attribute], more[attribute] != ""
}

// queueURL is a queue's address by its name.
func (s *stack) queueURL(name string) string { return s.address + "/" + Account + "/" + name }

// domain is the host name of the API.
func (s *stack) domain() string { return s.apiID + ".execute-api." + Region + ".amazonaws.com" }

// abstract writes a text with the template's words for what is called otherwise
// in each stack: ${Table.Arn} for a table's ARN.
func (s *stack) abstract(text string) string {
	names := map[string]string{}
	for resource := range s.Resources {
		for _, attribute := range []string{"", "Arn"} {
			if got, ok := s.physical(resource, attribute); ok && strings.Contains(got, ":") {
				names[got] = "${" + strings.TrimSuffix(resource+"."+attribute, ".") + "}"
			}
		}
	}
	// The longest first: one may be the beginning of another.
	for _, got := range slices.SortedFunc(maps.Keys(names), func(a, b string) int { return len(b) - len(a) }) {
		text = strings.ReplaceAll(text, got, names[got])
	}
	return text
}
