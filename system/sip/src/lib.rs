//! Floor 1: SIP and SDP, sans-IO.
