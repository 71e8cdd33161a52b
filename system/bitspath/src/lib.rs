//! Floor 5: what the binaries do, one file per command; the mains only read the command line.
//! Law: exit code 0 = as asked, 1 = a check failed, 2 = unusable arguments, configuration or
//! surroundings, with one clear line on stderr that says what and where.
#![forbid(unsafe_code)]

pub mod cdr;
pub mod cli;
pub mod decode;
pub mod exit;
pub mod flight;
pub mod operator;
pub mod replay;

pub use exit::Exit;
