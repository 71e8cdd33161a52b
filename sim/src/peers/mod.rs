//! Simulated peers. They have transactions, dialogs, digest and SDP of their own: nothing of the
//! product's machines, or symmetric bugs would hide.
pub mod digest;
pub mod phone;
pub mod sdp;

pub use phone::{Do, Habits, Identity, Phone};
