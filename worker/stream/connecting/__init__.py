"""What a connection is secured with: certificates, passwords and bearer tokens, read when it is made."""
