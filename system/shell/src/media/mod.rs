//! Media workers: share-nothing threads, each with the sockets of its ports and one shard.
//! A relayed packet never crosses a thread and never meets tokio (measured: a task per socket costs
//! one and a half times the CPU of plain epoll).
//!
//! Map: [`epoll`] the portable sockets, no privileges · [`worker`] the loop around a shard.
pub mod epoll;
pub mod worker;

pub use epoll::EpollNet;
pub use worker::{Gauges, Handle, WorkerConfig, spawn};
