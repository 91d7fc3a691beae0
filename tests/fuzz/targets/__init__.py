"""One reader of foreign bytes a module: ``check`` raises on an input with which something does not hold."""
