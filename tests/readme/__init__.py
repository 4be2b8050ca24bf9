"""The README says only what is true."""
