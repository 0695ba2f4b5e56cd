"""The detection engine: a picture in, boxes out.

child      the process: loads, routes
service    one request: read, looked at, written
detector   a picture through the model
picture    from a file to the pixels that a model wants; boxes drawn in
graph      a graph of TensorFlow.js, as its files hold it
tfjs       such a graph as ONNX
centernet, yolo   what models of these families tell, as boxes
boxes      overlaps, and the boxes that remain
classes    names of what is found
"""
