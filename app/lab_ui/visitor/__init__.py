"""Everything that depends on the visitor: identity, systems, uploads, jobs, and the limits on them."""
