"""The tasks that can be measured, one file each."""
