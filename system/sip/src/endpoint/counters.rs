//! What the endpoint counts; the server exports every field as a metric of the same name.
use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct Counters { $($(#[doc = $doc])+ pub $name: u64,)+ }

        impl Counters {
            /// Name, help text, value; in declaration order.
            pub fn rows(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($doc),+), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Requests received, repeated ones included.
    requests_in,
    /// Responses received, repeated ones included.
    responses_in,
    /// Requests sent once, retransmissions apart.
    requests_out,
    /// Responses sent once, retransmissions apart.
    responses_out,
    /// Requests that matched a transaction and were absorbed or answered from it.
    repeats_in,
    /// Messages sent again, by a timer or because the peer repeated itself.
    repeats_out,
    /// ACKs that ended the retransmission of a failure response, and their repeats.
    acks_absorbed,
    /// ACKs passed to the user: to a 2xx, or to nothing that we know.
    acks_passed,
    /// CANCELs that met no transaction and were answered 481.
    cancels_unmatched,
    /// Requests that arrived by two paths (RFC 3261 8.2.2.2).
    merged,
    /// Malformed requests that got a stateless answer.
    rejected_answered,
    /// Malformed messages that got none: ACKs, responses, nowhere to answer to.
    rejected_dropped,
    /// Datagrams and frames in which no message could be seen.
    garbage,
    /// Responses to no live transaction.
    stray_responses,
    /// Responses whose top Via is not ours.
    wrong_via,
    /// Inputs that a transaction's state had no use for.
    stray_events,
    /// Requests answered 503 because the transaction table is full.
    refused_full,
    /// Our own requests refused because the transaction table is full.
    requests_full,
    /// Client transactions ended by Timer B, F or Cancel.
    timeouts,
    /// Client transactions ended by the transport.
    transport_failures,
    /// Failure responses that no ACK answered (Timer H).
    unacknowledged,
    /// Requests that the user never answered (RFC 4320, 64*T1).
    unanswered,
    /// 100 Trying sent because the user was silent.
    trying_sent,
    /// Bug: a second final response for one transaction, not sent.
    second_finals,
    /// Responses for a transaction that is gone, not sent.
    late_responses,
    /// Responses that RFC 4320 forbids, not sent.
    forbidden_responses,
    /// Messages for a connection that is gone or a datagram that is too large.
    unsendable,
    /// Connections accepted or made.
    conns_opened,
    /// Connections ended, whoever ended them.
    conns_closed,
    /// Connections refused at the limit.
    conns_refused,
    /// Connections closed because the peer reads too slowly.
    conns_slow,
    /// Connections closed because their stream could not be framed.
    conns_unframed,
    /// CRLF keep-alives answered on streams.
    pings,
    /// Stream inputs for connections that we do not know.
    stray_conns,
    /// ICMP errors received.
    icmp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_row_with_help() {
        let counters = Counters { icmp: 7, ..Counters::default() };
        assert_eq!(counters.rows().last().map(|(n, _, v)| (n, v)), Some(("icmp", 7)));
        assert!(counters.rows().all(|(name, help, _)| !name.is_empty() && !help.is_empty()));
    }
}
