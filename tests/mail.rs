//! Letters on their way: to a real mail server over TLS, whatever becomes of it.

mod faults;
mod letters;
