//! What happened, written down: recordings that replay, captures that open in Wireshark, ladders
//! that a person reads. Labels and parsing come from above: nothing here knows a protocol.
//!
//! Map: [`recording`] segments of checksummed records ·
//! [`pcapng`] datagrams in and out of captures · [`ladder`] columns and arrows as text and HTML.
//! Law: a recording tells where it is damaged, by record and offset, before anybody replays it.
#![forbid(unsafe_code)]

pub mod ladder;
pub mod pcapng;
pub mod recording;
