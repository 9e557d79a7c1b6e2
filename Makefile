# `make help` lists the targets. Each makes .venv/, installs what constraints.txt pins, and builds against the TensorFlow
# there; nothing is done twice. CMAKE_ARGS is passed on to CMake. The CUDA kernels are built where
# nvcc is found, or brought where there is a GPU and a driver of CUDA 13; STATPOOL_CUDA=ON|OFF
# overrides, STATPOOL_CUDA_ARCHS="90" builds for one GPU only.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := build

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The GPU wheel where a driver sees a GPU, else the CPU wheel.
HAS_GPU := $(shell nvidia-smi -L 2>/dev/null)
TENSORFLOW ?= $(if $(HAS_GPU),tensorflow-gpu,tensorflow-cpu)

# A machine with a GPU builds for that one alone.
export STATPOOL_CUDA_ARCHS ?= $(if $(HAS_GPU),native)

# Another Python has another environment, and its own folder for CMake.
PYTHON_TAG := $(shell $(PYTHON) -c 'import sys; print(sys.implementation.cache_tag)')
ENVIRONMENT := $(VENV)/.installed-$(TENSORFLOW)-$(PYTHON_TAG)
CMAKE_BUILD := build/cmake-$(PYTHON_TAG)
LIBRARY := build/.built
SETTINGS := build/.settings
NATIVE_SOURCES := $(shell find cc cmake cuda -type f) $(wildcard tests/native/*/CMakeLists.txt) \
  CMakeLists.txt setup.py pyproject.toml VERSION tools/bring_nvcc.py
# What checks of other compilers and processors need from Debian, beside g++.
PACKAGES := clang libclang-rt-dev g++-aarch64-linux-gnu qemu-user valgrind
CXX_FILES := $(shell find cc cuda tests benchmarks examples tools -name '*.h' -o -name '*.cc' -o -name '*.cu' -o -name '*.cuh')
CMAKE_FILES := $(shell find . -name CMakeLists.txt -not -path './$(VENV)/*' -not -path './build/*') \
  $(wildcard cmake/*.cmake)

CORES := "core- and not aarch64"
TEST_LIBRARIES := build/.built-for-tests
GPU_WHEEL := build/gpu-wheel
GPU_ENVIRONMENT := $(GPU_WHEEL)/.installed-$(PYTHON_TAG)

TIDY_FILES := cuda/launch_plan.cc $(wildcard cuda/plan/*.cc) tests/native/core_program/main.cc \
  $(filter-out %_xla_ops.cc %gpu_ops.cc %gpu_registration.cc %handlers_gpu.cc,$(wildcard cc/*/*.cc))

# Where nvcc of CUDA 13 is; empty without one.
NVCC := $(shell tools/find_nvcc.sh 2> /dev/null)

