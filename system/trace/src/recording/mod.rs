//! A recording is segments; each stands alone: header, checkpoint, then frames.
//!
//! ```text
//!   magic  Header  Checkpoint  ( Input | Timeout  [OutHash] )*  [Gap]     one segment
//!   a ring that has wrapped, or a saved flight, is simply several segments in a row
//! ```
//! An `OutHash` stands behind every input or timeout that made the Node say something, and nowhere
//! else. A `Gap` closes a segment whose later frames the disk was too slow for.
mod frame;
mod reader;
mod writer;

pub use frame::{Frame, Header, Kind, MAGIC, Record, VERSION};
pub use reader::{Damage, Place, Reader, Wrong};
pub use writer::Encoder;

#[cfg(test)]
mod tests;
