"""The Keras layers: arguments, shapes, weights and saving."""