# Every target is named by its rule: nothing else here begins a line with small letters and a colon.
.PHONY: $(shell sed -n 's/^\([a-z][a-z0-9-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))
help: ## Lists the targets.
	@sed -n 's/^\([a-z][a-z0-9-]*\):.* ## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) \
	  | while IFS='|' read -r target text; do printf '  %-24s %s\n' "$$target" "$$text"; done

build: $(LIBRARY) ## Makes the environment, and the libraries in it.

$(ENVIRONMENT): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("statpool needs Python 3.11 or newer, \
	got %d.%d; run make with PYTHON=python3.11, or what yours is called" % sys.version_info[:2])'
	$(PYTHON) -m venv $(if $(wildcard $@),,--clear) $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --upgrade pip
	$(PIP) install --quiet --constraint constraints.txt --group $(TENSORFLOW) --group dev
	$(PIP) install --quiet --constraint constraints.txt --no-deps --group legacy-keras
	@touch $@

# What a build depends on beside files: written anew only if it changed.
$(SETTINGS): $(ENVIRONMENT) FORCE
	@mkdir -p $(@D)
	@{ echo "$(STATPOOL_CUDA)|$(STATPOOL_CUDA_ARCHS)|$(CMAKE_ARGS)|$(PYTHON_TAG)"; command -v nvcc; \
	  $(CXX) --version; ls -d $(VENV)/lib/python3*/site-packages/tensorflow*.dist-info; } > $@.now 2>&1 || true
	@cmp -s $@.now $@ || cp $@.now $@
FORCE:

# Interrupted or failed builds leave no stamp, and start again where they stopped.
$(LIBRARY): $(ENVIRONMENT) $(NATIVE_SOURCES) $(SETTINGS)
	$(if $(HAS_GPU),@PYTHONPATH=python $(BIN)/python -m tools.bring_nvcc)
	@echo "Building the native libraries: a few minutes the first time, build/build.log has it all"
	@mkdir -p $(@D)
	@$(PIP) install --verbose --no-build-isolation --no-deps --editable . 2>&1 | tee build/build.log \
	  | sed -u -n 's/^ *\(\[[0-9]*\/[0-9]*\] [BL].*\)/\1/p' || { cat build/build.log; exit 1; }
	@grep -o "TensorFlow [0-9].*, ABI .*\|CUDA kernels: .*\|statpool: the [A-Z]* part .*" build/build.log \
	  || true
	@touch $@

wheel: $(LIBRARY) ## A wheel for this Python and every TensorFlow of pyproject.toml.
	$(PIP) install --quiet --constraint constraints.txt --group release
	@$(BIN)/python -m tools.wheel > build/wheel.log 2>&1 || { cat build/wheel.log; exit 1; }
	@tail -n 1 build/wheel.log

demo: $(LIBRARY) ## Trains the audio classifier: the Lambda layer, then statpool.
	$(BIN)/python examples/train_audio_classifier.py train

# What tests need beside the libraries: the kernels as a program; where CUDA is built, those for GPUs
# as tests take them, and the emulator that runs them, of CUDA 13.
$(TEST_LIBRARIES): $(LIBRARY) $(wildcard tests/native/*.h tests/native/*/*) \
  tools/find_nvcc.sh tools/ptxsim/build.sh $(wildcard tools/ptxsim/src/*)
	@$(BIN)/cmake --build $(CMAKE_BUILD) --target statpool_for_tests > build/tests.log 2>&1 \
	  || { cat build/tests.log; exit 1; }
	@tools/ptxsim/build.sh || [ $$? = 77 ]
	@touch $@

test-libraries: $(TEST_LIBRARIES) ## Builds what the tests need beside the libraries.

PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

check: lint $(LIBRARY) ## The quick tier: lint, the contract where no nvcc is needed, layers.
	$(PYTEST) -q tests/contract tests/keras -k "not cuda and not emulated and not aarch64 and not gpu"

# The gate of every change.
test: lint $(LIBRARY) $(TEST_LIBRARIES) test-tools test-address-sanitizer build-aarch64 ## All that CI runs.
	$(PYTEST)
	$(if $(NVCC),PYTHONPATH=python $(BIN)/python -m tools.gpu --build $(CMAKE_BUILD),\
	  @echo "gpu: skipped, there is no nvcc of CUDA 13 here")
	$(if $(HAS_GPU),$(BIN)/python -m pytest --gpu tests/contract -k "gpu or cuda")

# After a change that is meant to cost or save instructions: what test_instructions.py and, of
# emulated kernels, test_cuda_bars.py expect.
accept-instructions: $(TEST_LIBRARIES) ## Accepts changed counts of instructions.
	$(BIN)/python -m tests.programs.instructions
	$(if $(NVCC),$(BIN)/python -m tests.programs.cuda_bars --accept)

test-installation: wheel ## Every way to build and install: hours.
	$(BIN)/python -m pytest tests/project/installation.py tests/project/installation_of_wheel.py

packages: ## Installs compilers and emulators from Debian, as root.
	apt-get --quiet update
	apt-get --quiet install --yes --no-install-recommends $(PACKAGES)

build-aarch64: $(ENVIRONMENT) ## Builds the CPU kernels for 64-bit Arm.
	@tests/programs/preset.sh aarch64

test-aarch64: $(LIBRARY) ## The contract on 64-bit Arm, emulated; `make test` has it too.
	@tests/programs/preset.sh aarch64 tests/contract -k aarch64

test-clang: $(LIBRARY) ## All but nvcc's part, built by Clang.
	@tests/programs/preset.sh clang tests/contract tests/core/test_cpu_kernels.py tests/tensorflow/test_raw_ops.py \
	  tests/xla/test_xla.py tests/xla/test_xla_calls.py tests/tensorflow/test_library.py -k "not cuda and not ops-emulated"

test-address-sanitizer: $(LIBRARY) ## The contract under AddressSanitizer and UBSan.
	@tests/programs/preset.sh address-sanitizer tests/contract -k $(CORES)

test-sanitizers: test-address-sanitizer ## That, and under ThreadSanitizer.
	@tests/programs/preset.sh thread-sanitizer tests/contract -k $(CORES)

# The emulator's own tests.
test-tools: $(ENVIRONMENT) ## The self-tests of the emulator.
	@if reason=$$(tools/find_nvcc.sh 2>&1 >/dev/null); then \
	  PATH="$(CURDIR)/$(BIN):$$PATH" tools/ptxsim/selftest.sh; \
	else \
	  echo "test-tools: skipped, $$reason"; \
	fi

$(GPU_ENVIRONMENT): constraints.txt pyproject.toml
	$(PYTHON) -m venv $(if $(wildcard $@),,--clear) $(GPU_WHEEL)
	$(GPU_WHEEL)/bin/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	$(GPU_WHEEL)/bin/python -m pip install --quiet --constraint constraints.txt \
	  tensorflow --group runtime --group test
	@touch $@

test-gpu-wheel: $(LIBRARY) $(TEST_LIBRARIES) $(GPU_ENVIRONMENT) ## The library as it is built, in the TensorFlow for GPUs.
	@$(BIN)/python -c "import statpool; exit(statpool.build_info()['cuda'] is None)" \
	  || { echo "test-gpu-wheel: skipped, this build has no CUDA kernels"; exit 0; } \
	  && cp -r $(VENV)/lib/python3*/site-packages/*statpool* $(GPU_WHEEL)/lib/python3*/site-packages/ \
	  && $(GPU_WHEEL)/bin/python -m pytest -q tests/tensorflow/test_gpu_kernels.py \
	    tests/tensorflow/test_library.py tests/tensorflow/test_emulated_ops.py \
	    tests/tensorflow/test_raw_ops.py tests/xla/test_xla.py

test-exports: $(LIBRARY) ## Every selection of statistics in LiteRT and ONNX Runtime.
	$(BIN)/python -m pytest tests/deploy/test_export_selections.py --all-selections

demo-distributed: $(LIBRARY) ## Two workers on this machine train a small model.
	$(BIN)/python examples/train_on_workers.py

bench: $(LIBRARY) ## The benchmark suite, its tables and pictures.
	$(BIN)/python -m benchmarks.run

bench-quick: $(LIBRARY) ## A few cells of it.
	$(BIN)/python -m benchmarks.run --cells quick

bench-peers: $(LIBRARY) ## JAX and PyTorch next to TensorFlow, and the kernels in JAX's programs.
	$(PIP) install --quiet --constraint constraints.txt --group peers
	$(BIN)/python -m benchmarks.run --engines tensorflow,core,jax,torch

# The CUDA kernels alone, proven and timed with nvcc and the Python at hand, which is .venv's where
# there is one and PYTHON doesn't name another: no TensorFlow, which compute-sanitizer hangs in, and
# nothing is installed. FILTER="64x1500x512 float32" times some.
gpu: ## Builds, proves and times the CUDA kernels without TensorFlow.
	PYTHONPATH=python $(or $(if $(filter file,$(origin PYTHON)),$(wildcard $(BIN)/python)),$(PYTHON)) -m tools.gpu $(GPU)

# TensorFlow itself on a card: environment, build, the contract through the op, training, benchmark.
# WHEELS=FOLDER installs from there alone (tools/gpu_wheels.py fills it); REHEARSE=1 runs a part of
# each on the CPU where there is no card, with what `make build` made.
gpu-tensorflow: $(if $(HAS_GPU),,$(if $(REHEARSE),$(LIBRARY))) ## TensorFlow itself on a card.
	$(PYTHON) -m tools.gpu_tensorflow $(if $(WHEELS),--wheels "$(WHEELS)") $(if $(REHEARSE),--rehearse)

mutation: $(LIBRARY) ## Breaks each rule of the contract: the suite must notice.
	$(BIN)/python -m tests.programs.mutations

lint: $(ENVIRONMENT) ## Formatting and likely mistakes.
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --quiet --check
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)
	$(BIN)/gersemi --quiet --check $(CMAKE_FILES)
	$(BIN)/codespell

# Faults that compilers don't warn of (.clang-tidy), in all C++ that needs neither CUDA nor XLA's
# compiler headers, which take minutes.
tidy: $(ENVIRONMENT) ## Looks for faults with clang-tidy.
	@mkdir -p build && $(BIN)/cmake --preset debug > build/debug.log 2>&1 || { cat build/debug.log; exit 1; }
	$(BIN)/clang-tidy --quiet -p build/debug $(TIDY_FILES)

format: $(ENVIRONMENT) ## Fixes what lint reports.
	$(BIN)/ruff check --quiet --fix
	$(BIN)/ruff format --quiet
	$(BIN)/clang-format -i $(CXX_FILES)
	$(BIN)/gersemi --in-place $(CMAKE_FILES)

# output/ stays: nobody can build trained models and hours of benchmarks again.
clean: ## Removes what can be built again.
	rm -rf build dist python/statpool/*.so python/*.egg-info
