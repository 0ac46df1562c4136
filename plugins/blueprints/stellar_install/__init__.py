"""What the install scripts of blueprints share; README.md of the blueprints says how to use it.

It runs on nodes and in containers, where Stellar isn't: only the standard library, and Python 3.9 will do.
"""
