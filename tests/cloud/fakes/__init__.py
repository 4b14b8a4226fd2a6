"""Fakes of the cloud providers' identity services, and the program that serves them all.

One process holds every fake: the tokens one of them mints must be known to the registry that accepts them, and one
control endpoint must see every call. Each provider still has its own modules, and each of those names the
documentation it rests on.
"""
