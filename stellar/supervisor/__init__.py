"""What ``stellar run`` does: starts the processes of one machine, restarts what crashes, stops all of it in order."""
