"""What the image must do before it becomes a release."""
