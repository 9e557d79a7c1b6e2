# make build | demo | test | bench | bench-quick | bench-peers | mutation | lint | format | clean
# make test-tools | test-gpu-wheel | test-exports | gpu | gpu-tensorflow | accept-instructions
# make wheel | test-installation | demo-distributed | bench-scaling
# make packages | test-aarch64 | test-clang | test-address-sanitizer | test-sanitizers
#
# Each target makes .venv/, installs what constraints.txt pins, and builds against the TensorFlow
# there; nothing is done twice. CMAKE_ARGS is passed on to CMake. The CUDA kernels are built where
# nvcc is found, or brought where there is a GPU and a driver of CUDA 13; STATPOOL_CUDA=ON|OFF
# overrides, STATPOOL_CUDA_ARCHS="90" builds for one GPU only.

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
  benchmarks/jax_ffi/CMakeLists.txt CMakeLists.txt setup.py pyproject.toml VERSION tools/bring_nvcc.py
# What checks of other compilers and processors need from Debian, beside g++.
PACKAGES := clang libclang-rt-dev g++-aarch64-linux-gnu qemu-user valgrind
CXX_FILES := $(shell find cc cuda tests benchmarks examples tools -name '*.h' -o -name '*.cc' -o -name '*.cu' -o -name '*.cuh')
CMAKE_FILES := $(shell find . -name CMakeLists.txt -not -path './$(VENV)/*' -not -path './build/*') \
  $(wildcard cmake/*.cmake)

CORES := "core- and not aarch64"
TEST_LIBRARIES := build/.built-for-tests
GPU_WHEEL := build/gpu-wheel
GPU_ENVIRONMENT := $(GPU_WHEEL)/.installed-$(PYTHON_TAG)

TIDY_FILES := cuda/launch_plan.cc tests/native/core_program/main.cc \
  $(filter-out %_xla_ops.cc %gpu_ops.cc %gpu_registration.cc %handlers_gpu.cc,$(wildcard cc/*/*.cc))

.PHONY: build demo test accept-instructions test-tools test-gpu-wheel test-exports bench bench-quick bench-peers gpu gpu-tensorflow mutation lint tidy format clean
.PHONY: wheel test-installation demo-distributed bench-scaling
.PHONY: packages build-aarch64 test-aarch64 test-clang test-address-sanitizer test-sanitizers
build: $(LIBRARY)

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
	$(if $(HAS_GPU),@$(BIN)/python tools/bring_nvcc.py)
	@echo "Building the native library (a few minutes the first time) ..."
	@mkdir -p $(@D)
	@$(PIP) install --verbose --no-build-isolation --no-deps --editable . > build/build.log 2>&1 \
	  || { cat build/build.log; exit 1; }
	@grep -o "TensorFlow [0-9].*, ABI .*\|CUDA kernels: .*\|statpool: the XLA part .*" build/build.log \
	  || true
	@touch $@

