"""The playground: models are tried from the browser, by way of the public API."""
