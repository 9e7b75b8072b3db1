"""Millstream: the Amazon Kinesis platform as software that people run themselves."""

__version__ = "0.1.0"
