"""What becomes of a trained model after training: merged, converted, published; each checked before it counts."""
