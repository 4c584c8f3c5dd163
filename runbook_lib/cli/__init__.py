"""The command line: `entry` answers a plain --help, `app` has the commands, the rest are groups of them."""
