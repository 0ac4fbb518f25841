"""Side by side with the peers: ``python -m benchmarks [NAME ...]``. A workload is one file here."""
