"""The kind `whisper`: speech to text with faster-whisper, each model a child process."""
