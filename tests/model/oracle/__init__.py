"""The model as an oracle: the real use cases run on fake ports, and each of their steps must be one of the model's."""
