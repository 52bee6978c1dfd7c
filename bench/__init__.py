"""What it costs on this machine: `make bench`. Prints, never judges: a threshold in a noisy place is a lie."""
