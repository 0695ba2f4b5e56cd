"""The embedding engine: tokenization, batching across requests, and onnxruntime.

child     the process: loading and routes
service   one request: decode, embed, encode
texts     tokenization and length limits
cl100k    decoding of token ids sent by OpenAI's clients
batching  selection of the next batch (pure)
batcher   execution of batches for concurrent requests
encoder   inference, pooling and normalization of one batch
"""
