"""Every page that a person sees: its texts, its layout, and which error is shown how."""
