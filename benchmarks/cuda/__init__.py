"""The CUDA kernels apart from TensorFlow: their machine code, bytes and speed."""
