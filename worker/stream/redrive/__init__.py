"""What people do with dead letters: look at them, and send them to the input topic once more.

Apart from the worker: nothing here runs in one, and a worker knows of a redrive only by the records it gets.
"""
