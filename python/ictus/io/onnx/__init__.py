"""ONNX files, in and out, read and written without any other library."""
