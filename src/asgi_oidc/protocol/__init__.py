"""The protocol with the provider: makes calls and checks answers as plain values, without I/O, clock or randomness."""
