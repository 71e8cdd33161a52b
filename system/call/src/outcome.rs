//! From what a callee answered to what the caller hears and what the record says.
//! RFC 3261 §16.7 (choosing the best response) and §21, read as a B2BUA: what concerns only the
//! callee's leg (credentials, extensions, syntax) is not the caller's business.
use bitspath_core::store::CdrCause;
use bitspath_sip::Status;

/// The caller's status for a callee's final refusal of the first INVITE.
pub fn to_caller(status: Status) -> Status {
    match status.0 {
        // Said of the callee himself: passed on as he said it.
        404 | 408 | 410 | 480 | 482..=484 | 486 | 488 | 500 | 504 | 600 | 603..=608 => status,
        //= RFC 3261 §16.7
        // A 503 of the callee is not our own overload; other quarrels of servers tell him nothing.
        500..=599 => Status::SERVER_ERROR,
        600.. => Status::DECLINE,
        // Redirections (not followed), challenges, and quarrels about our own request.
        _ => Status::TEMPORARILY_UNAVAILABLE,
    }
}

/// The asker's status for the other side's refusal of a re-INVITE: the session goes on as it was.
pub fn to_asker(status: Status) -> Status {
    match status.0 {
        481 | 491 => status,
        401 | 403 | 407 => Status::FORBIDDEN,
        300..=399 => Status::NOT_ACCEPTABLE_HERE,
        _ => match to_caller(status) {
            Status::TEMPORARILY_UNAVAILABLE if status.0 != 480 => Status::NOT_ACCEPTABLE_HERE,
            passed => passed,
        },
    }
}

/// Which of two refusals the caller should hear: the higher rank wins, the first of equal ones.
pub fn rank(status: Status) -> u8 {
    match status.0 {
        //= RFC 3261 §16.7
        // A 6xx is the word of the user himself and ends the search.
        600.. => 9,
        486 => 8,
        488 => 7,
        480 => 6,
        404 | 410 | 484 => 5,
        400..=499 if status.0 != 408 => 4,
        408 => 3,
        500..=599 => 2,
        _ => 1,
    }
}

/// The cause in the record of a call that was refused with `status`.
pub fn cause(status: Status) -> CdrCause {
    match status.0 {
        486 | 600 => CdrCause::Busy,
        603 | 607 | 608 => CdrCause::Declined,
        404 | 410 | 484 | 604 => CdrCause::NotFound,
        408 | 504 => CdrCause::Timeout,
        415 | 488 | 606 => CdrCause::NotAcceptable,
        487 => CdrCause::Cancelled,
        480 | 500..=599 => CdrCause::Unavailable,
        _ => CdrCause::Refused,
    }
}
