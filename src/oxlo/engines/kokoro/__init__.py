"""Engine kind `kokoro`: text to speech with kokoro-onnx, one child process per model."""
