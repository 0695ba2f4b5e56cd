"""The embedding engine: tokenizers in front, onnxruntime behind, batches across requests between.

child     the process: loads, routes
service   one request: read, embedded, written
texts     items to token ids, within the model's length
cl100k    token ids of OpenAI's clients to text
batching  which waiting texts are run together (pure)
batcher   who runs them
encoder   a batch through the model: pooled, of unit length
"""
