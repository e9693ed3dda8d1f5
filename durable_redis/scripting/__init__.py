"""Lua for scripts and functions: the interpreter, its sandbox, and what crosses between the two worlds.

It knows commands only as a function that it calls with words; clients, gates and effects are the engine's.
"""
