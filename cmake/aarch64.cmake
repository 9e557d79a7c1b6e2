# Cross-compiles for 64-bit Arm with Debian's g++-aarch64-linux-gnu; linked statically, programs run
# in qemu-user without a system of their own.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
