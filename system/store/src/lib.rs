//! Floor 4: engines for the store registry.
