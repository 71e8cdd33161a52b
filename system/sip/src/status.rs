//! Status codes and their default phrases: RFC 3261 §21, RFC 3262, 3265, 3329, 3903, 4028, 4412,
//! 4474, 5393, 5626, 5839, 6442, 6809, 8197, 8599.
//! Does not know: who sends which.
use core::fmt;
use serde::{Deserialize, Serialize};

/// A status code, 100 to 699.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Status(pub u16);

impl Status {
    pub const TRYING: Status = Status(100);
    pub const RINGING: Status = Status(180);
    pub const SESSION_PROGRESS: Status = Status(183);
    pub const OK: Status = Status(200);
    pub const BAD_REQUEST: Status = Status(400);
    pub const UNAUTHORIZED: Status = Status(401);
    pub const FORBIDDEN: Status = Status(403);
    pub const NOT_FOUND: Status = Status(404);
    pub const METHOD_NOT_ALLOWED: Status = Status(405);
    pub const REQUEST_TIMEOUT: Status = Status(408);
    pub const UNSUPPORTED_MEDIA_TYPE: Status = Status(415);
    pub const UNSUPPORTED_URI_SCHEME: Status = Status(416);
    pub const BAD_EXTENSION: Status = Status(420);
    pub const INTERVAL_TOO_BRIEF: Status = Status(423);
    pub const TEMPORARILY_UNAVAILABLE: Status = Status(480);
    pub const NO_SUCH_CALL: Status = Status(481);
    pub const LOOP_DETECTED: Status = Status(482);
    pub const TOO_MANY_HOPS: Status = Status(483);
    pub const BUSY_HERE: Status = Status(486);
    pub const REQUEST_TERMINATED: Status = Status(487);
    pub const NOT_ACCEPTABLE_HERE: Status = Status(488);
    pub const BAD_EVENT: Status = Status(489);
    pub const REQUEST_PENDING: Status = Status(491);
    pub const SERVER_ERROR: Status = Status(500);
    pub const NOT_IMPLEMENTED: Status = Status(501);
    pub const SERVICE_UNAVAILABLE: Status = Status(503);
    pub const VERSION_NOT_SUPPORTED: Status = Status(505);
    pub const MESSAGE_TOO_LARGE: Status = Status(513);
    pub const DECLINE: Status = Status(603);

    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }
    pub const fn is_success(self) -> bool {
        self.class() == 2
    }
    pub const fn is_final(self) -> bool {
        self.0 >= 200
    }
    /// The first digit.
    pub const fn class(self) -> u16 {
        self.0 / 100
    }

    /// The default phrase; RFC 3261 §8.1.3.2 for a code that we do not know.
    pub const fn reason(self) -> &'static str {
        match self.0 {
            100 => "Trying",
            180 => "Ringing",
            181 => "Call Is Being Forwarded",
            182 => "Queued",
            183 => "Session Progress",
            199 => "Early Dialog Terminated",
            200 => "OK",
            202 => "Accepted",
            204 => "No Notification",
            300 => "Multiple Choices",
            301 => "Moved Permanently",
            302 => "Moved Temporarily",
            305 => "Use Proxy",
            380 => "Alternative Service",
            400 => "Bad Request",
            401 => "Unauthorized",
            402 => "Payment Required",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            406 => "Not Acceptable",
            407 => "Proxy Authentication Required",
            408 => "Request Timeout",
            410 => "Gone",
            412 => "Conditional Request Failed",
            413 => "Request Entity Too Large",
            414 => "Request-URI Too Long",
            415 => "Unsupported Media Type",
            416 => "Unsupported URI Scheme",
            417 => "Unknown Resource-Priority",
            420 => "Bad Extension",
            421 => "Extension Required",
            422 => "Session Interval Too Small",
            423 => "Interval Too Brief",
            424 => "Bad Location Information",
            428 => "Use Identity Header",
            429 => "Provide Referrer Identity",
            430 => "Flow Failed",
            433 => "Anonymity Disallowed",
            436 => "Bad Identity Info",
            437 => "Unsupported Credential",
            438 => "Invalid Identity Header",
            439 => "First Hop Lacks Outbound Support",
            440 => "Max-Breadth Exceeded",
            469 => "Bad Info Package",
            470 => "Consent Needed",
            480 => "Temporarily Unavailable",
            481 => "Call/Transaction Does Not Exist",
            482 => "Loop Detected",
            483 => "Too Many Hops",
            484 => "Address Incomplete",
            485 => "Ambiguous",
            486 => "Busy Here",
            487 => "Request Terminated",
            488 => "Not Acceptable Here",
            489 => "Bad Event",
            491 => "Request Pending",
            493 => "Undecipherable",
            494 => "Security Agreement Required",
            500 => "Server Internal Error",
            501 => "Not Implemented",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Server Time-out",
            505 => "Version Not Supported",
            513 => "Message Too Large",
            555 => "Push Notification Service Not Supported",
            580 => "Precondition Failure",
            600 => "Busy Everywhere",
            603 => "Decline",
            604 => "Does Not Exist Anywhere",
            606 => "Not Acceptable",
            607 => "Unwanted",
            608 => "Rejected",
            code => match code / 100 {
                1 => "Progress",
                2 => "OK",
                3 => "Redirected",
                4 => "Request Failure",
                5 => "Server Failure",
                _ => "Global Failure",
            },
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_do_not_overlap_and_every_code_has_a_phrase() {
        for code in 100..700 {
            let status = Status(code);
            assert_ne!(status.is_provisional(), status.is_final(), "{code}");
            assert_eq!(status.is_success(), (200..300).contains(&code), "{code}");
            assert!(!status.reason().is_empty(), "{code}");
        }
        assert_eq!(Status(481).reason(), "Call/Transaction Does Not Exist");
        assert_eq!(Status(499).reason(), "Request Failure");
    }
}
