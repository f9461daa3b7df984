# Every target is a dotnet command or two; the README lists them for systems without make.
NANO = artifacts/bin/Nano.Cli/release/nano
LADDER = artifacts/bin/Ladder/release/Ladder
BENCH = artifacts/bin/Harness/release/Harness
PEERS = artifacts/bin/Peers/release/Peers
BANDS = artifacts/bin/Bands/release/Bands
DOTNET_FLAGS = -c Release --nologo -v quiet
# Building says project by project how far it is.
BUILD_FLAGS = -c Release --nologo -v minimal
PACKAGES = artifacts/packages
STEPS ?= 2000
RUN ?= runs/shakespeare-char

# A test that hangs is named and ends the run; with a small dump its process, too, ends.
TEST_FLAGS = --no-build --logger "console;verbosity=minimal" --results-directory artifacts/test-results --blame-hang-timeout 10m --blame-hang-dump-type mini

.PHONY: train build nano test test-quick test-widths test-native kill-test fuzz verify bench bench-quick bench-report bench-devices bench-peers ladder check-ladder check-bands format check-format docs pack install native sample ort lavapipe ci clean

# The main job: get or make the default corpus, train the small GPT on it, print a sample, write checkpoint and report.
# A run that is there stays: the next goes to runs/shakespeare-char-2, and so on.
train: nano
	@run=$(RUN); n=1; while [ -e "$$run" ]; do n=$$((n + 1)); run=$(RUN)-$$n; done; set -ex; \
	$(NANO) train shakespeare-char --steps $(STEPS) --out "$$run"; \
	$(NANO) generate --model "$$run" --prompt "ROMEO:" --max-tokens 400

# What 'make lavapipe' has installed is for tests alone: it hides the system's Vulkan drivers. Compiled shaders are kept, for compiling them takes most of the time.
ifneq ($(wildcard .tools/lavapipe/lvp_icd.json),)
test: export VK_ICD_FILENAMES := $(CURDIR)/.tools/lavapipe/lvp_icd.json
test: export LD_LIBRARY_PATH := $(CURDIR)/.tools/lavapipe$(addprefix :,$(LD_LIBRARY_PATH))
test: export MESA_SHADER_CACHE_DIR := $(CURDIR)/.tools/shaders
endif

# The library that 'make ort' has fetched takes the place of the one that comes with the build, for it has WebGPU.
ifneq ($(wildcard .tools/libonnxruntime.so.1),)
test: export NANO_ORT := $(CURDIR)/.tools/libonnxruntime.so.1
endif

# The program alone, which is all that 'make' needs.
nano:
	@echo "building $(NANO) (the first time about a minute)"
	dotnet build src/Nano.Cli $(BUILD_FLAGS)

build:
	@echo "building Nano.sln (the first time about two minutes)"
	dotnet build Nano.sln $(BUILD_FLAGS)

test: build
	dotnet test Nano.sln $(DOTNET_FLAGS) $(TEST_FLAGS)

# What a change breaks first, in about a minute: all but the tests that take seconds each, and few of those that start
# the program. Gradient checks are among the slow ones: after a change to an op, run GradCheckTests as well.
SLOW = AttentionTests BadNumber Streaming Fuzz GoldenTokenizer ModelPull SpikeGuard FaultTests SweepTests RunLock GradCheckTests \
  ChatTemplateTests TrainStepTests FrozenTests SegmentsTests TrainerTests SamplerOrder PreparedFolder LlamaTests KvCacheTests \
  SimdMathTests BpeTrainer Several_groups RunHistory BenchCheck JsonLinesTests MemoryPlan CheckpointTests OptimizerTests
empty :=
space := $(empty) $(empty)
QUICK = $(subst $(space),&,$(foreach slow,$(SLOW),FullyQualifiedName!~$(slow)))&(FullyQualifiedName!~Nano.Cli.Tests|FullyQualifiedName~ArchitectureTests|FullyQualifiedName~LanguageTests)
test-quick: build
	dotnet test Nano.sln $(DOTNET_FLAGS) $(TEST_FLAGS) --filter "$(QUICK)"

# The kernel tests again with each width as the default one (every width is also tested in-process).
test-widths: build
	for width in 512 256 128 scalar; do NANO_SIMD=$$width dotnet test tests/Nano.Tensor.Tests $(DOTNET_FLAGS) $(TEST_FLAGS) || exit 1; done

# A run of 300 steps that is killed fifty times (KILLS=200 for more) ends with the bytes of one left alone, and no kill leaves a checkpoint that cannot be read.
KILLS ?= 50
kill-test: build
	NANO_KILLS=$(KILLS) dotnet test tests/Nano.Cli.Tests $(DOTNET_FLAGS) $(TEST_FLAGS) --filter FullyQualifiedName~KillTests

