"""Small pieces that would fit any project; pure, but for the thread that writes files (`group_commit.py`)."""
