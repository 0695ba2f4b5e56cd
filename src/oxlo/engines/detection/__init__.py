"""The detection engine: an image in, bounding boxes out.

child      the process: loading and routes
service    one request: decode, detect, respond
detector   running the model on an image
picture    image files to model input; drawing boxes
graph      reading a TensorFlow.js graph model
tfjs       converting such a graph to ONNX
centernet, yolo   decoding the output of these model families
boxes      intersection over union, non-maximum suppression
labels     class names
"""
