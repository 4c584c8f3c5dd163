"""What happens to a finished run: sealed, verified, scanned for secrets, published, one day removed."""
