"""Small pure pieces that would fit any project."""
