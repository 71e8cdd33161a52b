//! Floor 4: the production host.
