"""HTTP with the browser: reads requests and makes responses as plain values, without I/O, clock or randomness."""
