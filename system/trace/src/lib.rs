//! Recording frames, pcapng, ladder layout.
