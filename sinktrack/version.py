"""The version, alone so that packaging can read it without importing the library."""

VERSION = "0.1.0"
