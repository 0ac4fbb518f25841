"""Music: beats, onsets and sections of recordings."""
