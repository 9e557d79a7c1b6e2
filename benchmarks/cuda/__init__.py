"""The CUDA kernels apart from TensorFlow: their machine code, their bytes, their speed."""
