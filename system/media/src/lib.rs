//! Floor 1: RTP, RTCP, relay with latching, tones, port leases, sans-IO.
