"""The modules of the OpenID Foundation's conformance plans for relying parties, each by its public name."""
