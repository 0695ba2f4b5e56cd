"""Files that outlive a call: in a folder or a cloud store, reached by links that expire."""