# A wheel for other machines with this Python and this TensorFlow, whose libraries stay outside.
wheel: $(LIBRARY)
	$(PIP) install --quiet --constraint constraints.txt --group release
	@rm -rf build/wheel dist
	@$(PIP) wheel --no-build-isolation --no-deps --wheel-dir build/wheel . > build/wheel.log 2>&1 \
	  || { cat build/wheel.log; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m auditwheel repair --exclude 'libtensorflow*' \
	  --wheel-dir dist build/wheel/*.whl

demo: $(LIBRARY)
	$(BIN)/python examples/train_audio_classifier.py train

# What tests need beside the libraries: the kernels as a program; where CUDA is built, those for GPUs
# as tests take them, and the emulator that runs them, of CUDA 13.
$(TEST_LIBRARIES): $(LIBRARY) $(wildcard tests/native/*.h tests/native/*/*) \
  tools/find_nvcc.sh tools/ptxsim/build.sh $(wildcard tools/ptxsim/src/*)
	@$(BIN)/cmake --build $(CMAKE_BUILD) --target statpool_for_tests > build/tests.log 2>&1 \
	  || { cat build/tests.log; exit 1; }
	@tools/ptxsim/build.sh || [ $$? = 77 ]
	@touch $@

test: lint $(LIBRARY) $(TEST_LIBRARIES) test-tools test-gpu-wheel test-address-sanitizer build-aarch64
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
	@if tools/find_nvcc.sh > /dev/null 2>&1; then \
	  $(MAKE) --no-print-directory gpu PYTHON=$(BIN)/python GPU="--build $(CMAKE_BUILD)"; \
	else \
	  echo "gpu: skipped, there is no nvcc of CUDA 13 here"; \
	fi
	$(if $(HAS_GPU),$(BIN)/python -m pytest --gpu tests/contract -k "gpu or cuda")

# After a change that is meant to cost or save instructions: what test_instructions.py and, of
# emulated kernels, test_cuda_bars.py expect.
accept-instructions: $(TEST_LIBRARIES)
	$(BIN)/python -m tests.programs.instructions
	@if tools/find_nvcc.sh > /dev/null; then $(BIN)/python -m tests.programs.cuda_bars --accept; fi

# Every way to build and install, each in a fresh environment: an hour or two.
test-installation: $(ENVIRONMENT)
	$(BIN)/python -m pytest tests/project/installation.py

packages:
	apt-get --quiet update
	apt-get --quiet install --yes --no-install-recommends $(PACKAGES)

# The kernels for 64-bit Arm, in an emulation of one; `make test` runs them with all others.
build-aarch64: $(ENVIRONMENT)
	@tests/programs/preset.sh aarch64

test-aarch64: $(LIBRARY)
	@tests/programs/preset.sh aarch64 tests/contract -k aarch64

# All but nvcc's part, by another compiler.
test-clang: $(LIBRARY)
	@tests/programs/preset.sh clang tests/contract tests/core/test_cpu_kernels.py tests/tensorflow/test_raw_ops.py \
	  tests/xla/test_xla.py tests/xla/test_xla_calls.py tests/tensorflow/test_library.py -k "not cuda and not ops-emulated"

# The contract, on every instruction set, in builds that check what they do.
test-address-sanitizer: $(LIBRARY)
	@tests/programs/preset.sh address-sanitizer tests/contract -k $(CORES)

test-sanitizers: test-address-sanitizer
	@tests/programs/preset.sh thread-sanitizer tests/contract -k $(CORES)

# The self-tests of the emulator and of the model of machine code.
test-tools: $(ENVIRONMENT)
	@if reason=$$(tools/find_nvcc.sh 2>&1 >/dev/null); then \
	  export PATH="$(CURDIR)/$(BIN):$$PATH" && \
	  tools/ptxsim/selftest.sh && tools/sassmodel/selftest.sh; \
	else \
	  echo "test-tools: skipped, $$reason"; \
	fi

$(GPU_ENVIRONMENT): constraints.txt pyproject.toml
	$(PYTHON) -m venv $(if $(wildcard $@),,--clear) $(GPU_WHEEL)
	$(GPU_WHEEL)/bin/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	$(GPU_WHEEL)/bin/python -m pip install --quiet --constraint constraints.txt \
	  tensorflow --group runtime --group test
	@touch $@

# The library as it is built, loaded by the TensorFlow for GPUs, in an environment of its own.
test-gpu-wheel: $(LIBRARY) $(TEST_LIBRARIES)
	@if $(BIN)/python -c "import statpool; exit(statpool.build_info()['cuda'] is not None)"; then \
	  echo "test-gpu-wheel: skipped, this build has no CUDA kernels"; \
	else \
	  $(MAKE) --no-print-directory $(GPU_ENVIRONMENT) && \
	  cp -r $(VENV)/lib/python3*/site-packages/*statpool* $(GPU_WHEEL)/lib/python3*/site-packages/ && \
	  $(GPU_WHEEL)/bin/python -m pytest -q tests/tensorflow/test_gpu_kernels.py tests/tensorflow/test_library.py \
	    tests/tensorflow/test_emulated_ops.py tests/tensorflow/test_raw_ops.py tests/xla/test_xla.py; \
	fi

# Every selection of statistics in LiteRT and ONNX Runtime, of which `make test` takes a sample.
test-exports: $(LIBRARY)
	$(BIN)/python -m pytest tests/deploy/test_export_selections.py --all-selections

# Two workers on this machine.
demo-distributed: $(LIBRARY)
	$(BIN)/python examples/train_audio_classifier.py train --strategy multi-worker

# A step on 1, 2 and 4 replicas.
bench-scaling: $(LIBRARY)
	$(BIN)/python -m benchmarks.scaling

bench: $(LIBRARY)
	$(BIN)/python -m benchmarks.run

bench-quick: $(LIBRARY)
	$(BIN)/python -m benchmarks.run --quick

# JAX and PyTorch beside TensorFlow, and the kernels in JAX's programs.
bench-peers: $(LIBRARY)
	$(PIP) install --quiet --constraint constraints.txt --group peers
	@{ $(BIN)/cmake $(CMAKE_BUILD) && $(BIN)/cmake --build $(CMAKE_BUILD) --target statpool_jax; } \
	  > build/peers.log 2>&1 || { cat build/peers.log; exit 1; }
	$(BIN)/python -m benchmarks.run --peers

# The CUDA kernels alone, proven and timed with nvcc and the Python at hand, which is .venv's where
# there is one and PYTHON doesn't name another: no TensorFlow, which compute-sanitizer hangs in, and
# nothing is installed. FILTER="64x1500x512 float32" times some.
gpu:
	PYTHONPATH=python $(or $(if $(filter file,$(origin PYTHON)),$(wildcard $(BIN)/python)),$(PYTHON)) \
	  -m tests.programs.gpu $(GPU)

# TensorFlow itself on a card: environment, build, the contract through the op, training, benchmark.
# WHEELS=FOLDER installs from there alone (tests/programs/gpu_wheels.py fills it); REHEARSE=1 runs a part of
# each on the CPU where there is no card, with what `make build` made.
gpu-tensorflow: $(if $(HAS_GPU),,$(if $(REHEARSE),$(LIBRARY)))
	$(PYTHON) -m tests.programs.gpu_tensorflow $(if $(WHEELS),--wheels "$(WHEELS)") $(if $(REHEARSE),--rehearse)

# Breaks the rules of the contract one by one: the contract suite must notice each.
mutation: $(LIBRARY)
	$(BIN)/python -m tests.programs.mutations

lint: $(ENVIRONMENT)
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --quiet --check
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)
	$(BIN)/gersemi --quiet --check $(CMAKE_FILES)
	$(BIN)/codespell

# Faults that compilers don't warn of (.clang-tidy), in all C++ that needs neither CUDA nor XLA's
# compiler headers, which take minutes.
tidy: $(ENVIRONMENT)
	@mkdir -p build && $(BIN)/cmake --preset debug > build/debug.log 2>&1 || { cat build/debug.log; exit 1; }
	$(BIN)/clang-tidy --quiet -p build/debug $(TIDY_FILES)

format: $(ENVIRONMENT)
	$(BIN)/ruff check --quiet --fix
	$(BIN)/ruff format --quiet
	$(BIN)/clang-format -i $(CXX_FILES)
	$(BIN)/gersemi --in-place $(CMAKE_FILES)

clean:
	rm -rf build dist output python/statpool/*.so python/*.egg-info
