"""The local cloud: Cloud Run, Logging and Monitoring on 127.0.0.1, reached by endpoint only."""
