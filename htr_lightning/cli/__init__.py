"""The commands, a file each: parse arguments, call, print."""
