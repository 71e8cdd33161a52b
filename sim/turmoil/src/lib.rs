//! The shell under turmoil.
