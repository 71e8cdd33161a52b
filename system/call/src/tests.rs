//! The call as a machine: every path of the figures, then whatever order of inputs.
mod chaos;
mod delayed;
mod reinvites;
mod rig;
mod setup;
