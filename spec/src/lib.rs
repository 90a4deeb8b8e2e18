//! The Lockstep machine as an executable specification. It shares no line with what it judges.
#![forbid(unsafe_code)]
