//! The boundary around calls (being built).
