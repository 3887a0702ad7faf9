"""Runs the SAM transform on a template, offline: what CloudFormation would do
first with it. Called by `make validate`.

The parser is cfn-lint's, since it knows CloudFormation's short tags. No managed
policy is looked up at AWS: the template names none, and one that it named would
be an error here.
"""
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from cfnlint.decode import cfn_yaml  # noqa: E402
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader  # noqa: E402
from samtranslator.model.exceptions import InvalidDocumentException  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402


class NoPolicies(ManagedPolicyLoader):
    """Knows no managed policy and asks nobody."""

    def __init__(self):
        super().__init__(None)

    def load(self):
        return {}


def plain(node):
    """Turns cfn-lint's node classes into what the transform expects."""
    if isinstance(node, dict):
        return {str(k): plain(v) for k, v in node.items()}
    if isinstance(node, list):
        return [plain(v) for v in node]
    return str(node) if isinstance(node, str) else node


def main(path):
    template = plain(cfn_yaml.load(path))
    # The transform reads sources that are already uploaded: `sam deploy` does
    # that with the folders that `make build` fills.
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    values = {n: p.get("Default", "value") for n, p in template["Parameters"].items()}
    try:
        done = transform(template, values, NoPolicies())
    except InvalidDocumentException as e:
        for cause in e.causes:
            print(f"{path}: {cause.message}", file=sys.stderr)
        return 1
    left = [n for n, r in done["Resources"].items() if r["Type"].startswith("AWS::Serverless::")]
    if left:
        print(f"{path}: not transformed: {', '.join(left)}", file=sys.stderr)
        return 1
    print(f"{path}: {len(done['Resources'])} resources after the SAM transform")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
