"""The kind `diffusers`: images from pipelines of the diffusers library, each a child process."""
