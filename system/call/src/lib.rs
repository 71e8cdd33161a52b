//! Floor 2: legs and the B2BUA that executes a plan.
