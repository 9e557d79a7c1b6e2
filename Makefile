# make build | demo | test | bench | bench-quick | bench-peers | mutation | lint | format | clean
#
# Each target makes .venv/, installs what constraints.txt pins, and builds against the TensorFlow
# there; nothing is done twice. CMAKE_ARGS is passed on to CMake. The CUDA kernels are built where
# nvcc is found; STATPOOL_CUDA=ON|OFF overrides, STATPOOL_CUDA_ARCHS="90" builds for one GPU only.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The GPU wheel where a driver sees a GPU, else the CPU wheel.
TENSORFLOW ?= $(if $(shell nvidia-smi -L 2>/dev/null),tensorflow-gpu,tensorflow-cpu)

ENVIRONMENT := $(VENV)/.installed-$(TENSORFLOW)
LIBRARY := build/.built
SETTINGS := build/.settings
NATIVE_SOURCES := $(shell find cc cmake cuda -type f) CMakeLists.txt setup.py pyproject.toml VERSION
CXX_FILES := $(shell find cc cuda tests -name '*.h' -o -name '*.cc' -o -name '*.cu' -o -name '*.cuh')
CMAKE_FILES := $(shell find . -name CMakeLists.txt -not -path './$(VENV)/*' -not -path './build/*') \
  $(wildcard cmake/*.cmake)

.PHONY: build demo test bench bench-quick bench-peers mutation lint format clean
build: $(LIBRARY)

$(ENVIRONMENT): constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --upgrade pip
	$(PIP) install --quiet --constraint constraints.txt --group $(TENSORFLOW) --group dev
	@touch $@

# What a build depends on beside files: written anew only if it changed.
$(SETTINGS): FORCE
	@mkdir -p $(@D)
	@echo "$(STATPOOL_CUDA)|$(STATPOOL_CUDA_ARCHS)|$(CMAKE_ARGS)|$(shell command -v nvcc)" > $@.now
	@cmp -s $@.now $@ || cp $@.now $@
FORCE:

# Interrupted or failed builds leave no stamp, and start again where they stopped.
$(LIBRARY): $(ENVIRONMENT) $(NATIVE_SOURCES) $(SETTINGS)
	@echo "Building the native library (a few minutes the first time) ..."
	@mkdir -p $(@D)
	@$(PIP) install --verbose --no-build-isolation --no-deps --editable . > build/build.log 2>&1 \
	  || { cat build/build.log; exit 1; }
	@grep -o "TensorFlow [0-9].*, ABI .*\|CUDA kernels: .*\|statpool: the XLA part .*" build/build.log \
	  || true
	@touch $@

demo: $(LIBRARY)
	$(BIN)/python examples/train_audio_classifier.py train

test: lint $(LIBRARY)
	$(BIN)/python -m pytest

bench: $(LIBRARY)
	$(BIN)/python -m benchmarks.run

bench-quick: $(LIBRARY)
	$(BIN)/python -m benchmarks.run --quick

# JAX and PyTorch beside TensorFlow.
bench-peers: $(LIBRARY)
	$(PIP) install --quiet --constraint constraints.txt --group peers
	$(BIN)/python -m benchmarks.run --peers

# Breaks the rules of the contract one by one: the contract suite must notice each.
mutation: $(LIBRARY)
	$(BIN)/python tests/mutations.py

lint: $(ENVIRONMENT)
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --quiet --check
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)
	$(BIN)/gersemi --quiet --check $(CMAKE_FILES)
	$(BIN)/codespell

format: $(ENVIRONMENT)
	$(BIN)/ruff check --quiet --fix
	$(BIN)/ruff format --quiet
	$(BIN)/clang-format -i $(CXX_FILES)
	$(BIN)/gersemi --in-place $(CMAKE_FILES)

clean:
	rm -rf build output python/statpool/*.so python/*.egg-info
