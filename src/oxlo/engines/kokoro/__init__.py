"""The kind `kokoro`: text to speech with kokoro-onnx, each model a child process."""
