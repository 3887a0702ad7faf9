# Bindery. `make help` lists what there is to do.
#
# Build settings live here and nowhere else. There is ONE set of flags: another
# set, another GOARCH too, compiles Microsoft's SDK anew, which takes minutes
# and up to 5 GB of memory. Without the tag lambda.norpc a binary that reaches
# Graph grows to nearly twice its size: sync from 19 MB to 37.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

export CGO_ENABLED := 0
export GOFLAGS     := -trimpath -tags=lambda.norpc -buildvcs=false

GO          ?= go
ARCH        ?= $(shell $(GO) env GOHOSTARCH)
BUILD       := .build
FUNCTIONS   := $(notdir $(patsubst %/main.go,%,$(wildcard functions/*/main.go)))
LDFLAGS     := -s -w
MAX_MB      := 23
# How long one package's tests may take; go's own ten minutes are too few on a busy machine.
PATIENCE    := 30m
SDK         := github.com/microsoftgraph/msgraph-sdk-go
GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
CFN_LINT    := cfn-lint==1.58.0
SAM_TRANSFORM := aws-sam-translator==1.115.0
SCHEMATHESIS := 4.32.5
SCIM_TESTER  := 0.5.2
SCIM_CLI     := 0.6.0
SCIM_CLIENT  := 0.13.2
SCIM_SANITY  := 0.7.4
NEWMAN       := 6.2.2
SCIM_SDK     := 5.0.0
AXE          := axe-playwright-python==0.1.8

# What test-aws runs: every contract that has a driver for AWS, the main job over
# those drivers, and the real binaries against the engines.
AWS_PACKAGES := ./shared/table/dynamodb ./shared/store/storetest ./shared/platform/vault ./shared/platform/queue ./shared/platform/signer ./shared/platform/notify ./shared/platform/upload ./shared/platform/heads
AWS_JOBS     := ./infra/demo ./infra/local ./infra/stack ./infra/template -run "AWS|TestBinaries"

.PHONY: help demo run m365 test test-race test-api test-scim test-aws test-lambda lambda-story test-browser screens bench scenario lint fmt-check vet golangci vuln build validate deploy entra-app setup token smoke clean sdk-notice

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: sdk-notice ## the whole job on a simulated tenant: offline, nothing to set up
	@$(GO) run ./infra/local demo

run: sdk-notice ## the local stack; state in .local/; Ctrl-C stops it
	@$(GO) run ./infra/local run

m365: ## the simulated Microsoft 365 alone, on LOCAL_M365_PORT (8365)
	@$(GO) run ./infra/m365

test: sdk-notice ## all tests that need only Go, then the race detector where it is cheap
	$(GO) test -timeout $(PATIENCE) ./...
	@$(MAKE) --no-print-directory test-race

# Packages that do not reach Graph (the race detector would compile the SDK a
# second time). infra/template is left out: it builds the real binaries.
test-race: ## the race detector on the packages that do not reach Microsoft's SDK
	@if ! command -v "$$($(GO) env CC)" >/dev/null; then echo "race detector: skipped, it needs a C compiler"; exit 0; fi; \
	packages=$$($(GO) list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... | awk '$$1 ~ /\.test$$/ && !index($$0, "$(SDK)/") && $$1 !~ /\/infra\/template\.test$$/ {sub(/\.test$$/, "", $$1); print $$1}'); \
	if [ -z "$$packages" ]; then echo "race detector: no package to test"; exit 0; fi; \
	echo "race detector: $$(wc -w <<<"$$packages") packages"; \
	CGO_ENABLED=1 $(GO) test -race -timeout $(PATIENCE) $$packages

$(BUILD)/schemathesis/ready-$(SCHEMATHESIS):
	@rm -rf $(BUILD)/schemathesis; python3 -m venv $(BUILD)/schemathesis
	@$(BUILD)/schemathesis/bin/pip install --quiet schemathesis==$(SCHEMATHESIS)
	@touch $@

# Schemathesis ends by itself after the seconds, wherever it is.
test-api: sdk-notice ## three minutes of requests that Schemathesis makes up from the API's description (needs Python); FOR=60 for as many seconds
	@if ! command -v python3 >/dev/null; then echo "test-api: skipped, it needs python3"; [ "$${CI:-}" != true ]; exit; fi; \
	$(MAKE) --no-print-directory $(BUILD)/schemathesis/ready-$(SCHEMATHESIS); \
	BINDERY_SCHEMATHESIS='$(abspath $(BUILD))/schemathesis/bin/st' BINDERY_SCHEMATHESIS_SECONDS='$(FOR)' \
	  $(GO) test ./infra/local -run '^TestSchemathesis$$' -count=1 -v -timeout $(PATIENCE)

$(BUILD)/scim/ready-$(SCIM_TESTER)-$(SCIM_CLI)-$(SCIM_CLIENT)-$(SCIM_SANITY):
	@rm -rf $(BUILD)/scim; python3 -m venv $(BUILD)/scim
	@$(BUILD)/scim/bin/pip install --quiet scim2-tester==$(SCIM_TESTER) scim2-cli==$(SCIM_CLI) scim2-client==$(SCIM_CLIENT) scim-sanity==$(SCIM_SANITY)
	@touch $@

$(BUILD)/newman/ready-$(NEWMAN):
	@rm -rf $(BUILD)/newman; mkdir -p $(BUILD)/newman
	@npm install --silent --no-audit --no-fund --no-update-notifier --cache $(BUILD)/newman/cache --prefix $(BUILD)/newman newman@$(NEWMAN)
	@rm -rf $(BUILD)/newman/cache
	@touch $@

# Maven's own folder for what it fetches would lie outside .build.
$(BUILD)/scim-java/ready-$(SCIM_SDK):
	@rm -rf $(BUILD)/scim-java; mkdir -p $(BUILD)/scim-java
	@sed 's/VERSION/$(SCIM_SDK)/' infra/local/testdata/scim_java.xml >$(BUILD)/scim-java/pom.xml
	@mvn -B -q -Dmaven.repo.local=$(abspath $(BUILD))/scim-java/repository -f $(BUILD)/scim-java/pom.xml dependency:copy-dependencies -DoutputDirectory=$(abspath $(BUILD))/scim-java/lib
	@rm -rf $(BUILD)/scim-java/repository
	@touch $@

# Where a tool is missing, what needs it is skipped, which is a failure in CI alone.
test-scim: sdk-notice ## hold SCIM to the RFCs by testers and clients that others wrote (needs Python, Node.js, Java and Maven)
	@python= newman= java=; missing() { echo "test-scim: without $$1, it needs $$2"; [ "$${CI:-}" != true ]; }; \
	if command -v python3 >/dev/null; then $(MAKE) --no-print-directory $(BUILD)/scim/ready-$(SCIM_TESTER)-$(SCIM_CLI)-$(SCIM_CLIENT)-$(SCIM_SANITY); python='$(abspath $(BUILD))/scim/bin'; \
	else missing 'scim2-tester, scim-sanity and scim2-client' python3; fi; \
	if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(BUILD)/newman/ready-$(NEWMAN); newman='$(abspath $(BUILD))/newman/node_modules/.bin/newman'; \
	else missing "Microsoft's collection" npm; fi; \
	if command -v java >/dev/null && java --list-modules | grep '^jdk.compiler@' >/dev/null && command -v mvn >/dev/null; then $(MAKE) --no-print-directory $(BUILD)/scim-java/ready-$(SCIM_SDK); java='$(abspath $(BUILD))/scim-java/lib'; \
	else missing "UnboundID's client" 'a JDK and mvn'; fi; \
	BINDERY_SCIM_TOOLS="$$python" BINDERY_NEWMAN="$$newman" BINDERY_SCIM_JAVA="$$java" $(GO) test ./infra/local -run '^TestScim(Tools|Tokens|Postman|Java)$$' -count=1 -v -timeout $(PATIENCE)

test-aws: sdk-notice ## the same contracts on DynamoDB Local, ElasticMQ and moto (needs Java, Maven and Python)
	@export BINDERY_NEWMAN=; if [ -f $(BUILD)/newman/ready-$(NEWMAN) ]; then BINDERY_NEWMAN='$(abspath $(BUILD))/newman/node_modules/.bin/newman'; fi; \
	infra/aws-local/with.sh test-aws bash -euc '$(GO) test -count=1 -timeout $(PATIENCE) $(AWS_PACKAGES); $(GO) test -count=1 -timeout $(PATIENCE) $(AWS_JOBS)'

# The test binary is run by itself, so that the story is seen while it is played.
test-lambda: sdk-notice ## the demo's story over the eight real binaries as on Lambda, each call held to its role (needs Java, Maven and Python)
	@infra/aws-local/with.sh test-lambda $(MAKE) --no-print-directory lambda-story

lambda-story: build
	@$(GO) test -c -o $(BUILD)/lambda.test ./infra/demo
	@cd infra/demo && BINDERY_LAMBDAS=$(abspath $(BUILD)) $(abspath $(BUILD))/lambda.test -test.run '^TestLambdas$$' -test.timeout $(PATIENCE)

# What axe-core finds on a page is a defect of it. The script comes in a wheel, and is
# never committed.
$(BUILD)/axe/axe.min.js:
	@rm -rf $(@D); mkdir -p $(@D)
	@python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest $(@D) $(AXE)
	@cd $(@D) && python3 -m zipfile -e *.whl wheel && cp wheel/axe_playwright_python/axe.min.js .

test-browser: sdk-notice ## click through the authorisation and the console in a real browser (needs chromium); pictures in .build/screens/
	@browser=$${BINDERY_BROWSER:-$$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}; \
	if [ -z "$$browser" ]; then echo "test-browser: skipped, no chromium found; set BINDERY_BROWSER to its path"; [ "$${CI:-}" != true ]; exit; fi; \
	axe=; if command -v python3 >/dev/null; then $(MAKE) --no-print-directory $(BUILD)/axe/axe.min.js; axe=$(abspath $(BUILD))/axe/axe.min.js; \
	else echo "test-browser: without axe, it needs python3"; [ "$${CI:-}" != true ] || exit 1; fi; \
	BINDERY_BROWSER="$$browser" BINDERY_AXE="$$axe" $(GO) test ./infra/local ./shared/api/console -run Browser -count=1 -v -timeout $(PATIENCE)

screens: sdk-notice ## take the README's pictures of the console anew (needs chromium)
	@browser=$${BINDERY_BROWSER:-$$(command -v chromium || command -v chromium-browser || command -v google-chrome)}; \
	BINDERY_BROWSER="$$browser" BINDERY_FACES=$(abspath infra/docs) $(GO) test ./infra/local -run '^TestBrowserConsole$$' -count=1

# The test binary is run by itself, so that what it prints is seen while it works.
bench: build ## measure; a table and .local/bench.json; ONLY=export,leaver for some parts
	@mkdir -p .local; $(GO) test -c -o $(BUILD)/bench.test ./infra/bench
	@cd infra/bench && BINDERY_BENCH='$(or $(ONLY),all)' BINDERY_BENCH_OUT=$(abspath .local)/bench.json BINDERY_BENCH_BUILD=$(abspath $(BUILD)) \
	  $(abspath $(BUILD))/bench.test -test.run '^TestBench$$' -test.timeout 80m

scenario: sdk-notice ## 20,000 users loading, people suspended, the process killed: about fifteen minutes
	BINDERY_SCENARIO=1 $(GO) test ./infra/local -run '^TestLargeLoad$$' -count=1 -v -timeout 60m

lint: fmt-check vet golangci vuln ## gofmt, vet, golangci-lint, known vulnerabilities

fmt-check:
	@files=$$(gofmt -l functions shared infra events); if [ -n "$$files" ]; then echo "not formatted, run gofmt -w on:"; echo "$$files"; exit 1; fi

vet: sdk-notice
	$(GO) vet ./...

# Which linters run, and why some places are left out, stands in .golangci.yml.
# Compiling golangci-lint itself takes two to three minutes, once.
golangci: sdk-notice
	$(GO) run $(GOLANGCI) run --allow-serial-runners

# The database of vulnerabilities lies on the internet: without it there is
# nothing to check against, which is said and is no failure. A finding is one,
# and so is anything else that goes wrong.
vuln:
	@mkdir -p $(BUILD); if $(GO) run $(GOVULNCHECK) ./... >$(BUILD)/vuln.log 2>&1; then echo "govulncheck: nothing known"; \
	elif grep -q 'govulncheck: fetching vulnerabilities' $(BUILD)/vuln.log; then echo "govulncheck: skipped, its database does not answer"; \
	else cat $(BUILD)/vuln.log; exit 1; fi

build: sdk-notice ## .build/<function>/bootstrap for ARCH (amd64 or arm64; default: this machine's)
	@test -n "$(FUNCTIONS)" || { echo "build: no functions/*/main.go"; exit 1; }
	@for f in $(FUNCTIONS); do \
	  GOOS=linux GOARCH=$(ARCH) $(GO) build -ldflags '$(LDFLAGS)' -o $(BUILD)/$$f/bootstrap ./functions/$$f; \
	  bytes=$$(wc -c <$(BUILD)/$$f/bootstrap); mb=$$((bytes / 1000000)); \
	  printf '  %-16s %-6s %3d MB\n' $$f $(ARCH) $$mb; \
	  if [ $$bytes -gt $$(($(MAX_MB) * 1000000)) ]; then echo "build: $$f has $$mb MB, more than $(MAX_MB): does it link text/template or net/rpc, or is a build tag lost? infra/template/links_test.go says what makes it grow"; exit 1; fi; \
	done

# cfn-lint's own stamp keeps the environment from being made twice.
$(BUILD)/validate/ready-$(CFN_LINT)-$(SAM_TRANSFORM):
	@command -v python3 >/dev/null || { echo "validate: needs python3"; exit 1; }
	@rm -rf $(BUILD)/validate; python3 -m venv $(BUILD)/validate
	@$(BUILD)/validate/bin/pip install --quiet $(CFN_LINT) $(SAM_TRANSFORM)
	@touch $@

validate: $(BUILD)/validate/ready-$(CFN_LINT)-$(SAM_TRANSFORM) ## cfn-lint and the SAM transform on template.yaml (needs Python)
	@$(BUILD)/validate/bin/cfn-lint --regions eu-central-1 us-east-1 --template template.yaml
	@$(BUILD)/validate/bin/python infra/template/transform.py template.yaml

# sam finds the binaries where `make build` puts them: CodeUri in template.yaml.
deploy: validate ## build for Lambda and deploy with sam: make deploy AlarmEmail=… (any parameter)
	@$(MAKE) --no-print-directory build ARCH=$(or $(LAMBDA_ARCH),arm64)
	@Architecture=$(if $(filter amd64,$(LAMBDA_ARCH)),x86_64,arm64) $(GO) run ./infra/deploy stack $(ARGS)

entra-app: ## register the app at Entra, its secret into Secrets Manager; ARGS=-dry-run says what it would do
	@$(GO) run ./infra/deploy entra-app $(ARGS)

setup: ## all of it: entra-app, deploy, and entra-app again for the redirect URI
	@$(MAKE) --no-print-directory entra-app
	@$(MAKE) --no-print-directory deploy
	@$(MAKE) --no-print-directory entra-app

token: ## sign in to the stack's user pool; the token goes into .local/token
	@$(GO) run ./infra/deploy token

smoke: ## check a live stack: make smoke API=… TOKEN=… (both are found out where the aws CLI knows the stack)
	@$(GO) run ./infra/deploy smoke

clean: ## remove what was built and downloaded; keeps .local/ and Go's cache
	rm -rf $(BUILD)

# Says so when the build cache lacks Microsoft's SDK. go list computes this from
# the cache and compiles nothing.
sdk-notice:
	@if [ "$$(GOARCH=$(ARCH) $(GO) list -f '{{.Stale}}' $(SDK)/models 2>/dev/null)" = true ]; then \
	  echo "Compiling Microsoft's SDK for the first time: this takes 2 to 5 minutes, once."; fi
