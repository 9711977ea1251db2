"""The subcommands of `arena`, one a file."""
