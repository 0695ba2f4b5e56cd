"""Engine kind `whisper`: speech to text with faster-whisper, one child process per model."""
