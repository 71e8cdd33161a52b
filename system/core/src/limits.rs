//! Every bound of the house in one place, each with its policy at the brim; const asserts tie them
//! together. What configuration decides (ports against calls, open files) is checked at start.
use core::time::Duration;

/// A table, queue or grant is at its brim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

// Messages -------------------------------------------------------------------------------------
/// Largest SIP message, RFC 3261 §18.1.1: every element accepts 65,535 octets. Brim: 513, or the
/// stream is closed with `TooLong`.
pub const SIP_MESSAGE_BYTES_MAX: usize = 65_535;
/// Header lines in one message. Brim: 400.
pub const SIP_HEADERS_MAX: usize = 128;
/// Via, Route or Contact values followed in one message. Brim: 400.
pub const SIP_LIST_MAX: usize = 70;
/// m-lines in one session description. Brim: 488.
pub const SDP_MEDIA_MAX: usize = 16;
/// Payload formats on one m-line. Brim: 488.
pub const SDP_FORMATS_MAX: usize = 64;
/// Lines in one session description. Brim: 488.
pub const SDP_LINES_MAX: usize = 1_024;

// Calls and transactions -----------------------------------------------------------------------
/// Calls of one Node. Brim: 503 with Retry-After.
pub const CALLS_MAX: u32 = 50_000;
pub const LEGS_PER_CALL_MAX: usize = 16;
/// Live and lingering transactions. Brim: requests 503, our own requests fail as 503.
pub const TRANSACTIONS_MAX: u32 = 1_000_000;
pub const DIALOGS_MAX: u32 = CALLS_MAX * 2;
/// In-dialog requests of one leg that wait for an answer. Brim: 500 with Retry-After.
pub const REQUESTS_PER_LEG_MAX: usize = 8;

// Registrations --------------------------------------------------------------------------------
pub const BINDINGS_MAX: u32 = 1_000_000;
/// Contacts of one address of record. Brim: the oldest goes.
pub const CONTACTS_PER_AOR_MAX: usize = 10;
/// Octets of one Contact value and of the Call-ID kept with it. Brim: 513.
pub const CONTACT_BYTES_MAX: usize = 2_048;
pub const EXPIRES_S_MIN: u32 = 60;
pub const EXPIRES_S_DEFAULT: u32 = 3_600;
pub const EXPIRES_S_MAX: u32 = 7_200;
/// Between two keep-alives to a phone behind NAT, jittered by a fifth either way.
pub const KEEPALIVE: Duration = Duration::from_secs(25);

// Digest ---------------------------------------------------------------------------------------
pub const NONCE_LIFE: Duration = Duration::from_secs(300);
/// Nonces whose nonce-counts are remembered. Brim: the oldest goes, its user is asked again.
pub const NONCES_MAX: u32 = 100_000;
/// How far behind the highest nc a late request may be.
pub const NONCE_WINDOW: u32 = 64;

// Connections ----------------------------------------------------------------------------------
pub const CONNS_MAX: u32 = 100_000;
/// Octets that a peer may have in flight to us before we grant more.
pub const CONN_IN_CREDIT: u32 = 65_536;
/// Octets that we may have waiting for a peer. Brim: the connection is closed as `Slow`.
pub const CONN_OUT_CREDIT: u32 = 262_144;

// Media ----------------------------------------------------------------------------------------
pub const STREAMS_PER_SHARD_MAX: u32 = 40_000;
/// RTP ports that a worker keeps bound ahead of need.
pub const PORTS_WARM: usize = 256;
/// A freed port rests this long, so that late packets cannot reach the next call.
pub const PORT_QUARANTINE: Duration = Duration::from_secs(5);
pub const RTP_PACKET_BYTES_MAX: usize = 1_500;
/// A new port at the same address is believed after this much silence of the old one.
pub const RELATCH_SILENCE: Duration = Duration::from_millis(200);
/// A peer that sends nothing for this long is reported to the Node, which decides.
pub const MEDIA_SILENCE: Duration = Duration::from_secs(60);
/// RTCP is due no sooner than this after the first packet, RFC 3550 §6.2 (2.5 s x 0.5 / 1.21828).
pub const RTCP_DUE: Duration = Duration::from_secs(1);
/// Packets that an echo holds back to pace them. Brim: the oldest goes.
pub const ECHO_PACKETS_MAX: usize = 8;
/// Packets that a tone sends at once after a stall; older ones are left out.
pub const TONE_BURST_MAX: u32 = 4;

// Waiting --------------------------------------------------------------------------------------
/// A call record waits this long for the statistics of its closed streams.
pub const CDR_STATS_WAIT: Duration = Duration::from_secs(1);
pub const STORE_PENDING_MAX: u32 = 65_536;
pub const STORE_WAIT: Duration = Duration::from_secs(30);
/// No answer from the callee: 480.
pub const RING_DEFAULT: Duration = Duration::from_secs(60);
pub const CALL_AGE_MAX: Duration = Duration::from_secs(4 * 3600);

// Host channels; the Node holds the credits, the host asserts "never full" ----------------------
pub const MEDIA_COMMANDS_MAX: usize = 65_536;
pub const MEDIA_EVENTS_MAX: usize = 65_536;
pub const INPUT_QUEUE_MAX: usize = 65_536;

const _: () = assert!(EXPIRES_S_MIN <= EXPIRES_S_DEFAULT && EXPIRES_S_DEFAULT <= EXPIRES_S_MAX);
const _: () = assert!(CONN_IN_CREDIT as usize >= SIP_MESSAGE_BYTES_MAX);
const _: () = assert!(CONN_OUT_CREDIT as usize >= 2 * SIP_MESSAGE_BYTES_MAX);
const _: () = assert!(TRANSACTIONS_MAX >= CALLS_MAX * 4);
const _: () = assert!(PORT_QUARANTINE.as_secs() >= 5);