# A million damaged model files: each is read or refused with the readers' one exception. MUTATIONS=100000 for fewer; much faster with TMPDIR in memory.
MUTATIONS ?= 1000000
fuzz: build
	artifacts/bin/Fuzz/release/Fuzz $(MUTATIONS)

verify: build
	$(NANO) verify --model tests/goldens/gpt2_tiny --ops tests/goldens/ops
	$(NANO) verify --model tests/goldens/llama_tiny
	$(NANO) verify tests/goldens/quant tests/goldens/quant_models

# Every case with BenchmarkDotNet (half an hour), or chosen ones: make bench ARGS='gemm --filter "gpt2, forward 256" --threads 1'.
bench: build
	$(BENCH) full $(ARGS)

# The same cases as medians of short runs, peers taking turns (five minutes).
bench-quick: build
	$(BENCH) quick $(ARGS)

# bench/results/<family>.md and .svg, with one thread and with all.
bench-report: build
	$(BENCH) report $(ARGS)

# bench/results/<family>-devices.md and .svg: the same cases on ONNX Runtime's processor and on every device that 'nano info' finds (ten minutes; ARGS='--device onnx-cpu' for some).
bench-devices: build
	$(BENCH) devices $(ARGS)

# bench/results/<family>.md beside libtorch, llama.cpp and Microsoft.ML.Tokenizers in turns (half an hour; ARGS=--quick for some minutes, ARGS='--filter "text, decode"'
# for some). It alone downloads these libraries (300 MB); one that cannot be had is left out with its reason.
bench-peers: nano
	dotnet build bench/Peers/Runner $(BUILD_FLAGS)
	$(PEERS) $(ARGS)

# Each kernel from naive to final in numbered steps, timed; see bench/Ladder/README.md.
ladder: build
	$(LADDER)

check-ladder: build
	$(LADDER) --check

# Five healthy seeds and six planted faults on shakespeare-char: exactly the faults must be flagged (five minutes).
check-bands: build
	$(BANDS) check

# ONNX Runtime with WebGPU (Linux, x64), which no NuGet package has. It is used where NANO_ORT names it: export NANO_ORT=$PWD/.tools
ORT = package/bin/napi-v6/linux/x64/libonnxruntime.so.1
ort: .tools/libonnxruntime.so.1

.tools/libonnxruntime.so.1:
	mkdir -p .tools
	cd .tools && npm pack --silent onnxruntime-node@1.30.0
	echo "6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75  .tools/onnxruntime-node-1.30.0.tgz" | sha256sum --check --quiet
	tar -xzf .tools/onnxruntime-node-1.30.0.tgz -C .tools --strip-components=5 $(ORT)
	rm .tools/onnxruntime-node-1.30.0.tgz

# A Vulkan driver in software (Debian, x64), so that the tests of Nano.Gpu run on the WebGPU provider without a GPU.
lavapipe: .tools/lavapipe/lvp_icd.json

.tools/lavapipe/lvp_icd.json:
	.ci/lavapipe.sh .tools/lavapipe

# The guides and a page for every public type and member, in artifacts/docs.
docs: nano
	dotnet tool restore
	dotnet docfx docfx.json
	cp artifacts/docs/README.html artifacts/docs/index.html
	@echo "the first page is artifacts/docs/index.html"

# The libraries as packages for other programs, and the program as a dotnet tool.
pack:
	for project in src/*; do dotnet pack $$project $(BUILD_FLAGS) -o $(PACKAGES) || exit 1; done

# A program outside the solution that restores the packages and trains with them.
sample: pack
	rm -rf artifacts/sample
	dotnet run -c Release --project samples/Quickstart

# Makes 'nano' a dotnet tool of this user, or brings the installed one up to date. It is compiled for this system beforehand, which halves the time to start.
install:
	dotnet pack src/Nano.Cli $(BUILD_FLAGS) --use-current-runtime -p:SelfContained=false -p:PublishReadyToRun=true -o $(PACKAGES)
	.ci/install.sh $(PACKAGES)

# The program as machine code of this processor in artifacts/native, which starts in a third of the time; it runs on such processors only.
# It needs a C compiler's linker (Debian: clang, zlib1g-dev) and a minute or two.
native:
	dotnet publish src/Nano.Cli $(BUILD_FLAGS) --use-current-runtime -p:PublishAot=true -p:DebugType=none -p:ArtifactsPath=$(CURDIR)/artifacts/native-build -o artifacts/native
	artifacts/native/nano --version

# The tests of the command line with that build.
test-native: native
	NANO_TEST_PROGRAM=$(CURDIR)/artifacts/native/nano dotnet test tests/Nano.Cli.Tests $(DOTNET_FLAGS) $(filter-out --no-build,$(TEST_FLAGS))

format:
	dotnet format Nano.sln

check-format:
	dotnet format Nano.sln --verify-no-changes

ci: check-format test test-widths verify check-ladder
	rm -rf artifacts/ci-run
	$(MAKE) train STEPS=300 RUN=artifacts/ci-run

clean:
	rm -rf artifacts
