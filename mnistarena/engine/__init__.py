"""The part that computes with torch: tensors in, a trained model and its predictions out."""
